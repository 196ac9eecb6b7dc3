//! `subrosa restore`: after a backup came back.

use std::process::ExitCode;

use server::deletion::{blobs, restore};

use crate::{
    exit,
    installation::{self, Installation, Purpose},
    settings::Place,
};

/// What to do with a restored database.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Delete again what was deleted after the backup, by the receipts in the object store. It may be repeated.
    Check,
}

/// Runs `subrosa restore check`.
pub(crate) fn check(place: &Place) -> ExitCode {
    installation::with(place, Purpose::Restore, async |installation: &Installation| {
        let Installation { database, vault, blobs: store, .. } = installation;
        let done = restore::check(database, store, vault).await?;
        let swept = blobs::sweep(database, store).await?;
        exit::line(format_args!(
            "{} receipts, {} of them missing here; {} rows and {} parts of objects removed again",
            done.receipts, done.missing, done.rows, swept.parts
        ));
        installation.copy_logs().await
    })
}
