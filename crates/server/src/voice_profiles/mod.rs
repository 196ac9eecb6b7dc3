//! Voice profiles: by which a user is known again in their own calls, when the installation and the user want it (S1). Its one invariant:
//! a profile rests on a consent that is in force, and goes in the transaction that withdraws it.
//!
//! A sample passes through memory alone (`sample.rs`); what is stored of it is a blob that only `speech::voiceprint` reads (H12), sealed
//! under a key of its own, which the user's own transactions alone see.

pub mod routes;
mod sample;
pub(crate) mod store;

use std::sync::{Arc, OnceLock};

use api::error::ErrorCode;
use speech::voiceprint::Enroller;
use uuid::Uuid;

use crate::{
    db::{DbError, Scope, TenantTx, Write},
    decoder::Decoder,
    deletion::{self, DeletionError},
    error::{ApiError, ApiResult},
    http::places::{Place, Places, Shares, Told},
    vault::{chain::Signer, receipts::Receipt, seal::RecordKind},
};

/// Who makes and compares profiles; there is one so far.
pub(crate) const PROVIDER: &str = "local";

/// Samples that are listened to at once: each takes 10 MB as it came, 3 MB decoded, a process that decodes, and a core for seconds.
const MOST_SAMPLES: usize = 4;

/// Samples of one tenant at once: half of all, so that whoever sends slowly does not hold all places.
const SAMPLES_OF_TENANT: usize = MOST_SAMPLES / 2;

/// What is said where there are too many.
const TOLD: Told = Told {
    user: "a sample of yours is being listened to; send this one when it is through",
    tenant: "too many samples of your tenant at once; try again",
    all: "too many samples at once; try again",
};

/// What makes voice profiles in this process.
pub struct Maker {
    /// The networks.
    pub enroller: Enroller,
    /// What the embedding model is called.
    pub model: String,
    /// How samples are decoded.
    pub decoder: Decoder,
}

/// Who makes profiles, and the places of those whose samples are listened to.
pub struct VoiceProfiles {
    maker: OnceLock<Arc<Maker>>,
    places: Places,
}

impl Default for VoiceProfiles {
    fn default() -> Self {
        let shares = Shares { user: 1, tenant: SAMPLES_OF_TENANT, all: MOST_SAMPLES, retry_after: 5 };
        Self { maker: OnceLock::new(), places: Places::new(shares) }
    }
}

impl VoiceProfiles {
    /// Lets profiles be made from now on; the first maker stays.
    pub fn provide(&self, maker: Maker) {
        let _ = self.maker.set(Arc::new(maker));
    }

    fn maker(&self) -> ApiResult<Arc<Maker>> {
        let missing =
            || ApiError::new(ErrorCode::Unavailable, "the models that hear voices are not there; try again later");
        self.maker.get().map(Arc::clone).ok_or_else(|| missing().retry_after(60))
    }

    /// A place for one sample of a user.
    fn place(&self, scope: &Scope) -> ApiResult<Place> {
        self.places.take(scope, TOLD)
    }
}

/// Deletes the profile of the transaction's user where the consent that it rests on is not in force any more.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn end_without_consent(tx: &mut TenantTx<Write>, signer: &Signer) -> Result<Option<Receipt>, DbError> {
    match store::without_consent(tx).await? {
        Some(profile) => end(tx, signer, profile).await,
        None => Ok(None),
    }
}

/// Deletes a profile; one that somebody else has just deleted is gone as well.
async fn end(tx: &mut TenantTx<Write>, signer: &Signer, profile: Uuid) -> Result<Option<Receipt>, DbError> {
    match deletion::delete(tx, signer, RecordKind::VoiceProfile, profile).await {
        Ok(receipt) => Ok(Some(receipt)),
        Err(DeletionError::NotFound) => Ok(None),
        // Only calls are held.
        Err(DeletionError::LegalHold) => Err(DbError::Unexpected),
        Err(DeletionError::Database(error)) => Err(error),
    }
}
