//! After a backup was restored: what had been deleted is deleted again before anything is served. Its one invariant: when
//! [`check`] is done, the database has every receipt and event that the store has, and nothing of what the receipts that it
//! lacked speak of. What it has a receipt of was deleted in its own history, and what came after that is left alone.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    blobs::SweepError,
    chains::{self, Chained},
    mirror,
};
use crate::{
    audit::{
        Action, Event,
        operator::{self, INSTALLATION, Subject},
    },
    db::{Database, DbError, Reason, Role, Scope},
    vault::{
        blobs::{BlobError, Blobs},
        chain::{Fault, Hash, Link, Walker},
        heads::{self, Chain},
        keys::{Vault, VaultError},
        receipts::{PAGE, Receipt},
    },
};

/// Why a restored database cannot be brought up to its receipts.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Database or store failed.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The copies of receipts or events were tampered with, or are of another history than the database.
    #[error("signed copies do not fit this database: {0}")]
    Receipts(#[from] Fault),
    /// What the calls of a contact are called does not open, for a reason that another time may mend.
    #[error(transparent)]
    Vault(VaultError),
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

impl From<VaultError> for RestoreError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            other => Self::Vault(other),
        }
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

/// Refuses a database that lacks receipts or events which the store has, or went another way than the last of them; to be called
/// before anything is served or changed.
///
/// # Errors
/// [`RestoreError::Behind`], [`RestoreError::Receipts`].
pub async fn require_current(database: &Database, blobs: &Blobs) -> Result<(), RestoreError> {
    for tenant in blobs.mirrored_tenants().await? {
        require_chain::<Receipt>(database, blobs, tenant).await?;
        require_chain::<Event>(database, blobs, tenant).await?;
    }
    Ok(())
}

async fn require_chain<C: Chained>(database: &Database, blobs: &Blobs, tenant: Uuid) -> Result<(), RestoreError> {
    let (ours, mirrored) = end_of::<C>(database, tenant).await?;
    let copied = blobs.mirrored_after(C::place(tenant, mirrored)).await?.pop().unwrap_or(mirrored);
    // Another server may have written and copied more since; a link is there before its copy.
    if copied > ours && copied > end_of::<C>(database, tenant).await?.0 {
        return Err(RestoreError::Behind);
    }
    if copied == 0 {
        return Ok(());
    }
    let missing = BlobError::Mirror { tenant, number: copied };
    let copy = blobs.mirror::<C::Copy>(C::place(tenant, copied)).await?.ok_or(missing)?;
    let mut tx = database.system(Reason::Receipts).await?;
    let ours = C::page(&mut tx, (tenant, copied - 1), 1).await?;
    if ours.first().is_none_or(|link| link.position() != copy.position()) {
        return Err(Fault::Changed { tenant, sequence: copied }.into());
    }
    Ok(())
}

/// The last link of a tenant's chain, and the last that was copied.
async fn end_of<C: Chained>(database: &Database, tenant: Uuid) -> Result<(i64, i64), DbError> {
    // The page begins behind the tenant's chain before this one, so its first row is this chain, if there is one.
    let end = mirror::ends(database, (tenant, C::CHAIN as i16 - 1), 1).await?.pop();
    let end = end.filter(|end| (end.tenant, end.chain) == (tenant, C::CHAIN as i16));
    Ok(end.map_or((0, 0), |end| (end.sequence, end.mirrored)))
}

/// Applies every receipt of the store that the database lacks, and puts receipts and events back. It may be repeated. What is wrong
/// with one tenant's copies does not hold up the others.
///
/// # Errors
/// The first failure, see [`RestoreError`]; what was applied stays applied.
pub async fn check(database: &Database, blobs: &Blobs, vault: &Vault) -> Result<Restored, RestoreError> {
    let (mut restored, mut first_fault) = (Restored::default(), None);
    // What operators did comes back first of all, and then that of this check, so that nothing is removed by one that nobody knows of.
    go_on(catch_up::<Event>(database, blobs, vault, INSTALLATION).await.map(drop), &mut first_fault)?;
    let mut tx = database.system(Reason::Receipts).await?;
    operator::record(&mut tx, Action::CheckRestore, Subject::Installation).await?;
    tx.commit().await?;
    for tenant in blobs.mirrored_tenants().await? {
        go_on(check_tenant(database, blobs, vault, tenant, &mut restored).await, &mut first_fault)?;
    }
    first_fault.map_or(Ok(restored), Err)
}

/// Keeps the first fault of one tenant's data for the end; only what concerns all of them is an error now.
fn go_on(done: Result<(), RestoreError>, first_fault: &mut Option<RestoreError>) -> Result<(), RestoreError> {
    match done {
        Err(RestoreError::Sweep(error)) if !error.is_of_one_tenant() => Err(error.into()),
        Err(error) => {
            first_fault.get_or_insert(error);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn check_tenant(
    database: &Database,
    blobs: &Blobs,
    vault: &Vault,
    tenant: Uuid,
    restored: &mut Restored,
) -> Result<(), RestoreError> {
    // Events first: deletions that are applied again are events after those that the backup lacks.
    catch_up::<Event>(database, blobs, vault, tenant).await?;
    let Restored { receipts, missing, rows } = catch_up::<Receipt>(database, blobs, vault, tenant).await?;
    restored.receipts += receipts;
    restored.missing += missing;
    restored.rows += rows;
    Ok(())
}

/// Brings one chain up to its copies.
async fn catch_up<C: Chained>(
    database: &Database,
    blobs: &Blobs,
    vault: &Vault,
    tenant: Uuid,
) -> Result<Restored, RestoreError> {
    let keys = vault.public_keys();
    let ours = hashes::<C>(database, tenant).await?;
    let (mut restored, mut walker) = (Restored::default(), Walker::default());
    let mut tx = database.system(Reason::Receipts).await?;
    let over = C::anchor(&mut tx, tenant).await?;
    drop(tx);
    if let Some(over) = &over {
        over.verify(keys)?;
    }
    let over = over.map(|over| (over.sequence, over.hash));
    let copies = blobs.mirrored_after(C::place(tenant, over.map_or(0, |(sequence, _)| sequence))).await?;
    // The backup may be older than the last time that an audit log was cut, and copies went meanwhile: it has those events, and the copy
    // behind them is signed over their hash. An anchor of its own is further back then.
    let first = copies.first().copied().unwrap_or_default();
    let older = ours.get(&(first - 1)).map(|hash| (first - 1, *hash)).filter(|_| C::CHAIN == Chain::Audit);
    if let Some((sequence, hash)) = older.or(over) {
        walker.resume_behind(tenant, sequence, hash);
    }
    let last = copies.last().copied();
    for sequence in copies {
        let copy = chains::copy::<C>(blobs, keys, tenant, sequence).await?;
        walker.step(&copy)?;
        restored.receipts += 1;
        match ours.get(&sequence) {
            Some(hash) if *hash == copy.position().hash => {}
            Some(_) => return Err(Fault::Changed { tenant, sequence }.into()),
            None => {
                restored.rows += apply::<C>(database, vault, (tenant, &copy)).await?;
                restored.missing += 1;
            }
        }
    }
    // All of it was compared with its copies just now. The one that the backup takes for the last may be over and gone.
    if let Some(last) = last {
        mirror::note(database, (tenant, C::CHAIN), last).await?;
    }
    Ok(restored)
}

/// The hashes of a tenant's chain as the database has it, by place.
async fn hashes<C: Chained>(database: &Database, tenant: Uuid) -> Result<BTreeMap<i64, Hash>, DbError> {
    let mut hashes = BTreeMap::new();
    let mut after = 0;
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = C::page(&mut tx, (tenant, after), PAGE).await?;
        let before = after;
        for at in page.iter().map(Link::position).filter(|at| at.tenant == tenant) {
            hashes.insert(at.sequence, at.hash);
            after = at.sequence;
        }
        if after == before {
            return Ok(hashes);
        }
    }
}

/// Does again what a link that the database lacks speaks of, and puts it back, in one transaction.
async fn apply<C: Chained>(
    database: &Database,
    vault: &Vault,
    (tenant, copy): (Uuid, &C::Copy),
) -> Result<i64, RestoreError> {
    // Nobody acts: a signed receipt is all the authority there is.
    let scope = Scope::authenticated(tenant, Uuid::nil(), Role::Owner);
    let mut tx = database.write_long(&scope).await?;
    let rows = C::redo(&mut tx, vault, copy).await?;
    let (head, at) = (heads::lock(&mut tx, C::CHAIN).await?, copy.position());
    if at.sequence != head.sequence + 1 || at.previous != head.hash {
        return Err(Fault::Changed { tenant, sequence: at.sequence }.into());
    }
    C::put_back(&mut tx, copy).await?;
    tx.commit().await?;
    Ok(rows)
}
