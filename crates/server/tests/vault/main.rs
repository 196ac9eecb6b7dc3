//! The vault on a real PostgreSQL: what its owner sees, and what somebody with the disk, the dump or the store sees.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test fails the test; a test says what it counted"
)]
#![allow(unreachable_pub, reason = "support is shared with other test binaries")]

mod audit;
mod audit_expiry;
mod deletion;
mod disk_full;
mod interrupted;
mod kit;
mod memory;
mod openpgp;
mod operator;
mod orphans;
mod outbox;
mod restore;
mod rotation;
mod s3;
mod s3_server;
mod sealing;
mod start;
#[path = "../support/mod.rs"]
mod support;
mod things;
