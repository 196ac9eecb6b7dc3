//! The API over a real PostgreSQL, as a client and as an attacker see it.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]
#![allow(unreachable_pub, dead_code, reason = "support and kit are shared with other test binaries")]

mod accounts;
mod actions;
mod analyses;
mod analytics;
mod api_keys;
mod audio;
mod calls;
mod client;
mod contacts;
mod cookies;
mod corrected_tasks;
mod corrections;
mod crossfire;
mod deletions;
mod events;
mod exports;
mod forms;
mod held;
mod houses;
mod idempotency;
#[path = "../vault/kit.rs"]
mod kit;
mod limits;
mod links;
mod made;
mod meaning;
mod members;
mod memory;
mod openai;
mod operation;
mod people;
mod places;
mod receiver;
mod redactions;
mod renamed;
mod retention;
mod search;
mod serving;
mod sessions;
mod sign_in;
#[path = "../support/mod.rs"]
mod support;
mod tenants;
mod tokens;
mod transcripts;
mod turns;
mod tus;
mod users;
mod voices;
mod webhooks;
