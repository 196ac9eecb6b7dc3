//! One file a subcommand.

pub(crate) mod chains;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod openapi;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod transcribe;
pub(crate) mod verify;
