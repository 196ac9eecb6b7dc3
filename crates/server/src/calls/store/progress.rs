//! How far calls are, and what happened to them while they were processed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::{Access, DbError, TenantTx};

/// How far a call is.
pub struct Progress {
    pub(in crate::calls) id: Uuid,
    pub(in crate::calls) status: i16,
    pub(in crate::calls) progress: i16,
    pub(in crate::calls) error_code: Option<String>,
}

/// How far these calls are; those that are not there, or another user's, are left out.
///
/// # Errors
/// What a transaction may fail with.
pub async fn progress<A: Access>(tx: &mut TenantTx<A>, calls: &[Uuid]) -> Result<Vec<Progress>, DbError> {
    let tenant = tx.scope().tenant();
    let found = sqlx::query_as!(
        Progress,
        r#"SELECT c.id, c.status, c.error_code,
             CASE WHEN c.status = 4 THEN 100 ELSE coalesce((SELECT j.progress FROM tenant.jobs j
               WHERE j.tenant_id = c.tenant_id AND j.call_id = c.id ORDER BY j.created_at DESC LIMIT 1), 0) END::smallint
               AS "progress!"
           FROM tenant.calls c WHERE c.tenant_id = $1 AND c.id = ANY ($2)"#,
        tenant,
        calls,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}

/// What happened to a call while it was processed.
pub struct Event {
    pub(crate) id: Uuid,
    pub(in crate::calls) stage: i16,
    pub(in crate::calls) outcome: i16,
    pub(in crate::calls) provider: Option<String>,
    pub(in crate::calls) duration_ms: Option<i64>,
    pub(in crate::calls) error_code: Option<String>,
    pub(in crate::calls) created_at: DateTime<Utc>,
}

/// Events that are read at once: a call has two for each of eleven stages and attempt.
const EVENTS: i64 = 500;

/// What happened to a call after an event, oldest first; everything when that event is not one of its own.
///
/// # Errors
/// What a transaction may fail with.
pub async fn events<A: Access>(tx: &mut TenantTx<A>, call: Uuid, after: Option<Uuid>) -> Result<Vec<Event>, DbError> {
    let tenant = tx.scope().tenant();
    let found = sqlx::query_as!(
        Event,
        "SELECT e.id, e.stage, e.outcome, e.provider, e.duration_ms, e.error_code, e.created_at FROM tenant.processing_events e
           LEFT JOIN tenant.processing_events p ON p.tenant_id = $1 AND p.call_id = $2 AND p.id = $3
           WHERE e.tenant_id = $1 AND e.call_id = $2
             AND (p.id IS NULL OR e.created_at > p.created_at OR (e.created_at = p.created_at AND e.id > p.id))
           ORDER BY e.created_at, e.id LIMIT $4",
        tenant,
        call,
        after,
        EVENTS,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}
