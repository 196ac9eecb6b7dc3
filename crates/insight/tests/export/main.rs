//! Transcripts through every export format.

mod fixtures;
mod formats;
mod hostile;
