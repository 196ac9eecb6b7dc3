//! `subrosa completions`: the completion script of a shell, on standard output.

use std::{io::Write as _, process::ExitCode};

use clap_complete::Shell;

use crate::exit;

/// Examples:
///   subrosa completions bash > /etc/bash_completion.d/subrosa
///   subrosa completions zsh  > ~/.zfunc/_subrosa
///   subrosa completions fish > ~/.config/fish/completions/subrosa.fish
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell to complete in.
    shell: Shell,
}

/// Prints the script for `command`.
pub(crate) fn run(args: &Args, mut command: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "subrosa", &mut script);
    match std::io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => exit::report(format_args!("cannot write to standard output: {error}"), exit::OUTPUT),
    }
}
