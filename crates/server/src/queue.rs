//! Work on calls, in the database: a job is enqueued in the transaction that makes it necessary, and exists when that commits.

use uuid::Uuid;

use crate::db::{DbError, TenantTx, Write};

/// What is to be done. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum JobKind {
    /// A recording becomes a transcript.
    Process = 1,
}

/// Adds a job for a call of the transaction's tenant; workers are woken when it commits.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call.
pub async fn enqueue(tx: &mut TenantTx<Write>, call: Uuid, kind: JobKind) -> Result<Uuid, DbError> {
    let job = Uuid::now_v7();
    let tenant = tx.scope().tenant();
    let added = sqlx::query!(
        "INSERT INTO tenant.jobs (tenant_id, id, call_id, owner_id, kind, region)
           SELECT c.tenant_id, $3, c.id, c.owner_id, $4, t.region
           FROM tenant.calls c JOIN tenant.tenants t USING (tenant_id) WHERE c.tenant_id = $1 AND c.id = $2",
        tenant,
        call,
        job,
        kind as i16,
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Err(DbError::NotFound);
    }
    // Without a payload, because any role can listen.
    sqlx::query!("NOTIFY subrosa_jobs").execute(tx.conn()).await?;
    Ok(job)
}
