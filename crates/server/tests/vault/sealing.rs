//! Sealed content in columns: who opens it, and what an attacker who writes to the database achieves.

use server::vault::{
    content::{self, Stored},
    keys::VaultError,
    seal::{Field, RecordKind},
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::kit::{Installation, title_of};

async fn stored(installation: &Installation, call: Uuid) -> Vec<u8> {
    let mut superuser = installation.postgres.superuser().await;
    let row = sqlx::query("SELECT sealed FROM tenant.calls WHERE id = $1")
        .bind(call)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    row.get(0)
}

async fn store(installation: &Installation, call: Uuid, sealed: &[u8]) {
    let mut superuser = installation.postgres.superuser().await;
    let update = sqlx::query("UPDATE tenant.calls SET sealed = $2 WHERE id = $1").bind(call).bind(sealed);
    update.execute(&mut superuser).await.unwrap();
}

async fn assert_broken(installation: &Installation, scope: server::db::Scope, call: Uuid, what: &str) {
    let opened = installation.title(scope, call).await;
    let Err(VaultError::Broken(broken)) = opened else { panic!("{what}: {opened:?}") };
    assert_eq!(broken.place, format!("calls.sealed of row {call}"), "{what}");
}

#[tokio::test]
async fn content_comes_back_to_its_owner_whatever_its_length() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    for length in [0, 1, 255, 256, 70_000, 1 << 20] {
        let title = "ü".repeat(length / 2);
        let call = installation.call(scope, &title).await;
        assert!(installation.title(scope, call).await.unwrap() == title, "{length}");
    }
}

#[tokio::test]
async fn a_ciphertext_that_was_moved_to_another_row_or_tenant_is_refused_and_the_row_is_named() {
    let installation = Installation::new().await;
    let (scope, foreign) = (installation.tenant().await, installation.tenant().await);
    let (one, two) = (installation.call(scope, "one").await, installation.call(scope, "two").await);
    let other = installation.call(foreign, "other").await;
    let sealed = stored(&installation, one).await;
    store(&installation, two, &sealed).await;
    store(&installation, other, &sealed).await;
    assert_broken(&installation, scope, two, "moved to another row").await;
    assert_broken(&installation, foreign, other, "moved to another tenant").await;
    assert_eq!(installation.title(scope, one).await.unwrap(), "one");
    // With its key, too.
    let mut superuser = installation.postgres.superuser().await;
    sqlx::query("UPDATE tenant.record_keys SET sealed = (SELECT sealed FROM tenant.record_keys WHERE record_id = $1) WHERE record_id = $2")
        .bind(one)
        .bind(two)
        .execute(&mut superuser)
        .await
        .unwrap();
    let error = installation.title(scope, two).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("the key of call {two}")), "{error}");
}

#[tokio::test]
async fn a_ciphertext_that_was_moved_to_another_column_is_refused() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "one").await;
    let sealed = stored(&installation, call).await;
    let mut tx = installation.database.read(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    for field in [Field::new("calls", "notes", call), Field::with_part("artifacts", "sealed", call, "ANALYSIS_JSON")] {
        let opened = content::open(&Stored { key: &key, field: field.clone(), sealed: &sealed });
        assert!(matches!(opened, Err(VaultError::Broken(broken)) if broken.place == field.to_string()));
    }
    // The transaction goes on.
    let right = content::open(&Stored { key: &key, field: title_of(call), sealed: &sealed }).unwrap();
    assert_eq!(right.as_slice(), b"one");
}

#[tokio::test]
async fn one_flipped_bit_or_a_cut_anywhere_is_refused_and_the_row_is_named() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "a title").await;
    let sealed = stored(&installation, call).await;
    // The first 15 bytes but the salt of the message are checked by the column itself.
    for at in (6..14).chain(15..sealed.len()) {
        let mut changed = sealed.clone();
        changed[at] ^= 1 << (at % 8);
        store(&installation, call, &changed).await;
        assert_broken(&installation, scope, call, &format!("bit flipped in byte {at}")).await;
    }
    for length in [sealed.len() - 1, sealed.len() - 66, sealed.len() - 70, 57] {
        store(&installation, call, &sealed[..length]).await;
        assert_broken(&installation, scope, call, &format!("cut to {length} bytes")).await;
    }
    store(&installation, call, &sealed).await;
    assert_eq!(installation.title(scope, call).await.unwrap(), "a title");
}

#[tokio::test]
async fn a_list_opens_and_names_the_row_that_does_not() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let mut calls = Vec::new();
    for n in 0..20 {
        calls.push(installation.call(scope, &format!("call {n}")).await);
    }
    let open = async || {
        let mut tx = installation.database.read(&scope).await.unwrap();
        let keys = installation.vault.record_keys(&mut tx, RecordKind::Call, &calls).await.unwrap();
        let rows = sqlx::query("SELECT id, sealed FROM tenant.calls ORDER BY id").fetch_all(tx.conn()).await.unwrap();
        let rows: Vec<(Uuid, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let stored = rows.iter().map(|(id, sealed)| Stored { key: &keys[id], field: title_of(*id), sealed });
        content::open_all(&stored.collect::<Vec<_>>())
    };
    let titles = open().await.unwrap();
    assert!((0..20).all(|n| titles[n].as_slice() == format!("call {n}").as_bytes()));
    let sealed = stored(&installation, calls[3]).await;
    store(&installation, calls[7], &sealed).await;
    let error = open().await.unwrap_err().to_string();
    assert!(error.contains(&calls[7].to_string()), "{error}");
}

#[tokio::test]
async fn a_column_takes_nothing_that_is_not_sealed() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "title").await;
    let mut superuser = installation.postgres.superuser().await;
    for value in [
        "convert_to(repeat('plaintext ', 20), 'UTF8')",
        "crypto.pgp_sym_encrypt_bytea('\\x00', 'p')",
        "crypto.pgp_sym_encrypt_bytea('\\x00', 'p', 'cipher-algo=aes256, disable-mdc=1, s2k-mode=1, s2k-digest-algo=sha256')",
        "crypto.pgp_sym_encrypt_bytea('\\x00', 'p', 'cipher-algo=aes128, s2k-mode=1, s2k-digest-algo=sha256')",
    ] {
        let update = format!("UPDATE tenant.calls SET sealed = {value} WHERE id = '{call}'");
        let error = sqlx::query(sqlx::AssertSqlSafe(update)).execute(&mut superuser).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("23514"), "{value}");
    }
}

#[tokio::test]
async fn what_a_run_made_before_redaction_dies_with_its_key() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "title").await;
    let run = Uuid::now_v7();
    let field = Field::with_part("artifacts", "sealed", call, "RAW_TRANSCRIPT_JSON");

    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.create_run_key(&mut tx, call, run).await.unwrap();
    let sealed = content::seal(&mut tx, &key, &field, b"call me at 555 0100").await.unwrap();
    sqlx::query("INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, run_id, sealed) VALUES ($1, $2, 3, $3, $4, $5)")
        .bind(scope.tenant())
        .bind(call)
        .bind(scope.user())
        .bind(run)
        .bind(&sealed)
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.run_key(&mut tx, run).await.unwrap();
    let opened = content::open(&Stored { key: &key, field, sealed: &sealed }).unwrap();
    assert_eq!(opened.as_slice(), b"call me at 555 0100");
    installation.vault.destroy_run_key(&mut tx, run).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = installation.database.write(&scope).await.unwrap();
    for none in [run, Uuid::now_v7()] {
        let nothing = installation.vault.destroy_run_key(&mut tx, none).await;
        assert!(matches!(nothing, Err(VaultError::Gone(_))), "nothing was destroyed, and that is no success");
    }
    drop(tx);

    let mut tx = installation.database.read(&scope).await.unwrap();
    assert!(matches!(installation.vault.run_key(&mut tx, run).await, Err(VaultError::Gone(_))));
    let left =
        sqlx::query("SELECT FROM tenant.artifacts WHERE run_id = $1").bind(run).fetch_all(tx.conn()).await.unwrap();
    assert!(left.is_empty());
    assert_eq!(installation.title(scope, call).await.unwrap(), "title");
}
