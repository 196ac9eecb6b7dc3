//! `subrosa audit`: who did what.

use std::process::ExitCode;

use server::deletion::verify;

use super::receipts::conclude;
use crate::{
    installation::{self, Installation},
    settings::Place,
};

/// What to do with the audit log.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Follow every tenant's log and the operators' own, and compare them with their signed heads in the object store.
    Verify,
}

/// Runs `subrosa audit verify`.
pub(crate) fn verify(place: &Place) -> ExitCode {
    installation::with(place, async |installation: &Installation| {
        let keys = installation.vault.public_keys();
        let report = verify::audit(&installation.database, &installation.blobs, keys).await?;
        conclude("audit events", &report)
    })
}
