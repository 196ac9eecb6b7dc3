//! That something changed about calls, so that who watches one looks again, and that there may be work. Says nothing about what: any
//! session of the database can listen, and whoever is woken reads through the gate.

use crate::telemetry::log;
use std::time::Duration;

use tokio::sync::watch;

use crate::db::{Listener, Notice};

/// Pause before a listener whose database went away tries again.
const RECONNECT: Duration = Duration::from_secs(2);

/// Wakes everybody who watches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes {
    calls: watch::Sender<u64>,
    jobs: watch::Sender<u64>,
    webhooks: watch::Sender<u64>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { calls: watch::Sender::new(0), jobs: watch::Sender::new(0), webhooks: watch::Sender::new(0) }
    }
}

impl Changes {
    /// Wakes the watchers of this process.
    pub fn wake(&self) {
        self.calls.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Something to wait on; poll from time to time as well, since a notice can be lost with its connection.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.calls.subscribe()
    }

    /// Wakes the worker of this process.
    pub fn wake_worker(&self) {
        self.jobs.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What a worker waits on; it polls as well.
    #[must_use]
    pub fn watch_jobs(&self) -> watch::Receiver<u64> {
        self.jobs.subscribe()
    }

    /// Wakes who carries messages to endpoints in this process.
    pub fn wake_webhooks(&self) {
        self.webhooks.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What who carries them waits on; it polls as well.
    #[must_use]
    pub fn watch_webhooks(&self) -> watch::Receiver<u64> {
        self.webhooks.subscribe()
    }

    /// Passes on what the database says, for as long as it is polled.
    pub async fn listen(&self, listener: &mut Listener) {
        loop {
            match listener.next().await {
                Ok(Notice::Jobs) => self.wake_worker(),
                Ok(Notice::Calls) => self.wake(),
                Ok(Notice::Webhooks) => self.wake_webhooks(),
                Ok(Notice::Anything) => {
                    self.wake_worker();
                    self.wake();
                    self.wake_webhooks();
                }
                Err(error) => {
                    log::warning!(fault = &error, "the database does not say what changed; polling goes on");
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        }
    }
}
