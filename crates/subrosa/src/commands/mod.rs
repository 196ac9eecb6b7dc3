//! One file a subcommand.

pub(crate) mod chains;
pub(crate) mod completions;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod restore;
pub(crate) mod transcribe;
