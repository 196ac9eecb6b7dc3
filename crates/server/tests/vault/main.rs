//! The vault on a real PostgreSQL: what its owner sees, and what somebody with the disk, the dump or the store sees.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test fails the test; a test says what it counted"
)]
#![allow(unreachable_pub, reason = "support is shared with other test binaries")]

mod audit;
mod deletion;
mod disk_full;
mod kit;
mod openpgp;
mod operator;
mod rotation;
mod sealing;
mod start;
#[path = "../support/mod.rs"]
mod support;
