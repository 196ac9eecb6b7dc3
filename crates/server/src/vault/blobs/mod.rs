//! Recordings and exports in an object store, sealed on the way. Its one invariant: plaintext exists in memory only, at most a
//! part of it while writing and a chunk while reading; what is stored opens only under the key of its record, in its place.
//!
//! An object is a row of parts of 4 MiB, each an object of the store of its own, so that one that was begun and never
//! finished can be listed and removed like any other; a pending multipart upload of S3 cannot. docs/adr/008 has the format.

mod listing;
mod mirror;
mod paths;
mod raw;
mod read;
mod stream;
mod write;

use crate::telemetry::fault::{Code, Fault};
use std::{io, path::Path, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory, prefix::PrefixStore};
use uuid::Uuid;

use super::{key::NotSealed, seal::Broken};

pub use paths::{BlobPlace, MirrorPlace};
pub use raw::{Raw, is_opaque};
pub use read::BlobReader;
pub use stream::{MAX_BYTES, open_part, parts_of, seal_part};

/// Where blobs are kept.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Of a local store: where a `put` that dies leaves files that the store does not list.
    directory: Option<Arc<Path>>,
}

impl Blobs {
    /// In a directory of this machine, which is made (mode 0700) when it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn local(directory: &Path) -> Result<Self, BlobError> {
        prepare_directory(directory).map_err(|error| BlobError::Directory { kind: error.kind() })?;
        let store = LocalFileSystem::new_with_prefix(directory)?.with_automatic_cleanup(true).with_fsync(true);
        Ok(Self { store: Arc::new(store), directory: Some(directory.into()) })
    }

    /// In a bucket that speaks S3: `s3://bucket` or, below a prefix that others in the bucket do not share,
    /// `s3://bucket/prefix`; with the options of `object_store` (region, endpoint, …).
    ///
    /// # Errors
    /// When the address or an option makes no sense.
    pub fn s3(address: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self, BlobError> {
        let bucket = address.strip_prefix("s3://").ok_or(BlobError::Address)?;
        let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = object_store::path::Path::parse(prefix).map_err(|_| BlobError::Address)?;
        let mut builder = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket);
        for (name, value) in options {
            builder = builder.with_config(name.parse()?, value);
        }
        Ok(Self::in_store(Arc::new(PrefixStore::new(builder.build()?, prefix))))
    }

    /// In memory, for tests.
    #[must_use]
    pub fn memory() -> Self {
        Self::in_store(Arc::new(InMemory::new()))
    }

    /// In a store that was set up elsewhere.
    #[must_use]
    pub fn in_store(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, directory: None }
    }

    /// Removes what killed programs left half-written of objects in a local store, once nobody can be writing it any more. It walks
    /// the names of all objects; signed copies, which are never removed, it leaves alone.
    ///
    /// # Errors
    /// When the directory cannot be read or written to.
    pub async fn remove_leftovers(&self) -> Result<(), BlobError> {
        let Some(directory) = self.directory.clone() else { return Ok(()) };
        let removed = tokio::task::spawn_blocking(move || remove_leftovers(&directory.join(paths::BLOBS))).await;
        removed.map_err(io::Error::other).flatten().map_err(|error| BlobError::Directory { kind: error.kind() })
    }

    /// Asks whether the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reach(&self) -> Result<(), BlobError> {
        match self.store.list(None).next().await {
            Some(Err(error)) => Err(error.into()),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Removes an object, all parts of it. Nothing there is fine: a removal may be repeated.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove(&self, place: BlobPlace) -> Result<u64, BlobError> {
        self.remove_under(&place.prefix()).await
    }

    /// Removes every object of a record, finished or not; returns how many parts were there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_record(&self, tenant: Uuid, record: Uuid) -> Result<u64, BlobError> {
        self.remove_under(&paths::record_prefix(tenant, record)).await
    }

    /// Removes every object of a tenant; returns how many parts were there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_tenant(&self, tenant: Uuid) -> Result<u64, BlobError> {
        self.remove_under(&paths::tenant_prefix(tenant)).await
    }

    /// Lists again until nothing is left, because a part may arrive while the first list is worked off.
    async fn remove_under(&self, prefix: &object_store::path::Path) -> Result<u64, BlobError> {
        let mut removed = 0;
        loop {
            let found = self.store.list(Some(prefix)).map_ok(|object| object.location);
            let mut outcomes = self.store.delete_stream(found.boxed());
            let before = removed;
            while let Some(outcome) = outcomes.next().await {
                match outcome {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => removed += 1,
                    Err(error) => return Err(error.into()),
                }
            }
            if removed == before {
                return Ok(removed);
            }
        }
    }
}

/// How old a half-written file is when nobody can be writing it any more: a part of 4 MiB takes seconds.
const LEFTOVER_AGE: Duration = Duration::from_secs(60 * 60);

fn prepare_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Removes what the store's `put` leaves behind when the program dies in it: `NAME#N`. Others add and remove files meanwhile.
fn remove_leftovers(directory: &Path) -> io::Result<()> {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in unless_gone(std::fs::read_dir(directory))?.into_iter().flatten() {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains('#')
                && let Some(metadata) = unless_gone(entry.metadata())?
                && metadata.modified()?.elapsed().is_ok_and(|age| age > LEFTOVER_AGE)
            {
                unless_gone(std::fs::remove_file(entry.path()))?;
            }
        }
    }
    Ok(())
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// What can go wrong with a blob. Holds places (ids), never content.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It was changed, cut, moved, or sealed under another key.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// There is no such object.
    #[error("there is no {0}")]
    Missing(BlobPlace),
    /// More than an object may hold.
    #[error("{place} is larger than {} GiB", stream::MAX_BYTES >> 30)]
    TooLarge {
        /// Which object.
        place: BlobPlace,
    },
    /// What was to be written broke off.
    #[error("what was to be stored as {place} broke off: {kind}")]
    Input {
        /// Which object.
        place: BlobPlace,
        /// How it broke off.
        kind: std::io::ErrorKind,
    },
    /// The directory of the store cannot be used.
    #[error("the directory of the object store cannot be used: {kind}")]
    Directory {
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// The address of a bucket is none.
    #[error("the address of the object store is not of the form s3://bucket/prefix")]
    Address,
    /// The store failed.
    #[error("the object store failed: {0}")]
    Store(#[from] object_store::Error),
    /// A signed copy that is not there, that nobody can read any more, or that is another than it should be.
    #[error("the signed copy {number} of tenant {tenant} is missing, damaged or of another history")]
    Mirror {
        /// Whose.
        tenant: Uuid,
        /// Its place in the chain.
        number: i64,
    },
    /// No randomness.
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
}

impl From<&BlobError> for Fault {
    fn from(error: &BlobError) -> Self {
        match error {
            BlobError::Broken(error) => error.into(),
            BlobError::Missing(_) => "an object is missing".into(),
            BlobError::TooLarge { .. } => "more than an object may hold".into(),
            BlobError::Input { kind, .. } => Self::new("what was to be stored broke off", Some(Code::Io(*kind))),
            BlobError::Directory { kind } => {
                Self::new("the directory of the object store cannot be used", Some(Code::Io(*kind)))
            }
            BlobError::Address => "the address of the object store is none".into(),
            BlobError::Store(_) => "the object store failed".into(),
            BlobError::Mirror { tenant, .. } => Self::new(
                "the signed copy of a tenant's events is missing, damaged or of another history",
                Some(Code::Of(*tenant)),
            ),
            BlobError::NotSealed(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests;
