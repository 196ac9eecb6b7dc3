//! What the worker reads and writes of a call's row. Its one invariant: every function runs in a transaction that holds the lease.

use speech::transcript::Transcript;
use uuid::Uuid;

use crate::db::{DbError, TenantTx, Write};

/// How far a call is. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Status {
    Transcribing = 2,
    Analyzing = 3,
    Completed = 4,
    Failed = 5,
}

/// What is known of a call before it is listened to.
#[derive(Clone, Debug)]
pub(super) struct Hints {
    /// The language spoken, where somebody said.
    pub(super) language: Option<String>,
    /// Two people talk: the call has a direction.
    pub(super) has_direction: bool,
}

/// Marks a call as being worked on and tells what is known of it.
pub(super) async fn begin(tx: &mut TenantTx<Write>, call: Uuid) -> Result<Hints, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query!(
        "UPDATE tenant.calls SET status = CASE WHEN status = $4 THEN status ELSE $3 END, error_code = NULL, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING language, direction",
        tenant,
        call,
        Status::Transcribing as i16,
        Status::Analyzing as i16,
    )
    .fetch_one(tx.conn())
    .await?;
    // 3 is UNKNOWN.
    Ok(Hints { language: row.language, has_direction: row.direction != 3 })
}

/// How far the artifacts of a call are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Nothing is there.
    Nothing,
    /// The raw transcript, under the key of that run.
    Recognised(Uuid),
    /// The transcript, under the key of the call.
    Redacted,
    /// The transcript and its analysis.
    Analyzed,
}

/// What a worker before this one has committed.
pub(super) async fn reached(tx: &mut TenantTx<Write>, call: Uuid) -> Result<Reached, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = 4) AS "redacted!",
             EXISTS (SELECT FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = 5) AS "analyzed!",
             (SELECT run_id FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = 3) AS run"#,
        tenant,
        call,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(match (row.redacted, row.run) {
        (true, _) if row.analyzed => Reached::Analyzed,
        (true, _) => Reached::Redacted,
        (false, Some(run)) => Reached::Recognised(run),
        (false, None) => Reached::Nothing,
    })
}

/// Writes down what the transcript says about the call.
pub(super) async fn describe(tx: &mut TenantTx<Write>, call: Uuid, transcript: &Transcript) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.calls SET language = coalesce($3, language), duration_ms = $4, updated_at = now()
         WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        transcript.language,
        (transcript.duration_seconds * 1000.0) as i64,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes down how many channels the recording had.
pub(super) async fn heard(tx: &mut TenantTx<Write>, call: Uuid, channels: i16) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("UPDATE tenant.calls SET channels = $3 WHERE tenant_id = $1 AND id = $2", tenant, call, channels)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Sets how far a call is.
pub(super) async fn set_status(
    tx: &mut TenantTx<Write>,
    call: Uuid,
    (status, error): (Status, Option<&str>),
) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.calls SET status = $3, error_code = $4, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        status as i16,
        error,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends all jobs of a call whose recording is overdue; whoever has one loses the lease.
pub(super) async fn end_jobs(tx: &mut TenantTx<Write>, call: Uuid, error: &str) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.jobs SET state = 4, error_code = $3, finished_at = now(), lease_token = NULL, lease_worker = NULL,
           lease_until = NULL WHERE tenant_id = $1 AND call_id = $2 AND state IN (1, 2)",
        tenant,
        call,
        error,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether a call has come to its end already.
pub(super) async fn is_ended(tx: &mut TenantTx<Write>, call: Uuid) -> Result<bool, DbError> {
    let tenant = tx.scope().tenant();
    let status = sqlx::query_scalar!(
        "SELECT status FROM tenant.calls WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        call,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(status.is_none_or(|status| status >= Status::Completed as i16))
}
