//! The recording of a call: temporary, sealed, in the object store (H1, H2). Its one invariant: while there is a row there may be
//! bytes, and the transaction that removes the row leaves word that the bytes go.

use uuid::Uuid;

use crate::{
    db::{Access, DbError, TenantTx, Write},
    deletion::blobs,
    vault::{
        blobs::{BlobPlace, parts_of},
        seal::RecordKind,
    },
};

/// `TEMP_AUDIO` among the kinds of artifacts.
const TEMPORARY: i16 = 1;

/// Notes where the recording of a call was stored, and its length; its time to live begins.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call.
pub async fn stored(tx: &mut TenantTx<Write>, place: BlobPlace, bytes: u64) -> Result<(), DbError> {
    let parts = i32::try_from(parts_of(bytes)).unwrap_or(i32::MAX);
    let noted = sqlx::query!(
        "INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, object_id, parts, bytes)
           SELECT tenant_id, id, $3, owner_id, $6, $5, $4 FROM tenant.calls WHERE tenant_id = $1 AND id = $2
         ON CONFLICT (tenant_id, call_id, kind) DO UPDATE SET object_id = excluded.object_id, parts = excluded.parts,
           bytes = excluded.bytes, created_at = now(), updated_at = now()",
        place.tenant,
        place.record,
        TEMPORARY,
        i64::try_from(bytes).unwrap_or(i64::MAX),
        parts,
        place.object,
    )
    .execute(tx.conn())
    .await?;
    if noted.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// Where the recording of a call is, and its length in bytes; while it is there.
///
/// # Errors
/// When the transaction fails.
pub async fn find<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> Result<Option<(BlobPlace, u64)>, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query!(
        r#"SELECT coalesce(object_id, call_id) AS "object!", bytes AS "bytes!" FROM tenant.artifacts
           WHERE tenant_id = $1 AND call_id = $2 AND kind = $3"#,
        tenant,
        call,
        TEMPORARY,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (BlobPlace { tenant, record: call, object: row.object }, row.bytes.unsigned_abs())))
}

/// Removes the recording of a call, if there is one: the row now, the bytes by the outbox.
///
/// # Errors
/// When the transaction fails.
pub async fn remove(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    let removed = sqlx::query_scalar!(
        r#"DELETE FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = $3
           RETURNING coalesce(object_id, call_id) AS "object!""#,
        tenant,
        call,
        TEMPORARY,
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(object) = removed {
        blobs::remove_object(tx, RecordKind::Call, BlobPlace { tenant, record: call, object }).await?;
    }
    Ok(())
}
