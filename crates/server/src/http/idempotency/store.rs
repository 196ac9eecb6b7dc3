//! All SQL of idempotency keys. Its one invariant: a key is claimed by inserting its row, which one transaction alone can do.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Answer, Fingerprint, TellsOf};
use crate::{
    db::{DbError, TenantTx, Write},
    vault::{
        content::{self, Stored},
        key::Key,
        keys::{Vault, VaultError},
        seal::{Field, RecordKind},
    },
};

/// How long an answer is given again.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// What a key stands for.
pub enum Claim {
    /// The request of this transaction.
    Mine,
    /// A request that is being served.
    Pending,
    /// Another request.
    Other,
    /// This request, which was answered before.
    Answered(Answer),
}

/// Claims a key for a request of the transaction's user. One that has been under way for `lease` has died with whoever served it, and its key
/// is free again.
///
/// # Errors
/// What a transaction may fail with.
pub async fn claim(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    fingerprint: &Fingerprint,
    (now, lease): (DateTime<Utc>, TimeDelta),
) -> Result<Claim, VaultError> {
    let (tenant, user) = (tx.scope().tenant(), tx.scope().user());
    sqlx::query!(
        "DELETE FROM tenant.idempotency_keys WHERE tenant_id = $1 AND owner_id = $2 AND key_hash = $3
           AND (created_at <= $4 OR (status_code IS NULL AND created_at <= $5))",
        tenant,
        user,
        &fingerprint.key[..],
        now - KEPT,
        now - lease,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    let inserted = sqlx::query!(
        "INSERT INTO tenant.idempotency_keys (tenant_id, owner_id, key_hash, request_hash, created_at)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        tenant,
        user,
        &fingerprint.key[..],
        &fingerprint.request[..],
        now,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    if inserted.rows_affected() == 1 {
        return Ok(Claim::Mine);
    }
    let row = sqlx::query!(
        r#"SELECT request_hash, sealed AS "sealed: Vec<u8>", record_kind, record_id FROM tenant.idempotency_keys
           WHERE tenant_id = $1 AND owner_id = $2 AND key_hash = $3"#,
        tenant,
        user,
        &fingerprint.key[..],
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    match row {
        // Freed between the two statements: the client may ask again at once.
        None => Ok(Claim::Pending),
        Some(row) if row.request_hash != fingerprint.request => Ok(Claim::Other),
        Some(row) => match row.sealed {
            None => Ok(Claim::Pending),
            Some(sealed) => {
                let kind = row.record_kind.and_then(RecordKind::numbered);
                let tells_of = kind.zip(row.record_id).map(|(kind, record)| TellsOf(kind, record));
                Ok(Claim::Answered(open(tx, vault, (fingerprint, tells_of), &sealed).await?))
            }
        },
    }
}

async fn open(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (fingerprint, tells_of): (&Fingerprint, Option<TellsOf>),
    sealed: &[u8],
) -> Result<Answer, VaultError> {
    let key = key(tx, vault, (fingerprint, tells_of)).await?;
    let plain = content::open(&Stored { key: &key, field: field(fingerprint), sealed })?;
    Ok(serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?)
}

/// Keeps the answer to a request whose key the transaction's user holds. Of a user whose data went with the request, nothing is kept.
///
/// # Errors
/// What a transaction may fail with.
pub async fn keep(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    fingerprint: &Fingerprint,
    (tells_of, answer): (Option<TellsOf>, &Answer),
) -> Result<(), VaultError> {
    let held = sqlx::query_scalar!(
        "SELECT created_at FROM tenant.idempotency_keys
           WHERE tenant_id = $1 AND owner_id = $2 AND key_hash = $3 AND request_hash = $4 FOR UPDATE",
        tx.scope().tenant(),
        tx.scope().user(),
        &fingerprint.key[..],
        &fingerprint.request[..],
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    if held.is_none() {
        return Ok(());
    }
    let key = match key(tx, vault, (fingerprint, tells_of)).await {
        Err(VaultError::Gone(_)) if fingerprint.call.is_some() || tells_of.is_some() => {
            return Ok(release(tx, fingerprint).await?);
        }
        key => key?,
    };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(answer).map_err(|_| DbError::Unexpected)?);
    let sealed = content::seal(tx, &key, &field(fingerprint), &plain).await?;
    sqlx::query!(
        "UPDATE tenant.idempotency_keys SET status_code = $4, sealed = $5, record_kind = $6, record_id = $7
           WHERE tenant_id = $1 AND owner_id = $2 AND key_hash = $3",
        tx.scope().tenant(),
        tx.scope().user(),
        &fingerprint.key[..],
        i16::try_from(answer.status).map_err(|_| DbError::Unexpected)?,
        sealed as _,
        tells_of.map(|TellsOf(kind, _)| kind as i16),
        tells_of.map(|TellsOf(_, record)| record),
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Says that the request of a key is still being served.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn renew(
    tx: &mut TenantTx<Write>,
    fingerprint: &Fingerprint,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE tenant.idempotency_keys SET created_at = $5
           WHERE tenant_id = $1 AND owner_id = $2 AND key_hash = $3 AND request_hash = $4 AND status_code IS NULL",
        tx.scope().tenant(),
        tx.scope().user(),
        &fingerprint.key[..],
        &fingerprint.request[..],
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Frees a key whose request was not answered.
///
/// # Errors
/// What a transaction may fail with.
pub async fn release(tx: &mut TenantTx<Write>, fingerprint: &Fingerprint) -> Result<(), DbError> {
    sqlx::query!(
        "DELETE FROM tenant.idempotency_keys
           WHERE tenant_id = $1 AND owner_id = $2 AND key_hash = $3 AND request_hash = $4 AND status_code IS NULL",
        tx.scope().tenant(),
        tx.scope().user(),
        &fingerprint.key[..],
        &fingerprint.request[..],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes the transaction's tenant's keys that are over; returns how many.
///
/// # Errors
/// What a transaction may fail with.
pub async fn sweep(tx: &mut TenantTx<Write>, now: DateTime<Utc>) -> Result<u64, DbError> {
    let swept = sqlx::query!(
        "DELETE FROM tenant.idempotency_keys WHERE tenant_id = $1 AND created_at <= $2",
        tx.scope().tenant(),
        now - KEPT,
    )
    .execute(tx.conn())
    .await?;
    Ok(swept.rows_affected())
}

/// Where an answer is sealed. Its row has no id of its own; half of an HMAC names it as well as one.
fn field(fingerprint: &Fingerprint) -> Field {
    let mut half = [0; 16];
    half.copy_from_slice(&fingerprint.key[..16]);
    Field::new("idempotency_keys", "sealed", Uuid::from_bytes(half))
}

/// Under which key an answer is sealed: that of the record it tells about, or of the user's data.
async fn key(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (fingerprint, tells_of): (&Fingerprint, Option<TellsOf>),
) -> Result<Key, VaultError> {
    let call = fingerprint.call.map(|call| TellsOf(RecordKind::Call, call));
    match tells_of.or(call) {
        Some(TellsOf(kind, record)) => vault.record_key(tx, kind, record).await,
        None => user_key(tx, vault).await,
    }
}

/// The key of the user's data in the tenant, made when it is needed first. Who makes it holds a lock, so that it is made once.
async fn user_key(tx: &mut TenantTx<Write>, vault: &Vault) -> Result<Key, VaultError> {
    let user = tx.scope().user();
    if let Some(key) = vault.record_keys(tx, RecordKind::User, &[user]).await?.remove(&user) {
        return Ok(key);
    }
    // The last half of a version 7 id is random.
    let lock = user.as_u64_pair().1.cast_signed();
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", lock).execute(tx.conn()).await.map_err(DbError::from)?;
    match vault.record_keys(tx, RecordKind::User, &[user]).await?.remove(&user) {
        Some(key) => Ok(key),
        None => vault.create_record_key(tx, RecordKind::User, user).await,
    }
}
