//! Everything with state. Modules use only what stands to their left:
//! `clock, changes, config, postgres, telemetry | db, vault, error | audit, deletion, artifacts, queue, rate_limit, http | auth | features | worker | router | serve`;
//! [`app::App`] joins them.

pub mod app;
pub mod artifacts;
pub mod audit;
pub mod auth;
pub mod background;
pub mod changes;
pub mod clock;
pub mod config;
pub mod db;
pub mod deletion;
pub mod error;
pub mod health;
pub mod http;
pub mod operation;
pub mod postgres;
pub mod queue;
pub mod rate_limit;
pub mod router;
pub mod serve;
pub mod telemetry;
pub mod vault;
