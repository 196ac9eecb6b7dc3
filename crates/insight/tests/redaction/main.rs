//! What is taken out of transcripts, on a labelled table in five languages and on transcripts made up at random.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

mod contract;
mod properties;
mod score;
mod table;
mod tables;
