//! `subrosa openapi`: the description of the API, for whoever makes clients of it.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use crate::exit;

/// Runs `subrosa openapi`.
pub(crate) fn run() -> ExitCode {
    match server::router::openapi().to_pretty_json() {
        Ok(document) => match writeln!(io::stdout(), "{document}") {
            Ok(()) => ExitCode::SUCCESS,
            // A reader that went away has seen what it wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => exit::report(format_args!("the document cannot be printed: {}", error.kind()), exit::OUTPUT),
        },
        Err(error) => exit::report(error, exit::FAILED),
    }
}
