//! What every handler and worker shares: the gate, the vault, the objects, the clock.

use std::sync::Arc;

use crate::{
    audio,
    auth::Auth,
    calls::{events, tus::Joins},
    changes::Changes,
    clock::Clock,
    config::Config,
    db::Database,
    exports::Exports,
    http::places::Places,
    operation::Operation,
    rate_limit::RedisAddress,
    search::Search,
    vault::{blobs::Blobs, keys::Vault},
    voice_profiles::VoiceProfiles,
    webhooks::Sender,
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
    /// Who watches calls.
    pub streams: Places,
    /// Who plays recordings that are kept.
    pub plays: Places,
    /// Who puts recordings together.
    pub joins: Joins,
    /// What waits to be exported, and who downloads.
    pub exports: Exports,
    /// Who makes voice profiles, and the places of those whose samples are listened to.
    pub voice_profiles: VoiceProfiles,
    /// What searches share.
    pub search: Search,
    /// Who tells endpoints.
    pub webhooks: Sender,
    /// How it runs: configuration, limits, metrics.
    pub operation: Operation,
}

/// What an [`App`] is made of.
pub struct Parts {
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
    /// What it was told.
    pub config: Config,
}

impl App {
    /// Joins the parts.
    ///
    /// # Errors
    /// When the address of Redis is none.
    pub fn new(parts: Parts) -> Result<Self, RedisAddress> {
        let Parts { database, vault, blobs, clock, auth, config } = parts;
        let webhooks = Sender::new(config.webhooks);
        let operation = Operation::new(config, &vault, &clock)?;
        let (changes, streams, joins) = (Changes::default(), events::places(), Joins::default());
        let (plays, exports) = (audio::places(), Exports::default());
        let (voice_profiles, search) = (VoiceProfiles::default(), Search::default());
        let shared = Shared {
            database,
            vault,
            blobs,
            clock,
            auth,
            changes,
            streams,
            plays,
            joins,
            exports,
            voice_profiles,
            search,
            webhooks,
            operation,
        };
        Ok(Self(Arc::new(shared)))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
