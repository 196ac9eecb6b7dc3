//! That something changed about calls, so that who watches one looks again. Says nothing about what: any session of the database
//! can listen, and whoever is woken reads through the gate.

use tokio::sync::watch;

/// Wakes everybody who watches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes(watch::Sender<u64>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Changes {
    /// Wakes the watchers of this process.
    pub fn wake(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Something to wait on; poll from time to time as well, since a notice can be lost with its connection.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
