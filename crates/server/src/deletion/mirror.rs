//! Copies what is signed out of the database. Its one invariant: nothing is copied but what follows the last copy, and is whole;
//! so copies follow each other without gaps, and the last one says how many there are.

use uuid::Uuid;

use super::{
    blobs::SweepError,
    chains::{self, Chained},
};
use crate::{
    audit::Event,
    db::{Database, DbError, Reason},
    vault::{
        blobs::Blobs,
        chain::{Fault, Walker},
        heads::Chain,
        keys::Vault,
        receipts::{PAGE, Receipt},
    },
};

/// The end of a chain.
pub(super) struct End {
    pub(super) tenant: Uuid,
    pub(super) chain: i16,
    pub(super) sequence: i64,
    /// How far it was copied.
    pub(super) mirrored: i64,
}

/// Copies all receipts and events that are not in the store yet: after a deletion, and from time to time for those whose
/// program died in between. Returns how many copies were made. What is wrong with one tenant's chain does not hold up the others'.
///
/// # Errors
/// The first failure; what was copied is not copied again.
pub async fn catch_up(database: &Database, blobs: &Blobs, vault: &Vault) -> Result<u64, SweepError> {
    let (mut copies, mut first_fault) = (0, None);
    let mut after = (Uuid::nil(), 0);
    loop {
        let ends = ends(database, after, PAGE).await?;
        let Some(last) = ends.last() else { return first_fault.map_or(Ok(copies), Err) };
        after = (last.tenant, last.chain);
        for end in ends.into_iter().filter(|end| end.sequence > end.mirrored) {
            let copied = if end.chain == Chain::Audit as i16 {
                copy_links::<Event>(database, blobs, vault, &end).await
            } else {
                copy_links::<Receipt>(database, blobs, vault, &end).await
            };
            match copied {
                Ok(more) => copies += more,
                Err(error) if error.is_of_one_tenant() => _ = first_fault.get_or_insert(error),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The ends of all chains, in order, after one of them.
pub(super) async fn ends(database: &Database, after: (Uuid, i16), most: i32) -> Result<Vec<End>, DbError> {
    let mut tx = database.system(Reason::Receipts).await?;
    let ends = sqlx::query_as!(
        End,
        r#"SELECT tenant_id AS "tenant!", chain AS "chain!", sequence AS "sequence!", mirrored_sequence AS "mirrored!"
           FROM app.chain_heads($1, $2, $3)"#,
        after.0,
        after.1,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ends)
}

async fn copy_links<C: Chained>(
    database: &Database,
    blobs: &Blobs,
    vault: &Vault,
    end: &End,
) -> Result<u64, SweepError> {
    let (tenant, keys) = (end.tenant, vault.public_keys());
    let (mut walker, mut after, mut copies) = (Walker::default(), end.mirrored, 0);
    if after > 0 {
        walker.resume_at(&chains::copy::<C>(blobs, keys, tenant, after).await?);
    }
    while after < end.sequence {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = C::page(&mut tx, (tenant, after), PAGE).await?;
        drop(tx);
        let before = after;
        for link in page.into_iter().filter(|link| link.position().tenant == tenant) {
            link.check(keys)?;
            walker.step(&link)?;
            after = link.position().sequence;
            blobs.put_mirror(C::place(tenant, after), &link.signed(vault.signer())).await?;
            copies += 1;
        }
        if after == before {
            return Err(Fault::Cut { tenant, found: after, known: end.sequence }.into());
        }
    }
    note(database, (tenant, C::CHAIN), after).await?;
    Ok(copies)
}

/// Writes down how far a chain was copied.
pub(super) async fn note(database: &Database, (tenant, chain): (Uuid, Chain), up_to: i64) -> Result<(), DbError> {
    let mut tx = database.system(Reason::Receipts).await?;
    sqlx::query!("SELECT app.chain_mirrored($1, $2, $3)", tenant, chain as i16, up_to).fetch_one(tx.conn()).await?;
    tx.commit().await
}
