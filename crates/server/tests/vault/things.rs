//! What tests of deletion store, count and look for.

use bytes::Bytes;
use futures::stream;
use server::{
    db::Scope,
    deletion,
    vault::{blobs::BlobPlace, receipts::Receipt, seal::RecordKind},
};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::kit::Installation;

/// Bytes of a recording.
pub(crate) const LENGTH: u64 = 11;

/// Stores a recording for a call.
pub(crate) async fn upload(installation: &Installation, scope: Scope, call: Uuid) -> BlobPlace {
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

pub(crate) async fn delete(installation: &Installation, scope: Scope, class: RecordKind, subject: Uuid) -> Receipt {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let receipt = deletion::delete(&mut tx, installation.vault.signer(), class, subject).await.unwrap();
    tx.commit().await.unwrap();
    receipt
}

/// Rows that still name the tenant, but for those that outlive it.
pub(crate) async fn rows_left(installation: &Installation, tenant: Uuid) -> Vec<(String, i64)> {
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

pub(crate) async fn count(installation: &Installation, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    let mut superuser = installation.postgres.superuser().await;
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut superuser).await.unwrap()
}

/// Takes a person into a tenant as a member.
pub(crate) async fn join(superuser: &mut PgConnection, tenant: Uuid, user: Uuid) {
    sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 3)")
        .bind(tenant)
        .bind(user)
        .execute(superuser)
        .await
        .unwrap();
}
