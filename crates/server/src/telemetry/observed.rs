//! What is measured when somebody looks at the metrics. Its one invariant: a look takes one connection to the database and ends within
//! its time, whatever answers or does not.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    app::App,
    deletion::{
        blobs,
        orphans::{self, State},
    },
    health,
    queue::{self, Counts},
    retention,
    worker::sweep,
};

/// How long the database may take to be counted: a scrape is given ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was measured; `None` where nobody answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// Age of the key that seals.
    pub key_age: Option<Duration>,
    /// Whether Redis answers; `None` without one.
    pub is_redis_up: Option<bool>,
    /// What the database counts.
    pub backlog: Option<Backlog>,
}

/// What waits to be done, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// Jobs.
    pub jobs: Counts,
    /// Seconds since the oldest recording was stored that is still there.
    pub recording_age: f64,
    /// Seconds by which the oldest call is older than its tenant keeps it.
    pub retention_lag: f64,
    /// Seconds since the oldest bytes that are still there should have gone.
    pub deletion_lag: f64,
    /// How the object store is compared with the database.
    pub walk: State,
}

/// Looks.
pub async fn observe(app: &App) -> Observed {
    let backlog = async { timeout(PATIENCE, backlog(app)).await.ok().flatten() };
    let counted = async { (health::key_age(app).await, backlog.await) };
    let ((key_age, backlog), is_redis_up) = tokio::join!(counted, app.operation.limiter.ping());
    Observed { key_age, is_redis_up, backlog }
}

async fn backlog(app: &App) -> Option<Backlog> {
    let database = &app.database;
    Some(Backlog {
        jobs: queue::counts(database).await.ok()?,
        recording_age: sweep::oldest_seconds(database).await.ok()?,
        retention_lag: retention::lag_seconds(database).await.ok()?,
        deletion_lag: blobs::lag_seconds(database).await.ok()?,
        walk: orphans::state(database).await.ok()?,
    })
}
