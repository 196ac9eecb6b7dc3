//! Who spoke when, in one channel: segmentation of overlapping windows, a voice for each speaker of each window,
//! clustering of the voices, reconstruction on the time line.
//!
//! Invariant: a [`Session`] holds fifty seconds of audio however long the recording is; what it keeps of the past is
//! under 2 kB a second (frames and voices: 35 MB for five hours).

mod cluster;
mod embedding;
mod features;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod ge2e;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[path = "ge2e_absent.rs"]
mod ge2e;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod pyannet;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[path = "pyannet_absent.rs"]
mod pyannet;
mod reconstruct;
mod segmentation;
mod session;
mod vbx;

use std::path::Path;

pub(crate) use self::embedding::{DIMENSIONS, VoiceModel};
pub use self::session::{ChangePoints, Diarization, Session, Voice};
use self::{embedding::Embedder, segmentation::Segmentation};
use crate::net::NetError;

/// The networks in memory, shared by all recordings.
pub struct Diarizer {
    segmentation: Segmentation,
    embedder: Embedder,
}

impl Diarizer {
    /// Loads pyannote segmentation-3.0 and a speaker embedding network, GE2E or WeSpeaker ResNet34-LM, each as ONNX.
    ///
    /// # Errors
    /// [`NetError`] when a file is missing or is another network.
    pub fn load(segmentation: &Path, embedding: &Path) -> Result<Self, NetError> {
        Ok(Self { segmentation: Segmentation::load(segmentation)?, embedder: Embedder::load(embedding)? })
    }

    /// Starts a recording.
    pub fn session(&self) -> Session<'_> {
        Session::new(self)
    }

    /// What voices are comparable with each other.
    pub(crate) fn voice_model(&self) -> &VoiceModel {
        self.embedder.model()
    }
}

/// A stretch of time in which one speaker speaks; turns of different speakers may overlap.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Index of the speaker, by first appearance from 0.
    pub speaker: usize,
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
}

/// How many speakers a recording may have: at least `min`, at most `max`, both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeakerCount {
    min: usize,
    max: usize,
}

/// The most speakers that are told apart in one recording.
pub const MAX_SPEAKERS: usize = 32;

impl Default for SpeakerCount {
    fn default() -> Self {
        Self { min: 1, max: MAX_SPEAKERS }
    }
}

impl SpeakerCount {
    /// Exactly `n` speakers; `None` unless `1 <= n <= MAX_SPEAKERS`.
    pub fn exactly(n: usize) -> Option<Self> {
        Self::between(n, n)
    }

    /// Between `min` and `max` speakers; `None` unless `1 <= min <= max <= MAX_SPEAKERS`.
    pub fn between(min: usize, max: usize) -> Option<Self> {
        (1 <= min && min <= max && max <= MAX_SPEAKERS).then_some(Self { min, max })
    }

    /// The fewest speakers.
    pub fn min(self) -> usize {
        self.min
    }

    /// The most speakers.
    pub fn max(self) -> usize {
        self.max
    }
}
