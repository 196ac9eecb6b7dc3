//! `subrosa man`: a manual page for the program and for each subcommand.

use std::{path::PathBuf, process::ExitCode};

use crate::exit;

/// Where to write the pages.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Directory to write subrosa.1, subrosa-transcribe.1 … into; made when it is missing.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pages of `command`.
pub(crate) fn run(args: &Args, command: clap::Command) -> ExitCode {
    let written =
        std::fs::create_dir_all(&args.directory).and_then(|()| clap_mangen::generate_to(command, &args.directory));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            exit::report(format_args!("{}: cannot write manual pages: {error}", args.directory.display()), exit::OUTPUT)
        }
    }
}
