//! The ends of chains. Its one invariant: who appends to a chain holds the lock of its end until the transaction ends, so links
//! follow each other without gaps, and a link exists only if what it speaks of was committed.

use chrono::{DateTime, Utc};

use super::chain::Hash;
use crate::db::{DbError, TenantTx, Write};

/// A chain of a tenant. The numbers are those of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i16)]
pub enum Chain {
    /// The audit log.
    Audit = 1,
    /// Deletion receipts.
    Receipts = 2,
}

/// The end of a chain, locked.
pub(crate) struct Head {
    pub(crate) sequence: i64,
    pub(crate) hash: Hash,
    /// When the transaction began, to the microsecond that the database keeps.
    pub(crate) now: DateTime<Utc>,
}

/// Locks the end of a chain of the transaction's tenant.
pub(crate) async fn lock(tx: &mut TenantTx<Write>, chain: Chain) -> Result<Head, DbError> {
    let row = sqlx::query!(
        r#"INSERT INTO tenant.chain_heads AS h (tenant_id, chain, sequence, hash) VALUES ($1, $2, 0, $3)
           ON CONFLICT (tenant_id, chain) DO UPDATE SET sequence = h.sequence
           RETURNING sequence, hash, now() AS "now!""#,
        tx.scope().tenant(),
        chain as i16,
        &Hash::START.0[..],
    )
    .fetch_one(tx.conn())
    .await?;
    let hash = Hash::stored(&row.hash).ok_or(DbError::Unexpected)?;
    Ok(Head { sequence: row.sequence, hash, now: row.now })
}

/// Moves the end of a chain that is locked to its new last link.
pub(crate) async fn advance(tx: &mut TenantTx<Write>, chain: Chain, sequence: i64, hash: &Hash) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE tenant.chain_heads SET sequence = $3, hash = $4 WHERE tenant_id = $1 AND chain = $2",
        tx.scope().tenant(),
        chain as i16,
        sequence,
        &hash.0[..],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
