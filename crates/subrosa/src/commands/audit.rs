//! `subrosa audit`: who did what.

use std::{path::Path, process::ExitCode};

use server::deletion::verify;

use super::receipts::conclude;
use crate::installation::{self, Installation};

/// What to do with the audit log.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Follow every tenant's log and the operators' own, and compare them with their signed heads in the object store.
    Verify,
}

/// Runs `subrosa audit verify`.
pub(crate) fn verify(data_dir: &Path) -> ExitCode {
    installation::with(data_dir, async |installation: Installation| {
        let keys = installation.vault.public_keys();
        let report = verify::audit(&installation.database, &installation.blobs, keys).await?;
        installation.close().await?;
        conclude("audit events", &report)
    })
}
