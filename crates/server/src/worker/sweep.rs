//! Removes recordings that are too old, whatever state their call is in (H2), and processing events (H14). Its one invariant: the
//! database's clock decides; no setting makes a recording older than a day, or an event older than 30.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{failure::Failure, pipeline, store};
use crate::{
    app::App,
    db::{Database, DbError, Reason, Role, Scope},
    deletion::blobs::{self, SweepError},
    queue, recordings,
    telemetry::log,
};

/// How old a recording may get; the database knows the upper bound as well.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Recordings that are taken at once.
const BATCH: i32 = 100;

/// Events that are removed at once: some hundred calls' worth, in milliseconds.
const EVENTS: i32 = 5000;

/// What the jobs of an overdue call end with, and the call where it has no transcript.
const CODE: &str = "audio_expired";

/// Ends calls whose recording is older than `ttl`, removes those recordings, and then the bytes of everything that the outbox
/// holds. Returns how many calls it ended. One that cannot be ended does not hold up the others.
///
/// # Errors
/// The first failure; what was done stays done.
pub async fn recordings(app: &App, ttl: Duration) -> Result<u64, SweepError> {
    let (mut found, mut first, mut after) = (0, None, (DateTime::<Utc>::UNIX_EPOCH, Uuid::nil()));
    loop {
        let overdue = overdue(&app.database, ttl.min(MAX_TTL), after).await?;
        for Overdue { tenant, call, owner, stored_at } in &overdue {
            after = (*stored_at, *call);
            // The database says that the call's recording is overdue: nobody has to ask for its end.
            let scope = Scope::authenticated(*tenant, *owner, Role::Worker);
            match end(app, scope, *call).await {
                Ok(()) => found += 1,
                Err(error) if error.is_outage() => return Err(error.into()),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        if overdue.len() < BATCH as usize {
            break;
        }
    }
    if found > 0 {
        log::info!(found = found, "recordings were overdue");
        app.changes.wake();
    }
    let swept = blobs::sweep(&app.database, &app.blobs).await;
    first.map_or(swept.map(|_| found), |error| Err(error.into()))
}

async fn end(app: &App, scope: Scope, call: Uuid) -> Result<(), DbError> {
    let mut tx = app.database.write(&scope).await?;
    queue::lock(&mut tx, Some(call), None).await?;
    if store::is_ended(&mut tx, call).await? {
        recordings::remove(&mut tx, call).await?;
    } else {
        match pipeline::expire(&mut tx, app, (call, CODE)).await {
            Ok(()) => {}
            Err(Failure::Lost) => return Err(DbError::NotFound),
            Err(_) => return Err(DbError::Unexpected),
        }
    }
    tx.commit().await
}

/// A recording that is too old.
struct Overdue {
    tenant: Uuid,
    call: Uuid,
    owner: Uuid,
    stored_at: DateTime<Utc>,
}

async fn overdue(
    database: &Database,
    ttl: Duration,
    (at, call): (DateTime<Utc>, Uuid),
) -> Result<Vec<Overdue>, DbError> {
    let ttl = PgInterval { months: 0, days: 0, microseconds: i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX) };
    let mut tx = database.system(Reason::Sweep).await?;
    let overdue = sqlx::query_as!(
        Overdue,
        r#"SELECT tenant_id AS "tenant!", call_id AS "call!", owner_id AS "owner!", stored_at AS "stored_at!"
           FROM app.recordings_overdue($1, $2, $3, $4)"#,
        ttl,
        at,
        call,
        BATCH,
    )
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(overdue)
}

/// Removes processing events that are 30 days old; returns how many.
///
/// # Errors
/// When a transaction fails; what was done before it stays done.
pub async fn processing_events(database: &Database) -> Result<u64, DbError> {
    let mut removed = 0;
    loop {
        let mut tx = database.system(Reason::Sweep).await?;
        let expired = sqlx::query_scalar!(r#"SELECT app.processing_events_expire($1) AS "expired!""#, EVENTS)
            .fetch_one(tx.conn())
            .await?;
        tx.commit().await?;
        removed += expired.unsigned_abs();
        if expired < i64::from(EVENTS) {
            return Ok(removed);
        }
    }
}

/// Seconds since the oldest recording that is still there was stored, for metrics: what it is above the time to live is the
/// sweeper's lag.
///
/// # Errors
/// When the transaction fails.
pub async fn oldest_seconds(database: &Database) -> Result<f64, DbError> {
    let mut tx = database.system(Reason::Sweep).await?;
    let age = sqlx::query_scalar!(r#"SELECT app.recordings_age() AS "age!""#).fetch_one(tx.conn()).await?;
    tx.commit().await?;
    Ok(age)
}

/// In whose name a tenant's leftovers are removed: nobody's, as a worker.
#[must_use]
pub fn scope(tenant: Uuid) -> Scope {
    Scope::authenticated(tenant, Uuid::nil(), Role::Worker)
}
