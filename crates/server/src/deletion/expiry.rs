//! The end of audit events, six years after what they speak of. Its one invariant: the start of a log goes only when the database says that
//! it is over, its events themselves say so by the clock of this program, it was proved whole, against its signed copies too, and a signed
//! [`Anchor`] takes its place; so nothing else can be missing unseen, whatever functions the database has been given.
//!
//! Rows go before their copies, and how far copies are gone is written down: whoever comes after a program that died in between goes on.

use std::time::Duration;

use chrono::{DateTime, Months, Utc};
use uuid::Uuid;

use super::{blobs::SweepError, chains};
use crate::{
    audit::{self, Event},
    db::{Database, DbError, Reason, SystemTx},
    vault::{
        blobs::{BlobError, Blobs, MirrorPlace},
        chain::{Fault, Hash, Link as _, Position, PublicKey, SIGNATURE_BYTES, Signer, Walker, is_signed},
        keys::Vault,
        receipts::PAGE,
    },
};

/// How long events are kept: six years, as in the functions of the database.
const KEPT: Months = Months::new(6 * 12);

/// What stands in the place of events that are over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// In whose log.
    pub tenant: Uuid,
    /// The last event that went.
    pub sequence: i64,
    /// Its hash, which covers every event up to it.
    pub hash: Hash,
    signing_key: i32,
    signature: [u8; SIGNATURE_BYTES],
    /// Up to which event copies are gone.
    copies_removed: i64,
}

impl Anchor {
    fn new(tenant: Uuid, sequence: i64, hash: Hash, signer: &Signer) -> Self {
        let signature = signer.sign(&covered(tenant, sequence, &hash));
        Self { tenant, sequence, hash, signing_key: signer.version, signature, copies_removed: 0 }
    }

    /// Whether this installation signed it.
    ///
    /// # Errors
    /// [`Fault::Unsigned`] when not.
    pub fn verify(&self, keys: &[PublicKey]) -> Result<(), Fault> {
        let Self { tenant, sequence, hash, .. } = *self;
        match is_signed(keys, self.signing_key, &covered(tenant, sequence, &hash), &self.signature) {
            true => Ok(()),
            false => Err(Fault::Unsigned { tenant, sequence }),
        }
    }
}

/// What is signed of an anchor: another kind of hash than that of an event, whose signature therefore is none of an anchor.
fn covered(tenant: Uuid, sequence: i64, hash: &Hash) -> Hash {
    Hash::of("audit anchor 1", &[tenant.as_bytes(), &sequence.to_be_bytes(), &hash.0])
}

/// The anchor of a tenant's log, where its start is over.
///
/// # Errors
/// When the transaction fails, or the row is none.
pub async fn anchor(tx: &mut SystemTx, tenant: Uuid) -> Result<Option<Anchor>, DbError> {
    let row = sqlx::query!(
        r#"SELECT sequence AS "sequence!", hash AS "hash!", signing_key AS "signing_key!", signature AS "signature!",
             copies_removed AS "copies_removed!" FROM app.audit_anchor($1)"#,
        tenant,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Anchor {
        tenant,
        sequence: row.sequence,
        hash: Hash::stored(&row.hash).ok_or(DbError::Unexpected)?,
        signing_key: row.signing_key,
        signature: row.signature[..].try_into().map_err(|_| DbError::Unexpected)?,
        copies_removed: row.copies_removed,
    }))
}

/// Removes events that are over `now`, of all tenants, deleted ones too, and their copies; returns how many rows went. What is wrong with
/// one tenant's log does not hold up the others', and nothing of it goes.
///
/// # Errors
/// The first failure; what went stays gone.
pub async fn enforce(database: &Database, blobs: &Blobs, vault: &Vault, now: DateTime<Utc>) -> Result<u64, SweepError> {
    let (mut removed, mut first_fault, mut after) = (0, None, None::<Uuid>);
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let tenants = expired(&mut tx, after).await?;
        drop(tx);
        let Some(last) = tenants.last() else { return first_fault.map_or(Ok(removed), Err) };
        after = Some(*last);
        for tenant in tenants {
            match shorten(database, blobs, vault, tenant, now - KEPT).await {
                Ok(more) => removed += more,
                Err(error) if error.is_of_one_tenant() => _ = first_fault.get_or_insert(error),
                Err(error) => return Err(error),
            }
        }
    }
}

/// How many logs have events that were over so long ago that they should be gone.
///
/// # Errors
/// When the database does not answer.
pub async fn overdue(database: &Database, late: Duration, now: DateTime<Utc>) -> Result<u64, DbError> {
    let (mut overdue, mut after) = (0, None::<Uuid>);
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let tenants = expired(&mut tx, after).await?;
        let Some(last) = tenants.last() else { return Ok(overdue) };
        after = Some(*last);
        for tenant in tenants {
            let gone = anchor(&mut tx, tenant).await?.map_or(0, |anchor| anchor.sequence);
            overdue += u64::from(over(&mut tx, tenant, now - KEPT - late).await? > gone);
        }
    }
}

/// Tenants of whose logs something is over, after one of them.
async fn expired(tx: &mut SystemTx, after: Option<Uuid>) -> Result<Vec<Uuid>, DbError> {
    let tenants =
        sqlx::query_scalar!(r#"SELECT tenant_id AS "tenant!" FROM app.audit_expired($1, $2)"#, after as _, PAGE);
    Ok(tenants.fetch_all(tx.conn()).await?)
}

/// Shortens one log, some events at a time, none of which is younger than `youngest`. Where another server was faster, the rest is left to
/// that one.
async fn shorten(
    database: &Database,
    blobs: &Blobs,
    vault: &Vault,
    tenant: Uuid,
    youngest: DateTime<Utc>,
) -> Result<u64, SweepError> {
    let mut removed = 0;
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let known = anchor(&mut tx, tenant).await?;
        drop(tx);
        let seen = known.as_ref().map_or(0, |known| known.sequence);
        match cut(database, blobs, vault, (tenant, known), youngest).await {
            Ok(0) => return Ok(removed),
            Ok(more) => removed += more,
            Err(error) if !error.is_of_one_tenant() => return Err(error),
            Err(error) => {
                let was_cut = chains::was_cut::<Event>(database, vault.public_keys(), tenant, seen).await?;
                return if was_cut { Ok(removed) } else { Err(error) };
            }
        }
    }
}

/// The last event of the first thousand of a log that may go and is no younger than `youngest`; 0 for none.
///
/// # Errors
/// When the transaction fails.
pub async fn over(tx: &mut SystemTx, tenant: Uuid, youngest: DateTime<Utc>) -> Result<i64, DbError> {
    let over = sqlx::query_scalar!(r#"SELECT app.audit_over($1, $2) AS "over!""#, tenant, youngest);
    Ok(over.fetch_one(tx.conn()).await?)
}

/// Removes the next events of a log behind its anchor, and the copies of those that went before; returns how many went.
async fn cut(
    database: &Database,
    blobs: &Blobs,
    vault: &Vault,
    (tenant, known): (Uuid, Option<Anchor>),
    youngest: DateTime<Utc>,
) -> Result<u64, SweepError> {
    let (keys, mut walker) = (vault.public_keys(), Walker::default());
    if let Some(known) = &known {
        known.verify(keys)?;
        walker.resume_behind(tenant, known.sequence, known.hash);
        remove_copies(database, blobs, known).await?;
    }
    let from = known.map_or(0, |known| known.sequence);
    let mut tx = database.system(Reason::Receipts).await?;
    let over = over(&mut tx, tenant, youngest).await?;
    drop(tx);
    if over <= from {
        return Ok(0);
    }
    let hash = prove(database, &mut walker, (tenant, Hash::START), (from, over), youngest).await?;
    // A copy of what stays is signed over the hash of what was before.
    let next = next_copy(blobs, keys, (tenant, over)).await?;
    let (end, all) = (next.sequence - 1, DateTime::<Utc>::MAX_UTC);
    if prove(database, &mut walker, (tenant, hash), (over, end), all).await? != next.previous {
        return Err(Fault::Changed { tenant, sequence: end }.into());
    }
    let new = Anchor::new(tenant, over, hash, vault.signer());
    let mut tx = database.system(Reason::Receipts).await?;
    let cut = sqlx::query_scalar!(
        r#"SELECT app.audit_cut($1, $2, $3, $4, $5) AS "cut!""#,
        tenant,
        over,
        &hash.0[..],
        new.signing_key,
        &new.signature[..],
    );
    let removed = cut.fetch_one(tx.conn()).await.map_err(DbError::from)?.unsigned_abs();
    tx.commit().await?;
    Ok(removed)
}

/// Where the first copy behind a place stands. The very next one stays for certain but in a backup that is older than the end of more
/// events; only there all that are left, six years of them, are listed.
async fn next_copy(blobs: &Blobs, keys: &[PublicKey], (tenant, over): (Uuid, i64)) -> Result<Position, SweepError> {
    match chains::copy::<Event>(blobs, keys, tenant, over + 1).await {
        Err(SweepError::Blobs(BlobError::Mirror { .. })) => {
            let copies = blobs.mirrored_after(MirrorPlace::AuditEvent(tenant, over)).await?;
            let next = copies.first().copied().ok_or(Fault::Cut { tenant, found: over, known: over + 1 })?;
            Ok(chains::copy::<Event>(blobs, keys, tenant, next).await?.position())
        }
        next => Ok(next?.position()),
    }
}

/// Follows the events behind one place, whose hash is given, up to another, none of which may be younger than `youngest`; gives the hash of
/// the last. How old an event is says the event, whose hash covers it: what the database says is as good as who can change its functions.
async fn prove(
    database: &Database,
    walker: &mut Walker,
    (tenant, mut hash): (Uuid, Hash),
    (from, to): (i64, i64),
    youngest: DateTime<Utc>,
) -> Result<Hash, SweepError> {
    let mut at = from;
    while at < to {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = audit::page(&mut tx, (tenant, at), PAGE).await?;
        drop(tx);
        let before = at;
        for event in page.into_iter().filter(|event| event.tenant == tenant && event.sequence <= to) {
            walker.step(&event)?;
            if event.at > youngest {
                return Err(Fault::Young { tenant, sequence: event.sequence }.into());
            }
            (at, hash) = (event.sequence, event.hash);
        }
        if at == before {
            return Err(Fault::Cut { tenant, found: at, known: to }.into());
        }
    }
    Ok(hash)
}

/// Removes the copies of events that went.
async fn remove_copies(database: &Database, blobs: &Blobs, anchor: &Anchor) -> Result<(), SweepError> {
    if anchor.copies_removed == anchor.sequence {
        return Ok(());
    }
    for sequence in anchor.copies_removed + 1..=anchor.sequence {
        blobs.remove_mirror(MirrorPlace::AuditEvent(anchor.tenant, sequence)).await?;
    }
    let mut tx = database.system(Reason::Receipts).await?;
    sqlx::query!("SELECT app.audit_copies_removed($1, $2)", anchor.tenant, anchor.sequence)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    Ok(tx.commit().await?)
}
