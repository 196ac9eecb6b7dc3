//! The command line of Subrosa: an enum of subcommands and a match. Its one invariant: every failure ends as one line on
//! standard error and one of the codes in [`exit`].

mod commands;
mod exit;
mod installation;
mod memory;
mod models;
mod panics;
mod settings;
mod signals;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use server::decoder::{child, sandbox::Limits};

use commands::{chains, completions, config, keys, man, openapi, restore, serve, transcribe, verify};
use settings::Place;

/// Private speech intelligence for calls, on your own machines.
#[derive(Parser)]
#[command(name = "subrosa", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    /// Directory of models and state [default: $SUBROSA_DATA_DIR, $XDG_DATA_HOME/subrosa or ~/.local/share/subrosa].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    settings: settings::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service: the API, a worker, and where none is named a PostgreSQL of its own.
    Serve(serve::Args),
    /// Explain the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Print the description of the API (OpenAPI 3.1).
    Openapi,
    /// Write down who said what and when in recordings.
    Transcribe(Box<transcribe::Args>),
    /// List, fetch, check and import the models.
    #[command(subcommand)]
    Models(models::Command),
    /// Make, list, rotate and retire key-encryption keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Check deletion receipts.
    #[command(subcommand)]
    Receipts(chains::Receipts),
    /// Check the audit log.
    #[command(subcommand)]
    Audit(chains::Audit),
    /// Bring a restored database up to its deletion receipts.
    #[command(subcommand)]
    Restore(restore::Command),
    /// Prove the rules of the privacy contract on a service that runs, or on one that is started for it.
    Verify(Box<verify::Args>),
    /// Decode a recording that comes over standard input, locked in; the service starts it.
    #[command(hide = true)]
    Decode,
    /// Print the completion script of a shell.
    Completions(completions::Args),
    /// Write the manual pages into a directory.
    Man(man::Args),
}

fn main() -> ExitCode {
    // Before anything could be in memory that a core dump must not hold (H1).
    if let Err(error) = memory::keep_out_of_core_dumps() {
        return exit::report(format_args!("core dumps cannot be turned off: {error}"), exit::FAILED);
    }
    memory::bound();
    panics::silence();
    panics::caught(run).unwrap_or_else(|place| exit::report(format_args!("internal error at {place}"), exit::FAILED))
}

fn run() -> ExitCode {
    let Cli { data_dir, settings, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    let Some(data_dir) = data_dir.or_else(default_data_dir) else {
        return exit::report("no home directory to keep models in; name one with --data-dir", exit::USAGE);
    };
    let place = || Place::read(&settings, &data_dir).map_err(|faults| exit::faults(&faults));
    let with = |run: fn(&Place) -> ExitCode| place().map_or_else(|code| code, |place| run(&place));
    match command {
        Command::Serve(args) => serve::run(args, settings, &data_dir),
        Command::Config(config::Command::Check) => with(config::check),
        Command::Openapi => openapi::run(),
        Command::Transcribe(args) => transcribe::run(&args, &data_dir, &settings, place),
        Command::Models(command) => match models::run(command, &data_dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => exit::report(&error, exit::model(&error)),
        },
        Command::Keys(command) => keys::run(command, place),
        Command::Receipts(chains::Receipts::Verify) => with(chains::verify_receipts),
        Command::Audit(chains::Audit::Verify) => with(chains::verify_audit),
        Command::Restore(restore::Command::Check) => with(restore::check),
        Command::Verify(args) => verify::run(&args, &settings, &data_dir),
        Command::Decode => child::run(&Limits::default()),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    }
}

/// What the environment says; an empty variable says nothing. Below the user's home it is where the XDG base directory
/// specification puts an application's data.
fn default_data_dir() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    variable("SUBROSA_DATA_DIR").or_else(|| {
        variable("XDG_DATA_HOME")
            .filter(absolute)
            .or_else(|| Some(std::env::home_dir().filter(absolute)?.join(".local/share")))
            .map(|data| data.join("subrosa"))
    })
}
