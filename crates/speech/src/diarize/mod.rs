//! Who spoke when.

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
