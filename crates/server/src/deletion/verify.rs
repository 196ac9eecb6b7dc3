//! Finds what was changed, removed, reordered or cut in receipts and audit logs. Its one invariant: it believes hashes and
//! signatures, and the copies outside of the database, never what the database says of itself.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    blobs::SweepError,
    chains::{self, Chained},
    expiry::Anchor,
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
    let mut report = Report::default();
    let mut copied = blobs.mirrored_tenants().await?;
    // Of one tenant at a time: what is held does not grow with their number.
    let mut current = None::<Followed>;
    let mut after = (Uuid::nil(), 0);
    'pages: loop {
        let (page, mut anchors) = page::<C>(database, after).await?;
        // The last page is empty, and one more step ends the last tenant's chain.
        let is_last = page.is_empty();
        for link in page.into_iter().map(Some).chain(is_last.then_some(None)) {
            let tenant = link.as_ref().map(|link| link.position().tenant);
            if let Some(done) = current.take_if(|current| Some(current.tenant) != tenant) {
                let done_with = done.tenant;
                let Some(done) = done.end::<C>(database, blobs, keys).await? else {
                    after = (done_with, 0);
                    continue 'pages;
                };
                copied.remove(&done_with);
                report.add(done);
            }
            let (Some(link), Some(tenant)) = (link, tenant) else { break 'pages };
            let followed = current.get_or_insert_with(|| Followed::new(tenant, anchors.remove(&tenant), keys));
            followed.step(&link, keys);
            after = (tenant, link.position().sequence);
        }
    }
    for gone in copied {
        let mut gone = Followed::new(gone, None, keys);
        gone.compare_all::<C>(database, blobs, keys).await?;
        report.add(gone.report);
    }
    Ok(report)
}

/// Links after a place, and what stands in the place of those that are over in the logs of these tenants, as of the same moment.
async fn page<C: Chained>(
    database: &Database,
    after: (Uuid, i64),
) -> Result<(Vec<C>, BTreeMap<Uuid, Anchor>), SweepError> {
    let mut tx = database.snapshot(Reason::Receipts).await?;
    let page = C::page(&mut tx, after, PAGE).await?;
    let tenants: BTreeSet<Uuid> = page.iter().map(|link| link.position().tenant).collect();
    let mut anchors = BTreeMap::new();
    for tenant in tenants {
        anchors.extend(C::anchor(&mut tx, tenant).await?.map(|anchor| (tenant, anchor)));
    }
    Ok((page, anchors))
}

impl Report {
    fn add(&mut self, of_a_tenant: Self) {
        self.links += of_a_tenant.links;
        self.copies += of_a_tenant.copies;
        self.faults.extend(of_a_tenant.faults);
    }
}

/// One tenant's chain, as far as it was followed.
struct Followed {
    tenant: Uuid,
    /// The place behind which it begins.
    over: i64,
    walker: Walker,
    hashes: Hashes,
    report: Report,
}

impl Followed {
    /// Begins behind what is over, where this installation signed that, and at the start otherwise.
    fn new(tenant: Uuid, anchor: Option<Anchor>, keys: &[PublicKey]) -> Self {
        let (walker, hashes, report) = (Walker::default(), Hashes::new(), Report::default());
        let mut new = Self { tenant, over: 0, walker, hashes, report };
        match anchor.map(|anchor| anchor.verify(keys).map(|()| anchor)) {
            Some(Ok(anchor)) => {
                new.walker.resume_behind(tenant, anchor.sequence, anchor.hash);
                new.over = anchor.sequence;
            }
            Some(Err(fault)) => new.report.faults.push(fault),
            None => {}
        }
        new
    }

    /// After a fault, goes on behind it: one removed link is one fault and not as many as there are links.
    fn step<C: Chained>(&mut self, link: &C, keys: &[PublicKey]) {
        self.report.links += 1;
        if let Err(fault) = self.walker.step(link) {
            self.report.faults.push(fault);
            self.walker.resume_at(link);
        }
        self.report.faults.extend(link.check(keys).err());
        self.hashes.insert(link.position().sequence, link.position().hash);
    }

    /// Compares it with its copies. `None` when it was cut while it was followed, and is to be followed again: what looked wrong may have
    /// been over.
    async fn end<C: Chained>(
        mut self,
        database: &Database,
        blobs: &Blobs,
        keys: &[PublicKey],
    ) -> Result<Option<Report>, SweepError> {
        self.compare_all::<C>(database, blobs, keys).await?;
        let again =
            !self.report.faults.is_empty() && chains::was_cut::<C>(database, keys, self.tenant, self.over).await?;
        Ok((!again).then_some(self.report))
    }

    /// All copies of the chain, but of what is over, against what the database has in their places.
    async fn compare_all<C: Chained>(
        &mut self,
        database: &Database,
        blobs: &Blobs,
        keys: &[PublicKey],
    ) -> Result<(), SweepError> {
        let Self { tenant, over, .. } = *self;
        let copies = blobs.mirrored_after(C::place(tenant, over)).await?;
        self.read_up_to::<C>(database, keys, copies.last().copied().unwrap_or_default()).await?;
        for sequence in copies {
            self.report.copies += 1;
            let fault = match chains::copy::<C>(blobs, keys, tenant, sequence).await {
                Ok(copy) => difference(&self.hashes, tenant, sequence, copy.position().hash),
                Err(SweepError::Chain(fault)) => Some(fault),
                Err(SweepError::Blobs(BlobError::Mirror { .. })) => Some(Fault::Unsigned { tenant, sequence }),
                Err(error) => return Err(error),
            };
            self.report.faults.extend(fault);
        }
        Ok(())
    }

    /// Follows what was added since, up to a copy: a link is there before its copy, so one that was copied while others were read is not
    /// missing.
    async fn read_up_to<C: Chained>(
        &mut self,
        database: &Database,
        keys: &[PublicKey],
        copied: i64,
    ) -> Result<(), SweepError> {
        loop {
            let last = self.hashes.last_key_value().map_or(self.over, |(last, _)| *last);
            if last >= copied {
                return Ok(());
            }
            let mut tx = database.system(Reason::Receipts).await?;
            let page = C::page(&mut tx, (self.tenant, last), PAGE).await?;
            drop(tx);
            let tenant = self.tenant;
            let mut added = page.iter().filter(|link| link.position().tenant == tenant).peekable();
            if added.peek().is_none() {
                return Ok(());
            }
            for link in added {
                self.step(link, keys);
            }
        }
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
