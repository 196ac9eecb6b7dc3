//! Everything with state. Modules use only what stands to their left: `postgres | db, vault | audit | deletion`.

pub mod audit;
pub mod db;
pub mod deletion;
pub mod postgres;
pub mod vault;
