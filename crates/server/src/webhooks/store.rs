//! All SQL of endpoints. Its one invariant: an endpoint is locked before its deliveries, everywhere.

use api::webhooks::DeliveryOutcome;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Document, State, outbox};
use crate::{
    db::{Access, DbError, TenantTx, Write},
    vault::{
        content::{self, Stored},
        keys::{Vault, VaultError},
        seal::{Broken, RecordKind},
    },
};

/// An endpoint as it is stored.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) events: i32,
    pub(super) state: i16,
    pub(super) failing_since: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
    /// Other bytes after each change.
    pub(super) sealed: Vec<u8>,
}

/// Endpoints of the tenant that meet a condition, which starts at `$2`.
macro_rules! rows {
    ($tx:expr, $condition:literal $(, $value:expr)*) => {{
        let tenant = $tx.scope().tenant();
        sqlx::query_as!(
            Row,
            r#"SELECT id, events, state, failing_since, created_at, sealed AS "sealed: Vec<u8>"
               FROM tenant.webhook_endpoints WHERE tenant_id = $1 AND "# + $condition,
            tenant $(, $value)*
        )
        .fetch_all($tx.conn())
        .await
        .map_err(DbError::from)
    }};
}

/// All endpoints, oldest first; there are few.
pub(super) async fn all<A: Access>(tx: &mut TenantTx<A>) -> Result<Vec<Row>, DbError> {
    rows!(tx, "true ORDER BY created_at, id")
}

/// One endpoint.
pub(super) async fn get<A: Access>(tx: &mut TenantTx<A>, id: Uuid) -> Result<Row, DbError> {
    rows!(tx, "id = $2", id)?.pop().ok_or(DbError::NotFound)
}

/// One endpoint, which nobody else changes until the transaction ends; others may be told meanwhile.
pub(super) async fn lock(tx: &mut TenantTx<Write>, id: Uuid) -> Result<Row, DbError> {
    rows!(tx, "id = $2 FOR NO KEY UPDATE", id)?.pop().ok_or(DbError::NotFound)
}

/// Opens the documents of these endpoints, in their order.
pub(super) async fn open_all<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    rows: &[Row],
) -> Result<Vec<Document>, VaultError> {
    let tenant = tx.scope().tenant();
    let key = vault.record_key(tx, RecordKind::Tenant, tenant).await?;
    let open = |row: &Row| {
        let plain = content::open(&Stored { key: &key, field: Document::field(row.id), sealed: &row.sealed })?;
        serde_json::from_slice(&plain).map_err(|_| Broken::at(Document::field(row.id)).into())
    };
    rows.iter().map(open).collect()
}

/// Opens the document of an endpoint.
pub(super) async fn open<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, row: &Row) -> Result<Document, VaultError> {
    let mut documents = open_all(tx, vault, std::slice::from_ref(row)).await?;
    Ok(documents.pop().ok_or(DbError::Unexpected)?)
}

async fn seal(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (id, document): (Uuid, &Document),
) -> Result<Vec<u8>, VaultError> {
    let tenant = tx.scope().tenant();
    let key = vault.record_key(tx, RecordKind::Tenant, tenant).await?;
    let plain = serde_json::to_vec(document).map(zeroize::Zeroizing::new).map_err(|_| DbError::Unexpected)?;
    content::seal(tx, &key, &Document::field(id), &plain).await
}

/// Adds an endpoint, or replaces what is known of one, which is locked.
pub(super) async fn put(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (id, events, document): (Uuid, i32, &Document),
) -> Result<(), VaultError> {
    let (tenant, sealed) = (tx.scope().tenant(), seal(tx, vault, (id, document)).await?);
    sqlx::query!(
        "INSERT INTO tenant.webhook_endpoints (tenant_id, id, events, sealed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, id) DO UPDATE SET events = excluded.events, sealed = excluded.sealed",
        tenant,
        id,
        events,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Says whether an endpoint, which is locked, is told anything. What it was still to be told when it is disabled, it is not told any more.
pub(super) async fn set_state(tx: &mut TenantTx<Write>, id: Uuid, state: State) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.webhook_endpoints SET state = $3::smallint, failing_since = CASE WHEN $3::smallint = 1 THEN NULL ELSE failing_since END
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        id,
        state as i16,
    )
    .execute(tx.conn())
    .await?;
    if state != State::Enabled {
        sqlx::query!(
            "UPDATE tenant.webhook_deliveries SET state = 3, outcome = $3, status_code = NULL, lease_token = NULL, lease_until = NULL
             WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 1",
            tenant,
            id,
            outbox::number(DeliveryOutcome::Disabled),
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Removes an endpoint, which is locked, with everything that it was to be told.
pub(super) async fn delete(tx: &mut TenantTx<Write>, id: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    let delete = sqlx::query!("DELETE FROM tenant.webhook_endpoints WHERE tenant_id = $1 AND id = $2", tenant, id);
    delete.execute(tx.conn()).await?;
    Ok(())
}

/// Writes down since when an endpoint, which is locked, accepts nothing.
pub(super) async fn set_failing(
    tx: &mut TenantTx<Write>,
    endpoint: Uuid,
    since: Option<DateTime<Utc>>,
) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.webhook_endpoints SET failing_since = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        endpoint,
        since,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
