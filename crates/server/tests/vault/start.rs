//! Which keyrings open a database.

use server::{
    db::Locked,
    vault::{
        keyring::{KeySource, KeyringError},
        keys::VaultError,
        rotation,
        start::{self, OpenError},
    },
};

use sqlx::Executor as _;

use crate::{
    kit::{Installation, key, open},
    support::TestDatabase,
};

async fn refused(installation: &Installation, keys: &str) -> KeyringError {
    match installation.with_keys(keys).await.err().unwrap() {
        OpenError::Vault(VaultError::Keyring(error)) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_key_of_the_right_shape_that_did_not_seal_the_database_does_not_open_it() {
    let installation = Installation::new().await;
    let wrong = refused(&installation, &key("k1")).await.to_string();
    assert!(wrong.starts_with("key k1 does not open this database"), "{wrong}");
    let lacking = refused(&installation, &key("k2")).await.to_string();
    assert!(lacking.contains("does not open this database: it lacks key k1"), "{lacking}");
    let right_first = refused(&installation, &format!("{},{}", key("k0"), key("k1"))).await;
    assert!(matches!(right_first, KeyringError::WrongKey { .. }));
    installation.with_keys(&installation.keys).await.unwrap();
}

#[tokio::test]
async fn a_ring_without_a_key_that_still_seals_a_tenant_is_refused() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let both = format!("{},{}", key("k2"), installation.keys);
    let (database, vault) = installation.with_keys(&both).await.unwrap();
    // Everything but one tenant is moved to the new key.
    let mut superuser = installation.postgres.superuser().await;
    let (old,): (Vec<u8>,) =
        sqlx::query_as("SELECT sealed_key FROM tenant.tenants").fetch_one(&mut superuser).await.unwrap();
    rotation::rotate(&database, &vault, |_| {}).await.unwrap();
    sqlx::query("UPDATE tenant.tenants SET key_id = 'k1', sealed_key = $1")
        .bind(old)
        .execute(&mut superuser)
        .await
        .unwrap();
    let new = both.split(',').next().unwrap();
    let error = refused(&installation, new).await;
    assert!(matches!(&error, KeyringError::KeyLacking { id } if id == "k1"), "{error}");
    assert!(installation.with_keys(&both).await.is_ok(), "{scope:?}");
}

#[tokio::test]
async fn a_refused_ring_changes_nothing() {
    let installation = Installation::new().await;
    refused(&installation, &format!("{},{}", key("new"), key("k1"))).await;
    let mut superuser = installation.postgres.superuser().await;
    let ids: Vec<(String,)> =
        sqlx::query_as("SELECT key_id FROM global.keyring").fetch_all(&mut superuser).await.unwrap();
    assert_eq!(ids, [("k1".to_owned(),)]);
}

#[tokio::test]
async fn a_fresh_database_wants_its_owner_once() {
    let postgres = TestDatabase::new().await;
    let locked = Locked::connect(&postgres.address("subrosa_app"), 2).await.unwrap();
    let error = start::open(locked, KeySource::Text(key("k1").into()), None).await.err().unwrap();
    assert!(matches!(error, OpenError::NotPrepared), "{error}");

    let installation = Installation::new().await;
    let locked = Locked::connect(&installation.postgres.address("subrosa_app"), 2).await.unwrap();
    start::open(locked, KeySource::Text(installation.keys.as_str().into()), None).await.unwrap();
}

#[tokio::test]
async fn programs_that_start_for_the_first_time_at_once_all_use_the_same_keys() {
    let postgres = TestDatabase::new().await;
    // As a database is before anybody had it.
    postgres.superuser().await.execute("DELETE FROM global.context_keys").await.unwrap();
    let keys = key("k1");
    let started = futures::future::join_all((0..4).map(|_| open(&postgres, &keys))).await;
    let mut signers = Vec::new();
    for (database, vault) in started.into_iter().map(Result::unwrap) {
        rotation::list(&database, &vault).await.unwrap();
        signers.push(vault.signer().public_key());
    }
    assert!(signers.iter().all(|signer| *signer == signers[0]));
    let locked = Locked::connect(&postgres.address("subrosa_app"), 2).await.unwrap();
    let (database, vault) = start::open(locked, KeySource::Text(keys.into()), None).await.unwrap();
    rotation::list(&database, &vault).await.unwrap();
}

#[tokio::test]
async fn an_owner_at_hand_gives_the_database_the_key_of_contexts_again() {
    let installation = Installation::new().await;
    let mut superuser = installation.postgres.superuser().await;
    superuser.execute("UPDATE global.context_keys SET key = sha256(key)").await.unwrap();
    assert!(rotation::list(&installation.database, &installation.vault).await.is_err());
    let (database, vault) = installation.with_keys(&installation.keys).await.unwrap();
    rotation::list(&database, &vault).await.unwrap();
    rotation::list(&installation.database, &installation.vault).await.unwrap();
}
