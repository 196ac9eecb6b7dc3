//! The database against its attackers: each module is one kind of attack, on a real PostgreSQL.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod bleed;
mod catalogue;
mod crossfire;
mod mutation;
mod pooler;
mod start;
