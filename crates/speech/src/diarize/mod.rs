//! Who spoke when.

use std::ops::RangeInclusive;

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

/// How many speakers a recording may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerCount(RangeInclusive<usize>);
