//! Transcripts become files. Its one invariant: a file is there as a whole or not at all, and of one recording's files none
//! appears before all of them are on the disk.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, PersistError};

use super::{failure::Failure, interrupt::Interrupt};

/// Temporary files lie beside their targets, hidden, and are gone when the run is over.
const PREFIX: &str = ".subrosa-";

/// What stands at a path where a transcript is to go.
pub(super) enum Place {
    /// Nothing yet.
    Free,
    /// A file.
    Taken,
    /// A pipe or a device, which is written to as it is.
    Stream,
}

impl Place {
    /// Looks at `path`.
    ///
    /// # Errors
    /// [`Failure::Output`] where no file can ever go: a directory, a link to nothing, a path that leads nowhere.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let refuse = |kind, what: &'static str| Err(failure(path)(io::Error::new(kind, what)));
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => refuse(ErrorKind::IsADirectory, "it is a directory; move it away"),
            Ok(metadata) if metadata.is_file() => Ok(Self::Taken),
            Ok(_) => Ok(Self::Stream),
            Err(error) if error.kind() == ErrorKind::NotFound => match path.symlink_metadata() {
                Ok(_) => refuse(ErrorKind::InvalidInput, "it is a link to nothing; remove it"),
                Err(_) => Ok(Self::Free),
            },
            Err(error) => Err(failure(path)(error)),
        }
    }
}

/// Makes sure that files can be made in `directory`, without leaving one.
///
/// # Errors
/// [`Failure::Output`].
pub(super) fn probe(directory: &Path) -> Result<(), Failure> {
    tempfile::tempfile_in(directory).map(drop).map_err(failure(directory))
}

/// `directory`, or the nearest one above it that exists, in which it will be made.
pub(super) fn nearest(directory: &Path) -> &Path {
    let nearest = directory.ancestors().find(|above| above.symlink_metadata().is_ok());
    // A relative path ends in an empty ancestor.
    nearest.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The directory that `path` is in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes all `files`, each with mode 0600, as transcripts are private. A full disk or a kill leaves the old state.
///
/// # Errors
/// [`Failure::Output`] names the first file that cannot be written.
pub(super) fn write(files: &[(PathBuf, Vec<u8>)], overwrite: bool, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut streams = Vec::new();
    {
        let _held = interrupt.hold_off();
        let mut ready = Vec::new();
        for (path, bytes) in files {
            if matches!(Place::of(path)?, Place::Stream) {
                streams.push((path, bytes));
            } else {
                ready.push((path, beside(path, bytes).map_err(failure(path))?));
            }
        }
        for (path, (file, target)) in ready {
            let placed = if overwrite { file.persist(&target) } else { file.persist_noclobber(&target) };
            placed.map_err(|error: PersistError| failure(path)(error.error))?;
        }
    }
    streams.into_iter().try_for_each(|(path, bytes)| {
        let stream = OpenOptions::new().write(true).open(path);
        stream.and_then(|mut stream| stream.write_all(bytes)).map_err(failure(path))
    })
}

/// A temporary file with `bytes`, safely on the disk, and the name that it is to have: a link stays a link, what it points
/// to is replaced.
fn beside(path: &Path, bytes: &[u8]) -> io::Result<(NamedTempFile, PathBuf)> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    fs::create_dir_all(parent(&target))?;
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(parent(&target))?;
    file.write_all(bytes)?;
    // Some file systems tell only now that they are full.
    file.as_file().sync_all()?;
    Ok((file, target))
}

fn failure(path: &Path) -> impl Fn(io::Error) -> Failure {
    |source| Failure::Output { path: path.to_owned(), source }
}
