//! The database against its attackers: each module is one kind of attack, on a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot set itself up fails, and prints what it counted"
)]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod bleed;
mod catalogue;
mod crossfire;
mod managed;
mod mutation;
mod pooler;
mod start;
mod tls;
mod upgrade;
