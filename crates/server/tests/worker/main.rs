//! The queue, the worker and the process that decodes, on a real PostgreSQL; only the models are played.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test fails the test; the part that is killed talks"
)]
#![allow(unreachable_pub, dead_code, reason = "support and kit are shared with other test binaries")]

mod analysis_provider;
mod background;
#[path = "../http/client.rs"]
mod client;
mod crash;
mod decoder;
mod dialogue;
mod endpoint;
mod kept;
#[path = "../vault/kit.rs"]
mod kit;
mod language_model;
mod pipeline;
mod queue;
mod studio;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod takeover;
mod voice;
mod withdrawal;
