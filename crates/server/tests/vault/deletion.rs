//! Deletion: nothing is left, nothing opens, a receipt remains; a restored backup forgets again.

use bytes::Bytes;
use chrono::Utc;
use futures::stream;
use server::{
    db::{Role, Scope},
    deletion::{self, DeletionError, blobs as outbox, mirror, restore, verify},
    vault::{
        blobs::{BlobError, BlobPlace},
        keys::VaultError,
        receipts::Receipt,
        seal::RecordKind,
    },
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use uuid::Uuid;

use crate::{
    kit::{Installation, execute, open, title},
    support::{TestDatabase, connect},
};

/// Stores a recording for a call.
async fn upload(installation: &Installation, scope: Scope, call: Uuid) -> BlobPlace {
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: Uuid::now_v7() };
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    drop(tx);
    let blocks = stream::iter([Ok(Bytes::from_static(b"a recording"))]);
    installation.blobs.write(&key, place, blocks).await.unwrap();
    let mut tx = installation.database.write(&scope).await.unwrap();
    sqlx::query("INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, parts) VALUES ($1, $2, 1, $3, 1)")
        .bind(scope.tenant())
        .bind(call)
        .bind(scope.user())
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    place
}

async fn delete(installation: &Installation, scope: Scope, class: RecordKind, subject: Uuid) -> Receipt {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let receipt = deletion::delete(&mut tx, installation.vault.signer(), class, subject).await.unwrap();
    tx.commit().await.unwrap();
    receipt
}

/// Rows that still name the tenant, but for those that outlive it.
async fn rows_left(installation: &Installation, tenant: Uuid) -> Vec<(String, i64)> {
    let mut superuser = installation.postgres.superuser().await;
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'tenant'::regnamespace AND c.relkind IN ('r', 'p')
         AND c.relname NOT IN ('audit_events', 'deletion_receipts', 'chain_heads', 'blob_deletions')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert!(tables.len() > 15);
    let mut left = Vec::new();
    for (table,) in tables {
        let count = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(count)).fetch_one(&mut superuser).await.unwrap();
        if count > 0 {
            left.push((table, count));
        }
    }
    left
}

#[tokio::test]
async fn a_deleted_call_is_gone_at_commit_and_its_blobs_soon_after() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (call, other) = (installation.call(scope, "gone").await, installation.call(scope, "kept").await);
    let (place, kept) = (upload(&installation, scope, call).await, upload(&installation, scope, other).await);
    let receipt = delete(&installation, scope, RecordKind::Call, call).await;
    assert_eq!((receipt.counts.rows, receipt.counts.blobs, receipt.counts.keys), (2, 1, 1));
    assert!(matches!(installation.title(scope, call).await, Err(VaultError::Gone(_))));
    assert_eq!(installation.title(scope, other).await.unwrap(), "kept");

    let swept = outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert_eq!((swept.entries, swept.parts), (1, 1));
    let mut tx = installation.database.read(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, other).await.unwrap();
    assert!(matches!(installation.blobs.read(&key, place, 0..9).await, Err(BlobError::Missing(_))));
    assert_eq!(installation.blobs.read(&key, kept, 0..99).await.unwrap().next().await.unwrap().unwrap(), "a recording");
}

#[tokio::test]
async fn a_deletion_that_is_not_committed_changes_nothing() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "kept").await;
    let mut tx = installation.database.write(&scope).await.unwrap();
    deletion::delete(&mut tx, installation.vault.signer(), RecordKind::Call, call).await.unwrap();
    drop(tx);
    assert_eq!(installation.title(scope, call).await.unwrap(), "kept");
    let keys = installation.vault.public_keys();
    for report in [
        verify::receipts(&installation.database, &installation.blobs, keys).await.unwrap(),
        verify::audit(&installation.database, &installation.blobs, keys).await.unwrap(),
    ] {
        assert_eq!((report.links, report.faults), (0, vec![]));
    }
}

#[tokio::test]
async fn what_is_not_there_or_under_legal_hold_is_not_deleted() {
    let installation = Installation::new().await;
    let (scope, foreign) = (installation.tenant().await, installation.tenant().await);
    let call = installation.call(scope, "held").await;
    let try_delete = async |scope, class, subject| {
        let mut tx = installation.database.write(&scope).await.unwrap();
        deletion::delete(&mut tx, installation.vault.signer(), class, subject).await
    };
    assert!(matches!(try_delete(scope, RecordKind::Call, Uuid::now_v7()).await, Err(DeletionError::NotFound)));
    assert!(matches!(try_delete(foreign, RecordKind::Call, call).await, Err(DeletionError::NotFound)));
    assert!(matches!(try_delete(foreign, RecordKind::Tenant, scope.tenant()).await, Err(DeletionError::NotFound)));
    let mut superuser = installation.postgres.superuser().await;
    sqlx::query("UPDATE tenant.calls SET legal_hold = true").execute(&mut superuser).await.unwrap();
    for (class, subject) in
        [(RecordKind::Call, call), (RecordKind::User, scope.user()), (RecordKind::Tenant, scope.tenant())]
    {
        assert!(matches!(try_delete(scope, class, subject).await, Err(DeletionError::LegalHold)));
    }
    assert_eq!(installation.title(scope, call).await.unwrap(), "held");
}

#[tokio::test]
async fn a_deleted_tenant_leaves_receipts_audit_events_and_nothing_else() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "gone").await;
    upload(&installation, scope, call).await;
    let receipt = delete(&installation, scope, RecordKind::Tenant, scope.tenant()).await;
    // The call, its artifact, the membership, the tenant, the person; the keys of call, tenant and person.
    assert_eq!((receipt.counts.rows, receipt.counts.blobs, receipt.counts.keys), (5, 1, 3));
    assert_eq!(rows_left(&installation, scope.tenant()).await, []);
    assert_eq!(outbox::sweep(&installation.database, &installation.blobs).await.unwrap().parts, 1);
    let mut superuser = installation.postgres.superuser().await;
    let users: Vec<(Uuid,)> = sqlx::query_as("SELECT id FROM global.users").fetch_all(&mut superuser).await.unwrap();
    assert_eq!(users, []);
    mirror::catch_up(&installation.database, &installation.blobs, installation.vault.signer()).await.unwrap();
    let keys = installation.vault.public_keys();
    let report = verify::receipts(&installation.database, &installation.blobs, keys).await.unwrap();
    assert_eq!((report.links, report.copies, report.faults), (1, 1, vec![]));
}

#[tokio::test]
async fn a_deleted_user_takes_everything_along_but_stays_where_another_tenant_has_them() {
    let installation = Installation::new().await;
    let (one, two) = (installation.tenant().await, installation.tenant().await);
    let call = installation.call(one, "gone").await;
    upload(&installation, one, call).await;
    let mut superuser = installation.postgres.superuser().await;
    let join = sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 3)").bind(two.tenant()).bind(one.user());
    join.execute(&mut superuser).await.unwrap();
    let exists = async || {
        let mut superuser = installation.postgres.superuser().await;
        let row = sqlx::query("SELECT FROM global.users WHERE id = $1").bind(one.user());
        row.fetch_optional(&mut superuser).await.unwrap().is_some()
    };
    delete(&installation, one, RecordKind::User, one.user()).await;
    assert!(exists().await);
    assert_eq!(rows_left(&installation, one.tenant()).await, [("tenant.tenants".to_owned(), 1)]);
    assert_eq!(outbox::sweep(&installation.database, &installation.blobs).await.unwrap().parts, 1);
    delete(&installation, two, RecordKind::User, one.user()).await;
    assert!(!exists().await);
}

#[tokio::test]
async fn a_member_deletes_their_own_account_and_nobody_elses_data() {
    let installation = Installation::new().await;
    let owner = installation.tenant().await;
    let kept = installation.call(owner, "the owner's").await;
    let member = Scope::authenticated(owner.tenant(), Uuid::now_v7(), Role::Member);
    let mut superuser = installation.postgres.superuser().await;
    let (key_id, sealed) = installation.vault.new_user_key(member.user()).unwrap();
    let insert =
        "INSERT INTO global.users (id, address_hmac, key_id, sealed_key) VALUES ($1, sha256(uuid_send($1)), $2, $3)";
    execute(&mut superuser, insert, (member.user(), &key_id, &sealed)).await;
    let join = sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 3)").bind(member.tenant());
    join.bind(member.user()).execute(&mut superuser).await.unwrap();
    let call = installation.call(member, "the member's").await;
    let mut tx = installation.database.write(&member).await.unwrap();
    installation.vault.create_record_key(&mut tx, RecordKind::User, member.user()).await.unwrap();
    tx.commit().await.unwrap();

    let receipt = delete(&installation, member, RecordKind::User, member.user()).await;
    // The call, the membership, the person; the keys of the call, of the user's data in the tenant, and of the person.
    assert_eq!((receipt.counts.rows, receipt.counts.keys), (3, 3));
    assert!(installation.title(owner, call).await.is_err());
    assert_eq!(installation.title(owner, kept).await.unwrap(), "the owner's");
    let left = "SELECT (SELECT count(*) FROM global.users WHERE id = $1) + count(*) FROM tenant.record_keys WHERE owner_id = $1";
    let left: i64 = sqlx::query_scalar(left).bind(member.user()).fetch_one(&mut superuser).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn nobody_but_a_manager_deletes_another_user_and_nobody_one_of_another_tenant() {
    let installation = Installation::new().await;
    let (one, two) = (installation.tenant().await, installation.tenant().await);
    let member = Scope::authenticated(one.tenant(), Uuid::now_v7(), Role::Member);
    let forget = async |scope, user: Uuid| {
        let mut tx = installation.database.write(&scope).await.unwrap();
        let gone = sqlx::query_scalar::<_, i32>("SELECT app.forget_member($1)").bind(user).fetch_one(tx.conn()).await;
        gone.map_err(|error| error.as_database_error().unwrap().code().unwrap().into_owned())
    };
    assert_eq!(forget(member, one.user()).await, Err("42501".to_owned()));
    assert_eq!(forget(two, one.user()).await, Ok(0));
    assert_eq!(forget(one, one.user()).await, Ok(2));
}

#[tokio::test]
async fn an_upload_that_never_ended_is_removed_and_one_that_did_is_kept() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let (call, never) = (installation.call(scope, "kept").await, Uuid::now_v7());
    let mut tx = installation.database.write(&scope).await.unwrap();
    for record in [call, never] {
        outbox::expect_upload(&mut tx, RecordKind::Call, record, Utc::now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let kept = upload(&installation, scope, call).await;
    let orphan = BlobPlace { record: never, object: Uuid::now_v7(), ..kept };
    let key = server::vault::key::Key::generate().unwrap();
    installation.blobs.write(&key, orphan, stream::iter([Ok(Bytes::from_static(b"half"))])).await.unwrap();
    let swept = outbox::sweep(&installation.database, &installation.blobs).await.unwrap();
    assert_eq!((swept.entries, swept.parts), (2, 1));
    assert!(matches!(installation.blobs.read(&key, orphan, 0..9).await, Err(BlobError::Missing(_))));
    assert!(installation.blobs.read(&key, kept, 0..9).await.is_ok());
}

#[tokio::test]
async fn a_restored_backup_does_not_serve_until_it_forgot_again() {
    let mut installation = Installation::new().await;
    let (scope, other) = (installation.tenant().await, installation.tenant().await);
    let early = installation.call(scope, "deleted before the backup").await;
    let (late, kept) = (installation.call(scope, "deleted").await, installation.call(scope, "kept").await);
    installation.call(other, "gone with its tenant").await;
    delete(&installation, scope, RecordKind::Call, early).await;

    let backup = copy(&installation.postgres).await;
    delete(&installation, scope, RecordKind::Call, late).await;
    delete(&installation, other, RecordKind::Tenant, other.tenant()).await;
    mirror::catch_up(&installation.database, &installation.blobs, installation.vault.signer()).await.unwrap();
    restore::require_current(&installation.database, &installation.blobs).await.unwrap();

    let (database, vault) = open(&backup, &installation.keys).await.unwrap();
    assert_eq!(title(&database, &vault, scope, late).await.unwrap(), "deleted");
    let behind = restore::require_current(&database, &installation.blobs).await.unwrap_err();
    assert!(matches!(behind, restore::RestoreError::Behind), "{behind}");
    let restored = restore::check(&database, &installation.blobs, vault.public_keys()).await.unwrap();
    assert_eq!((restored.receipts, restored.missing), (3, 2));
    restore::require_current(&database, &installation.blobs).await.unwrap();
    assert!(matches!(title(&database, &vault, scope, late).await, Err(VaultError::Gone(_))));
    assert_eq!(title(&database, &vault, scope, kept).await.unwrap(), "kept");
    let again = restore::check(&database, &installation.blobs, vault.public_keys()).await.unwrap();
    assert_eq!((again.missing, again.rows), (0, 0));
    let report = verify::receipts(&database, &installation.blobs, vault.public_keys()).await.unwrap();
    assert_eq!(report.faults, []);
    installation.postgres = backup;
    assert_eq!(rows_left(&installation, other.tenant()).await, []);
}

/// A copy of a database as it is, by the server's own means.
async fn copy(from: &TestDatabase) -> TestDatabase {
    let name = format!("{}_backup", from.name);
    let mut superuser = connect(&from.socket, "postgres", "postgres").await;
    // A copy wants its source to itself.
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(end).bind(&from.name).execute(&mut superuser).await.unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE {} OWNER subrosa_owner", from.name);
    superuser.execute(AssertSqlSafe(create)).await.unwrap();
    superuser.close().await.unwrap();
    TestDatabase { name, socket: from.socket.clone() }
}
