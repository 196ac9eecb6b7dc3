//! The operators' log: what is done to the installation itself is on record, or is not done.

use server::{
    audit::{
        Action,
        operator::{self, INSTALLATION, Subject},
    },
    db::{Database, Reason, Role, Scope},
    deletion::{mirror, restore, verify},
    vault::{
        keyring::KeyId,
        keys::{Vault, VaultError},
        rotation,
    },
};
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use crate::kit::{Installation, key};

fn id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

/// An installation whose keys an operator has rotated, retired, and whose receipts were checked; copied out of the database.
async fn after_three_acts() -> (Installation, Database, Vault) {
    let installation = Installation::new().await;
    installation.tenant().await;
    let both = format!("{},{}", key("k2"), installation.keys);
    let (database, vault) = installation.with_keys(&both).await.unwrap();
    rotation::rotate(&database, &vault, |_| {}).await.unwrap();
    rotation::retire(&database, &vault, &id("k1")).await.unwrap();
    restore::check(&database, &installation.blobs, &vault).await.unwrap();
    mirror::catch_up(&database, &installation.blobs, &vault).await.unwrap();
    (installation, database, vault)
}

/// Action and subject of every event of the log, in order.
async fn log(installation: &Installation) -> Vec<(i16, Uuid)> {
    let mut superuser = installation.postgres.superuser().await;
    let rows =
        sqlx::query_as("SELECT action, subject_id FROM tenant.audit_events WHERE tenant_id = $1 ORDER BY sequence");
    rows.bind(INSTALLATION).fetch_all(&mut superuser).await.unwrap()
}

#[tokio::test]
async fn rotation_retirement_and_restore_check_are_in_the_operators_log_which_is_whole_and_mirrored() {
    let (installation, database, vault) = after_three_acts().await;
    let (old, new) = (id("k1"), id("k2"));
    let (retired, rotated) = (Subject::Key(&old).id(), Subject::Key(&new).id());
    // Keys of tenants, of users and of the system are sealed again in a transaction each.
    let rotate = (Action::RotateKeys as i16, rotated);
    let expected =
        [rotate, rotate, rotate, (Action::RetireKey as i16, retired), (Action::CheckRestore as i16, INSTALLATION)];
    assert_eq!(log(&installation).await, expected);
    let report = verify::audit(&database, &installation.blobs, vault.public_keys()).await.unwrap();
    assert_eq!((report.links, report.copies, report.faults), (5, 5, vec![]));
}

#[tokio::test]
async fn every_way_to_tamper_with_the_operators_log_shows() {
    let (installation, database, vault) = after_three_acts().await;
    for (what, tampering) in [
        ("a changed time", "UPDATE tenant.audit_events SET at = at + interval '1 microsecond' WHERE sequence = 3"),
        ("a changed act", "UPDATE tenant.audit_events SET action = 9 WHERE sequence = 4"),
        ("a removed link", "DELETE FROM tenant.audit_events WHERE sequence = 2"),
        ("a cut tail", "DELETE FROM tenant.audit_events WHERE sequence > 3"),
        ("everything gone", "DELETE FROM tenant.audit_events"),
    ] {
        let mut superuser = installation.postgres.superuser().await;
        superuser.execute("CREATE TABLE public.kept AS TABLE tenant.audit_events").await.unwrap();
        superuser.execute(tampering).await.unwrap();
        let report = verify::audit(&database, &installation.blobs, vault.public_keys()).await.unwrap();
        assert!(!report.faults.is_empty(), "{what}");
        let back =
            "TRUNCATE tenant.audit_events; INSERT INTO tenant.audit_events TABLE public.kept; DROP TABLE public.kept";
        superuser.execute(sqlx::raw_sql(back)).await.unwrap();
        let report = verify::audit(&database, &installation.blobs, vault.public_keys()).await.unwrap();
        assert_eq!(report.faults, [], "{what}");
    }
}

#[tokio::test]
async fn an_act_on_the_keys_without_an_event_is_refused_by_the_database() {
    let (installation, database, _) = after_three_acts().await;
    for act in [
        "SELECT app.keyring_retire('k2')",
        "SELECT app.tenant_keys_reseal('{}', 'k2', '{}')",
        "SELECT app.user_keys_reseal('{}', 'k2', '{}')",
        "SELECT app.system_key_reseal('1', 1, '', 'k2', '')",
    ] {
        let mut tx = database.system(Reason::Keys).await.unwrap();
        let error = tx.conn().execute(act).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("28000"), "{act}");
        // An event of another act is none of this one.
        let mut tx = database.system(Reason::Keys).await.unwrap();
        operator::record(&mut tx, Action::CheckRestore, Subject::Installation).await.unwrap();
        assert!(tx.conn().execute(act).await.is_err(), "{act}");
    }
    assert_eq!(log(&installation).await.len(), 5, "what was not committed left no event");
}

#[tokio::test]
async fn an_act_that_failed_leaves_no_event() {
    let (installation, database, vault) = after_three_acts().await;
    let refused = rotation::retire(&database, &vault, &id("k2")).await.unwrap_err();
    assert!(matches!(refused, VaultError::Keyring(_)), "{refused}");
    assert_eq!(log(&installation).await.len(), 5);
}

#[tokio::test]
async fn a_tenant_neither_writes_nor_reads_the_operators_log() {
    let (_installation, database, _) = after_three_acts().await;
    let scope = Scope::authenticated(Uuid::now_v7(), Uuid::now_v7(), Role::Owner);
    let insert = "INSERT INTO tenant.audit_events SELECT '00000000-0000-0000-0000-000000000000', 6, gen_random_uuid(),
        gen_random_uuid(), 100, 7, 0, gen_random_uuid(), now(), sha256(''), sha256('')";
    let event =
        "SELECT app.operator_event('100', 6, gen_random_uuid(), '7', '0', gen_random_uuid(), sha256(''), sha256(''))";
    for (statement, code) in [(insert, "42501"), (event, "28000")] {
        let mut tx = database.write(&scope).await.unwrap();
        let error = tx.conn().execute(AssertSqlSafe(statement)).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some(code), "{statement}");
    }
    let mut tx = database.read(&scope).await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM tenant.audit_events").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(seen, 0);
}
