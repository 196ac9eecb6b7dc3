//! `subrosa transcribe`.

use std::{path::Path, process::ExitCode};

use crate::{exit, models};

/// Options of `subrosa transcribe`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Transcribes.
pub(crate) fn run(_args: &Args, data_dir: &Path) -> ExitCode {
    match models::resolve(data_dir, "large-v3-turbo") {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, exit::model(&error)),
    }
}
