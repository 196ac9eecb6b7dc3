//! Signed copies of what the database holds: receipts and the ends of audit chains. Its one invariant: copies are added and never
//! changed; they are public, so they are signed and not sealed.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use object_store::{GetOptions, PutOptions, path::Path};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    BlobError, Blobs, MirrorPlace,
    paths::{AUDIT_HEADS, RECEIPTS},
};

/// Bytes of a copy; a receipt takes some 700.
const MAX_COPY: u64 = 16 * 1024;

impl Blobs {
    /// Stores a copy.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put_mirror(&self, place: MirrorPlace, content: &impl Serialize) -> Result<(), BlobError> {
        let (tenant, number) = place.ids();
        let text = serde_json::to_vec(content).map_err(|_| BlobError::Mirror { tenant, number })?;
        self.store.put_opts(&place.path(), text.into(), PutOptions::default()).await?;
        Ok(())
    }

    /// Reads a copy; `None` when there is none.
    ///
    /// # Errors
    /// [`BlobError::Mirror`] when it is not one.
    pub async fn mirror<T: DeserializeOwned>(&self, place: MirrorPlace) -> Result<Option<T>, BlobError> {
        let (tenant, number) = place.ids();
        let found = match self.store.get_opts(&place.path(), GetOptions::default()).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if found.meta.size > MAX_COPY {
            return Err(BlobError::Mirror { tenant, number });
        }
        let text = found.bytes().await?;
        serde_json::from_slice(&text).map(Some).map_err(|_| BlobError::Mirror { tenant, number })
    }

    /// The places in the chain of all copies like `place` after it, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mirrored_after(&self, place: MirrorPlace) -> Result<Vec<MirrorPlace>, BlobError> {
        let mut found: Vec<i64> = self
            .store
            .list_with_offset(Some(&place.prefix()), &place.path())
            .try_filter_map(|object| {
                std::future::ready(Ok(object.location.filename().and_then(|name| name.parse::<i64>().ok())))
            })
            .try_collect()
            .await?;
        found.sort_unstable();
        Ok(found.into_iter().map(|number| place.at(number)).collect())
    }

    /// The tenants of which there are copies.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mirrored_tenants(&self) -> Result<BTreeSet<Uuid>, BlobError> {
        let mut tenants = BTreeSet::new();
        for kind in [RECEIPTS, AUDIT_HEADS] {
            let listed = self.store.list_with_delimiter(Some(&Path::from(kind))).await?;
            let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
            tenants.extend(names.filter_map(|name| Uuid::parse_str(name).ok()));
        }
        Ok(tenants)
    }
}
