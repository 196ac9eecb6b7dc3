//! What is on any medium after content was written: every file of the cluster (heap, indexes, write-ahead log, temporary files,
//! logs), the memory of its processes, a dump, the object directory, and every file that this process has mapped. Nowhere is there a word
//! of it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test fails the test; it says what it searched"
)]
#![allow(unreachable_pub, reason = "support is shared with other test binaries")]

mod columns;
mod search;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeSet, io::Write as _, path::PathBuf};

use bytes::Bytes;
use futures::stream;
use secrecy::ExposeSecret as _;
use serde_json::json;
use server::{
    artifacts::{self, Artifact},
    calls::{self, CallDocument},
    db::{Database, Locked, Owner, Role, Scope},
    search::index,
    vault::{
        blobs::{BlobPlace, Blobs},
        content::{self, Stored},
        keyring::{self, KeyId, KeySource},
        keys::Vault,
        seal::{Field, RecordKind},
        start,
    },
};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use uuid::Uuid;

use search::Canary;
use support::TestDatabase;

#[tokio::test]
async fn no_word_of_any_content_is_on_any_medium() {
    let test = TestDatabase::new().await;
    let (database, vault) = open(&test).await;
    let scope = Scope::authenticated(Uuid::now_v7(), Uuid::now_v7(), Role::Owner);
    // Made now, so that this program's own file does not hold it.
    let (canary, planted) = (Canary::new(), Canary::new());
    let objects = tempfile::tempdir().unwrap();

    let mut superuser = test.superuser().await;
    let covered = columns::write(&database, &vault, scope, &mut superuser, &canary).await;
    assert_eq!(
        covered,
        content_columns(&mut superuser).await,
        "a content column without a canary, or a canary without one"
    );
    upload(&database, &vault, &Blobs::local(objects.path()).unwrap(), scope, &canary).await;
    index(&database, &vault, scope, &canary).await;
    work_with(&mut superuser).await;
    plant(&mut superuser, &planted).await;
    superuser.execute("CHECKPOINT").await.unwrap();

    let cluster = test.socket.parent().unwrap().to_owned();
    let dump = tempfile::tempdir().unwrap();
    let dumped = dump.path().join("dump.sql");
    let output = std::process::Command::new("pg_dump")
        .args(["--username=postgres", "--port=5432", "--host"])
        .arg(&test.socket)
        .arg("--file")
        .arg(&dumped)
        .arg(&test.name)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // The control first: what is not sealed is found in heap, write-ahead log, log and dump.
    for part in ["base", "pg_wal", "log"].map(|part| cluster.join("cluster").join(part)).into_iter().chain([dumped]) {
        let place = if part.is_dir() { part.clone() } else { dump.path().to_owned() };
        assert!(!search::places(&search::everywhere(&planted, &[place])).is_empty(), "the search is blind in {part:?}");
    }
    match search::server_memory(&planted, &cluster.join("cluster")) {
        Some(control) => {
            assert!(!search::places(&control.shared).is_empty(), "the search is blind in memory that is shared");
            assert!(!search::places(&control.own).is_empty(), "the search is blind in a session's memory");
            let memory = search::server_memory(&canary, &cluster.join("cluster")).unwrap();
            let (shared, own) = (&memory.shared, &memory.own);
            println!("{shared} and {own} of memory of {} processes searched", memory.processes);
            assert_eq!([search::places(shared), search::places(own)].concat(), [] as [String; 0]);
        }
        // Past the capture of what is printed, which shows nothing of a test that passes.
        None => {
            writeln!(std::io::stderr(), "skipped: PostgreSQL's memory, into which this account may not look").unwrap();
        }
    }
    let places: Vec<PathBuf> = [cluster, dump.path().to_owned(), objects.path().to_owned()].into();
    let mut searched = search::everywhere(&canary, &places);
    searched.add(search::mapped_files(&canary));
    println!("{searched} searched for {} columns and a blob", covered.len());
    assert_eq!(search::places(&searched), [] as [String; 0]);
    assert!(searched.files > 500 && searched.bytes > 32 << 20);
}

async fn open(test: &TestDatabase) -> (Database, Vault) {
    let mut owner = Owner::connect(&test.address("subrosa_owner")).await.unwrap();
    let locked = Locked::connect(&test.address("subrosa_app"), 4).await.unwrap();
    let key = keyring::generate(&KeyId::parse("k1").unwrap()).unwrap();
    start::open(locked, KeySource::Text(key.expose_secret().into()), Some(&mut owner)).await.unwrap()
}

/// Every column that holds content, by the catalogue.
async fn content_columns(superuser: &mut PgConnection) -> BTreeSet<String> {
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.atttypid = 'app.enc'::regtype AND c.relkind IN ('r', 'p')",
    )
    .fetch_all(superuser)
    .await
    .unwrap();
    columns.into_iter().collect()
}

/// A call that can be found by the canary.
async fn index(database: &Database, vault: &Vault, scope: Scope, canary: &Canary) {
    let call = Uuid::now_v7();
    let mut tx = database.write(&scope).await.unwrap();
    let key = vault.create_record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    let insert = sqlx::query("INSERT INTO tenant.calls (tenant_id, id, owner_id, status) VALUES ($1, $2, $3, 4)");
    insert.bind(scope.tenant()).bind(call).bind(scope.user()).execute(tx.conn()).await.unwrap();
    let document = CallDocument { title: Some(canary.text("title")), ..CallDocument::default() };
    calls::store::put_document(&mut tx, vault, call, &document).await.unwrap();
    let segment = json!({"id": "seg_0001", "startSeconds": 0.0, "text": canary.text("said")});
    let transcript = json!({"language": "en", "segments": [segment]}).to_string();
    let place = (call, Artifact::NormalizedTranscript);
    artifacts::put(&mut tx, place, (&key, None), transcript.as_bytes()).await.unwrap();
    index::renew(&mut tx, vault, call).await.unwrap();
    let postings =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tenant.search_postings").fetch_one(tx.conn()).await;
    assert_eq!(postings.unwrap(), 3);
    tx.commit().await.unwrap();
}

async fn upload(database: &Database, vault: &Vault, blobs: &Blobs, scope: Scope, canary: &Canary) {
    let mut tx = database.write(&scope).await.unwrap();
    let record = Uuid::now_v7();
    let key = vault.create_record_key(&mut tx, RecordKind::User, record).await.unwrap();
    let place = BlobPlace { tenant: scope.tenant(), record, object: Uuid::now_v7() };
    let block = Bytes::from(canary.text("blob").repeat(1000));
    blobs.write(&key, place, stream::iter((0..200).map(|_| Ok(block.clone())))).await.unwrap();
    let field = Field::new("calls", "sealed", record);
    let sealed = content::seal(&mut tx, &key, &field, canary.text("read").as_bytes()).await.unwrap();
    content::open(&Stored { key: &key, field, sealed: &sealed }).unwrap();
    tx.commit().await.unwrap();
}

/// What makes a server write elsewhere than to its tables: sorts on disk, statistics, statements that fail and are logged.
async fn work_with(superuser: &mut PgConnection) {
    superuser.execute("SET work_mem = '64kB'").await.unwrap();
    superuser
        .execute("SELECT count(*) FROM (SELECT c.sealed, g FROM tenant.calls c, generate_series(1, 3000) g ORDER BY c.sealed, g) s")
        .await
        .unwrap();
    superuser.execute("ANALYZE").await.unwrap();
    for statement in [
        "INSERT INTO tenant.calls SELECT * FROM tenant.calls LIMIT 1",
        "UPDATE tenant.calls SET sealed = substring(sealed FROM 2)",
        "INSERT INTO tenant.contacts SELECT * FROM tenant.contacts LIMIT 1",
    ] {
        superuser.execute(statement).await.unwrap_err();
    }
}

/// A text where no seal is: in a table, in a statement that fails and is logged, and in a session.
async fn plant(superuser: &mut PgConnection, planted: &Canary) {
    let text = planted.text("planted");
    superuser
        .execute(AssertSqlSafe(format!("CREATE TABLE public.planted AS SELECT '{text}'::text AS planted")))
        .await
        .unwrap();
    superuser.execute(AssertSqlSafe(format!("SELECT '{text}'::integer"))).await.unwrap_err();
    // In the memory of this session, for as long as it lasts.
    superuser.execute(AssertSqlSafe(format!("SELECT set_config('planted.text', '{text}', false)"))).await.unwrap();
}
