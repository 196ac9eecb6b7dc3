//! Why a recording cannot be read. Each message is one line that says what to do and holds nothing of the recording.

use std::io;

use super::{MAX_CHANNELS, MAX_RATE, MAX_SECONDS, MIN_RATE};

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// There is not one byte, or not one sample.
    #[error("the recording is empty: export or record it again")]
    Empty,
    /// The bytes are of a kind that is no audio.
    #[error("this is not audio: it holds {looks_like}; give the recording itself")]
    NotAudio {
        /// What the bytes are, for example `plain text, although its name ends in .wav`.
        looks_like: String,
    },
    /// Audio, but of a kind that is not read here.
    #[error("{what} cannot be read here: {hint}")]
    Unsupported {
        /// The container, codec or feature.
        what: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The bytes break the rules of their own format, and nothing could be read.
    #[error("the recording is damaged ({what}): export it again from where it was made")]
    Malformed {
        /// What is wrong with it.
        what: String,
    },
    /// It goes on for longer than [`MAX_SECONDS`].
    #[error("the recording is longer than {} minutes: split it and transcribe the parts", MAX_SECONDS / 60)]
    TooLong,
    /// It has more channels than [`MAX_CHANNELS`].
    #[error("the recording has {found} channels, and at most {MAX_CHANNELS} can be read: mix or split it first")]
    TooManyChannels {
        /// How many it has.
        found: usize,
    },
    /// Its sample rate is outside [`MIN_RATE`]`..=`[`MAX_RATE`].
    #[error("the recording has {found} samples a second, and {MIN_RATE} to {MAX_RATE} can be read: resample it first")]
    SampleRate {
        /// Its rate in Hz.
        found: u32,
    },
    /// A container without an audio track.
    #[error("the file has no audio track: give the recording that the sound is in")]
    NoAudioTrack,
    /// A stream whose index lies at its end, and which is too large to be held in memory until then.
    #[error(
        "this MP4 is larger than {limit_mib} MiB and comes as a stream, but its index may lie at its end: give it as a file"
    )]
    NeedsSeeking {
        /// The limit in MiB.
        limit_mib: u64,
    },
    /// Reading failed: the disk, the permission, or the file is a directory or went away.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

/// What to tell the user of a format that ffmpeg reads and Subrosa does not.
pub(super) const CONVERT: &str = "convert it first, for example with `ffmpeg -i in -ar 16000 out.flac`";

impl AudioError {
    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), hint: CONVERT }
    }
}
