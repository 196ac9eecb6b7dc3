//! Why a try at a call ended without a transcript. Its one invariant: a code says what happened, and nothing of the recording.

use insight::redact::Unfinished;
use speech::{audio::AudioError, transcribe::TranscribeError};

use super::stage::Stage;
use crate::{
    db::DbError,
    decoder::{DecodeError, Refusal},
    queue::LeaseError,
    telemetry::log,
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
    /// Another try may help, and it may be the recording that makes them fail: five are enough.
    Again(Fault),
    /// Something around the recording failed, so it is put off for as long as that lasts.
    Later(Fault),
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

    pub(super) fn later(code: &'static str) -> Self {
        Self::Later(Fault { stage: None, code })
    }

    /// In that stage, where it does not say in which.
    pub(super) fn at(self, stage: Stage) -> Self {
        let at = |fault: Fault| Fault { stage: fault.stage.or(Some(stage)), ..fault };
        match self {
            Self::Final(fault) => Self::Final(at(fault)),
            Self::Again(fault) => Self::Again(at(fault)),
            Self::Later(fault) => Self::Later(at(fault)),
            Self::Cancelled | Self::Lost => self,
        }
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
        log::warning!(fault = &error, "the database failed a call");
        // A statement that is refused may be refused for what the recording says.
        if error.is_outage() || error.is_transient() {
            Self::later("database_failed")
        } else {
            Self::again("database_failed")
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            VaultError::Gone(_) => Self::last("key_gone"),
            VaultError::Broken(_) => Self::last("content_damaged"),
            VaultError::TooLarge { .. } => Self::last("transcript_too_large"),
            _ => Self::later("keys_failed"),
        }
    }
}

impl From<&BlobError> for Failure {
    fn from(error: &BlobError) -> Self {
        match error {
            BlobError::Missing(_) => Self::last("audio_missing"),
            BlobError::Broken(_) => Self::last("audio_damaged"),
            _ => {
                log::warning!(fault = error, "the object store failed a call");
                Self::later("store_failed")
            }
        }
    }
}

impl From<&DecodeError> for Failure {
    fn from(error: &DecodeError) -> Self {
        let fault = |code| Fault::of(Stage::AudioPreprocessed, code);
        match error {
            // It was given all that it asked for.
            DecodeError::Refused(refusal @ Refusal::Unreadable) => Self::Again(fault(refusal.code())),
            DecodeError::Refused(refusal) => Self::Final(fault(refusal.code())),
            DecodeError::Misbehaved(what) => {
                log::warning!(fault = *what, "the process that decodes misbehaved");
                Self::Final(fault(Refusal::Undecodable.code()))
            }
            DecodeError::Killed => {
                // Counted: a system that runs out of memory kills what takes the most, and that may be this recording's doing.
                log::warning!("the process that decodes was killed from outside, as by a system without memory");
                Self::Again(fault("decoder_killed"))
            }
            DecodeError::TooSlow => Self::Again(fault("decoder_too_slow")),
            DecodeError::Cancelled => Self::Cancelled,
            DecodeError::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<BlobError>()) {
                Some(error) => error.into(),
                None => Self::Later(fault("audio_unreadable")),
            },
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

impl From<Unfinished> for Failure {
    /// The same transcript ends so every time, and nothing of it is kept.
    fn from(_: Unfinished) -> Self {
        Self::Final(Fault::of(Stage::Redacted, "redaction_unfinished"))
    }
}
