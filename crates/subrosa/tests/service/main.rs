//! The real program under many clients, and what becomes of acknowledged calls when it, or something below it, dies in the middle.
//! Small sizes here; `make soak` runs the full ones (docs/benchmarks.md has their figures).
//!
//! `SUBROSA_TEST_PROGRAM` names another binary than the one that was built with the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "tests that measure say what")]

mod analyst;
mod bucket;
mod client;
mod disk;
mod fleet;
mod kills;
mod leaky;
mod ledger;
mod load;
mod outages;
mod program;
mod recordings;
mod takeover;
mod verify;
