//! All SQL of uploads that come in several requests. Its one invariant: the latest request that adds bytes has the turn, unless one puts
//! the recording together meanwhile; and a request that lost its turn changes nothing any more.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    db::{Access, DbError, TenantTx, Write},
    deletion::blobs::remove_record,
    vault::seal::RecordKind,
};

/// An upload as it is stored.
pub(super) struct Upload {
    pub(super) length: i64,
    pub(super) received: i64,
    pub(super) became: Option<Uuid>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) sealed: Option<Vec<u8>>,
}

/// Bytes of one request.
pub(super) struct Piece {
    pub(super) object: Uuid,
    pub(super) bytes: i64,
}

/// Uploads of the transaction's user that are not calls yet. Holds back whoever else begins one for that user until the transaction ends.
pub(super) async fn count_open(tx: &mut TenantTx<Write>, now: DateTime<Utc>) -> Result<i64, DbError> {
    let (tenant, user) = (tx.scope().tenant(), tx.scope().user());
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('uploads ' || $1::uuid || ' ' || $2::uuid, 0))",
        tenant,
        user
    )
    .execute(tx.conn())
    .await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM tenant.uploads
           WHERE tenant_id = $1 AND owner_id = $2 AND became IS NULL AND expires_at > $3"#,
        tenant,
        user,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// Adds an upload of the transaction's user.
pub(super) async fn insert(
    tx: &mut TenantTx<Write>,
    upload: Uuid,
    sealed: Vec<u8>,
    length: i64,
    expires_at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO tenant.uploads (tenant_id, id, owner_id, sealed, length, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        tx.scope().tenant(),
        upload,
        tx.scope().user(),
        sealed as _,
        length,
        expires_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An upload of the transaction's user that is not over.
pub(super) async fn get<A: Access>(tx: &mut TenantTx<A>, upload: Uuid, now: DateTime<Utc>) -> Result<Upload, DbError> {
    let found = sqlx::query_as!(
        Upload,
        r#"SELECT length, received, became, expires_at, sealed AS "sealed: Vec<u8>" FROM tenant.uploads
           WHERE tenant_id = $1 AND owner_id = $2 AND id = $3 AND expires_at > $4"#,
        tx.scope().tenant(),
        tx.scope().user(),
        upload,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Gives a request the turn; who had it before has lost it. False when there is no such upload, or a recording is being put together.
/// Locks the upload until the transaction ends.
pub(super) async fn take_turn(tx: &mut TenantTx<Write>, (upload, turn): (Uuid, Uuid)) -> Result<bool, DbError> {
    let taken = sqlx::query!(
        "UPDATE tenant.uploads SET turn = $4, joining_until = NULL WHERE tenant_id = $1 AND owner_id = $2 AND id = $3
           AND (joining_until IS NULL OR joining_until <= clock_timestamp())",
        tx.scope().tenant(),
        tx.scope().user(),
        upload,
        turn,
    )
    .execute(tx.conn())
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Takes the turn from whoever has it, whatever they do. Locks the upload until the transaction ends.
pub(super) async fn end_turns(tx: &mut TenantTx<Write>, upload: Uuid) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE tenant.uploads SET turn = NULL, joining_until = NULL WHERE tenant_id = $1 AND owner_id = $2 AND id = $3",
        tx.scope().tenant(),
        tx.scope().user(),
        upload,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets a request keep its turn for so many seconds, while it puts the recording together; for none, others may take it again. False when
/// it has lost its turn.
pub(super) async fn keep_turn(
    tx: &mut TenantTx<Write>,
    (upload, turn): (Uuid, Uuid),
    seconds: Option<f64>,
) -> Result<bool, DbError> {
    let kept = sqlx::query!(
        "UPDATE tenant.uploads SET joining_until = clock_timestamp() + make_interval(secs => $5)
           WHERE tenant_id = $1 AND owner_id = $2 AND id = $3 AND turn = $4 AND became IS NULL",
        tx.scope().tenant(),
        tx.scope().user(),
        upload,
        turn,
        seconds,
    )
    .execute(tx.conn())
    .await?;
    Ok(kept.rows_affected() == 1)
}

/// Adds the bytes of the request that has the turn; false when another one has it.
pub(super) async fn add(
    tx: &mut TenantTx<Write>,
    (upload, turn): (Uuid, Uuid),
    start: i64,
    piece: &Piece,
) -> Result<bool, DbError> {
    let added = sqlx::query!(
        "UPDATE tenant.uploads SET received = received + $6
           WHERE tenant_id = $1 AND owner_id = $2 AND id = $3 AND turn = $4 AND received = $5 AND became IS NULL",
        tx.scope().tenant(),
        tx.scope().user(),
        upload,
        turn,
        start,
        piece.bytes,
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO tenant.upload_pieces (tenant_id, upload_id, start, owner_id, object_id, bytes) VALUES ($1, $2, $3, $4, $5, $6)",
        tx.scope().tenant(),
        upload,
        start,
        tx.scope().user(),
        piece.object,
        piece.bytes,
    )
    .execute(tx.conn())
    .await?;
    Ok(true)
}

/// The pieces of an upload, in order.
pub(super) async fn pieces<A: Access>(tx: &mut TenantTx<A>, upload: Uuid) -> Result<Vec<Piece>, DbError> {
    let found = sqlx::query_as!(
        Piece,
        "SELECT object_id AS object, bytes FROM tenant.upload_pieces WHERE tenant_id = $1 AND upload_id = $2 ORDER BY start",
        tx.scope().tenant(),
        upload,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}

/// Whether a request still has the turn of an upload that is no call yet. Locks the upload until the transaction ends, so that it stays
/// so.
pub(super) async fn has_turn(tx: &mut TenantTx<Write>, (upload, turn): (Uuid, Uuid)) -> Result<bool, DbError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM tenant.uploads WHERE tenant_id = $1 AND owner_id = $2 AND id = $3 AND turn = $4 AND became IS NULL
           FOR UPDATE",
        tx.scope().tenant(),
        tx.scope().user(),
        upload,
        turn,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// Ends an upload whose request has the turn: it became a call.
pub(super) async fn finish(tx: &mut TenantTx<Write>, upload: Uuid, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.uploads SET received = length, became = $3, sealed = NULL, joining_until = NULL
           WHERE tenant_id = $1 AND id = $2",
        tenant,
        upload,
        call,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("DELETE FROM tenant.upload_pieces WHERE tenant_id = $1 AND upload_id = $2", tenant, upload)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Destroys the key of an upload that will be no call, and leaves word that its blobs are to go now.
pub(super) async fn abandon(tx: &mut TenantTx<Write>, upload: Uuid) -> Result<(), DbError> {
    sqlx::query!(
        "DELETE FROM tenant.record_keys WHERE tenant_id = $1 AND kind = $2 AND record_id = $3",
        tx.scope().tenant(),
        RecordKind::Call as i16,
        upload,
    )
    .execute(tx.conn())
    .await?;
    remove_record(tx, RecordKind::Call, upload).await
}

/// Removes an upload of the transaction's tenant.
pub(super) async fn remove(tx: &mut TenantTx<Write>, upload: Uuid) -> Result<(), DbError> {
    sqlx::query!("DELETE FROM tenant.uploads WHERE tenant_id = $1 AND id = $2", tx.scope().tenant(), upload)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Uploads of the transaction's tenant that are over, and what they became.
pub(super) async fn expired(
    tx: &mut TenantTx<Write>,
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, Option<Uuid>)>, DbError> {
    let rows = sqlx::query!(
        "SELECT id, became FROM tenant.uploads WHERE tenant_id = $1 AND expires_at <= $2 ORDER BY expires_at LIMIT 1000
           FOR UPDATE SKIP LOCKED",
        tx.scope().tenant(),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.became)).collect())
}
