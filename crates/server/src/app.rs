//! What every handler and worker shares: the gate, the vault, the objects, the clock.

use std::sync::Arc;

use crate::{
    auth::Auth,
    changes::Changes,
    clock::Clock,
    config::Config,
    db::Database,
    operation::Operation,
    rate_limit::RedisAddress,
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
    /// How it runs: configuration, limits, metrics.
    pub operation: Operation,
}

impl App {
    /// Joins the parts, configured as `config.default.toml` says.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the defaults name no Redis, whose address could be wrong")]
    pub fn new(database: Database, vault: Vault, blobs: Blobs, clock: Clock) -> Self {
        Self::configured(database, vault, blobs, clock, Config::default()).expect("the defaults name no Redis")
    }

    /// Joins the parts.
    ///
    /// # Errors
    /// When the address of Redis is none.
    pub fn configured(
        database: Database,
        vault: Vault,
        blobs: Blobs,
        clock: Clock,
        config: Config,
    ) -> Result<Self, RedisAddress> {
        let auth = Auth::new(&vault);
        let operation = Operation::new(config, &vault, &clock)?;
        Ok(Self(Arc::new(Shared { database, vault, blobs, clock, auth, changes: Changes::default(), operation })))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
