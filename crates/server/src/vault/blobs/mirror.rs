//! Signed copies of what the database holds: receipts and audit events. Its one invariant: copies are added and never changed, and
//! go only with what they are copies of; they hold ids and numbers only, so they are signed and not sealed.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{GetOptions, ObjectStoreExt as _, PutMode, path::Path};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    BlobError, Blobs, MirrorPlace,
    paths::{AUDIT_EVENTS, RECEIPTS},
};

/// Bytes of a copy; a receipt takes some 700.
const MAX_COPY: u64 = 16 * 1024;

impl Blobs {
    /// Stores a copy; the very same one may be there already.
    ///
    /// # Errors
    /// [`BlobError::Mirror`] when another one is in its place; when the store fails.
    pub async fn put_mirror(&self, place: MirrorPlace, content: &impl Serialize) -> Result<(), BlobError> {
        let (tenant, number) = place.ids();
        let text = serde_json::to_vec(content).map_err(|_| BlobError::Mirror { tenant, number })?;
        match self.store.put_opts(&place.path(), text.clone().into(), PutMode::Create.into()).await {
            Err(object_store::Error::AlreadyExists { .. }) if self.bytes(place).await?.as_deref() == Some(&text) => {
                Ok(())
            }
            Err(object_store::Error::AlreadyExists { .. }) => Err(BlobError::Mirror { tenant, number }),
            stored => Ok(stored.map(drop)?),
        }
    }

    /// Reads a copy; `None` when there is none.
    ///
    /// # Errors
    /// [`BlobError::Mirror`] when it is not one.
    pub async fn mirror<T: DeserializeOwned>(&self, place: MirrorPlace) -> Result<Option<T>, BlobError> {
        let (tenant, number) = place.ids();
        let Some(text) = self.bytes(place).await? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|_| BlobError::Mirror { tenant, number })
    }

    /// Removes a copy of what is over; one that is gone already is no fault.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn remove_mirror(&self, place: MirrorPlace) -> Result<(), BlobError> {
        match self.store.delete(&place.path()).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            removed => Ok(removed?),
        }
    }

    async fn bytes(&self, place: MirrorPlace) -> Result<Option<Bytes>, BlobError> {
        let (tenant, number) = place.ids();
        let found = match self.store.get_opts(&place.path(), GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if found.meta.size > MAX_COPY {
            return Err(BlobError::Mirror { tenant, number });
        }
        Ok(Some(found.bytes().await?))
    }

    /// The places in the chain of all copies of that kind and tenant after `place`, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mirrored_after(&self, place: MirrorPlace) -> Result<Vec<i64>, BlobError> {
        let mut found: Vec<i64> = self
            .store
            .list_with_offset(Some(&place.prefix()), &place.path())
            .try_filter_map(|object| {
                std::future::ready(Ok(object.location.filename().and_then(|name| name.parse::<i64>().ok())))
            })
            .try_collect()
            .await?;
        found.sort_unstable();
        Ok(found)
    }

    /// The tenants of which there are copies.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mirrored_tenants(&self) -> Result<BTreeSet<Uuid>, BlobError> {
        let mut tenants = BTreeSet::new();
        for kind in [RECEIPTS, AUDIT_EVENTS] {
            let listed = self.store.list_with_delimiter(Some(&Path::from(kind))).await?;
            let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
            tenants.extend(names.filter_map(|name| Uuid::parse_str(name).ok()));
        }
        Ok(tenants)
    }
}
