//! All SQL of recordings that are kept. Its one invariant: the transaction that removes a row leaves word that the bytes go.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{Media, Rendition, silence::played_channels};
use crate::{
    audit::Action,
    db::{Access, DbError, TenantTx, Write},
    deletion::blobs,
    vault::{blobs::BlobPlace, seal::RecordKind},
};

/// A recording that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Where its object is.
    pub place: BlobPlace,
    /// Bytes of the object.
    pub bytes: u64,
    /// What the object holds.
    pub media: Media,
    /// Channels of samples.
    pub channels: usize,
    /// Whose call it is.
    pub owner: Uuid,
    /// Another one for other bytes: the object, and when findings were written that silence it.
    pub etag: String,
}

/// What there is of a call to play.
#[derive(Debug)]
pub enum Found {
    /// This.
    Kept(Kept),
    /// Nothing: it was not kept, or is no more.
    Nothing,
    /// The tenant keeps none.
    TurnedOff,
}

/// Whether the transaction's tenant keeps recordings.
///
/// # Errors
/// When the transaction fails.
pub async fn is_on<A: Access>(tx: &mut TenantTx<A>) -> Result<bool, DbError> {
    let tenant = tx.scope().tenant();
    let is_on = sqlx::query_scalar!("SELECT audio_retention FROM tenant.tenants WHERE tenant_id = $1", tenant);
    Ok(is_on.fetch_one(tx.conn()).await?)
}

/// What is kept of a call.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call or it is not the transaction's to see.
pub async fn find<A: Access>(tx: &mut TenantTx<A>, call: Uuid, rendition: Rendition) -> Result<Found, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query!(
        r#"SELECT t.audio_retention, c.owner_id, c.channels, coalesce(a.object_id, a.call_id) AS "object?", a.bytes AS "bytes?", a.media AS "media?",
             f.updated_at AS "redacted_at?"
           FROM tenant.calls c JOIN tenant.tenants t ON t.tenant_id = c.tenant_id
           LEFT JOIN tenant.artifacts a ON a.tenant_id = c.tenant_id AND a.call_id = c.id AND a.kind = $3
           LEFT JOIN tenant.artifacts f ON f.tenant_id = c.tenant_id AND f.call_id = c.id AND f.kind = 7
           WHERE c.tenant_id = $1 AND c.id = $2"#,
        tenant,
        call,
        rendition as i16,
    )
    .fetch_one(tx.conn())
    .await?;
    if !row.audio_retention {
        return Ok(Found::TurnedOff);
    }
    let (Some(object), Some(bytes), Some(media)) = (row.object, row.bytes, row.media.and_then(Media::numbered)) else {
        return Ok(Found::Nothing);
    };
    let redacted_at = row.redacted_at.filter(|_| rendition == Rendition::Redacted);
    let version = redacted_at.map(|at| format!("-{:x}", at.timestamp_micros())).unwrap_or_default();
    Ok(Found::Kept(Kept {
        place: BlobPlace { tenant, record: call, object },
        bytes: bytes.unsigned_abs(),
        media,
        channels: played_channels(row.channels.map_or(1, |channels| usize::from(channels.unsigned_abs()))),
        owner: row.owner_id,
        etag: format!("\"{}{version}\"", object.simple()),
    }))
}

/// Keeps the recording of a call, which was temporary until now, together with the one that was made of it without what was redacted.
///
/// # Errors
/// [`DbError::NotFound`] when the recording is gone.
pub async fn keep(
    tx: &mut TenantTx<Write>,
    media: Media,
    (redacted, bytes, parts): (BlobPlace, u64, u64),
) -> Result<(), DbError> {
    let (tenant, call) = (redacted.tenant, redacted.record);
    let kept = sqlx::query!(
        "UPDATE tenant.artifacts SET kind = $3, media = $4, updated_at = now() WHERE tenant_id = $1 AND call_id = $2 AND kind = 1",
        tenant,
        call,
        Rendition::Original as i16,
        media as i16,
    )
    .execute(tx.conn())
    .await?;
    if kept.rows_affected() == 0 {
        return Err(DbError::NotFound);
    }
    sqlx::query!(
        "INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, object_id, parts, bytes, media)
           SELECT tenant_id, id, $3, owner_id, $4, $5, $6, $7 FROM tenant.calls WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        Rendition::Redacted as i16,
        redacted.object,
        i32::try_from(parts).unwrap_or(i32::MAX),
        i64::try_from(bytes).unwrap_or(i64::MAX),
        Media::Samples as i16,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes what is kept of a call, and the keys of archives of exports that hold the call: the rows now, the bytes by the outbox. False when there was nothing, or the tenant keeps recordings
/// again, or the call is under legal hold.
///
/// # Errors
/// When the transaction fails.
pub async fn remove_unwanted(tx: &mut TenantTx<Write>, call: Uuid) -> Result<bool, DbError> {
    let tenant = tx.scope().tenant();
    // Locked, so that no hold and no other wish comes in between.
    let unwanted = sqlx::query_scalar!(
        r#"SELECT c.id FROM tenant.calls c JOIN tenant.tenants t ON t.tenant_id = c.tenant_id
           WHERE c.tenant_id = $1 AND c.id = $2 AND NOT t.audio_retention AND NOT c.legal_hold FOR UPDATE OF c"#,
        tenant,
        call,
    )
    .fetch_optional(tx.conn())
    .await?;
    if unwanted.is_none() {
        return Ok(false);
    }
    let removed = sqlx::query_scalar!(
        r#"DELETE FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind IN (6, 8)
           RETURNING coalesce(object_id, call_id) AS "object!""#,
        tenant,
        call,
    )
    .fetch_all(tx.conn())
    .await?;
    // What holds a copy goes as well: without its share of the key nothing opens an archive.
    sqlx::query!("DELETE FROM tenant.export_calls WHERE tenant_id = $1 AND call_id = $2", tenant, call)
        .execute(tx.conn())
        .await?;
    for object in &removed {
        let place = BlobPlace { tenant, record: call, object: *object };
        blobs::remove_object(tx, RecordKind::Call, place).await?;
    }
    Ok(!removed.is_empty())
}

/// Whether the audit log has it already, not longer than `lately` ago, that the transaction's user plays that recording.
///
/// # Errors
/// When the transaction fails.
pub async fn plays_already<A: Access>(
    tx: &mut TenantTx<A>,
    (call, action): (Uuid, Action),
    lately: Duration,
) -> Result<bool, DbError> {
    let lately = PgInterval { months: 0, days: 0, microseconds: i64::try_from(lately.as_micros()).unwrap_or(i64::MAX) };
    let plays = sqlx::query_scalar!(r#"SELECT app.plays_already($1, $2, $3) AS "plays!""#, call, action as i16, lately);
    Ok(plays.fetch_one(tx.conn()).await?)
}
