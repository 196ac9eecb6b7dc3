//! Why a try at a call ended without a transcript. Its one invariant: a code says what happened, and nothing of the recording.

use speech::{audio::AudioError, transcribe::TranscribeError};

use super::stage::Stage;
use crate::{
    db::DbError,
    decoder::{DecodeError, Refusal},
    queue::LeaseError,
    vault::{blobs::BlobError, keys::VaultError},
};

/// What went wrong: a short code, and the stage that it went wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) stage: Option<Stage>,
    pub(super) code: &'static str,
}

impl Fault {
    fn of(stage: Stage, code: &'static str) -> Self {
        Self { stage: Some(stage), code }
    }
}

/// How a try ended, other than well.
#[derive(Debug)]
pub(super) enum Failure {
    /// It would end so every time.
    Final(Fault),
    /// Another try may help.
    Again(Fault),
    /// The worker stops, or the lease is lost: whoever asked for it knows.
    Cancelled,
    /// The lease is somebody else's, or the call was deleted.
    Lost,
}

impl Failure {
    pub(super) fn last(code: &'static str) -> Self {
        Self::Final(Fault { stage: None, code })
    }

    pub(super) fn again(code: &'static str) -> Self {
        Self::Again(Fault { stage: None, code })
    }
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Lost => Self::Lost,
            LeaseError::Database(error) => error.into(),
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        tracing::warn!(fault = %error, "the database failed a call");
        Self::again("database_failed")
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            VaultError::Gone(_) => Self::last("key_gone"),
            VaultError::Broken(_) => Self::last("content_damaged"),
            VaultError::TooLarge { .. } => Self::last("transcript_too_large"),
            _ => Self::again("keys_failed"),
        }
    }
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing(_) => Self::last("audio_missing"),
            BlobError::Broken(_) => Self::last("audio_damaged"),
            _ => Self::again("store_failed"),
        }
    }
}

impl From<&DecodeError> for Failure {
    fn from(error: &DecodeError) -> Self {
        let fault = |code| Fault::of(Stage::AudioPreprocessed, code);
        match error {
            DecodeError::Refused(refusal) => Self::Final(fault(refusal.code())),
            DecodeError::Misbehaved(what) => {
                tracing::warn!(fault = what, "the process that decodes misbehaved");
                Self::Final(fault(Refusal::Undecodable.code()))
            }
            DecodeError::Killed => Self::Again(fault("decoder_killed")),
            DecodeError::TooSlow => Self::Again(fault("decoder_too_slow")),
            DecodeError::Cancelled => Self::Cancelled,
            DecodeError::Io(_) => Self::Again(fault("audio_unreadable")),
        }
    }
}

impl From<TranscribeError> for Failure {
    fn from(error: TranscribeError) -> Self {
        match error {
            TranscribeError::Cancelled => Self::Cancelled,
            TranscribeError::Option(_) => Self::Final(Fault::of(Stage::Transcribed, "option_unsupported")),
            TranscribeError::Audio(AudioError::Io(error)) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<DecodeError>());
                inner.map_or(Self::again("audio_unreadable"), Self::from)
            }
            TranscribeError::Audio(_) => Self::Final(Fault::of(Stage::AudioPreprocessed, Refusal::Undecodable.code())),
            TranscribeError::Stage { .. } => Self::Again(Fault::of(Stage::Transcribed, "recognition_failed")),
        }
    }
}
