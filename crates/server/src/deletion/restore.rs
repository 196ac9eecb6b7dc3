//! After a backup was restored: what had been deleted is deleted again before anything is served. Its one invariant: when
//! [`check`] is done, the database has every receipt that the store has, and nothing of what they speak of.

use uuid::Uuid;

use super::{blobs::SweepError, erase};
use crate::{
    audit::{
        self, Action,
        operator::{self, Subject},
    },
    db::{Database, DbError, Reason, Role, Scope},
    vault::{
        blobs::{BlobError, Blobs, MirrorPlace},
        chain::{Fault, Hash, PublicKey, Walker},
        heads::{self, Chain},
        receipts::{self, Receipt},
        seal::RecordKind,
    },
};

/// Why a restored database cannot be brought up to its receipts.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Database or store failed.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The copies of receipts were tampered with, or are of another history than the database.
    #[error("receipts do not fit this database: {0}")]
    Receipts(#[from] Fault),
    /// The database is older than its receipts.
    #[error(
        "this database is older than its deletion receipts, a restored backup perhaps: run `subrosa restore check` first"
    )]
    Behind,
}

impl From<DbError> for RestoreError {
    fn from(error: DbError) -> Self {
        Self::Sweep(error.into())
    }
}

impl From<BlobError> for RestoreError {
    fn from(error: BlobError) -> Self {
        Self::Sweep(error.into())
    }
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Restored {
    /// Receipts that the store has.
    pub receipts: u64,
    /// Those that the database did not have.
    pub missing: u64,
    /// Rows that were there again and are gone now.
    pub rows: i64,
}

/// Refuses a database that lacks receipts which the store has; to be called before anything is served.
///
/// # Errors
/// [`RestoreError::Behind`].
pub async fn require_current(database: &Database, blobs: &Blobs) -> Result<(), RestoreError> {
    for tenant in blobs.mirrored_tenants().await? {
        let ours = last_sequence(database, tenant).await?;
        if !blobs.mirrored_after(MirrorPlace::Receipt(tenant, ours)).await?.is_empty() {
            return Err(RestoreError::Behind);
        }
    }
    Ok(())
}

/// Applies every receipt of the store again, those that the database has too. It may be repeated.
///
/// # Errors
/// See [`RestoreError`]; what was applied before stays applied.
pub async fn check(database: &Database, blobs: &Blobs, keys: &[PublicKey]) -> Result<Restored, RestoreError> {
    // First of all, so that nothing is removed by a check that nobody knows of.
    let mut tx = database.system(Reason::Receipts).await?;
    operator::record(&mut tx, Action::CheckRestore, Subject::Installation).await?;
    tx.commit().await?;
    let mut restored = Restored::default();
    for tenant in blobs.mirrored_tenants().await? {
        let mut walker = Walker::default();
        for place in blobs.mirrored_after(MirrorPlace::Receipt(tenant, 0)).await? {
            let Some(receipt) = blobs.mirror::<Receipt>(place).await? else { continue };
            if receipt.tenant != tenant {
                return Err(Fault::Unsigned { tenant, sequence: receipt.sequence }.into());
            }
            receipt.verify(keys)?;
            walker.step(&receipt)?;
            apply(database, &receipt, &mut restored).await?;
        }
    }
    Ok(restored)
}

async fn apply(database: &Database, receipt: &Receipt, restored: &mut Restored) -> Result<(), RestoreError> {
    // Nobody acts: a signed receipt is all the authority there is.
    let scope = Scope::authenticated(receipt.tenant, Uuid::nil(), Role::Owner);
    let mut tx = database.write(&scope).await?;
    let head = heads::lock(&mut tx, Chain::Receipts).await?;
    restored.receipts += 1;
    if let Some(class) = RecordKind::numbered(receipt.class) {
        let counts = erase(&mut tx, class, receipt.subject).await?;
        if counts.rows + counts.keys > 0 {
            restored.rows += counts.rows;
            audit::record(&mut tx, Action::ReapplyDeletion, receipt.class, receipt.subject).await?;
        }
    }
    if receipt.sequence > head.sequence {
        if receipt.sequence != head.sequence + 1 || receipt.previous != head.hash {
            return Err(Fault::Changed { tenant: receipt.tenant, sequence: receipt.sequence }.into());
        }
        receipts::insert(&mut tx, receipt).await?;
        restored.missing += 1;
    } else if stored_hash(&mut tx, receipt).await? != Some(receipt.hash) {
        return Err(Fault::Changed { tenant: receipt.tenant, sequence: receipt.sequence }.into());
    }
    Ok(tx.commit().await?)
}

async fn stored_hash(
    tx: &mut crate::db::TenantTx<crate::db::Write>,
    receipt: &Receipt,
) -> Result<Option<Hash>, DbError> {
    let hash = sqlx::query_scalar!(
        "SELECT hash FROM tenant.deletion_receipts WHERE tenant_id = $1 AND sequence = $2",
        receipt.tenant,
        receipt.sequence,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(hash.and_then(|hash| Hash::stored(&hash)))
}

async fn last_sequence(database: &Database, tenant: Uuid) -> Result<i64, DbError> {
    let mut tx = database.system(Reason::Receipts).await?;
    // The page begins behind the tenant's audit log, so its first row is this chain, if there is one.
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", sequence AS "sequence!" FROM app.chain_heads($1, $2, 1)"#,
        tenant,
        Chain::Audit as i16,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.filter(|row| row.tenant == tenant).map_or(0, |row| row.sequence))
}
