//! The only place that builds object keys. Its one invariant: a key is made of UUIDs and numbers (H11), so it says nothing
//! about what it names.

use std::fmt;

use object_store::path::Path;
use uuid::Uuid;

use crate::vault::key::Purpose;

/// The place of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlobPlace {
    /// Whose it is.
    pub tenant: Uuid,
    /// The record (call, export, …) whose key seals it and whose deletion removes it.
    pub record: Uuid,
    /// The object; fresh for each upload.
    pub object: Uuid,
}

impl BlobPlace {
    /// Under which all parts are.
    pub(super) fn prefix(&self) -> Path {
        let Self { tenant, record, object } = self;
        Path::from(format!("{BLOBS}/{tenant}/{record}/{object}"))
    }

    /// Where part `part` is; parts sort by their names.
    pub(super) fn part(&self, part: u32) -> Path {
        Path::from(format!("{}/{part:08}", self.prefix()))
    }

    /// The number of the part at `path`, which is below [`Self::prefix`].
    pub(super) fn part_number(path: &Path) -> Option<u32> {
        let name = path.filename()?;
        let number = name.parse().ok()?;
        (name == format!("{number:08}")).then_some(number)
    }

    /// The object of `tenant` that the part at `path` is of; `None` for what has another name.
    pub(super) fn of_part(tenant: Uuid, path: &Path) -> Option<Self> {
        let mut names = path.prefix_match(&tenant_prefix(tenant))?;
        let mut id = || Uuid::parse_str(names.next()?.as_ref()).ok();
        let place = Self { tenant, record: id()?, object: id()? };
        let number = Self::part_number(path)?;
        (place.part(number) == *path).then_some(place)
    }

    /// What the key of a part is derived for.
    #[must_use]
    pub fn purpose(&self, part: u32) -> Purpose {
        let Self { tenant, record, object } = self;
        Purpose::new(&[b"blob", tenant.as_bytes(), record.as_bytes(), object.as_bytes(), &part.to_be_bytes()])
    }
}

impl fmt::Display for BlobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, record, object } = self;
        write!(f, "object {object} of record {record} of tenant {tenant}")
    }
}

pub(super) fn record_prefix(tenant: Uuid, record: Uuid) -> Path {
    Path::from(format!("{BLOBS}/{tenant}/{record}"))
}

pub(super) fn tenant_prefix(tenant: Uuid) -> Path {
    Path::from(format!("{BLOBS}/{tenant}"))
}

/// Where objects are.
pub(super) const BLOBS: &str = "blobs";

/// Where copies of receipts are.
pub(super) const RECEIPTS: &str = "receipts";

/// Where copies of audit events are.
pub(super) const AUDIT_EVENTS: &str = "audit";

/// The place of a signed copy outside the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MirrorPlace {
    /// A deletion receipt of a tenant, by its place in the chain.
    Receipt(Uuid, i64),
    /// An event of a tenant's audit log, by its place in the chain.
    AuditEvent(Uuid, i64),
}

impl MirrorPlace {
    /// Under which all copies of this kind and tenant are.
    pub(super) fn prefix(self) -> Path {
        match self {
            Self::Receipt(tenant, _) => Path::from(format!("{RECEIPTS}/{tenant}")),
            Self::AuditEvent(tenant, _) => Path::from(format!("{AUDIT_EVENTS}/{tenant}")),
        }
    }

    /// Whose it is, and its place in the chain.
    pub(super) fn ids(self) -> (Uuid, i64) {
        match self {
            Self::Receipt(tenant, number) | Self::AuditEvent(tenant, number) => (tenant, number),
        }
    }

    pub(super) fn path(self) -> Path {
        // Twenty digits hold any 64-bit number, so names sort as numbers do.
        Path::from(format!("{}/{:020}", self.prefix(), self.ids().1))
    }
}
