//! What is stored as it lies there, for whoever searches it for what must not be there. Its one invariant: nothing is opened.

use std::time::SystemTime;

use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use uuid::Uuid;

use super::{BlobError, Blobs, paths};

/// The largest object that is searched, in bytes: a part has 4 MiB, a signed copy some hundred bytes. What is larger is nothing of ours.
const MAX_OBJECT: u64 = 16 << 20;

/// An object as it is stored.
pub enum Raw<'a> {
    /// Changed before the time that was asked for.
    Older,
    /// Larger than anything that this program stores.
    TooLarge,
    /// Its bytes.
    Bytes(&'a [u8]),
}

impl Blobs {
    /// Shows every object, by its key, and the bytes of those that were changed at `since` or later. What is removed meanwhile is left
    /// out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn each_stored(&self, since: SystemTime, mut look: impl FnMut(&str, Raw<'_>)) -> Result<(), BlobError> {
        let mut objects = self.store.list(None);
        while let Some(object) = objects.try_next().await? {
            let key = object.location.as_ref();
            if SystemTime::from(object.last_modified) < since {
                look(key, Raw::Older);
            } else if object.size > MAX_OBJECT {
                look(key, Raw::TooLarge);
            } else {
                let bytes = async { self.store.get(&object.location).await?.bytes().await };
                match bytes.await {
                    Ok(bytes) => look(key, Raw::Bytes(&bytes)),
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// How many parts of objects of a record are stored.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn parts_of_record(&self, tenant: Uuid, record: Uuid) -> Result<usize, BlobError> {
        let parts: Vec<_> = self.store.list(Some(&paths::record_prefix(tenant, record))).try_collect().await?;
        Ok(parts.len())
    }
}

/// Whether a key says nothing about what it names (H11): a kind, then UUIDs and numbers alone.
#[must_use]
pub fn is_opaque(key: &str) -> bool {
    let mut segments = key.split('/');
    let kind = segments.next().unwrap_or_default();
    let is_number = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    [paths::BLOBS, paths::RECEIPTS, paths::AUDIT_EVENTS].contains(&kind)
        && segments.all(|segment| is_number(segment) || Uuid::try_parse(segment).is_ok())
}
