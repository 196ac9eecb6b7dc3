//! Finds what was changed, removed, reordered or cut in receipts and audit logs. Its one invariant: it believes hashes and
//! signatures, and the copies outside of the database, never what the database says of itself.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    blobs::SweepError,
    chains::{self, Chained},
};
use crate::{
    audit::Event,
    db::{Database, Reason},
    vault::{
        blobs::{BlobError, Blobs},
        chain::{Fault, Hash, Link, PublicKey, Walker},
        receipts::{PAGE, Receipt},
    },
};

/// What was looked at, and what is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Links whose hashes were computed again.
    pub links: u64,
    /// Copies outside of the database that were compared.
    pub copies: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// The hashes of one tenant's chain as the database has them, by place.
type Hashes = BTreeMap<i64, Hash>;

/// Follows every chain of receipts and compares it with its signed copies.
///
/// # Errors
/// When database or store fail; what is wrong with the chains is in the report.
pub async fn receipts(database: &Database, blobs: &Blobs, keys: &[PublicKey]) -> Result<Report, SweepError> {
    follow::<Receipt>(database, blobs, keys).await
}

/// Follows every audit log and compares it with its signed copies.
///
/// # Errors
/// As [`receipts()`].
pub async fn audit(database: &Database, blobs: &Blobs, keys: &[PublicKey]) -> Result<Report, SweepError> {
    follow::<Event>(database, blobs, keys).await
}

async fn follow<C: Chained>(database: &Database, blobs: &Blobs, keys: &[PublicKey]) -> Result<Report, SweepError> {
    let (mut report, mut walker) = (Report::default(), Walker::default());
    // Of one tenant at a time: what is held does not grow with their number.
    let (mut tenant, mut hashes, mut over) = (None, Hashes::new(), 0);
    let mut copied = blobs.mirrored_tenants().await?;
    let mut after = (Uuid::nil(), 0);
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = C::page(&mut tx, after, PAGE).await?;
        drop(tx);
        if page.is_empty() {
            break;
        }
        for link in page {
            let at = link.position();
            if tenant != Some(at.tenant) {
                if let Some(done) = tenant.replace(at.tenant) {
                    report.compare_all::<C>(blobs, keys, (done, over), &std::mem::take(&mut hashes)).await?;
                    copied.remove(&done);
                }
                over = report.resume::<C>(database, keys, at.tenant, &mut walker).await?;
            }
            report.links += 1;
            report.step(&mut walker, &link);
            report.faults.extend(link.check(keys).err());
            hashes.insert(at.sequence, at.hash);
            after = (at.tenant, at.sequence);
        }
    }
    if let Some(done) = tenant {
        report.compare_all::<C>(blobs, keys, (done, over), &hashes).await?;
        copied.remove(&done);
    }
    for gone in copied {
        report.compare_all::<C>(blobs, keys, (gone, 0), &Hashes::new()).await?;
    }
    Ok(report)
}

impl Report {
    /// After a fault, goes on behind it: one removed link is one fault and not as many as there are links.
    fn step(&mut self, walker: &mut Walker, link: &impl Link) {
        if let Err(fault) = walker.step(link) {
            self.faults.push(fault);
            walker.resume_at(link);
        }
    }

    /// Has a tenant's chain followed from where it begins: behind what is over, where this installation signed that. Gives the place of that.
    async fn resume<C: Chained>(
        &mut self,
        database: &Database,
        keys: &[PublicKey],
        tenant: Uuid,
        walker: &mut Walker,
    ) -> Result<i64, SweepError> {
        let mut tx = database.system(Reason::Receipts).await?;
        let Some(anchor) = C::anchor(&mut tx, tenant).await? else { return Ok(0) };
        if let Err(fault) = anchor.verify(keys) {
            self.faults.push(fault);
            return Ok(0);
        }
        walker.resume_behind(tenant, anchor.sequence, anchor.hash);
        Ok(anchor.sequence)
    }

    /// All copies of a tenant's chain, but of what is over, against what the database has in their places.
    async fn compare_all<C: Chained>(
        &mut self,
        blobs: &Blobs,
        keys: &[PublicKey],
        (tenant, over): (Uuid, i64),
        hashes: &Hashes,
    ) -> Result<(), SweepError> {
        for sequence in blobs.mirrored_after(C::place(tenant, over)).await? {
            self.copies += 1;
            match chains::copy::<C>(blobs, keys, tenant, sequence).await {
                Ok(copy) => self.faults.extend(difference(hashes, tenant, sequence, copy.position().hash)),
                Err(SweepError::Chain(fault)) => self.faults.push(fault),
                Err(SweepError::Blobs(BlobError::Mirror { .. })) => {
                    self.faults.push(Fault::Unsigned { tenant, sequence });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A signed copy against what the database has in its place.
fn difference(hashes: &Hashes, tenant: Uuid, sequence: i64, hash: Hash) -> Option<Fault> {
    match hashes.get(&sequence) {
        Some(ours) if *ours == hash => None,
        Some(_) => Some(Fault::Changed { tenant, sequence }),
        None => {
            let found = hashes.last_key_value().map_or(0, |(last, _)| *last);
            Some(Fault::Cut { tenant, found, known: sequence })
        }
    }
}
