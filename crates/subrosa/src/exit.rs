//! Exit codes (documented in docs/command-line.md) and the one line of an error.

use std::{fmt::Display, io::Write as _, process::ExitCode};

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
/// Interrupted by SIGINT or SIGTERM: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The code of a failure around models.
pub(crate) fn model(error: &ModelError) -> u8 {
    if matches!(error, ModelError::Unknown { .. }) { USAGE } else { MODEL }
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
