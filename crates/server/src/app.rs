//! What every handler and worker shares: the gate, the vault, the objects, the clock.

use std::sync::Arc;

use crate::{
    auth::Auth,
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
}

impl App {
    /// Joins the parts.
    #[must_use]
    pub fn new(database: Database, vault: Vault, blobs: Blobs, clock: Clock) -> Self {
        let auth = Auth::new(&vault);
        Self::with_auth(database, vault, blobs, clock, auth)
    }

    /// The same with a sign-in that is there, for tests.
    #[must_use]
    pub fn with_auth(database: Database, vault: Vault, blobs: Blobs, clock: Clock, auth: Auth) -> Self {
        Self(Arc::new(Shared { database, vault, blobs, clock, auth, changes: Changes::default() }))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
