//! A model file on its way in: `<file>.part`, which keeps what has arrived across interruptions. Its one invariant: the
//! file gets its real name only when it is complete, on disk, and its SHA-256 is the manifest's.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    path::PathBuf,
};

use sha2::{Digest as _, Sha256};

use crate::exit;

use super::{
    ModelError, manifest,
    store::{CHUNK, Store, hex},
};

/// A file that is being written.
pub(super) struct Incoming {
    name: &'static str,
    wanted: &'static str,
    part: PathBuf,
    target: PathBuf,
    file: File,
    sha256: Sha256,
    len: u64,
}

impl Incoming {
    /// Goes on where an earlier attempt stopped, or starts.
    pub(super) fn open(store: &Store, model: &manifest::Model, file: &manifest::File) -> Result<Self, ModelError> {
        let dir = store.dir(model);
        fs::create_dir_all(&dir).map_err(|e| ModelError::io("create", &dir, e))?;
        let target = dir.join(file.name);
        let part = dir.join(format!("{}.part", file.name));
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&part);
        let mut incoming = Self {
            name: model.short,
            wanted: file.sha256,
            target,
            file: open.map_err(|e| ModelError::io("write", &part, e))?,
            part,
            sha256: Sha256::new(),
            len: 0,
        };
        incoming.read_back(file.size)?;
        Ok(incoming)
    }

    /// Bytes that are there.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes at the end.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        self.file.write_all(bytes).map_err(|e| self.failed("write", e))?;
        self.sha256.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what is there.
    pub(super) fn restart(&mut self) -> Result<(), ModelError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|e| self.failed("write", e))?;
        self.sha256 = Sha256::new();
        self.len = 0;
        Ok(())
    }

    /// Checks the file, and gives it its name or removes it.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when the bytes are not the manifest's.
    pub(super) fn finish(self) -> Result<(), ModelError> {
        if hex(self.sha256.clone()) != self.wanted {
            let _ = fs::remove_file(&self.part);
            let reason = "what arrived has another SHA-256 than the manifest, and was removed".to_owned();
            return Err(ModelError::Damaged { name: self.name, path: self.target.clone(), reason });
        }
        self.file.sync_all().map_err(|e| self.failed("write", e))?;
        fs::rename(&self.part, &self.target).map_err(|e| self.failed("rename", e))
    }

    /// Hashes what an earlier attempt left; more than the whole file is no beginning of it.
    fn read_back(&mut self, size: u64) -> Result<(), ModelError> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.file.read(&mut chunk).map_err(|e| self.failed("read", e))? {
                0 => return Ok(()),
                n => {
                    self.sha256.update(&chunk[..n]);
                    self.len += n as u64;
                }
            }
            if self.len > size {
                return self.restart();
            }
        }
    }

    /// The error for a failed operation. On a full disk the part goes, because the space is needed more than the bytes.
    fn failed(&self, action: &'static str, error: io::Error) -> ModelError {
        if exit::is_full(&error) {
            let _ = fs::remove_file(&self.part);
        }
        ModelError::io(action, &self.part, error)
    }
}

/// Nothing of no use stays: no part that holds nothing, no directory that is empty.
impl Drop for Incoming {
    fn drop(&mut self) {
        if self.len == 0 {
            let _ = fs::remove_file(&self.part);
        }
        if let Some(dir) = self.part.parent() {
            // Refused as long as there is something in it.
            let _ = fs::remove_dir(dir);
        }
    }
}
