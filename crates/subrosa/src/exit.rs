//! Exit codes (documented in docs/command-line.md) and the one line of an error.

use std::{fmt::Display, io::Write as _, process::ExitCode};

use server::vault::keyring::KeyringError;

use crate::models::ModelError;

/// Everything was done.
pub(crate) const SUCCESS: u8 = 0;
/// A recording could not be read or transcribed, or several failed for different causes.
pub(crate) const FAILED: u8 = 1;
/// The command line makes no sense; the code that clap uses as well.
pub(crate) const USAGE: u8 = 2;
/// A model is missing or damaged.
pub(crate) const MODEL: u8 = 3;
/// The device cannot be used.
pub(crate) const DEVICE: u8 = 4;
/// An output cannot be written.
pub(crate) const OUTPUT: u8 = 5;
/// Receipts or the audit log were tampered with, or do not fit the database.
pub(crate) const TAMPERED: u8 = 6;
/// The database cannot be used.
pub(crate) const DATABASE: u8 = 7;
/// The object store cannot be used.
pub(crate) const OBJECTS: u8 = 8;
/// A key cannot be retired.
pub(crate) const RETIRE: u8 = 9;
/// Interrupted by SIGINT or SIGTERM: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The code of a failure around models.
pub(crate) fn model(error: &ModelError) -> u8 {
    if matches!(error, ModelError::Unknown { .. }) { USAGE } else { MODEL }
}

/// The code of a fault of the keyring: one each, so that whoever starts the program can tell them apart.
pub(crate) fn keyring(error: &KeyringError) -> u8 {
    match error {
        KeyringError::Missing => 10,
        KeyringError::Ambiguous { .. } => 11,
        KeyringError::Empty => 12,
        KeyringError::NoId { .. } | KeyringError::BadId { .. } => 13,
        KeyringError::EmptyKey { .. } => 14,
        KeyringError::NotBase64 { .. } => 15,
        KeyringError::Length { .. } => 16,
        KeyringError::Degenerate { .. } => 17,
        KeyringError::DuplicateId { .. } => 18,
        KeyringError::DuplicateKey { .. } => 19,
        KeyringError::TooMany | KeyringError::TooLong | KeyringError::NotText => 20,
        KeyringError::File { .. } | KeyringError::NotAFile { .. } => 21,
        KeyringError::Mode { .. } => 22,
        KeyringError::Owner { .. } => 23,
        KeyringError::Command(_) => 24,
        KeyringError::WrongKey { .. } => 25,
        KeyringError::KeyLacking { .. } => 26,
        KeyringError::Retired { .. } => 27,
        KeyringError::InUse { .. } | KeyringError::Newest { .. } | KeyringError::Unknown { .. } => RETIRE,
        KeyringError::NotSealed(_) => FAILED,
    }
}

/// Prints the one line of an error and gives back its exit code.
pub(crate) fn report(error: impl Display, code: u8) -> ExitCode {
    line(error);
    ExitCode::from(code)
}

/// Prints a line on standard error.
pub(crate) fn line(message: impl Display) {
    // Nothing sensible is left to do when standard error is closed.
    let _ = writeln!(std::io::stderr(), "subrosa: {message}");
}
