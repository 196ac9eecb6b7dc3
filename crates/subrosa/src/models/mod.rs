//! The models: what there is ([`manifest`]), what is here ([`store`]), and how it comes here ([`pull`], `import`). Its one
//! invariant: a model is only used after its files were checked, and only fetched when the user asks for it.

mod incoming;
mod manifest;
mod progress;
mod pull;
mod store;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use indicatif::DecimalBytes;
use server::search::model::Look;
use speech::transcribe::ModelPaths;

use crate::exit;

use manifest::{Kind, MODELS, Model};
use pull::Puller;
use store::Store;

/// What to do with the models.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the models, their licences and which of them are here.
    List,
    /// Download models from their public home, or from the mirror that SUBROSA_MODELS_URL names.
    ///
    /// An interrupted download goes on where it stopped. A mirror serves NAME/FILE below its URL.
    Pull {
        /// Which models; without any, those that `transcribe` uses by default.
        names: Vec<String>,
    },
    /// Take a model's files from disk, each known by its SHA-256.
    Import {
        /// Which model.
        name: String,
        /// Its files, or a directory that has them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Compare the files of models with their SHA-256 again.
    Verify {
        /// Which models; without any, all that are here.
        names: Vec<String>,
    },
    /// Print where the models are, or one of them.
    Path {
        /// Which model.
        name: Option<String>,
    },
}

/// Why a model cannot be used or fetched. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// No model has that name.
    #[error("there is no model named {name:?}; there are {}", known.join(", "))]
    Unknown {
        /// The name as given.
        name: String,
        /// The names that would have done.
        known: Vec<&'static str>,
    },
    /// Models are not here, or not completely.
    #[error("not all models are in {}; fetch them with `subrosa models pull {}`", dir.display(), names.join(" "))]
    Missing {
        /// The missing models.
        names: Vec<&'static str>,
        /// Where they were looked for.
        dir: PathBuf,
    },
    /// A file is not what the manifest says.
    #[error("{} is damaged: {reason}; `subrosa models pull {name}` fetches it again", path.display())]
    Damaged {
        /// The model.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file to import does not belong to the model, or a directory has none that does.
    #[error("{} has nothing of {name}: no size and SHA-256 is one of the manifest's", path.display())]
    Foreign {
        /// The model.
        name: &'static str,
        /// The file or directory.
        path: PathBuf,
    },
    /// The model has no public home.
    #[error("{name} cannot be downloaded; docs/models.md says how to make it for `subrosa models import {name}`")]
    NotPublic {
        /// The model.
        name: &'static str,
    },
    /// The mirror's URL cannot be used.
    #[error("SUBROSA_MODELS_URL has to begin with https:// or http://, not {url:?}")]
    Mirror {
        /// The URL as given.
        url: String,
    },
    /// A download failed.
    #[error("cannot download {url}: {reason}")]
    Download {
        /// From where.
        url: String,
        /// Why.
        reason: String,
    },
    /// Another process changes the models.
    #[error("another subrosa is changing the models in {}; try again when it is done", dir.display())]
    Busy {
        /// The models.
        dir: PathBuf,
    },
    /// The file system said no.
    #[error("cannot {action} {}: {cause}{}", path.display(), exit::advice(cause))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What it said.
        cause: io::Error,
    },
}

impl ModelError {
    fn io(action: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), cause }
    }
}

/// The paths of everything a transcription with the Whisper model `whisper` needs, checked.
///
/// # Errors
/// [`ModelError::Missing`] names all that has to be pulled; [`ModelError::Damaged`] the first file that is not right.
pub(crate) fn resolve(data_dir: &Path, whisper: &str) -> Result<ModelPaths, ModelError> {
    let store = Store::new(data_dir);
    let whisper = manifest::find(whisper)
        .filter(|model| model.kind == Kind::Whisper)
        .ok_or_else(|| unknown(whisper, |model| model.kind == Kind::Whisper))?;
    let (vad, segmentation) = (known(manifest::VAD)?, known(manifest::SEGMENTATION)?);
    let embeddings = [known(manifest::EMBEDDINGS[0])?, known(manifest::EMBEDDINGS[1])?];
    let embedding = embeddings.into_iter().find(|model| store.has(model)).unwrap_or(embeddings[0]);

    let needed = [whisper, vad, segmentation, embedding];
    let missing: Vec<_> = needed.iter().filter(|model| !store.has(model)).map(|model| model.short).collect();
    if !missing.is_empty() {
        return Err(ModelError::Missing { names: missing, dir: store.root().to_owned() });
    }
    for model in needed {
        store.check(model)?;
    }
    Ok(ModelPaths {
        whisper: store.dir(whisper),
        whisper_name: whisper.short.to_owned(),
        vad: store.file(vad),
        segmentation: store.file(segmentation),
        embedding: store.file(embedding),
        embedding_name: embedding.short.to_owned(),
    })
}

/// The directory of the model that says what texts mean; where it is not here or not right, search goes by words alone.
pub(crate) fn meaning(data_dir: &Path) -> Look {
    let store = Store::new(data_dir);
    let Some(model) = manifest::find(manifest::MEANING) else { return Look::Missing };
    match store.check(model) {
        Ok(()) => Look::Here(store.dir(model)),
        Err(ModelError::Damaged { .. }) => Look::Damaged,
        Err(_) => Look::Missing,
    }
}

/// What to know about the models of a run: that voices are compared with less than the best of them.
pub(crate) fn note(paths: &ModelPaths) -> Option<String> {
    let [best, _] = manifest::EMBEDDINGS;
    (paths.embedding_name != best).then(|| {
        let used = &paths.embedding_name;
        format!("note: speakers are told apart with {used}; `subrosa models pull {best}` fetches the better model")
    })
}

/// Runs `subrosa models …`.
pub(crate) fn run(command: Command, data_dir: &Path) -> Result<(), ModelError> {
    let store = Store::new(data_dir);
    match command {
        Command::List => print(&list(&store)),
        Command::Path { name: None } => print(&format!("{}\n", store.root().display())),
        Command::Path { name: Some(name) } => print(&format!("{}\n", store.dir(known(&name)?).display())),
        Command::Verify { names } => verify(&store, &names),
        Command::Import { name, paths } => {
            let model = known(&name)?;
            let _lock = store.lock()?;
            store.import(model, &paths)
        }
        Command::Pull { names } => {
            let names = if names.is_empty() { manifest::DEFAULTS.map(str::to_owned).to_vec() } else { names };
            let models = names.iter().map(|name| known(name)).collect::<Result<Vec<_>, _>>()?;
            let puller = Puller::from_env()?;
            let _lock = store.lock()?;
            models.into_iter().try_for_each(|model| puller.pull(&store, model))
        }
    }
}

/// A line for each model.
fn list(store: &Store) -> String {
    let mut table = format!("{:<26}{:>10}  {:<9}{:<11}{}\n", "MODEL", "SIZE", "HERE", "LICENCE", "BY");
    for model in MODELS {
        let here = match store.check(model) {
            Ok(()) => "yes",
            Err(ModelError::Missing { .. }) => "no",
            Err(_) => "damaged",
        };
        let size = DecimalBytes(model.size()).to_string();
        let Model { short, licence, attribution, .. } = model;
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{short:<26}{size:>10}  {here:<9}{licence:<11}{attribution}");
    }
    table
}

/// Hashes models again; goes on after a damaged one, so that all of them are named: each on standard error, the last one
/// by the caller.
fn verify(store: &Store, names: &[String]) -> Result<(), ModelError> {
    let named = names.iter().map(|name| known(name)).collect::<Result<Vec<_>, _>>()?;
    let here = MODELS.iter().filter(|model| store.has(model));
    let models: Vec<&Model> = if named.is_empty() { here.collect() } else { named };
    let mut failed = None;
    for model in models {
        match store.verify(model) {
            Ok(()) => print(&format!("{}: right\n", model.short))?,
            Err(error) => {
                if let Some(earlier) = failed.replace(error) {
                    exit::line(earlier);
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn known(name: &str) -> Result<&'static Model, ModelError> {
    manifest::find(name).ok_or_else(|| unknown(name, |_| true))
}

fn unknown(name: &str, would_do: impl Fn(&Model) -> bool) -> ModelError {
    let known = MODELS.iter().filter(|&model| would_do(model)).map(|model| model.short).collect();
    ModelError::Unknown { name: name.to_owned(), known }
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), ModelError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(ModelError::io("write", Path::new("standard output"), e))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
