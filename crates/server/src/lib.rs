//! Everything with state. Modules use only what stands to their left: `postgres | db, vault | audit`.

pub mod audit;
pub mod db;
pub mod postgres;
pub mod vault;
