//! A new key in the place of an old one, while others work.

use std::{
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use chrono::{Duration, Utc};
use server::vault::{
    keyring::{KeyId, KeySource, KeyringError},
    keys::VaultError,
    rotation,
};

use crate::kit::{Installation, key, open_from, title};

fn write_keys(path: &Path, keys: &str) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, keys.as_bytes()).unwrap();
}

fn id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

#[tokio::test]
async fn rotation_moves_every_key_and_the_old_one_can_be_retired_and_dropped() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "kept").await;
    let new = key("k2");
    let both = format!("{new},{}", installation.keys);
    let (database, vault) = installation.with_keys(&both).await.unwrap();

    let in_use = rotation::retire(&database, &vault, &id("k1")).await.unwrap_err();
    assert!(matches!(in_use, VaultError::Keyring(KeyringError::InUse { sealed: 7, .. })), "{in_use}");
    let mut reports = Vec::new();
    let done = rotation::rotate(&database, &vault, |progress| reports.push(progress)).await.unwrap();
    // A tenant, a user, and five system keys.
    assert_eq!((done.done, done.total, reports[0].done, reports[0].total), (7, 7, 0, 7));
    let again = rotation::rotate(&database, &vault, |_| {}).await.unwrap();
    assert_eq!(again.done, 0);

    let newest = rotation::retire(&database, &vault, &id("k2")).await.unwrap_err();
    assert!(matches!(newest, VaultError::Keyring(KeyringError::Newest { .. })));
    let unknown = rotation::retire(&database, &vault, &id("k9")).await.unwrap_err();
    assert!(matches!(unknown, VaultError::Keyring(KeyringError::Unknown { .. })));
    rotation::retire(&database, &vault, &id("k1")).await.unwrap();

    let (database, vault) = installation.with_keys(&new).await.unwrap();
    assert_eq!(title(&database, &vault, scope, call).await.unwrap(), "kept");
    let states = rotation::list(&database, &vault).await.unwrap();
    assert!(states[0].retired.is_some() && !states[0].is_in_ring && states[1].is_newest && states[1].seals == 7);
    let back = installation.with_keys(&installation.keys).await.err().unwrap().to_string();
    assert!(back.starts_with("key k1 was retired"), "{back}");
}

#[tokio::test]
async fn nothing_is_sealed_under_a_retired_key_even_by_a_program_that_does_not_know() {
    let installation = Installation::new().await;
    let both = format!("{},{}", key("k2"), installation.keys);
    let (database, vault) = installation.with_keys(&both).await.unwrap();
    rotation::rotate(&database, &vault, |_| {}).await.unwrap();
    rotation::retire(&database, &vault, &id("k1")).await.unwrap();
    let (key_id, sealed) = installation.vault.new_tenant_key(uuid::Uuid::now_v7()).unwrap();
    assert_eq!(key_id, "k1");
    let mut superuser = installation.postgres.superuser().await;
    let insert =
        sqlx::query("INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES (gen_random_uuid(), $1, $2)");
    let error = insert.bind(key_id).bind(sealed).execute(&mut superuser).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("23503"));
}

#[tokio::test]
async fn an_old_key_that_still_seals_warns_after_ninety_days() {
    let installation = Installation::new().await;
    let states = rotation::list(&installation.database, &installation.vault).await.unwrap();
    let now = Utc::now();
    assert_eq!(states[0].warning(now + Duration::days(90)), None);
    let warning = states[0].warning(now + Duration::days(91)).unwrap();
    assert!(warning.starts_with("key k1 has sealed for 91 days"), "{warning}");
}

#[tokio::test]
async fn a_program_that_runs_reads_on_through_a_rotation_and_a_rotation_that_was_killed_goes_on() {
    let installation = Installation::new().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    write_keys(&file, &installation.keys);
    let source = || KeySource::File(file.clone());
    let (database, vault) = open_from(&installation.postgres, source()).await.unwrap();
    let (database, vault) = (Arc::new(database), Arc::new(vault));
    let mut calls = Vec::new();
    for n in 0..40 {
        let scope = installation.tenant().await;
        calls.push((scope, installation.call(scope, &format!("call {n}")).await, format!("call {n}")));
    }

    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let reader = tokio::spawn({
        let (stop, reads, calls, database, vault) =
            (Arc::clone(&stop), Arc::clone(&reads), calls.clone(), Arc::clone(&database), Arc::clone(&vault));
        async move {
            while !stop.load(Ordering::Relaxed) {
                for (scope, call, expected) in &calls {
                    assert_eq!(&title(&database, &vault, *scope, *call).await.unwrap(), expected);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });

    let new = key("k2");
    write_keys(&file, &format!("{new},{}", installation.keys));
    let (rotator, keys) = open_from(&installation.postgres, source()).await.unwrap();
    // Dropped at each of its first awaits in turn, as a kill would leave it: transactions end, the rest is untouched.
    for polls in 1..60 {
        let mut rotation = Box::pin(rotation::rotate(&rotator, &keys, |_| {}));
        for _ in 0..polls {
            let polled = futures::future::poll_immediate(&mut rotation).await;
            if polled.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    rotation::rotate(&rotator, &keys, |_| {}).await.unwrap();
    rotation::retire(&rotator, &keys, &id("k1")).await.unwrap();
    let after = reads.load(Ordering::Relaxed) + calls.len() as u64;
    while reads.load(Ordering::Relaxed) < after && !reader.is_finished() {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();

    let (database, vault) = installation.with_keys(&new).await.unwrap();
    for (scope, call, expected) in &calls {
        assert_eq!(&title(&database, &vault, *scope, *call).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_ring_that_a_running_program_reads_again_is_proved_before_it_is_used() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    write_keys(&file, &installation.keys);
    let (database, vault) = open_from(&installation.postgres, KeySource::File(file.clone())).await.unwrap();
    // Another program rotates to k2; in the first one's source another key of that name turns up.
    let right = format!("{},{}", key("k2"), installation.keys);
    let (rotator, keys) = installation.with_keys(&right).await.unwrap();
    rotation::rotate(&rotator, &keys, |_| {}).await.unwrap();
    write_keys(&file, &format!("{},{}", key("k2"), installation.keys));
    let open = async || {
        let mut tx = database.read(&scope).await.unwrap();
        vault.tenant_key(&mut tx).await
    };
    let refused = open().await.err().unwrap();
    assert!(matches!(&refused, VaultError::Keyring(KeyringError::WrongKey { id }) if id.as_str() == "k2"), "{refused}");
    assert_eq!(vault.ring().newest().id.as_str(), "k1", "nothing is sealed under it");
    write_keys(&file, &right);
    open().await.unwrap();
}

#[tokio::test]
async fn one_key_that_does_not_open_is_named_and_keeps_no_other_under_an_old_key() {
    let installation = Installation::new().await;
    let (scope, broken) = (installation.tenant().await, installation.tenant().await);
    let call = installation.call(scope, "kept").await;
    let mut superuser = installation.postgres.superuser().await;
    let damage = "UPDATE tenant.tenants SET sealed_key = sha256(sealed_key) || sealed_key WHERE tenant_id = $1";
    sqlx::query(damage).bind(broken.tenant()).execute(&mut superuser).await.unwrap();
    let (database, vault) = installation.with_keys(&format!("{},{}", key("k2"), installation.keys)).await.unwrap();
    let error = rotation::rotate(&database, &vault, |_| {}).await.unwrap_err();
    assert!(matches!(error, VaultError::Broken(_)), "{error}");
    assert!(error.to_string().contains(&broken.tenant().to_string()), "{error}");
    let states = rotation::list(&database, &vault).await.unwrap();
    let sealed = |id: &str| states.iter().find(|state| state.id == id).unwrap().seals;
    // Five system keys, two users, one tenant.
    assert_eq!((sealed("k1"), sealed("k2")), (1, 8));
    assert_eq!(title(&database, &vault, scope, call).await.unwrap(), "kept");
}
