//! What is in the store, whoever put it there. Its one invariant: names come as they are listed, so that memory does not grow with the
//! number of objects.

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt as _, future::ready};
use object_store::{ObjectStoreExt as _, path::Path};
use uuid::Uuid;

use super::{
    BlobError, BlobPlace, Blobs,
    paths::{BLOBS, tenant_prefix},
};

impl Blobs {
    /// The tenants that have objects, in order. Names of tenants are held, some hundred bytes each.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tenants(&self) -> Result<Vec<Uuid>, BlobError> {
        let listed = self.store.list_with_delimiter(Some(&Path::from(BLOBS))).await?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut tenants: Vec<Uuid> = names.filter_map(|name| Uuid::parse_str(name).ok()).collect();
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// The objects of a tenant, one item for each part of them, and when the part was written. What has a name that this program gives
    /// nothing is left out.
    pub fn listed(&self, tenant: Uuid) -> impl Stream<Item = Result<(BlobPlace, DateTime<Utc>), BlobError>> {
        self.store.list(Some(&tenant_prefix(tenant))).filter_map(move |part| {
            ready(match part {
                Ok(part) => BlobPlace::of_part(tenant, &part.location).map(|place| Ok((place, part.last_modified))),
                Err(error) => Some(Err(error.into())),
            })
        })
    }

    /// Whether an object is there, by its first part.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_there(&self, place: BlobPlace) -> Result<bool, BlobError> {
        match self.store.head(&place.part(0)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
