//! What every handler and worker shares: the gate, the vault, the objects, the clock.

use std::sync::Arc;

use crate::{
    auth::Auth,
    calls::{self, events::Streams},
    changes::Changes,
    clock::Clock,
    db::Database,
    vault::{blobs::Blobs, keys::Vault},
};

/// An open installation that serves. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// The parts of an [`App`].
pub struct Shared {
    /// The one gate to the database.
    pub database: Database,
    /// Keys, and what is sealed under them.
    pub vault: Vault,
    /// Recordings.
    pub blobs: Blobs,
    /// The time.
    pub clock: Clock,
    /// Who somebody is.
    pub auth: Auth,
    /// Wakes who waits for a call.
    pub changes: Changes,
    /// What an operator set for calls.
    pub calls: calls::Settings,
    /// Who watches calls.
    pub streams: Streams,
}

impl App {
    /// Joins the parts, with what is set when nothing is.
    #[must_use]
    pub fn new(database: Database, vault: Vault, blobs: Blobs, clock: Clock) -> Self {
        Self::with_settings(database, vault, blobs, clock, calls::Settings::default())
    }

    /// Joins the parts.
    #[must_use]
    pub fn with_settings(database: Database, vault: Vault, blobs: Blobs, clock: Clock, calls: calls::Settings) -> Self {
        let (auth, changes, streams) = (Auth::new(&vault), Changes::default(), Streams::default());
        Self(Arc::new(Shared { database, vault, blobs, clock, auth, changes, calls, streams }))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
