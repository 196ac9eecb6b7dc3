//! Uploads, deletes and rotates until it is killed, and says on standard output what it begins and what is done.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use chrono::{Duration, Utc};
use futures::stream;
use server::{
    db::{Address, Database, Locked, Owner, Role, Scope, Tls},
    deletion::{self, blobs as outbox, mirror},
    vault::{
        blobs::{BlobPlace, Blobs},
        content,
        keyring::KeySource,
        keys::{Vault, VaultError},
        rotation,
        seal::{Field, RecordKind},
        start,
    },
};
use uuid::Uuid;

pub(crate) const SOCKET: &str = "CRASH_SOCKET";
pub(crate) const OBJECTS: &str = "CRASH_OBJECTS";
pub(crate) const SEED: &str = "CRASH_SEED";

/// Keys of users: several batches of a rotation.
const KEYS: u128 = 3000;

/// Bytes of a call's recording: every fourth is more than one part, so that a kill finds half of one.
pub(crate) fn length_of(call: Uuid) -> usize {
    if sound_of(call).is_multiple_of(4) { (4 << 20) + 1000 } else { 100_000 }
}

/// The tenant and user of the workload.
pub(crate) fn scope() -> Scope {
    Scope::authenticated(Uuid::from_u128(1), Uuid::from_u128(2), Role::Owner)
}

pub(crate) async fn open(socket: &Path, ring: &str) -> (Database, Vault) {
    let address = |login| {
        let url = format!("postgres:///subrosa?host={}&user={login}&statement-cache-capacity=64", socket.display());
        Address::parse(&url, Tls::Required).unwrap()
    };
    let mut owner = Owner::connect(&address("subrosa_owner")).await.unwrap();
    owner.migrate().await.unwrap();
    let locked = Locked::connect(&address("subrosa_app"), 4).await.unwrap();
    start::open(locked, KeySource::Text(ring.into()), Some(&mut owner)).await.unwrap()
}

/// Where the recording of a call is.
pub(crate) fn place(call: Uuid) -> BlobPlace {
    BlobPlace { tenant: scope().tenant(), record: call, object: call }
}

pub(crate) fn title_of(call: Uuid) -> Field {
    Field::new("calls", "sealed", call)
}

/// The byte that a recording is made of.
pub(crate) fn sound_of(call: Uuid) -> u8 {
    call.as_bytes()[15]
}

pub(crate) async fn run() {
    // Called by itself, with all that is ignored.
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    // The test harness may have begun a line.
    println!();
    let (database, vault) = open(Path::new(&socket), &std::env::var("SUBROSA_KEYS").unwrap()).await;
    let blobs = Blobs::local(Path::new(&std::env::var_os(OBJECTS).unwrap())).unwrap();
    let (database, vault) = (Arc::new(database), Arc::new(vault));
    tenant_once(&database, &vault).await;
    tokio::spawn({
        let (database, vault) = (Arc::clone(&database), Arc::clone(&vault));
        async move {
            let rotated = rotation::rotate(&database, &vault, |_| println!("@rotating")).await;
            // The server may be killed under it; anything else is the end of the test, which would not hear of a panic here.
            if let Err(error) = rotated
                && !matches!(error, VaultError::Database(_))
            {
                println!("@failed {error}");
                std::process::abort();
            }
            println!("@rotated");
        }
    });
    let mut random: u64 = std::env::var(SEED).unwrap().parse::<u64>().unwrap() * 2 + 1;
    let mut calls = Vec::new();
    loop {
        // Knuth's MMIX generator; what matters is that a seed gives the same run.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if calls.is_empty() || random >> 62 != 0 {
            calls.push(upload(&database, &vault, &blobs).await);
        } else {
            let call = calls.swap_remove((random >> 33) as usize % calls.len());
            println!("@deleting {call}");
            let mut tx = database.write(&scope()).await.unwrap();
            deletion::delete(&mut tx, vault.signer(), RecordKind::Call, call).await.unwrap();
            tx.commit().await.unwrap();
            println!("@deleted {call}");
            outbox::sweep(&database, &blobs).await.unwrap();
            mirror::catch_up(&database, &blobs, &vault).await.unwrap();
        }
    }
}

/// The workload's tenant, made by the first run.
async fn tenant_once(database: &Database, vault: &Vault) {
    let mut tx = database.write(&scope()).await.unwrap();
    if vault.tenant_key(&mut tx).await.is_ok() {
        return;
    }
    let (key_id, sealed) = vault.new_tenant_key(scope().tenant()).unwrap();
    sqlx::query("INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES ($1, $2, $3)")
        .bind(scope().tenant())
        .bind(key_id)
        .bind(sealed)
        .execute(tx.conn())
        .await
        .unwrap();
    let mut system = database.system(server::db::Reason::SignIn).await.unwrap();
    // The user of the workload, and others: many keys, so that a rotation is long enough to be killed in.
    for user in (0..KEYS).map(|n| Uuid::from_u128(2 + n)) {
        let (key_id, sealed) = vault.new_user_key(user).unwrap();
        sqlx::query("SELECT app.user_add($1, sha256(uuid_send($1)), NULL, $2, $3, NULL)")
            .bind(user)
            .bind(key_id)
            .bind(sealed)
            .execute(system.conn())
            .await
            .unwrap();
    }
    system.commit().await.unwrap();
    sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 1)")
        .bind(scope().tenant())
        .bind(scope().user())
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// As the upload of a call goes: word is left that its blobs may be orphans, then they are stored, then the call is committed.
async fn upload(database: &Database, vault: &Vault, blobs: &Blobs) -> Uuid {
    let call = Uuid::now_v7();
    println!("@uploading {call}");
    let mut tx = database.write(&scope()).await.unwrap();
    let deadline = Utc::now() + Duration::days(1);
    let upload = outbox::expect_upload(&mut tx, RecordKind::Call, (call, call), deadline).await.unwrap();
    let new = vault.new_record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    tx.commit().await.unwrap();

    let recording = Bytes::from(vec![sound_of(call); length_of(call)]);
    blobs.write(&new.key, place(call), stream::iter([Ok(recording)])).await.unwrap();

    let mut tx = database.write(&scope()).await.unwrap();
    new.store(&mut tx).await.unwrap();
    upload.end(&mut tx).await.unwrap();
    let sealed = content::seal(&mut tx, &new.key, &title_of(call), call.to_string().as_bytes()).await.unwrap();
    sqlx::query("INSERT INTO tenant.calls (tenant_id, id, owner_id, sealed) VALUES ($1, $2, $3, $4)")
        .bind(scope().tenant())
        .bind(call)
        .bind(scope().user())
        .bind(sealed)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    println!("@uploaded {call}");
    call
}
