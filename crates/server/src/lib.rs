//! Everything with state. Modules use only what stands to their left:
//! `clock, changes, postgres | db, vault, error | audit, deletion, artifacts, queue, http | auth | features | worker | router`; [`app::App`] joins them.

pub mod app;
pub mod artifacts;
pub mod audit;
pub mod auth;
pub mod calls;
pub mod changes;
pub mod clock;
pub mod db;
pub mod deletion;
pub mod error;
pub mod health;
pub mod http;
pub mod openai;
pub mod postgres;
pub mod queue;
pub mod router;
pub mod tenants;
pub mod transcripts;
pub mod users;
pub mod vault;
