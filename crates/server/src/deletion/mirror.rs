//! Copies what was signed out of the database. Its one invariant: copies of receipts follow each other without gaps, so the last
//! one says how many there are.

use uuid::Uuid;

use super::blobs::SweepError;
use crate::{
    db::{Database, DbError, Reason},
    vault::{
        blobs::{Blobs, MirrorPlace},
        chain::{Hash, Signer},
        heads::{Chain, SignedHead},
        receipts,
    },
};

/// Heads that are read at once.
const PAGE: i32 = 1000;

/// The end of a chain that has grown since it was last copied.
struct Behind {
    tenant: Uuid,
    chain: i16,
    sequence: i64,
    hash: Vec<u8>,
    mirrored: i64,
}

/// Copies all receipts and heads that are not in the store yet: after a deletion, and from time to time for those whose
/// program died in between. Returns how many copies were made.
///
/// # Errors
/// The first failure; what was copied is not copied again.
pub async fn catch_up(database: &Database, blobs: &Blobs, signer: &Signer) -> Result<u64, SweepError> {
    let mut copies = 0;
    let mut after = (Uuid::nil(), 0);
    loop {
        let heads = heads(database, after).await?;
        let Some(last) = heads.last() else { return Ok(copies) };
        after = (last.tenant, last.chain);
        for head in heads.into_iter().filter(|head| head.sequence > head.mirrored) {
            copies += if head.chain == Chain::Audit as i16 {
                copy_head(blobs, signer, &head).await?
            } else {
                copy_receipts(database, blobs, &head).await?
            };
            let mut tx = database.system(Reason::Receipts).await?;
            sqlx::query!("SELECT app.chain_mirrored($1, $2, $3)", head.tenant, head.chain, head.sequence)
                .fetch_one(tx.conn())
                .await
                .map_err(DbError::from)?;
            tx.commit().await?;
        }
    }
}

async fn heads(database: &Database, after: (Uuid, i16)) -> Result<Vec<Behind>, DbError> {
    let mut tx = database.system(Reason::Receipts).await?;
    let heads = sqlx::query_as!(
        Behind,
        r#"SELECT tenant_id AS "tenant!", chain AS "chain!", sequence AS "sequence!", hash AS "hash!",
             mirrored_sequence AS "mirrored!" FROM app.chain_heads($1, $2, $3)"#,
        after.0,
        after.1,
        PAGE,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(heads)
}

async fn copy_head(blobs: &Blobs, signer: &Signer, head: &Behind) -> Result<u64, SweepError> {
    let hash = Hash::stored(&head.hash).ok_or(DbError::Unexpected)?;
    SignedHead::new(signer, head.tenant, head.sequence, hash).mirror(blobs).await?;
    Ok(1)
}

async fn copy_receipts(database: &Database, blobs: &Blobs, head: &Behind) -> Result<u64, SweepError> {
    let mut after = head.mirrored;
    while after < head.sequence {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = receipts::page(&mut tx, (head.tenant, after)).await?;
        drop(tx);
        let ours = page.iter().filter(|receipt| receipt.tenant == head.tenant && receipt.sequence <= head.sequence);
        let before = after;
        for receipt in ours {
            blobs.put_mirror(MirrorPlace::Receipt(receipt.tenant, receipt.sequence), receipt).await?;
            after = receipt.sequence;
        }
        if after == before {
            // Receipts are missing; `verify` says which.
            return Err(DbError::Unexpected.into());
        }
    }
    Ok(u64::try_from(head.sequence - head.mirrored).unwrap_or_default())
}
