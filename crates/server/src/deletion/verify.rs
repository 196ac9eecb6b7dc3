//! Finds what was changed, removed, reordered or cut in receipts and audit logs. Its one invariant: it believes hashes and
//! signatures, and the copies outside of the database, never what the database says of itself.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::blobs::SweepError;
use crate::{
    audit,
    db::{Database, Reason},
    vault::{
        blobs::{Blobs, MirrorPlace},
        chain::{Fault, Hash, Link, PublicKey, Walker},
        heads::SignedHead,
        receipts::{self, Receipt},
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

/// A chain's hashes as the database has them, by place.
type Hashes = BTreeMap<(Uuid, i64), Hash>;

/// Follows every chain of receipts and compares it with its signed copies.
///
/// # Errors
/// When database or store fail; what is wrong with the chains is in the report.
pub async fn receipts(database: &Database, blobs: &Blobs, keys: &[PublicKey]) -> Result<Report, SweepError> {
    let (mut report, mut walker, mut ends) = (Report::default(), Walker::default(), BTreeMap::new());
    let mut after = (Uuid::nil(), 0);
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = receipts::page(&mut tx, after).await?;
        drop(tx);
        let Some(last) = page.last() else { break };
        after = (last.tenant, last.sequence);
        for receipt in page {
            report.links += 1;
            report.step(&mut walker, &receipt);
            report.faults.extend(receipt.verify(keys).err());
            ends.insert((receipt.tenant, receipt.sequence), receipt.hash);
        }
    }
    for tenant in blobs.mirrored_tenants().await? {
        for place in blobs.mirrored_after(MirrorPlace::Receipt(tenant, 0)).await? {
            let Some(copy) = blobs.mirror::<Receipt>(place).await? else { continue };
            report.compare(&ends, tenant, copy.sequence, copy.hash, copy.verify(keys).is_ok());
        }
    }
    Ok(report)
}

/// Follows every audit log and compares it with its signed heads.
///
/// # Errors
/// As [`receipts()`].
pub async fn audit(database: &Database, blobs: &Blobs, keys: &[PublicKey]) -> Result<Report, SweepError> {
    let (mut report, mut walker, mut ends) = (Report::default(), Walker::default(), BTreeMap::new());
    let mut after = (Uuid::nil(), 0);
    loop {
        let mut tx = database.system(Reason::Receipts).await?;
        let page = audit::page(&mut tx, after).await?;
        drop(tx);
        let Some(last) = page.last() else { break };
        after = (last.tenant, last.sequence);
        for event in page {
            report.links += 1;
            report.step(&mut walker, &event);
            ends.insert((event.tenant, event.sequence), event.hash);
        }
    }
    for tenant in blobs.mirrored_tenants().await? {
        for place in blobs.mirrored_after(MirrorPlace::AuditHead(tenant, 0)).await? {
            let Some(copy) = blobs.mirror::<SignedHead>(place).await? else { continue };
            report.compare(&ends, tenant, copy.sequence, copy.hash, copy.tenant == tenant && copy.is_genuine(keys));
        }
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

    /// A signed copy against what the database has in its place.
    fn compare(&mut self, ends: &Hashes, tenant: Uuid, sequence: i64, hash: Hash, is_genuine: bool) {
        self.copies += 1;
        if !is_genuine {
            self.faults.push(Fault::Unsigned { tenant, sequence });
            return;
        }
        match ends.get(&(tenant, sequence)) {
            Some(ours) if *ours == hash => {}
            Some(_) => self.faults.push(Fault::Changed { tenant, sequence }),
            None => {
                let found = ends.range((tenant, 0)..=(tenant, i64::MAX)).next_back().map_or(0, |((_, last), _)| *last);
                self.faults.push(Fault::Cut { tenant, found, known: sequence });
            }
        }
    }
}
