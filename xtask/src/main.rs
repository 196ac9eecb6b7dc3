//! Chores of the repository: `cargo xtask models`, `cargo xtask tidy`.
#![expect(clippy::print_stderr, reason = "a chore talks to the person at the terminal")]

mod documents;
mod ge2e;
mod markdown;
mod models;
mod onnx;
mod tidy;
mod torch;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

/// What went wrong, in words; nobody takes a chore's failures apart.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Chores of the repository.
#[derive(Parser)]
enum Chore {
    /// Put the small models and the sample recording that the tests use into a data directory.
    Models {
        /// The data directory; relative to the root of the repository.
        #[arg(long, default_value = ".data", env = "SUBROSA_DATA_DIR")]
        data_dir: PathBuf,
    },
    /// Check what compilers do not: sizes, directions, links, and what documents promise.
    Tidy,
}

fn main() -> ExitCode {
    match run(Chore::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does a chore in the root of the repository, wherever it was called.
fn run(chore: Chore) -> Result<()> {
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?;
    match chore {
        Chore::Models { data_dir } => models::run(&data_dir),
        Chore::Tidy => tidy::run(),
    }
}
