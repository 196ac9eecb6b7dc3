//! `subrosa receipts`: what deletions left behind.

use std::process::ExitCode;

use server::deletion::verify;

use crate::{
    installation::{self, Installation, StateError},
    settings::Place,
};

/// What to do with receipts.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Follow every chain of receipts and compare it with its signed copies in the object store.
    Verify,
}

/// Runs `subrosa receipts verify`.
pub(crate) fn verify(place: &Place) -> ExitCode {
    installation::with(place, async |installation: &Installation| {
        let keys = installation.vault.public_keys();
        let report = verify::receipts(&installation.database, &installation.blobs, keys).await?;
        conclude("receipts", &report)
    })
}

/// Prints what was found; a fault is an error.
pub(super) fn conclude(what: &str, report: &verify::Report) -> Result<(), StateError> {
    let verify::Report { links, copies, faults } = report;
    for fault in faults {
        crate::exit::line(fault);
    }
    if faults.is_empty() {
        crate::exit::line(format_args!("{links} {what} and {copies} signed copies fit each other"));
        return Ok(());
    }
    Err(StateError::Tampered(format!("{} faults in {links} {what} and {copies} signed copies", faults.len())))
}
