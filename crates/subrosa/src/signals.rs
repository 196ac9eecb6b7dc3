//! SIGINT, SIGTERM and SIGHUP, for what has to be closed before the program ends. Its one invariant: from the moment it is made none of
//! them ends the process, so that a private PostgreSQL is always stopped.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Whether somebody asked the program to end. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Signals(watch::Receiver<bool>);

impl Signals {
    /// Takes the signals over; to be called in a runtime.
    pub(crate) fn take() -> io::Result<Self> {
        let (asked, receiver) = watch::channel(false);
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let (mut signal, asked) = (signal(kind)?, asked.clone());
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    asked.send_replace(true);
                }
            });
        }
        Ok(Self(receiver))
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) {
        // The senders live as long as the runtime.
        drop(self.0.clone().wait_for(|is_asked| *is_asked).await);
    }
}
