//! The worker's part of a deletion: blobs whose key is gone, and uploads that never ended. Its one invariant: an entry of the
//! outbox stays until the store listed nothing any more, and nothing is removed that still has its key or whose upload has ended.

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::{
    db::{Database, DbError, Reason, TenantTx, Write},
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        chain::Fault,
        seal::RecordKind,
    },
};

/// Entries that are taken at once.
const BATCH: i32 = 100;

/// For how long an entry is put off when it is taken, in microseconds: five minutes, after which another worker may try what
/// this one did not finish.
const PUT_OFF: i64 = 5 * 60 * 1_000_000;

/// Entries that fail until it is rather the store that fails, and there is no use in going on.
const MAX_FAILURES: u32 = 10;

/// Why blobs are still there; the entry stays and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The store failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// An entry of a newer program.
    #[error("blobs of class {0} are to be removed, which this program does not know: run a newer one")]
    Class(i16),
    /// A tenant's receipts or events were tampered with.
    #[error(transparent)]
    Chain(#[from] Fault),
}

impl SweepError {
    /// Whether it is the fault of one tenant's data, so that others can be served.
    pub(super) fn is_of_one_tenant(&self) -> bool {
        matches!(self, Self::Chain(_) | Self::Blobs(BlobError::Mirror { .. }))
    }
}

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Entries that are done.
    pub entries: u64,
    /// Parts of objects that were removed.
    pub parts: u64,
}

/// An upload that was begun, of which word was left.
#[must_use = "without its end, what was uploaded is removed at the deadline"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upload {
    place: BlobPlace,
}

/// Why an upload does not count.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Its deadline has passed: its parts are removed, or are about to be.
    #[error("the upload took longer than it was given")]
    TooLate,
    /// The transaction failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Leaves word, before the first part of an upload is stored, that this object is to go at `deadline` unless the upload has ended
/// by then. Its parts may be written once that is committed.
///
/// # Errors
/// When the transaction fails.
pub async fn expect_upload(
    tx: &mut TenantTx<Write>,
    class: RecordKind,
    (record, object): (Uuid, Uuid),
    deadline: DateTime<Utc>,
) -> Result<Upload, DbError> {
    let place = BlobPlace { tenant: tx.scope().tenant(), record, object };
    sqlx::query!(
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, object_id, run_at) VALUES ($1, $2, $3, $4, $5, $6)",
        place.tenant,
        Uuid::now_v7(),
        class as i16,
        record,
        object,
        deadline,
    )
    .execute(tx.conn())
    .await?;
    Ok(Upload { place })
}

/// Leaves word that every object of a record goes now; part of the transaction that destroys its key.
///
/// # Errors
/// When the transaction fails.
pub async fn remove_record(tx: &mut TenantTx<Write>, class: RecordKind, record: Uuid) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id) VALUES ($1, $2, $3, $4)",
        tx.scope().tenant(),
        Uuid::now_v7(),
        class as i16,
        record,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Leaves word that one object of a record goes now, although the record stays.
///
/// # Errors
/// When the transaction fails.
pub async fn remove_object(tx: &mut TenantTx<Write>, class: RecordKind, place: BlobPlace) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, object_id) VALUES ($1, $2, $3, $4, $5)",
        tx.scope().tenant(),
        Uuid::now_v7(),
        class as i16,
        place.record,
        place.object,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl Upload {
    /// Where its parts go.
    #[must_use]
    pub fn place(&self) -> BlobPlace {
        self.place
    }

    /// Takes the word back: part of the transaction that stores what the object belongs to. From here to its end no worker removes
    /// the object, and one that has begun to makes this fail.
    ///
    /// # Errors
    /// [`UploadError::TooLate`]; the transaction should be dropped then.
    pub async fn end(self, tx: &mut TenantTx<Write>) -> Result<(), UploadError> {
        let BlobPlace { record, object, .. } = self.place;
        let in_time = sqlx::query_scalar!(r#"SELECT app.upload_ended($1, $2) AS "in_time!""#, record, object)
            .fetch_one(tx.conn())
            .await
            .map_err(DbError::from)?;
        if in_time { Ok(()) } else { Err(UploadError::TooLate) }
    }
}

/// An entry of the outbox.
struct Entry {
    tenant: Uuid,
    id: Uuid,
    class: i16,
    subject: Uuid,
    /// Of an upload; everything of the subject otherwise.
    object: Option<Uuid>,
    has_key: bool,
}

/// Removes the blobs of all entries that are due. One that fails does not hold up the others.
///
/// # Errors
/// The first failure, whose entry stays and is tried again; what was done stays done.
pub async fn sweep(database: &Database, blobs: &Blobs) -> Result<Swept, SweepError> {
    let (mut swept, mut failures, mut first) = (Swept::default(), 0, None);
    loop {
        let due = due(database).await?;
        if due.is_empty() {
            return first.map_or(Ok(swept), Err);
        }
        for entry in due {
            match remove(blobs, &entry).await {
                Ok(parts) => {
                    done(database, &entry).await?;
                    swept.parts += parts;
                    swept.entries += 1;
                }
                Err(error) => {
                    first.get_or_insert(error);
                    failures += 1;
                }
            }
            if failures == MAX_FAILURES {
                return first.map_or(Ok(swept), Err);
            }
        }
    }
}

/// Takes the next entries that are due, and puts them off.
async fn due(database: &Database) -> Result<Vec<Entry>, DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    let due = sqlx::query_as!(
        Entry,
        r#"SELECT tenant_id AS "tenant!", id AS "id!", class AS "class!", subject_id AS "subject!", object_id AS object,
             app.has_key(tenant_id, class, subject_id) AS "has_key!" FROM app.blob_deletions_due($1, $2)"#,
        BATCH,
        PgInterval { months: 0, days: 0, microseconds: PUT_OFF },
    )
    .fetch_all(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(due)
}

/// Seconds since the oldest deletion was committed whose bytes are still there, for metrics.
///
/// # Errors
/// When the transaction fails.
pub async fn lag_seconds(database: &Database) -> Result<f64, DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    let lag = sqlx::query_scalar!(r#"SELECT app.blob_deletions_lag() AS "lag!""#).fetch_one(tx.conn()).await?;
    tx.commit().await?;
    Ok(lag)
}

async fn remove(blobs: &Blobs, entry: &Entry) -> Result<u64, SweepError> {
    let class = RecordKind::numbered(entry.class).ok_or(SweepError::Class(entry.class))?;
    let Entry { tenant, subject: record, .. } = *entry;
    Ok(match (entry.object, class) {
        // An upload that has ended has no entry any more.
        (Some(object), _) => blobs.remove(BlobPlace { tenant, record, object }).await?,
        _ if entry.has_key => 0,
        (None, RecordKind::Tenant) => blobs.remove_tenant(tenant).await?,
        (None, _) => blobs.remove_record(tenant, record).await?,
    })
}

async fn done(database: &Database, entry: &Entry) -> Result<(), DbError> {
    let mut tx = database.system(Reason::Blobs).await?;
    sqlx::query_scalar!("SELECT app.blob_deletion_done($1, $2)", entry.tenant, entry.id).fetch_one(tx.conn()).await?;
    tx.commit().await
}

impl From<&SweepError> for crate::telemetry::fault::Fault {
    fn from(error: &SweepError) -> Self {
        match error {
            SweepError::Database(error) => error.into(),
            SweepError::Blobs(error) => error.into(),
            SweepError::Class(_) => "objects of a class that this program does not know: run a newer one".into(),
            SweepError::Chain(_) => {
                "a tenant's receipts or events were tampered with: run the check of the audit log".into()
            }
        }
    }
}
