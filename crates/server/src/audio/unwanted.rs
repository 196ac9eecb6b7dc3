//! Recordings that their tenant keeps no more. Its one invariant: what goes is in the audit log, and a call under legal hold keeps what it
//! has until the hold is lifted.

use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    audit::{self, Action},
    db::{DbError, Reason},
    telemetry::log,
    vault::seal::RecordKind,
    worker::sweep,
};

/// Calls that are looked at together.
const BATCH: i32 = 100;

/// Removes what is kept in tenants that turned audio retention off; returns of how many calls. One that cannot be removed does not hold
/// up the others; the bytes go with the next sweep of the outbox.
///
/// # Errors
/// The first failure; what was removed stays removed.
pub async fn remove(app: &App) -> Result<u64, DbError> {
    let (mut removed, mut first, mut after) = (0, None, (Uuid::nil(), Uuid::nil()));
    loop {
        let mut tx = app.database.system(Reason::Sweep).await?;
        let unwanted = sqlx::query!(
            r#"SELECT tenant_id AS "tenant!", call_id AS "call!" FROM app.kept_audio_unwanted($1, $2, $3)"#,
            after.0,
            after.1,
            BATCH,
        )
        .fetch_all(tx.conn())
        .await?;
        tx.commit().await?;
        let Some(last) = unwanted.last() else { break };
        after = (last.tenant, last.call);
        for row in unwanted {
            match remove_of(app, row.tenant, row.call).await {
                Ok(is_removed) => removed += u64::from(is_removed),
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
    }
    if removed > 0 {
        log::info!(removed = removed, "recordings are not kept any more");
    }
    first.map_or(Ok(removed), Err)
}

async fn remove_of(app: &App, tenant: Uuid, call: Uuid) -> Result<bool, DbError> {
    let mut tx = app.database.write(&sweep::scope(tenant)).await?;
    let is_removed = store::remove_unwanted(&mut tx, call).await?;
    if is_removed {
        audit::record(&mut tx, Action::RemoveKeptAudio, RecordKind::Call as i16, call).await?;
    }
    tx.commit().await?;
    Ok(is_removed)
}
