//! The real binary, as a user runs it.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]
#![allow(clippy::print_stderr, reason = "a test that cannot run here says why")]

mod analysis;
mod bad_recordings;
mod configuration;
mod inputs;
mod interrupts;
mod keyrings;
mod kit;
mod model;
mod outputs;
mod serve;
mod shell;
mod transcripts;
mod usage;
