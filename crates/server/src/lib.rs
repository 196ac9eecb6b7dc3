//! Everything with state. Modules use only what stands to their left:
//! `clock, decoder, postgres | db, vault, changes, error | audit, deletion, artifacts, recordings, queue, http | auth | features | worker | router`; [`app::App`] joins them.

pub mod app;
pub mod artifacts;
pub mod audit;
pub mod auth;
pub mod calls;
pub mod changes;
pub mod clock;
pub mod db;
pub mod decoder;
pub mod deletion;
pub mod error;
pub mod health;
pub mod http;
pub mod openai;
pub mod postgres;
pub mod queue;
pub mod recordings;
pub mod router;
pub mod tenants;
pub mod transcripts;
pub mod users;
pub mod vault;
pub mod worker;
