//! The object store compared with the database. Its one invariant: an object that nothing in the database names, and that is older than
//! any upload may be, is put into the outbox of what is removed; one of a tenant that this installation never had is left alone.
//!
//! Uploads that break off and deletions are removed by the outbox itself (`blobs`). What is found here is what that missed: a database
//! that was restored, a store that failed halfway, a fault of ours.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::blobs::SweepError;
use crate::{
    db::{Database, DbError, Reason},
    telemetry::log,
    vault::blobs::{BlobPlace, Blobs},
};

/// Between two walks.
pub const PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// How old an object has to be before it can be an orphan: twice what the longest upload is given.
pub const GRACE: Duration = Duration::from_secs(48 * 60 * 60);

/// For how long a process has the walk unless it says so again; another one goes on with it then.
const LEASE: Duration = Duration::from_secs(15 * 60);

/// Objects that the database is asked about at once.
const BATCH: usize = 500;

/// Objects that the store is asked about side by side: each answer is a round trip.
const AT_ONCE: usize = 16;

/// Tenants that fail until it is rather the store that fails.
const MAX_FAILURES: u32 = 10;

/// What a walk found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Walked {
    /// Objects that nothing names, which are to be removed now.
    pub orphans: u64,
    /// Recordings that have a row and no object.
    pub missing: u64,
}

/// How the walks go, for metrics.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct State {
    /// Seconds since the last walk ended; since the installation was made, before the first.
    pub age_seconds: f64,
    /// Orphans of all walks.
    pub orphans: i64,
    /// Objects of tenants that this installation never had.
    pub strangers: i64,
    /// Recordings that had a row and no object when the last walk ended.
    pub missing: i64,
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// Walks over all objects where that is due and nobody else does, from the tenant where the last walk broke off, and then over all rows; `None` where it is not. What is
/// found is removed with the next sweep of the outbox.
///
/// # Errors
/// When the store or the database fails; the next call goes on from there, once the time of this one is over.
pub async fn walk(
    database: &Database,
    blobs: &Blobs,
    (period, grace): (Duration, Duration),
) -> Result<Option<Walked>, SweepError> {
    let Some(after) = take(database, period).await? else { return Ok(None) };
    let orphans = walk_tenants(database, blobs, after, grace).await?;
    let walked = Walked { orphans, missing: missing(database, blobs).await? };
    let mut tx = database.system(Reason::Blobs).await?;
    let missing = i64::try_from(walked.missing).unwrap_or(i64::MAX);
    sqlx::query_scalar!("SELECT app.object_walk_ended($1)", missing)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    tx.commit().await?;
    let Walked { orphans, missing } = walked;
    if orphans > 0 || missing > 0 {
        log::warning!(orphans = orphans, missing = missing, "the object store and the database did not say the same");
    }
    Ok(Some(walked))
}

/// One tenant that fails does not hold up the others, and the next walk begins with it.
async fn walk_tenants(database: &Database, blobs: &Blobs, mut after: Uuid, grace: Duration) -> Result<u64, SweepError> {
    let (mut orphans, mut failures, mut first) = (0, 0, None);
    let tenants = blobs.tenants().await?;
    for tenant in tenants.into_iter().filter(|tenant| *tenant > after).collect::<Vec<_>>() {
        match walk_tenant(database, blobs, (tenant, after), grace).await {
            Ok(found) => orphans += found,
            Err(error) => {
                failures += 1;
                first.get_or_insert(error);
            }
        }
        if failures == MAX_FAILURES {
            break;
        }
        if first.is_none() {
            after = tenant;
        }
        reached(database, after).await?;
    }
    first.map_or(Ok(orphans), Err)
}

async fn walk_tenant(
    database: &Database,
    blobs: &Blobs,
    (tenant, before): (Uuid, Uuid),
    grace: Duration,
) -> Result<u64, SweepError> {
    let (mut orphans, mut batch) = (0, BTreeMap::new());
    let mut listed = pin!(blobs.listed(tenant));
    while let Some((BlobPlace { record, object, .. }, written)) = listed.try_next().await? {
        // Parts of an object mostly come one after the other; its newest counts.
        let newest = batch.entry((record, object)).or_insert(written);
        *newest = written.max(*newest);
        if batch.len() == BATCH {
            orphans += remove(database, tenant, &std::mem::take(&mut batch), grace).await?;
            reached(database, before).await?;
        }
    }
    if !batch.is_empty() {
        orphans += remove(database, tenant, &batch, grace).await?;
    }
    Ok(orphans)
}

/// Puts those of the objects into the outbox that are orphans.
async fn remove(
    database: &Database,
    tenant: Uuid,
    objects: &BTreeMap<(Uuid, Uuid), DateTime<Utc>>,
    grace: Duration,
) -> Result<u64, DbError> {
    let (records, ids): (Vec<Uuid>, Vec<Uuid>) = objects.keys().copied().unzip();
    let written: Vec<DateTime<Utc>> = objects.values().copied().collect();
    let mut tx = database.system(Reason::Blobs).await?;
    let removed = sqlx::query_scalar!(
        r#"SELECT app.orphans_remove($1, $2, $3, $4, $5) AS "removed!""#,
        tenant,
        &records,
        &ids,
        &written,
        interval(grace),
    )
    .fetch_one(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(removed.unsigned_abs())
}

/// Counts recordings that have a row and no object.
async fn missing(database: &Database, blobs: &Blobs) -> Result<u64, SweepError> {
    let (mut missing, mut after) = (0, (Uuid::nil(), Uuid::nil(), 0));
    loop {
        let page = named(database, after, BATCH as i32).await?;
        let Some(last) = page.last() else { return Ok(missing) };
        let next = (last.place.tenant, last.place.record, last.kind);
        let asked = page.iter().map(async |row| Ok::<_, SweepError>((row, blobs.is_there(row.place).await?)));
        let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some((row, is_there)) = asked.try_next().await? {
            if !is_there && is_still_named(database, row).await? {
                log::error!(call = row.place.record, kind = row.kind, "a recording has a row and no object");
                missing += 1;
            }
        }
        after = next;
        // All objects were seen: who goes on begins here.
        reached(database, Uuid::max()).await?;
    }
}

/// A recording that a row names.
struct Named {
    place: BlobPlace,
    kind: i16,
}

async fn named(database: &Database, (tenant, call, kind): (Uuid, Uuid, i16), most: i32) -> Result<Vec<Named>, DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", call_id AS "call!", kind AS "kind!", object_id AS "object!"
           FROM app.recordings_named($1, $2, $3, $4)"#,
        tenant,
        call,
        kind,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    let place = |tenant, record, object| BlobPlace { tenant, record, object };
    Ok(rows.into_iter().map(|row| Named { place: place(row.tenant, row.call, row.object), kind: row.kind }).collect())
}

/// Whether the row is there still: recordings come and go meanwhile, the row before the object.
async fn is_still_named(database: &Database, row: &Named) -> Result<bool, DbError> {
    let before = (row.place.tenant, row.place.record, row.kind - 1);
    let found = named(database, before, 1).await?;
    Ok(found.first().is_some_and(|found| found.place == row.place && found.kind == row.kind))
}

async fn take(database: &Database, period: Duration) -> Result<Option<Uuid>, DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    let after = sqlx::query_scalar!("SELECT app.object_walk_take($1, $2)", interval(period), interval(LEASE));
    let after = after.fetch_one(tx.conn()).await?;
    tx.commit().await?;
    Ok(after)
}

async fn reached(database: &Database, tenant: Uuid) -> Result<(), DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    sqlx::query_scalar!("SELECT app.object_walk_reached($1, $2)", tenant, interval(LEASE)).fetch_one(tx.conn()).await?;
    tx.commit().await
}

/// How the walks go.
///
/// # Errors
/// When the transaction fails.
pub async fn state(database: &Database) -> Result<State, DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    let state = sqlx::query_as!(
        State,
        r#"SELECT age_seconds AS "age_seconds!", orphans AS "orphans!", strangers AS "strangers!", missing AS "missing!"
           FROM app.object_walk_state()"#
    )
    .fetch_one(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(state)
}
