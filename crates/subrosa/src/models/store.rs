//! The models on disk: `<data directory>/models/<model>/<file>`. Its one invariant: nothing is reported as being there
//! unless its size and SHA-256 are the manifest's, and a file gets its name only after it was checked.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ModelError, incoming::Incoming, manifest};

/// Read size for hashing and copying, in bytes: large enough that system calls do not show.
pub(super) const CHUNK: usize = 1 << 18;

/// Entries of a directory that `models import` looks at; a model has a handful of files, so more is the wrong directory.
const IMPORT_ENTRIES: usize = 1_000;

/// Remembers in each model's directory which files were hashed, so that 1.6 GB is not hashed at every start.
const STAMPS: &str = "verified.json";

/// The directory of models.
pub(super) struct Store {
    root: PathBuf,
}

/// What a file looked like when its hash was last computed. A file whose stamp has changed is hashed again; ctime cannot
/// be set back by ordinary means, so a changed file with an unchanged stamp takes intent and root.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    sha256: String,
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Store {
    /// The models below a data directory, which need not exist yet.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("models") }
    }

    /// Where all models are.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a model is, or will be.
    pub(super) fn dir(&self, model: &manifest::Model) -> PathBuf {
        self.root.join(model.name)
    }

    /// The one file of a model that is a single file.
    pub(super) fn file(&self, model: &manifest::Model) -> PathBuf {
        self.dir(model).join(model.files[0].name)
    }

    /// Whether all files of a model are there, right or not.
    pub(super) fn has(&self, model: &manifest::Model) -> bool {
        model.files.iter().all(|file| self.dir(model).join(file.name).exists())
    }

    /// Keeps other processes from changing the models for as long as the returned file is open.
    pub(super) fn lock(&self) -> Result<File, ModelError> {
        fs::create_dir_all(&self.root).map_err(|e| ModelError::io("create", &self.root, e))?;
        let path = self.root.join(".lock");
        let lock = File::create(&path).map_err(|e| ModelError::io("create", &path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(ModelError::Busy { dir: self.root.clone() }),
            Err(TryLockError::Error(e)) => Err(ModelError::io("lock", &path, e)),
        }
    }

    /// Whether a model is there and right. Hashes what was not hashed before or has changed since.
    ///
    /// # Errors
    /// [`ModelError::Missing`], [`ModelError::Damaged`], or the failure to read.
    pub(super) fn check(&self, model: &manifest::Model) -> Result<(), ModelError> {
        let dir = self.dir(model);
        let path = dir.join(STAMPS);
        let mut stamps: BTreeMap<String, Stamp> =
            fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        let known = stamps.clone();
        for file in model.files {
            let stamp = check_file(model, file, &dir.join(file.name), known.get(file.name))?;
            stamps.insert(file.name.to_owned(), stamp);
        }
        if stamps != known {
            // Without the stamps (a read-only directory, a full disk) the next start hashes again: slower, as safe.
            let _ = serde_json::to_vec_pretty(&stamps).map(|json| fs::write(&path, json));
        }
        Ok(())
    }

    /// As [`Store::check`], but believes no stamp.
    pub(super) fn verify(&self, model: &manifest::Model) -> Result<(), ModelError> {
        match fs::remove_file(self.dir(model).join(STAMPS)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(ModelError::io("remove", &self.dir(model).join(STAMPS), e))
            }
            _ => self.check(model),
        }
    }

    /// Whether one file of a model is there and right, by its hash.
    pub(super) fn holds(&self, model: &manifest::Model, file: &manifest::File) -> bool {
        check_file(model, file, &self.dir(model).join(file.name), None).is_ok()
    }

    /// Copies the files of a model from wherever they are; each is known by its hash, whatever its name.
    ///
    /// # Errors
    /// [`ModelError::Foreign`] for a file that is not part of the model; other files of a directory are passed over.
    pub(super) fn import(&self, model: &manifest::Model, paths: &[PathBuf]) -> Result<(), ModelError> {
        for path in paths {
            if path.is_dir() {
                for entry in fs::read_dir(path).map_err(|e| ModelError::io("read", path, e))?.take(IMPORT_ENTRIES) {
                    let entry = entry.map_err(|e| ModelError::io("read", path, e))?.path();
                    match self.import_file(model, &entry) {
                        Err(ModelError::Foreign { .. }) => {}
                        result => result?,
                    }
                }
            } else {
                self.import_file(model, path)?;
            }
        }
        self.check(model)
    }

    fn import_file(&self, model: &manifest::Model, path: &Path) -> Result<(), ModelError> {
        let foreign = || ModelError::Foreign { name: model.name, path: path.to_owned() };
        let metadata = fs::metadata(path).map_err(|e| ModelError::io("read", path, e))?;
        if !metadata.is_file() || model.files.iter().all(|file| file.size != metadata.len()) {
            return Err(foreign());
        }
        let (_, sha256) = hash(path).map_err(|e| ModelError::io("read", path, e))?;
        let file = model.files.iter().find(|file| file.sha256 == sha256).ok_or_else(foreign)?;
        if self.holds(model, file) {
            return Ok(());
        }
        let mut source = File::open(path).map_err(|e| ModelError::io("read", path, e))?.take(file.size);
        let mut incoming = Incoming::open(self, model, file)?;
        incoming.restart()?;
        let mut chunk = vec![0; CHUNK];
        loop {
            match source.read(&mut chunk).map_err(|e| ModelError::io("read", path, e))? {
                0 => return incoming.finish(),
                n => incoming.write(&chunk[..n])?,
            }
        }
    }
}

/// Compares a file with its manifest entry and gives back its stamp; a stamp that still fits spares the hashing.
fn check_file(
    model: &manifest::Model,
    file: &manifest::File,
    path: &Path,
    known: Option<&Stamp>,
) -> Result<Stamp, ModelError> {
    let damaged = |reason| ModelError::Damaged { name: model.short, path: path.to_owned(), reason };
    let metadata = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let dir = path.parent().unwrap_or(path).to_owned();
            return Err(ModelError::Missing { names: vec![model.short], dir });
        }
        result => result.map_err(|e| ModelError::io("read", path, e))?,
    };
    if metadata.len() != file.size {
        return Err(damaged(format!("it has {} bytes instead of {}", metadata.len(), file.size)));
    }
    if let Some(stamp) = known.filter(|&stamp| *stamp == Stamp::new(&metadata, file.sha256.to_owned())) {
        return Ok(stamp.clone());
    }
    let (metadata, sha256) = hash(path).map_err(|e| ModelError::io("read", path, e))?;
    if sha256 != file.sha256 {
        return Err(damaged("its SHA-256 is not the manifest's".to_owned()));
    }
    Ok(Stamp::new(&metadata, sha256))
}

impl Stamp {
    fn new(metadata: &fs::Metadata, sha256: String) -> Self {
        Self {
            sha256,
            size: metadata.len(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// SHA-256 of a file, with its metadata from before the first byte was read: a change meanwhile shows in the stamp.
fn hash(path: &Path) -> io::Result<(fs::Metadata, String)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut sha256 = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((metadata, hex(sha256))),
            n => sha256.update(&chunk[..n]),
        }
    }
}

/// A finished hash as lower-case hexadecimal digits.
pub(super) fn hex(sha256: Sha256) -> String {
    format!("{:x}", sha256.finalize())
}
