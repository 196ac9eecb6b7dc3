//! Deletion, cut off at every step: a proxy between the program and PostgreSQL cuts the connection at the n-th statement, for every n, once
//! before the server sees it and once after the server did what it says and before the program hears of it. Whenever that is, what was
//! deleted is whole, or gone and unreadable for ever.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use server::{
    db::Scope,
    deletion::{self, DeletionError},
    vault::seal::RecordKind,
};
use sqlx::AssertSqlSafe;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};
use uuid::Uuid;

use crate::{
    kit::Installation,
    support,
    things::{enrol, export_and_tell, is_readable, make_of, upload},
};

/// When the connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The server never sees the statement.
    Before,
    /// The program never hears that it was done.
    After,
}

/// Cuts connections to a server.
struct Proxy {
    directory: PathBuf,
    /// Statements until the cut; from 0 on, none is cut.
    left: Arc<AtomicU32>,
}

/// Where PostgreSQL's clients look in a directory.
const SOCKET: &str = ".s.PGSQL.5432";

impl Proxy {
    async fn start(server: &Path, cut: Cut) -> Self {
        let directory = support::directory();
        tokio::fs::create_dir_all(&directory).await.unwrap();
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        let left = Arc::new(AtomicU32::new(0));
        let (server, counter) = (server.join(SOCKET), Arc::clone(&left));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, (Arc::clone(&counter), cut)));
            }
        });
        Self { directory, left }
    }
}

/// Passes a connection's messages on until its cut (PostgreSQL, "Frontend/Backend Protocol": a type, a length that counts itself).
async fn pass(client: UnixStream, server: UnixStream, (left, cut): (Arc<AtomicU32>, Cut)) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    // The first message has no type, nor has one that asks for TLS before it.
    let mut is_first = true;
    let mut is_last = false;
    loop {
        let mut head = vec![0; if is_first { 4 } else { 5 }];
        if from_client.read_exact(&mut head).await.is_err() {
            break;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap()) as usize - 4;
        let kind = if is_first { 0 } else { head[0] };
        let begin = head.len();
        head.resize(begin + length, 0);
        from_client.read_exact(&mut head[begin..]).await.unwrap();
        is_first = is_first && head[begin..] == TLS_REQUEST;
        let is_statement = matches!(kind, b'E' | b'Q');
        let is_due =
            is_statement && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) == Ok(1);
        if is_due && cut == Cut::Before {
            break;
        }
        if is_due {
            // Nothing more is heard; what was asked is done up to its end, which is a `Sync` unless it was a simple query.
            answers.abort();
            is_last = true;
        }
        to_server.write_all(&head).await.unwrap();
        if is_last && matches!(kind, b'S' | b'Q') {
            break;
        }
    }
    // The program's side breaks first; the server goes on to the end of what it was sent, and finds nobody there.
    answers.abort();
}

/// What a client that would like TLS sends first.
const TLS_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// Something to delete, and what else there is.
struct Subject {
    class: RecordKind,
    id: Uuid,
    scope: Scope,
    call: Uuid,
    voice: Uuid,
}

/// What there is of a call besides its own row, and of the voice of its owner, by table.
const OF_CALL: [&str; 5] =
    ["tenant.artifacts", "tenant.search_postings", "tenant.call_metrics", "tenant.action_items", "tenant.export_calls"];
const OF_VOICE: [&str; 1] = ["tenant.voice_profiles"];

/// A tenant with a call, its recording, all that was made of it, and a voice, of which `class` is to go.
async fn subject(installation: &Installation, class: RecordKind) -> Subject {
    let scope = installation.tenant().await;
    let call = installation.call(scope, "gone or whole").await;
    upload(installation, scope, call).await;
    make_of(installation, scope, call).await;
    export_and_tell(installation, scope, call).await;
    let voice = enrol(installation, scope).await;
    let id = match class {
        RecordKind::Call => call,
        RecordKind::VoiceProfile => voice,
        RecordKind::User => scope.user(),
        _ => scope.tenant(),
    };
    Subject { class, id, scope, call, voice }
}

/// Whether what is to go can still be read; nothing of it can be read otherwise than it was.
async fn can_be_read(installation: &Installation, subject: &Subject) -> bool {
    let title = installation.title(subject.scope, subject.call).await;
    let has_voice = is_readable(installation, subject.scope, subject.voice).await;
    let has_call = title.inspect(|title| assert_eq!(title, "gone or whole")).is_ok();
    match subject.class {
        RecordKind::VoiceProfile => {
            assert!(has_call, "with a voice goes no call");
            has_voice
        }
        RecordKind::Call => {
            assert!(has_voice, "with a call goes no voice");
            has_call
        }
        _ => {
            assert_eq!(has_call, has_voice);
            has_call
        }
    }
}

/// Rows of a tenant by table; chains and the outbox as well.
async fn rows(installation: &Installation, tenant: Uuid) -> BTreeMap<String, i64> {
    let mut superuser = installation.postgres.superuser().await;
    // A cut connection's server process may still be at it.
    let busy = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND (backend_xid IS NOT NULL OR state LIKE 'idle in transaction%' OR state = 'active')";
    while sqlx::query(busy).fetch_optional(&mut superuser).await.unwrap().is_some() {}
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'tenant'::regnamespace AND c.relkind IN ('r', 'p')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut superuser).await.unwrap();
        rows.insert(table, count);
    }
    rows
}

/// Deletes over another connection.
async fn delete(
    installation: &Installation,
    database: &server::db::Database,
    subject: &Subject,
) -> Result<(), DeletionError> {
    let mut tx = database.write_long(&subject.scope).await?;
    deletion::delete(&mut tx, installation.vault.signer(), subject.class, subject.id).await?;
    Ok(tx.commit().await?)
}

async fn at_every_step(class: RecordKind, cut: Cut) {
    let installation = Installation::new().await;
    let proxy = Proxy::start(&installation.postgres.socket, cut).await;
    let address = format!(
        "postgres:///{}?host={}&user=subrosa_app&statement-cache-capacity=128",
        installation.postgres.name,
        proxy.directory.display()
    );
    // How it is before and after, when nothing is cut.
    let whole = subject(&installation, class).await;
    let before = rows(&installation, whole.scope.tenant()).await;
    delete(&installation, &installation.database, &whole).await.unwrap();
    let after = rows(&installation, whole.scope.tenant()).await;
    let with_call = OF_CALL.iter().filter(|_| class != RecordKind::VoiceProfile);
    for table in with_call.chain(OF_VOICE.iter().filter(|_| class != RecordKind::Call)) {
        assert!(before[*table] > 0 && after[*table] == 0, "{class:?} {table}: {} of {}", after[*table], before[*table]);
    }
    // In the same transaction somebody is told of it, who goes with the tenant alone.
    let told = "tenant.webhook_deliveries";
    assert_eq!((before[told], after[told] > 0), (0, class != RecordKind::Tenant), "{class:?}");

    let (mut kept, mut gone, mut unheard) = (0, 0, 0);
    for step in 1.. {
        let subject = subject(&installation, class).await;
        let database = installation.through(&address).await;
        proxy.left.store(step, Ordering::SeqCst);
        let deleted = delete(&installation, &database, &subject).await;
        let was_cut = proxy.left.swap(0, Ordering::SeqCst) == 0;
        let left = rows(&installation, subject.scope.tenant()).await;
        if can_be_read(&installation, &subject).await {
            assert_eq!(left, before, "{class:?} {cut:?} {step}");
            assert!(deleted.is_err());
            kept += 1;
        } else {
            assert_eq!(left, after, "{class:?} {cut:?} {step}");
            gone += 1;
            unheard += u32::from(deleted.is_err());
        }
        if !was_cut {
            assert!(deleted.is_ok());
            break;
        }
    }
    println!("{class:?}, cut {cut:?} each statement: {kept} times whole, {gone} times gone, never half");
    // What was not acknowledged and is gone all the same is the commit whose answer was lost.
    assert_eq!((kept >= 10, unheard), (true, u32::from(cut == Cut::After)));
}

#[tokio::test]
async fn a_call_whose_deletion_is_cut_off_at_any_step_is_whole_or_gone() {
    at_every_step(RecordKind::Call, Cut::Before).await;
    at_every_step(RecordKind::Call, Cut::After).await;
}

#[tokio::test]
async fn a_voice_profile_whose_deletion_is_cut_off_at_any_step_is_whole_or_gone() {
    at_every_step(RecordKind::VoiceProfile, Cut::Before).await;
    at_every_step(RecordKind::VoiceProfile, Cut::After).await;
}

#[tokio::test]
async fn a_user_whose_deletion_is_cut_off_at_any_step_is_whole_or_gone() {
    at_every_step(RecordKind::User, Cut::Before).await;
    at_every_step(RecordKind::User, Cut::After).await;
}

#[tokio::test]
async fn a_tenant_whose_deletion_is_cut_off_at_any_step_is_whole_or_gone() {
    at_every_step(RecordKind::Tenant, Cut::Before).await;
    at_every_step(RecordKind::Tenant, Cut::After).await;
}
