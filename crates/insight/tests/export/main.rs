//! Transcripts through every export format.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod fixtures;
mod formats;
mod hostile;
