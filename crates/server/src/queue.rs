//! Work on calls, in the database: a job is enqueued in the transaction that makes it necessary, exists when that commits, and
//! belongs to one worker at a time. Its one invariant: nothing of a job is written without its [`Lease`]'s token, checked in the same
//! transaction under the job's row lock, by the database's clock; so a worker that lost its lease can no longer write.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::db::{Database, DbError, Reason, TenantTx, Write};

/// How often a call is tried before it ends as failed. Attempts that an outage ended are none.
pub const MAX_ATTEMPTS: i16 = 5;

/// Wait after the first failed attempt, or the first time that a job is put off, in seconds; it doubles with each one.
const BACK_OFF_SECONDS: f64 = 10.0;

/// The longest wait, in seconds: a quarter of an hour, so that a long outage is asked about some hundred times a day.
const MAX_BACK_OFF_SECONDS: f64 = 900.0;

/// What is to be done. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum JobKind {
    /// A recording becomes a transcript.
    Process = 1,
    /// A recording becomes a transcript in English, whatever was spoken.
    Translate = 2,
    /// A stored transcript is analysed again.
    Analyze = 3,
}

impl JobKind {
    /// The kind of that number in the database.
    fn numbered(number: i16) -> Option<Self> {
        [Self::Process, Self::Translate, Self::Analyze].into_iter().find(|kind| *kind as i16 == number)
    }
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
    wake_workers(tx).await?;
    Ok(job)
}

/// The same, unless a job of that kind waits or is worked on.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_once(tx: &mut TenantTx<Write>, call: Uuid, kind: JobKind) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    let is_there = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tenant.jobs WHERE tenant_id = $1 AND call_id = $2 AND kind = $3 AND state IN (1, 2))
             AS "is_there!""#,
        tenant,
        call,
        kind as i16,
    )
    .fetch_one(tx.conn())
    .await?;
    if !is_there {
        enqueue(tx, call, kind).await?;
    }
    Ok(())
}

/// Workers look for work when this transaction commits. Without a payload, because any role can listen.
async fn wake_workers(tx: &mut TenantTx<Write>) -> Result<(), DbError> {
    sqlx::query!("NOTIFY subrosa_jobs").execute(tx.conn()).await?;
    Ok(())
}

/// Who watches a call looks again when this transaction commits.
///
/// # Errors
/// When the transaction fails.
pub async fn wake_watchers(tx: &mut TenantTx<Write>) -> Result<(), DbError> {
    sqlx::query!("NOTIFY subrosa_calls").execute(tx.conn()).await?;
    Ok(())
}

/// Locks the jobs of a call, of a user's calls, or of all, until the transaction ends. Whoever locks calls that may be worked on does this
/// first: a worker locks its job ([`Lease::hold`]) and then its call, and two that lock in different orders wait for each other for ever.
///
/// # Errors
/// When the transaction fails.
pub async fn lock(tx: &mut TenantTx<Write>, call: Option<Uuid>, user: Option<Uuid>) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "SELECT FROM tenant.jobs WHERE tenant_id = $1 AND ($2::uuid IS NULL OR call_id = $2) AND ($3::uuid IS NULL OR owner_id = $3)
           AND state IN (1, 2) ORDER BY id FOR UPDATE",
        tenant,
        call,
        user,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Jobs that wait.
    pub waiting: i64,
    /// Jobs that a worker has.
    pub running: i64,
    /// For how many seconds the oldest due job has waited.
    pub oldest_seconds: f64,
}

/// Counts the jobs of all tenants, for metrics.
///
/// # Errors
/// When the transaction fails.
pub async fn counts(database: &Database) -> Result<Counts, DbError> {
    let mut tx = database.system(Reason::Jobs).await?;
    let counts = sqlx::query_as!(
        Counts,
        r#"SELECT waiting AS "waiting!", running AS "running!", oldest_seconds AS "oldest_seconds!" FROM app.job_counts()"#
    )
    .fetch_one(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(counts)
}

/// Why something is not written for a job.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The lease ended and somebody else has the job, or the call was deleted.
    #[error("the lease on the job was lost")]
    Lost,
    /// The transaction failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A job that a worker has for a while.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// Whose call it is.
    pub tenant: Uuid,
    /// The user who owns the call.
    pub owner: Uuid,
    /// The call.
    pub call: Uuid,
    /// What is to be done.
    pub kind: JobKind,
    /// The how manieth attempt this is, from 1.
    pub attempt: i16,
    job: Uuid,
    token: Uuid,
    lasts: Duration,
}

/// Takes the next job of a region; `None` when nothing is due.
///
/// # Errors
/// When the transaction fails.
pub async fn claim(database: &Database, region: &str, worker: Uuid, lasts: Duration) -> Result<Option<Lease>, DbError> {
    let mut tx = database.system(Reason::Jobs).await?;
    let job = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", id AS "id!", call_id AS "call!", owner_id AS "owner!", kind AS "kind!",
             attempts AS "attempts!", lease_token AS "token!" FROM app.job_claim($1, $2, $3)"#,
        region,
        worker,
        interval(lasts),
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    job.map(|job| {
        let kind = JobKind::numbered(job.kind).ok_or(DbError::Unexpected)?;
        let (tenant, owner, call, attempt) = (job.tenant, job.owner, job.call, job.attempts);
        Ok(Lease { tenant, owner, call, kind, attempt, job: job.id, token: job.token, lasts })
    })
    .transpose()
}

impl Lease {
    /// Makes sure that the job is still this worker's, keeps it so until the transaction ends, and renews the lease. The first
    /// statement of everything that is written for a job.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when it is somebody else's or gone.
    pub async fn hold(&self, tx: &mut TenantTx<Write>, progress: Option<u8>) -> Result<(), LeaseError> {
        let held = sqlx::query!(
            "UPDATE tenant.jobs SET lease_until = clock_timestamp() + $4, progress = coalesce($5, progress)
             WHERE tenant_id = $1 AND id = $2 AND lease_token = $3 AND state = 2 AND lease_until > clock_timestamp()",
            self.tenant,
            self.job,
            self.token,
            interval(self.lasts),
            progress.map(i16::from),
        )
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
        if held.rows_affected() == 1 { Ok(()) } else { Err(LeaseError::Lost) }
    }

    /// The job is done; with a code it is given up, and stays as a dead letter. The transaction must [`hold`](Self::hold) the lease.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn end(&self, tx: &mut TenantTx<Write>, error: Option<&str>) -> Result<(), LeaseError> {
        self.change(
            tx,
            sqlx::query!(
                "UPDATE tenant.jobs SET state = CASE WHEN $4::text IS NULL THEN 3 ELSE 4 END, error_code = $4,
                   finished_at = now(), progress = CASE WHEN $4::text IS NULL THEN 100 ELSE progress END,
                   lease_token = NULL, lease_worker = NULL, lease_until = NULL
                 WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
                self.tenant,
                self.job,
                self.token,
                error,
            ),
        )
        .await
    }

    /// Puts the job back to be tried again after a wait that doubles with each attempt, give or take a quarter, so that what failed
    /// together is not tried together.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub async fn retry(&self, tx: &mut TenantTx<Write>, error: &str) -> Result<(), LeaseError> {
        self.change(
            tx,
            sqlx::query!(
                "UPDATE tenant.jobs SET state = 1, error_code = $4, postponed = 0,
                   run_at = clock_timestamp()
                     + make_interval(secs => least($5 * 2 ^ least(attempts - 1, 16), $6) * (0.75 + random() / 2)),
                   lease_token = NULL, lease_worker = NULL, lease_until = NULL
                 WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
                self.tenant,
                self.job,
                self.token,
                error,
                BACK_OFF_SECONDS,
                MAX_BACK_OFF_SECONDS,
            ),
        )
        .await
    }

    /// Puts the job off as if it had not been tried: an outage ended the attempt, and not the recording. The wait doubles each time, up
    /// to a quarter of an hour, give or take a quarter. It goes on until the age of the recording ends the call.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub async fn postpone(&self, tx: &mut TenantTx<Write>, error: &str) -> Result<(), LeaseError> {
        self.change(
            tx,
            sqlx::query!(
                "UPDATE tenant.jobs SET state = 1, error_code = $4, attempts = attempts - 1, postponed = postponed + 1,
                   run_at = clock_timestamp()
                     + make_interval(secs => least($5 * 2 ^ least(postponed, 16), $6) * (0.75 + random() / 2)),
                   lease_token = NULL, lease_worker = NULL, lease_until = NULL
                 WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
                self.tenant,
                self.job,
                self.token,
                error,
                BACK_OFF_SECONDS,
                MAX_BACK_OFF_SECONDS,
            ),
        )
        .await
    }

    /// Hands the job back as if it had never been taken: the worker stops.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub async fn release(&self, tx: &mut TenantTx<Write>) -> Result<(), LeaseError> {
        self.change(
            tx,
            sqlx::query!(
                "UPDATE tenant.jobs SET state = 1, attempts = attempts - 1,
                   lease_token = NULL, lease_worker = NULL, lease_until = NULL
                 WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
                self.tenant,
                self.job,
                self.token,
            ),
        )
        .await?;
        Ok(wake_workers(tx).await?)
    }

    async fn change<'q>(
        &self,
        tx: &mut TenantTx<Write>,
        statement: sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<(), LeaseError> {
        let changed = statement.execute(tx.conn()).await.map_err(DbError::from)?;
        if changed.rows_affected() == 1 { Ok(()) } else { Err(LeaseError::Lost) }
    }
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}
