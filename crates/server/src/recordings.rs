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

/// Where the recording of a call is.
#[must_use]
pub fn place(tenant: Uuid, call: Uuid) -> BlobPlace {
    BlobPlace { tenant, record: call, object: call }
}

/// Notes that the recording of a call was stored; its time to live begins.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call.
pub async fn stored(tx: &mut TenantTx<Write>, call: Uuid, bytes: u64) -> Result<(), DbError> {
    let parts = i32::try_from(parts_of(bytes)).unwrap_or(i32::MAX);
    let tenant = tx.scope().tenant();
    let noted = sqlx::query!(
        "INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, parts, bytes)
           SELECT tenant_id, id, $3, owner_id, $5, $4 FROM tenant.calls WHERE tenant_id = $1 AND id = $2
         ON CONFLICT (tenant_id, call_id, kind) DO UPDATE SET parts = excluded.parts, bytes = excluded.bytes, created_at = now(), updated_at = now()",
        tenant,
        call,
        TEMPORARY,
        i64::try_from(bytes).unwrap_or(i64::MAX),
        parts,
    )
    .execute(tx.conn())
    .await?;
    if noted.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// The bytes of the recording of a call, while it is there.
///
/// # Errors
/// When the transaction fails.
pub async fn length<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> Result<Option<u64>, DbError> {
    let tenant = tx.scope().tenant();
    let bytes = sqlx::query_scalar!(
        r#"SELECT bytes AS "bytes!" FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = $3"#,
        tenant,
        call,
        TEMPORARY,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(bytes.map(i64::unsigned_abs))
}

/// Removes the recording of a call, if there is one: the row now, the bytes by the outbox.
///
/// # Errors
/// When the transaction fails.
pub async fn remove(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    let removed = sqlx::query!(
        "DELETE FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = $3",
        tenant,
        call,
        TEMPORARY,
    )
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() > 0 {
        blobs::remove_object(tx, RecordKind::Call, place(tenant, call)).await?;
    }
    Ok(())
}
