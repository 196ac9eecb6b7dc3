//! The models on disk: `<data directory>/models/<model>/<file>`. Its one invariant: nothing is reported as being there
//! unless its size and SHA-256 are the manifest's, and a file gets its name only after it was checked.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
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

/// Bytes of such a file: a stamp takes 200, and a model has a handful of files.
const MAX_STAMPS_BYTES: u64 = 64 << 10;

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

/// By the file's name.
type Stamps = BTreeMap<String, Stamp>;

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
        self.check_against(model, &read_stamps(&self.dir(model).join(STAMPS)))
    }

    /// As [`Store::check`], but believes no stamp.
    pub(super) fn verify(&self, model: &manifest::Model) -> Result<(), ModelError> {
        self.check_against(model, &Stamps::new())
    }

    fn check_against(&self, model: &manifest::Model, known: &Stamps) -> Result<(), ModelError> {
        let mut stamps = Stamps::new();
        for file in model.files {
            let stamp = self.check_file(model, file, known.get(file.name))?;
            stamps.insert(file.name.to_owned(), stamp);
        }
        if stamps != *known {
            // Without the stamps (a read-only directory, a full disk) the next start hashes again: slower, as safe.
            let _ = write_stamps(&self.dir(model), &stamps);
        }
        Ok(())
    }

    /// Whether one file of a model is there and right, by its hash.
    pub(super) fn holds(&self, model: &manifest::Model, file: &manifest::File) -> bool {
        self.check_file(model, file, None).is_ok()
    }

    /// Compares a file with its manifest entry and gives back its stamp; a stamp that still fits spares the hashing.
    fn check_file(
        &self,
        model: &manifest::Model,
        file: &manifest::File,
        known: Option<&Stamp>,
    ) -> Result<Stamp, ModelError> {
        let path = self.dir(model).join(file.name);
        let damaged = |reason| ModelError::Damaged { name: model.short, path: path.clone(), reason };
        let metadata = match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(ModelError::Missing { names: vec![model.short], dir: self.root.clone() });
            }
            result => result.map_err(|e| ModelError::io("read", &path, e))?,
        };
        if metadata.len() != file.size {
            return Err(damaged(format!("it has {} bytes instead of {}", metadata.len(), file.size)));
        }
        if let Some(stamp) = known.filter(|&stamp| *stamp == Stamp::new(&metadata, file.sha256.to_owned())) {
            return Ok(stamp.clone());
        }
        let (metadata, sha256) = hash(&path).map_err(|e| ModelError::io("read", &path, e))?;
        if sha256 != file.sha256 {
            return Err(damaged("its SHA-256 is not the manifest's".to_owned()));
        }
        Ok(Stamp::new(&metadata, sha256))
    }

    /// Copies the files of a model from wherever they are; each is known by its hash, whatever its name.
    ///
    /// # Errors
    /// [`ModelError::Foreign`] for a file that is not part of the model and a directory that has none that is.
    pub(super) fn import(&self, model: &manifest::Model, paths: &[PathBuf]) -> Result<(), ModelError> {
        for path in paths {
            if !path.is_dir() {
                self.import_file(model, path)?;
                continue;
            }
            let mut found = false;
            for entry in fs::read_dir(path).map_err(|e| ModelError::io("read", path, e))?.take(IMPORT_ENTRIES) {
                let entry = entry.map_err(|e| ModelError::io("read", path, e))?.path();
                match self.import_file(model, &entry) {
                    Err(ModelError::Foreign { .. }) => {}
                    result => found = result.map(|()| true)?,
                }
            }
            if !found {
                return Err(ModelError::Foreign { name: model.short, path: path.clone() });
            }
        }
        self.check(model)
    }

    fn import_file(&self, model: &manifest::Model, path: &Path) -> Result<(), ModelError> {
        let foreign = || ModelError::Foreign { name: model.short, path: path.to_owned() };
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

/// The stamps in a file; none where it is missing, too long or no such file.
fn read_stamps(path: &Path) -> Stamps {
    let mut json = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_STAMPS_BYTES + 1).read_to_end(&mut json));
    match read {
        Ok(length) if length as u64 <= MAX_STAMPS_BYTES => serde_json::from_slice(&json).unwrap_or_default(),
        _ => Stamps::new(),
    }
}

/// Writes stamps into a model's directory, whole or not at all; others may read them as they may read the model.
fn write_stamps(dir: &Path, stamps: &Stamps) -> io::Result<()> {
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o644)).tempfile_in(dir)?;
    serde_json::to_writer_pretty(&mut file, stamps)?;
    file.persist(dir.join(STAMPS))?;
    Ok(())
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
