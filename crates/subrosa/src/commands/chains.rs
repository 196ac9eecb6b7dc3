//! `subrosa receipts` and `subrosa audit`: what deletions left behind, and who did what.

use std::process::ExitCode;

use server::deletion::{blobs::SweepError, verify};

use crate::{
    exit,
    installation::{self, Installation, Purpose, StateError},
    settings::Place,
};

/// What to do with receipts.
#[derive(clap::Subcommand)]
pub(crate) enum Receipts {
    /// Follow every chain of receipts and compare it with its signed copies in the object store.
    Verify,
}

/// What to do with the audit log.
#[derive(clap::Subcommand)]
pub(crate) enum Audit {
    /// Follow every tenant's log and the operators' own, and compare them with their signed copies in the object store.
    Verify,
}

/// Runs `subrosa receipts verify`.
pub(crate) fn verify_receipts(place: &Place) -> ExitCode {
    verify(place, "receipts", async |Installation { database, blobs, vault, .. }| {
        verify::receipts(database, blobs, vault.public_keys()).await
    })
}

/// Runs `subrosa audit verify`.
pub(crate) fn verify_audit(place: &Place) -> ExitCode {
    verify(place, "audit events", async |Installation { database, blobs, vault, .. }| {
        verify::audit(database, blobs, vault.public_keys()).await
    })
}

fn verify(
    place: &Place,
    what: &str,
    look: impl AsyncFnOnce(&Installation) -> Result<verify::Report, SweepError>,
) -> ExitCode {
    installation::with(place, Purpose::Look, async |installation: &Installation| {
        conclude(what, &look(installation).await?)
    })
}

/// Prints what was found; a fault is an error.
fn conclude(what: &str, report: &verify::Report) -> Result<(), StateError> {
    let verify::Report { links, copies, faults } = report;
    for fault in faults {
        exit::line(fault);
    }
    if faults.is_empty() {
        exit::line(format_args!("{links} {what} and {copies} signed copies fit each other"));
        return Ok(());
    }
    Err(StateError::Tampered(format!("{} faults in {links} {what} and {copies} signed copies", faults.len())))
}
