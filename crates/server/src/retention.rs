//! Calls that are older than their tenant keeps them are deleted (H14). Its one invariant: the database's clock and the tenant's days
//! decide, a call under legal hold stays, and what goes leaves a receipt as every deletion does (H13).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    db::{Database, DbError, Reason},
    deletion::{self, DeletionError},
    telemetry::log,
    vault::seal::RecordKind,
    worker::sweep,
};

/// Calls that are looked at together.
const BATCH: i32 = 100;

/// Deletes every call that is too old, each in a transaction of its own, and returns how many. A call that was put under legal hold,
/// or deleted, meanwhile is passed over, and one that cannot be deleted does not hold up the others.
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
                Ok(()) => deleted += 1,
                Err(DeletionError::NotFound | DeletionError::LegalHold) => {}
                Err(DeletionError::Database(error)) if error.is_outage() => return Err(error),
                Err(DeletionError::Database(error)) => _ = first.get_or_insert(error),
            }
        }
        if expired.len() < BATCH as usize {
            break;
        }
    }
    if deleted > 0 {
        log::info!(deleted = deleted, "calls were older than their tenants keep them");
        app.changes.wake();
    }
    first.map_or(Ok(deleted), Err)
}

async fn delete(app: &App, tenant: Uuid, call: Uuid) -> Result<(), DeletionError> {
    let mut tx = app.database.write(&sweep::scope(tenant)).await?;
    deletion::delete(&mut tx, app.vault.signer(), RecordKind::Call, call).await?;
    Ok(tx.commit().await?)
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
