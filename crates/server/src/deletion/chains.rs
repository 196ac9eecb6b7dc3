//! The two chains that have signed copies outside of the database, and what differs between them. Its one invariant: a copy that
//! [`copy`] returns stands in its place and was signed by this installation.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    blobs::SweepError,
    erase,
    expiry::{self, Anchor},
    rows,
};
use crate::{
    audit::{self, Action, Event, SignedEvent, subject},
    contacts,
    db::{Database, DbError, Reason, SystemTx, TenantTx, Write},
    notices,
    vault::{
        blobs::{BlobError, Blobs, MirrorPlace},
        chain::{Fault, Link, PublicKey, Signer},
        heads::Chain,
        keys::{Vault, VaultError},
        receipts::{self, Receipt},
        seal::RecordKind,
    },
    webhooks,
};

/// A link of such a chain, as the database has it.
pub(super) trait Chained: Link + Sized {
    /// Which chain.
    const CHAIN: Chain;

    /// A link as it is copied.
    type Copy: Link + Serialize + DeserializeOwned;

    /// Where the copy of a link is.
    fn place(tenant: Uuid, sequence: i64) -> MirrorPlace;

    /// At most `most` links of all tenants, in order, after a place.
    async fn page(tx: &mut SystemTx, after: (Uuid, i64), most: i32) -> Result<Vec<Self>, DbError>;

    /// What stands in the place of links that are over.
    async fn anchor(tx: &mut SystemTx, tenant: Uuid) -> Result<Option<Anchor>, DbError>;

    /// Whether the link is signed in the database, as far as that chain's links are.
    fn check(&self, keys: &[PublicKey]) -> Result<(), Fault>;

    /// The link as it is copied.
    fn signed(self, signer: &Signer) -> Self::Copy;

    /// Whether this installation signed the copy.
    fn verify(copy: &Self::Copy, keys: &[PublicKey]) -> Result<(), Fault>;

    /// Does again what a link speaks of that the database lacks; returns how many rows went.
    async fn redo(tx: &mut TenantTx<Write>, vault: &Vault, copy: &Self::Copy) -> Result<i64, VaultError>;

    /// Puts such a link at the end of its chain, which the transaction has locked.
    async fn put_back(tx: &mut TenantTx<Write>, copy: &Self::Copy) -> Result<(), DbError>;
}

impl Chained for Receipt {
    const CHAIN: Chain = Chain::Receipts;
    type Copy = Self;

    fn place(tenant: Uuid, sequence: i64) -> MirrorPlace {
        MirrorPlace::Receipt(tenant, sequence)
    }

    async fn page(tx: &mut SystemTx, after: (Uuid, i64), most: i32) -> Result<Vec<Self>, DbError> {
        receipts::page(tx, after, most).await
    }

    /// Receipts stay.
    async fn anchor(_: &mut SystemTx, _: Uuid) -> Result<Option<Anchor>, DbError> {
        Ok(None)
    }

    fn check(&self, keys: &[PublicKey]) -> Result<(), Fault> {
        Receipt::verify(self, keys)
    }

    fn signed(self, _: &Signer) -> Self {
        self
    }

    fn verify(copy: &Self, keys: &[PublicKey]) -> Result<(), Fault> {
        copy.verify(keys)
    }

    async fn redo(tx: &mut TenantTx<Write>, vault: &Vault, copy: &Self) -> Result<i64, VaultError> {
        if copy.class == RecordKind::Contact {
            match contacts::link::forget(tx, vault, copy.subject).await {
                // The backup is older than the contact.
                Err(VaultError::Database(DbError::NotFound)) => {}
                forgotten => forgotten?,
            }
        }
        let counts = erase(tx, copy.class, copy.subject).await?;
        // Blobs that are newer than the backup have no row here that could speak of them.
        rows::blobs(tx, copy.class, copy.subject).await?;
        if counts.rows + counts.keys > 0 {
            audit::record(tx, Action::ReapplyDeletion, copy.class as i16, copy.subject).await?;
            // What was left of it in the lost database nobody knows; who was told before is told again.
            notices::leave(tx, notices::deleted(copy.class), (copy.subject, Some(copy.id))).await?;
        }
        Ok(counts.rows)
    }

    async fn put_back(tx: &mut TenantTx<Write>, copy: &Self) -> Result<(), DbError> {
        receipts::insert(tx, copy).await
    }
}

impl Chained for Event {
    const CHAIN: Chain = Chain::Audit;
    type Copy = SignedEvent;

    fn place(tenant: Uuid, sequence: i64) -> MirrorPlace {
        MirrorPlace::AuditEvent(tenant, sequence)
    }

    async fn page(tx: &mut SystemTx, after: (Uuid, i64), most: i32) -> Result<Vec<Self>, DbError> {
        audit::page(tx, after, most).await
    }

    async fn anchor(tx: &mut SystemTx, tenant: Uuid) -> Result<Option<Anchor>, DbError> {
        expiry::anchor(tx, tenant).await
    }

    /// Events are signed when they are copied.
    fn check(&self, _: &[PublicKey]) -> Result<(), Fault> {
        Ok(())
    }

    fn signed(self, signer: &Signer) -> SignedEvent {
        SignedEvent::new(self, signer)
    }

    fn verify(copy: &SignedEvent, keys: &[PublicKey]) -> Result<(), Fault> {
        copy.verify(keys)
    }

    /// What was done leaves its traces in rows and receipts; the event only says so. But where an endpoint is told something, a backup
    /// would tell it again, at an address or under a secret that was given up.
    async fn redo(tx: &mut TenantTx<Write>, _: &Vault, copy: &SignedEvent) -> Result<i64, VaultError> {
        let event = &copy.event;
        match event.subject_kind {
            subject::WEBHOOK => Ok(webhooks::redo(tx, (event.action, event.subject)).await?),
            _ => Ok(0),
        }
    }

    async fn put_back(tx: &mut TenantTx<Write>, copy: &SignedEvent) -> Result<(), DbError> {
        audit::insert(tx, &copy.event).await
    }
}

/// Whether a chain's start went meanwhile that was there, up to the place behind which it was seen to begin: what was read of it before is
/// worth nothing then. Only this installation can have signed that, and each time further on, so that reading anew comes to an end.
pub(super) async fn was_cut<C: Chained>(
    database: &Database,
    keys: &[PublicKey],
    tenant: Uuid,
    seen: i64,
) -> Result<bool, DbError> {
    let mut tx = database.system(Reason::Receipts).await?;
    let anchor = C::anchor(&mut tx, tenant).await?;
    Ok(anchor.is_some_and(|anchor| anchor.sequence > seen && anchor.verify(keys).is_ok()))
}

/// Reads the copy at a place.
///
/// # Errors
/// [`Fault::Unsigned`] when it is another's, or of another place; [`BlobError::Mirror`] when there is none.
pub(super) async fn copy<C: Chained>(
    blobs: &Blobs,
    keys: &[PublicKey],
    tenant: Uuid,
    sequence: i64,
) -> Result<C::Copy, SweepError> {
    let missing = BlobError::Mirror { tenant, number: sequence };
    let copy = blobs.mirror::<C::Copy>(C::place(tenant, sequence)).await?.ok_or(missing)?;
    let at = copy.position();
    if (at.tenant, at.sequence) != (tenant, sequence) {
        return Err(Fault::Unsigned { tenant, sequence }.into());
    }
    C::verify(&copy, keys)?;
    Ok(copy)
}
