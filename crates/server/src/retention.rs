//! Calls that are older than their tenant keeps them are deleted (H14). Its one invariant: the database's clock and the tenant's days
//! decide, a call under legal hold stays, and what goes leaves a receipt as every deletion does (H13).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    db::{DbError, Reason},
    deletion::{self, DeletionError},
    vault::seal::RecordKind,
    worker::sweep,
};

/// Calls that are looked at together.
const BATCH: i32 = 100;

/// Deletes every call that is too old, each in a transaction of its own, and returns how many. A call that was put under legal hold,
/// or deleted, meanwhile is passed over.
///
/// # Errors
/// The first failure of the database; what was deleted before it stays deleted.
pub async fn enforce(app: &App) -> Result<u64, DbError> {
    let (mut deleted, mut after) = (0, (DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()));
    loop {
        let expired = expired(app, after).await?;
        for (tenant, call, created_at) in &expired {
            after = (*created_at, *call);
            let mut tx = app.database.write(&sweep::scope(*tenant)).await?;
            match deletion::delete(&mut tx, app.vault.signer(), RecordKind::Call, *call).await {
                Ok(_) => {
                    tx.commit().await?;
                    deleted += 1;
                }
                Err(DeletionError::NotFound | DeletionError::LegalHold) => {}
                Err(DeletionError::Database(error)) => return Err(error),
            }
        }
        if expired.len() < BATCH as usize {
            break;
        }
    }
    if deleted > 0 {
        tracing::info!(deleted, "calls were older than their tenants keep them");
        app.changes.wake();
    }
    Ok(deleted)
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
