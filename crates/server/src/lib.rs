//! Everything with state. Modules use only what stands to their left:
//! `clock, config, decoder, postgres, telemetry | db, vault, changes, error | audit, notices, deletion, artifacts, recordings, queue, rate_limit |
//! auth, http | features | worker | router | serve, verify`; [`app::App`] joins them.

pub mod action_items;
pub mod analyses;
pub mod analysis_provider;
pub mod analytics;
pub mod app;
pub mod artifacts;
pub mod audio;
pub mod audit;
pub mod auth;
pub mod background;
pub mod calls;
pub mod changes;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod db;
pub mod decoder;
pub mod deletion;
pub mod error;
pub mod exports;
pub mod health;
pub mod http;
pub mod notices;
pub mod openai;
pub mod operation;
pub mod postgres;
pub mod queue;
pub mod rate_limit;
pub mod recordings;
pub mod redaction;
pub mod retention;
pub mod router;
pub mod search;
pub mod serve;
pub mod telemetry;
pub mod tenants;
pub mod transcripts;
pub mod users;
pub mod vault;
pub mod verify;
pub mod voice_profiles;
pub mod webhooks;
pub mod worker;
