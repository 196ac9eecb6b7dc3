//! Recordings that a tenant keeps: the one that came, and one in which what was redacted is silent, which is played unless somebody asks
//! for the other. Its one invariant: both are sealed under the key of their call and go with it, and a play is in the audit log before
//! its first byte is out. `docs/adr/019-audio-retention.md` says why.

pub mod open;
mod play;
mod range;
pub mod routes;
pub mod silence;
pub mod store;
pub mod unwanted;
mod wave;

use speech::audio::Container;

use crate::http::places::{Places, Shares, Told};

/// A recording that is kept. The numbers are those of the database's artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Rendition {
    /// As it came.
    Original = 6,
    /// Without what was redacted.
    Redacted = 8,
}

/// What an object holds. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Media {
    /// WAVE, and its large kinds.
    Wave = 1,
    /// AIFF.
    Aiff = 2,
    /// FLAC.
    Flac = 3,
    /// Ogg.
    Ogg = 4,
    /// Matroska and WebM.
    Matroska = 5,
    /// MP4.
    Mp4 = 6,
    /// AAC frames.
    Adts = 7,
    /// MPEG audio frames.
    Mpeg = 8,
    /// AMR.
    Amr = 9,
    /// What `silence` makes: samples that are played as WAVE.
    Samples = 10,
}

impl Media {
    const ALL: [Self; 10] = [
        Self::Wave,
        Self::Aiff,
        Self::Flac,
        Self::Ogg,
        Self::Matroska,
        Self::Mp4,
        Self::Adts,
        Self::Mpeg,
        Self::Amr,
        Self::Samples,
    ];

    /// What a recording is; `None` for a kind that is none of these yet.
    #[must_use]
    pub fn of(container: Container) -> Option<Self> {
        Some(match container {
            Container::Wav => Self::Wave,
            Container::Aiff => Self::Aiff,
            Container::Flac => Self::Flac,
            Container::Ogg => Self::Ogg,
            Container::Matroska => Self::Matroska,
            Container::Mp4 => Self::Mp4,
            Container::Adts => Self::Adts,
            Container::Mpeg => Self::Mpeg,
            Container::Amr => Self::Amr,
            _ => return None,
        })
    }

    fn numbered(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|media| *media as i16 == number)
    }

    /// Its type (RFC 4337, 4855, 7845 and IANA's register) and the ending of its file.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Wave | Self::Samples => ("audio/wav", "wav"),
            Self::Aiff => ("audio/aiff", "aiff"),
            Self::Flac => ("audio/flac", "flac"),
            Self::Ogg => ("audio/ogg", "ogg"),
            Self::Matroska => ("audio/webm", "webm"),
            Self::Mp4 => ("audio/mp4", "m4a"),
            Self::Adts => ("audio/aac", "aac"),
            Self::Mpeg => ("audio/mpeg", "mp3"),
            Self::Amr => ("audio/amr", "amr"),
        }
    }
}

/// Plays of one user at once: as many connections as a browser opens to a server.
const PLAYS_EACH: usize = 6;

/// Plays of one tenant at once: half of all.
const PLAYS_OF_TENANT: usize = PLAYS / 2;

/// Plays at once, each of which holds a part of an object: 256 MiB.
const PLAYS: usize = 64;

/// What is said where there are too many.
const TOLD: Told = Told {
    user: "you play too many recordings at once; stop one",
    tenant: "your tenant plays too many recordings at once; try again",
    all: "too many recordings are played at once; try again",
};

/// Places of those who play.
#[must_use]
pub fn places() -> Places {
    Places::new(Shares { user: PLAYS_EACH, tenant: PLAYS_OF_TENANT, all: PLAYS, retry_after: 2 })
}
