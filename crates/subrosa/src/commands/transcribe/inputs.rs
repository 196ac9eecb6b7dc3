//! Recordings named on the command line. What can be told without decoding is told at once, for every file, before a
//! model is loaded; a recording is opened only when its turn comes, so that many need no more file descriptors than few.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use speech::audio::Source;

use super::failure::Failure;
use crate::exit;

/// A recording on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// `-`
    StandardInput,
    /// A file, pipe or device.
    File(PathBuf),
}

impl Input {
    /// The inputs of the command line.
    ///
    /// # Errors
    /// When standard input is named twice, or is a terminal.
    pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        let of = |path: &PathBuf| if path == Path::new("-") { Self::StandardInput } else { Self::File(path.clone()) };
        let inputs: Vec<Self> = paths.iter().map(of).collect();
        match inputs.iter().filter(|input| **input == Self::StandardInput).count() {
            0 => Ok(inputs),
            1 if io::stdin().is_terminal() => {
                Err(Failure::Usage("standard input is a terminal; pipe a recording into it".to_owned()))
            }
            1 => Ok(inputs),
            _ => Err(Failure::Usage("standard input (-) can be read only once".to_owned())),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::StandardInput => None,
            Self::File(path) => Some(path),
        }
    }

    /// What to call it in messages and headings, which may go to a terminal.
    pub(super) fn name(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::File(path) => exit::plain(&path.to_string_lossy()),
        }
    }

    /// What its transcript is called, without ending.
    pub(super) fn stem(&self) -> PathBuf {
        match self {
            Self::StandardInput => PathBuf::from("stdin"),
            Self::File(path) => path.file_stem().map_or_else(|| PathBuf::from("transcript"), PathBuf::from),
        }
    }

    /// What its transcript has for a heading: the name of the file without folders.
    pub(super) fn title(&self) -> String {
        match self {
            Self::StandardInput => "stdin".to_owned(),
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// Whether there is something to read.
    ///
    /// # Errors
    /// [`Failure::Input`] for a directory or an empty file, [`Failure::Open`] where the system refuses.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let Self::File(path) = self else { return Ok(()) };
        let metadata = path.metadata().map_err(Failure::Open)?;
        if metadata.is_dir() {
            return Err(Failure::Input("is a directory; name the recordings in it".to_owned()));
        }
        if metadata.is_file() {
            // A pipe would wait here for its writer.
            File::open(path).map_err(Failure::Open)?;
            if metadata.len() == 0 {
                return Err(Failure::Input("is empty; nothing was recorded or copied".to_owned()));
            }
        }
        Ok(())
    }

    /// Opens it: a regular file can be read in any order, everything else once.
    ///
    /// # Errors
    /// [`Failure::Open`].
    pub(super) fn open(&self) -> Result<Source, Failure> {
        let (file, path) = match self {
            Self::StandardInput => {
                let owned = io::stdin().as_fd().try_clone_to_owned().map_err(Failure::Open)?;
                (File::from(owned), PathBuf::from("-"))
            }
            Self::File(path) => (File::open(path).map_err(Failure::Open)?, path.clone()),
        };
        let regular = file.metadata().map_err(Failure::Open)?.is_file();
        Ok(if regular { Source::File { file, path } } else { Source::Stream(Box::new(file)) })
    }
}
