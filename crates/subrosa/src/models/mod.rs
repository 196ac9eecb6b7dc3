//! Models: manifest, fetching, checking.

use std::path::Path;

use speech::transcribe::ModelPaths;

/// What to do with the models.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the models and which of them are there.
    List,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// No model has that name.
    #[error("there is no model named {name:?}; `subrosa models list` shows what there is")]
    Unknown {
        /// The name as given.
        name: String,
    },
}

/// The paths of everything a transcription with the Whisper model `whisper` needs, checked.
pub(crate) fn resolve(_data_dir: &Path, whisper: &str) -> Result<ModelPaths, ModelError> {
    Err(ModelError::Unknown { name: whisper.to_owned() })
}

/// Runs `subrosa models …`.
pub(crate) fn run(command: Command, _data_dir: &Path) -> Result<(), ModelError> {
    match command {
        Command::List => Ok(()),
    }
}
