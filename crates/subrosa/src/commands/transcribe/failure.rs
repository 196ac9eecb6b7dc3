//! Everything that can end a transcription, and the exit code of each cause.

use std::{io, path::PathBuf};

use insight::redact::Unfinished;
use speech::transcribe::{EngineError, TranscribeError};

use crate::{
    exit::{self, advice},
    models::ModelError,
};

/// Why there is no transcript. The message says what is wrong and what to do, and holds nothing of the recording.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line asks for something that does not exist or does not fit together.
    #[error("{0}")]
    Usage(String),
    /// The recording cannot be opened.
    #[error("{0}")]
    Input(String),
    /// Opening the recording failed in the operating system.
    #[error("cannot open it: {0}{advice}", advice = advice(.0))]
    Open(#[source] io::Error),
    /// A model is missing or damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The engine cannot be started.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine gave up on the recording.
    #[error(transparent)]
    Transcribe(#[from] TranscribeError),
    /// The engine has a defect that shows on this recording.
    #[error("internal error at {place}; please report it with the output of `subrosa --version`")]
    Defect {
        /// Where in the source.
        place: String,
    },
    /// The transcript is there already.
    #[error("{path} exists already; --force overwrites it", path = .0.display())]
    Exists(PathBuf),
    /// A transcript cannot be written.
    #[error("cannot write {path}: {source}{advice}", path = path.display(), advice = advice(source))]
    Output {
        /// Where to.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Not all telephone numbers can be taken out of what is to be analyzed.
    #[error("cannot analyze it: telephone numbers may be left in what is found; leave out --analyze")]
    Unredacted(#[from] Unfinished),
    /// The user asked to stop.
    #[error("interrupted; nothing was left half-written")]
    Interrupted,
    /// The signals of the operating system cannot be watched.
    #[error("cannot watch for signals: {0}")]
    Signals(#[source] io::Error),
    /// Whoever read standard output has closed it.
    #[error("standard output is closed")]
    Closed,
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Transcribe(TranscribeError::Option(_)) => exit::USAGE,
            Self::Model(error) => exit::model(error),
            Self::Engine(EngineError::Model { .. }) => exit::MODEL,
            Self::Engine(EngineError::Device(_)) => exit::DEVICE,
            Self::Input(_)
            | Self::Open(_)
            | Self::Transcribe(_)
            | Self::Defect { .. }
            | Self::Unredacted(_)
            | Self::Signals(_) => exit::FAILED,
            Self::Exists(_) | Self::Output { .. } => exit::OUTPUT,
            Self::Interrupted => exit::INTERRUPTED,
            Self::Closed => exit::SUCCESS,
        }
    }
}

/// The exit code of a run in which files ended with `codes`: the one cause, or [`exit::FAILED`] where causes differ.
pub(super) fn overall(codes: impl IntoIterator<Item = u8>) -> u8 {
    let mut codes = codes.into_iter();
    let Some(first) = codes.next() else { return exit::SUCCESS };
    if codes.all(|code| code == first) { first } else { exit::FAILED }
}
