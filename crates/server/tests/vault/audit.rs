//! Receipts and the audit log against somebody who writes to the database.

use server::{
    deletion::{self, mirror, verify},
    vault::seal::RecordKind,
};
use sqlx::{AssertSqlSafe, Executor as _};

use crate::kit::Installation;

/// An installation with five deletions, copied out of the database.
async fn after_five_deletions() -> (Installation, server::db::Scope) {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    for n in 0..5 {
        let call = installation.call(scope, &format!("call {n}")).await;
        let mut tx = installation.database.write(&scope).await.unwrap();
        deletion::delete(&mut tx, installation.vault.signer(), RecordKind::Call, call).await.unwrap();
        tx.commit().await.unwrap();
    }
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    (installation, scope)
}

/// Faults of receipts and of the audit log.
async fn faults(installation: &Installation) -> (Vec<String>, Vec<String>) {
    let keys = installation.vault.public_keys();
    let receipts = verify::receipts(&installation.database, &installation.blobs, keys).await.unwrap();
    let audit = verify::audit(&installation.database, &installation.blobs, keys).await.unwrap();
    let texts = |faults: Vec<_>| faults.iter().map(ToString::to_string).collect();
    (texts(receipts.faults), texts(audit.faults))
}

#[tokio::test]
async fn the_application_can_add_to_receipts_and_audit_log_and_change_nothing() {
    let (installation, scope) = after_five_deletions().await;
    for table in ["audit_events", "deletion_receipts"] {
        for statement in [
            format!("UPDATE tenant.{table} SET at = now()"),
            format!("DELETE FROM tenant.{table}"),
            format!("TRUNCATE tenant.{table}"),
        ] {
            let mut tx = installation.database.write(&scope).await.unwrap();
            let error = tx.conn().execute(AssertSqlSafe(statement.as_str())).await.unwrap_err();
            assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{statement}");
        }
    }
    assert_eq!(faults(&installation).await, (vec![], vec![]));
}

#[tokio::test]
async fn every_way_to_tamper_with_receipts_or_audit_log_shows() {
    let tampering = [
        ("a changed time", "UPDATE tenant.{} SET at = at + interval '1 microsecond' WHERE sequence = 3"),
        ("a changed subject", "UPDATE tenant.{} SET subject_id = gen_random_uuid() WHERE sequence = 5"),
        ("a changed hash", "UPDATE tenant.{} SET hash = sha256(hash) WHERE sequence = 2"),
        ("a removed link", "DELETE FROM tenant.{} WHERE sequence = 3"),
        ("a removed first link", "DELETE FROM tenant.{} WHERE sequence = 1"),
        ("a cut tail", "DELETE FROM tenant.{} WHERE sequence > 3"),
        ("everything gone", "DELETE FROM tenant.{}"),
        (
            "links exchanged",
            "UPDATE tenant.{} SET sequence = sequence + 10 WHERE sequence = 2;
             UPDATE tenant.{} SET sequence = 2 WHERE sequence = 3;
             UPDATE tenant.{} SET sequence = 3 WHERE sequence = 12",
        ),
        ("another tenant's", "UPDATE tenant.{} SET tenant_id = gen_random_uuid()"),
    ];
    let (installation, _) = after_five_deletions().await;
    assert_eq!(faults(&installation).await, (vec![], vec![]));
    for (what, statements) in tampering {
        for (table, is_audit) in [("deletion_receipts", false), ("audit_events", true)] {
            let mut superuser = installation.postgres.superuser().await;
            let keep = format!("CREATE TABLE public.kept AS TABLE tenant.{table}");
            superuser.execute(AssertSqlSafe(keep)).await.unwrap();
            superuser.execute(sqlx::raw_sql(AssertSqlSafe(statements.replace("{}", table)))).await.unwrap();
            // Its head moves along, as somebody thorough would have it.
            let head = format!(
                "UPDATE tenant.chain_heads h SET (sequence, hash) = (SELECT t.sequence, t.hash FROM tenant.{table} t
                   ORDER BY sequence DESC LIMIT 1) WHERE chain = {} AND EXISTS (SELECT FROM tenant.{table})",
                2 - i16::from(is_audit)
            );
            superuser.execute(AssertSqlSafe(head)).await.unwrap();
            let (receipts, audit) = faults(&installation).await;
            let (tampered, whole) = if is_audit { (audit, receipts) } else { (receipts, audit) };
            assert!(!tampered.is_empty(), "{what} in {table}");
            assert!(whole.is_empty(), "{what} in {table}: {whole:?}");
            let back = format!(
                "TRUNCATE tenant.{table}; INSERT INTO tenant.{table} SELECT * FROM public.kept; DROP TABLE public.kept"
            );
            superuser.execute(sqlx::raw_sql(AssertSqlSafe(back))).await.unwrap();
            assert_eq!(faults(&installation).await, (vec![], vec![]), "{what}");
        }
    }
}

#[tokio::test]
async fn a_chain_that_was_computed_anew_is_found_by_its_signed_copies() {
    let (installation, scope) = after_five_deletions().await;
    // Somebody who holds everything but the signing key and the object store writes another history from the start.
    let mut superuser = installation.postgres.superuser().await;
    superuser.execute("TRUNCATE tenant.audit_events; DELETE FROM tenant.chain_heads WHERE chain = 1").await.unwrap();
    let call = installation.call(scope, "another").await;
    let mut tx = installation.database.write(&scope).await.unwrap();
    server::audit::record(&mut tx, server::audit::Action::DeleteCall, 1, call).await.unwrap();
    tx.commit().await.unwrap();
    let (receipts, audit) = faults(&installation).await;
    assert_eq!((receipts.len(), audit.len()), (0, 5));
    assert!(audit[0].contains("link 1 was changed"), "{audit:?}");
    assert!(audit[4].contains("cut: it ends at 1, but 5 was signed"), "{audit:?}");
}
