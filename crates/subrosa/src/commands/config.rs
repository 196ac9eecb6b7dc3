//! `subrosa config`: what the installation is told, and by whom.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use server::vault::keyring::KeyringError;

use crate::{exit, settings::Place};

/// What to do with the configuration.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print every setting with its value and where that comes from; secrets only as "set". What is wrong is said instead.
    Check,
}

/// Runs `subrosa config check`. Nothing is connected to; the keyring is named and not read.
pub(crate) fn check(place: &Place) -> ExitCode {
    match place.keys() {
        Ok(_) | Err(KeyringError::Missing) => {}
        Err(error) => return exit::report(&error, exit::keyring(&error)),
    }
    // A reader that went away has seen what it wanted.
    let _ = io::stdout().write_all(place.settings.to_string().as_bytes());
    ExitCode::SUCCESS
}
