//! Voice profiles: by which a user is known again in their own calls, when the installation and the user want it (S1). Its one invariant:
//! a profile rests on a consent that is in force, and goes in the transaction that withdraws it.
//!
//! A sample passes through memory alone ([`sample`]); what is stored of it is a blob that only `speech::voiceprint` reads (H12), sealed
//! under a key of its own, which the user's own transactions alone see.

pub mod routes;
mod sample;
pub(crate) mod store;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use api::error::ErrorCode;
use speech::voiceprint::Enroller;
use uuid::Uuid;

use crate::{
    db::{DbError, TenantTx, Write},
    decoder::Decoder,
    deletion::{self, DeletionError},
    error::{ApiError, ApiResult},
    vault::{chain::Signer, receipts::Receipt, seal::RecordKind},
};

/// Who makes and compares profiles; there is one so far.
pub(crate) const PROVIDER: &str = "local";

/// Samples that are listened to at once: each takes 10 MB as it came, 3 MB decoded, a process that decodes, and a core for seconds.
const MOST_SAMPLES: usize = 4;

/// What makes voice profiles in this process.
pub struct Maker {
    /// The networks.
    pub enroller: Enroller,
    /// What the embedding model is called.
    pub model: String,
    /// How samples are decoded.
    pub decoder: Decoder,
}

/// Who makes profiles, and of whom one is being made.
#[derive(Default)]
pub struct VoiceProfiles {
    maker: OnceLock<Arc<Maker>>,
    being_made: Arc<Mutex<HashSet<Uuid>>>,
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
    fn place(&self, user: Uuid) -> ApiResult<Place> {
        let mut being_made = self.being_made.lock().unwrap_or_else(PoisonError::into_inner);
        if being_made.contains(&user) {
            let message = "a sample of yours is being listened to; send this one when it is through";
            return Err(ApiError::new(ErrorCode::RateLimited, message).retry_after(5));
        }
        if being_made.len() >= MOST_SAMPLES {
            return Err(ApiError::new(ErrorCode::Unavailable, "too many samples at once; try again").retry_after(5));
        }
        being_made.insert(user);
        Ok(Place { being_made: Arc::clone(&self.being_made), user })
    }
}

/// A place, given back when it is dropped.
struct Place {
    being_made: Arc<Mutex<HashSet<Uuid>>>,
    user: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.being_made.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.user);
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
