//! Calls that are older than their tenant keeps them are deleted (H14). Its one invariant: the database's clock and the tenant's days
//! decide, a call under legal hold stays, and what goes leaves a receipt as every deletion does (H13).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    db::{Database, DbError, Reason, TenantTx, Write},
    deletion::{self, DeletionError},
    queue,
    telemetry::log,
    vault::seal::RecordKind,
    worker::sweep,
};

/// Calls that are looked at together.
const BATCH: i32 = 100;

/// Calls that are deleted in a round, a fraction of a minute's work, so that what else is to be removed waits no longer than that: 30,000
/// an hour.
const ROUND: u64 = 500;

/// Deletes calls that are too old, oldest first, each in a transaction of its own, and returns how many: all of them, or as many as a
/// round has. A call that was put under legal hold, deleted, or is to be kept longer meanwhile is passed over, and one that cannot be
/// deleted does not hold up the others.
///
/// # Errors
/// The first failure of the database; what was deleted stays deleted.
pub async fn enforce(app: &App) -> Result<u64, DbError> {
    let (mut deleted, mut first, mut after) = (0, None, (DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()));
    loop {
        let expired = expired(app, after).await?;
        for (tenant, call, created_at) in &expired {
            after = (*created_at, *call);
            match delete(app, *tenant, *call).await {
                Ok(is_deleted) => deleted += u64::from(is_deleted),
                Err(DeletionError::NotFound | DeletionError::LegalHold) => {}
                Err(DeletionError::Database(error)) if error.is_outage() => return Err(error),
                Err(DeletionError::Database(error)) => _ = first.get_or_insert(error),
            }
        }
        if expired.len() < BATCH as usize || deleted >= ROUND {
            break;
        }
    }
    if deleted > 0 {
        log::info!(deleted = deleted, "calls were older than their tenants keep them");
        app.changes.wake();
    }
    first.map_or(Ok(deleted), Err)
}

/// False where the call is not too old any more: its tenant may have said so since it was looked at.
async fn delete(app: &App, tenant: Uuid, call: Uuid) -> Result<bool, DeletionError> {
    let mut tx = app.database.write(&sweep::scope(tenant)).await?;
    queue::lock(&mut tx, Some(call), None).await?;
    if !is_too_old(&mut tx, call).await? {
        return Ok(false);
    }
    deletion::delete(&mut tx, app.vault.signer(), RecordKind::Call, call).await?;
    tx.commit().await?;
    app.search.memories.forget(tenant, Some(call));
    Ok(true)
}

/// Whether a call is older than its tenant keeps it. Who changes that waits until the transaction ends.
async fn is_too_old(tx: &mut TenantTx<Write>, call: Uuid) -> Result<bool, DbError> {
    let found = sqlx::query_scalar!(
        "SELECT c.id FROM tenant.calls c JOIN tenant.tenants t ON t.tenant_id = c.tenant_id
           WHERE c.tenant_id = $1 AND c.id = $2 AND c.created_at <= now() - make_interval(days => t.retention_days::integer)
           FOR UPDATE OF c FOR SHARE OF t",
        tx.scope().tenant(),
        call,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// Seconds by which the oldest call is older than its tenant keeps it, for metrics.
///
/// # Errors
/// When the transaction fails.
pub async fn lag_seconds(database: &Database) -> Result<f64, DbError> {
    let mut tx = database.system(Reason::Sweep).await?;
    let lag = sqlx::query_scalar!(r#"SELECT app.retention_lag() AS "lag!""#).fetch_one(tx.conn()).await?;
    tx.commit().await?;
    Ok(lag)
}

async fn expired(app: &App, (at, id): (DateTime<Utc>, Uuid)) -> Result<Vec<(Uuid, Uuid, DateTime<Utc>)>, DbError> {
    let mut tx = app.database.system(Reason::Sweep).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", call_id AS "call!", created_at AS "at!" FROM app.calls_expired($1, $2, $3)"#,
        at,
        id,
        BATCH,
    )
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| (row.tenant, row.call, row.at)).collect())
}
