//! Hears of work and of changes without asking. Its one invariant: a notice says that something happened and never what; whoever is
//! woken reads through the gate, and asks from time to time as well, since a notice can be lost with its connection.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::timeout;

use super::{Address, StartError};

/// Something was enqueued or handed back.
const JOBS: &str = "subrosa_jobs";

/// Something about a call changed.
const CALLS: &str = "subrosa_calls";

/// An endpoint is to be told something.
const WEBHOOKS: &str = "subrosa_webhooks";

/// How long a database may take to hear that nobody listens any more.
const GOODBYE: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// There may be work.
    Jobs,
    /// A call may look different.
    Calls,
    /// There may be messages to send.
    Webhooks,
    /// The connection broke and is there again: anything may have happened meanwhile.
    Anything,
}

/// A connection of its own that listens; LISTEN does not pass a transaction-mode pooler, so it takes a direct address.
pub struct Listener {
    listener: PgListener,
    /// Of that one connection.
    pool: PgPool,
}

impl Listener {
    /// Connects as the runtime login.
    ///
    /// # Errors
    /// [`StartError::Unreachable`] when nobody answers.
    pub async fn connect(address: &Address) -> Result<Self, StartError> {
        let only_one = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = only_one.connect_with(address.options.clone()).await.map_err(StartError::unreachable)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(StartError::unreachable)?;
        listener.ignore_pool_close_event(true);
        listener.listen_all([JOBS, CALLS, WEBHOOKS]).await?;
        Ok(Self { listener, pool })
    }

    /// Ends the connection in order; dropped instead, it may find the database gone before it has said good-bye.
    pub async fn close(self) {
        // The listener gives its connection back from a task of its own, which this waits for.
        drop(self.listener);
        // A database that does not answer learns of the end from the closed connection.
        let _ = timeout(GOODBYE, self.pool.close()).await;
    }

    /// Waits for the next notice. After the connection broke it connects again, once a call.
    ///
    /// # Errors
    /// When the database cannot be reached; the caller waits and calls again.
    pub async fn next(&mut self) -> Result<Notice, StartError> {
        let notice = self.listener.try_recv().await.map_err(StartError::unreachable)?;
        Ok(match notice.as_ref().map(sqlx::postgres::PgNotification::channel) {
            Some(JOBS) => Notice::Jobs,
            Some(CALLS) => Notice::Calls,
            Some(WEBHOOKS) => Notice::Webhooks,
            _ => Notice::Anything,
        })
    }
}
