//! The worker's part of a deletion: blobs whose key is gone. Its one invariant: an entry of the outbox stays until the store
//! listed nothing any more, and nothing that still has its key is removed.

use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use crate::{
    db::{Database, DbError, Reason, TenantTx, Write},
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        seal::RecordKind,
    },
};

/// Entries that are taken at once.
const BATCH: i32 = 100;

/// For how long an entry is put off when it is taken, in microseconds: five minutes, after which another worker may try what
/// this one did not finish.
const PUT_OFF: i64 = 5 * 60 * 1_000_000;

/// Why blobs are still there; the entry stays and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The store failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Entries that are done.
    pub entries: u64,
    /// Parts of objects that were removed.
    pub parts: u64,
}

/// Leaves word, before the first part of an upload is stored, that the blobs of this record are to go at `deadline` unless the
/// record has a key by then.
///
/// # Errors
/// When the transaction fails.
pub async fn expect_upload(
    tx: &mut TenantTx<Write>,
    class: RecordKind,
    record: Uuid,
    deadline: DateTime<Utc>,
) -> Result<(), DbError> {
    let (tenant, id) = (tx.scope().tenant(), Uuid::now_v7());
    sqlx::query!(
        "INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, run_at) VALUES ($1, $2, $3, $4, $5)",
        tenant,
        id,
        class as i16,
        record,
        deadline,
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

/// What is due.
struct Entry {
    tenant: Uuid,
    id: Uuid,
    class: i16,
    subject: Uuid,
    object: Option<Uuid>,
    has_key: bool,
}

/// Removes the blobs of all entries that are due.
///
/// # Errors
/// The first failure; what was done before it stays done.
pub async fn sweep(database: &Database, blobs: &Blobs) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    loop {
        let mut tx = database.system(Reason::Blobs).await?;
        let due = sqlx::query_as!(
            Entry,
            r#"SELECT tenant_id AS "tenant!", id AS "id!", class AS "class!", subject_id AS "subject!", object_id AS "object",
                 app.has_key(tenant_id, class, subject_id) AS "has_key!" FROM app.blob_deletions_due($1, $2)"#,
            BATCH,
            PgInterval { months: 0, days: 0, microseconds: PUT_OFF },
        )
        .fetch_all(tx.conn())
        .await
        .map_err(DbError::from)?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(swept);
        }
        for entry in due {
            let Entry { tenant, subject, object, has_key, .. } = entry;
            swept.parts += match (object, RecordKind::numbered(entry.class)) {
                (Some(object), _) => blobs.remove(BlobPlace { tenant, record: subject, object }).await?,
                (None, _) if has_key => 0,
                (None, Some(RecordKind::Tenant)) => blobs.remove_tenant(tenant).await?,
                (None, _) => blobs.remove_record(tenant, subject).await?,
            };
            let mut tx = database.system(Reason::Blobs).await?;
            sqlx::query_scalar!("SELECT app.blob_deletion_done($1, $2)", entry.tenant, entry.id)
                .fetch_one(tx.conn())
                .await
                .map_err(DbError::from)?;
            tx.commit().await?;
            swept.entries += 1;
        }
    }
}
