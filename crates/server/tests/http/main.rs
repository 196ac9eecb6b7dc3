//! The API over a real PostgreSQL, as a client and as an attacker see it.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]
#![allow(unreachable_pub, dead_code, reason = "support and kit are shared with other test binaries")]

mod accounts;
mod client;
#[path = "../vault/kit.rs"]
mod kit;
mod limits;
mod operation;
mod serving;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
