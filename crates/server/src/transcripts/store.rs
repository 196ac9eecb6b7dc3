//! All SQL of transcripts: the artifact, and when it changed last.

use chrono::{DateTime, Utc};
use speech::transcript::Transcript;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    artifacts::{self, Artifact},
    db::{Access, DbError, TenantTx, Write},
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// When the transcript, or what is said of its call, changed last; `None` when there is no transcript yet.
///
/// # Errors
/// What a transaction may fail with.
pub async fn changed<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> Result<Option<DateTime<Utc>>, DbError> {
    let tenant = tx.scope().tenant();
    let changed = sqlx::query_scalar!(
        r#"SELECT greatest(a.updated_at, c.updated_at) AS "changed!" FROM tenant.artifacts a
           JOIN tenant.calls c ON c.tenant_id = a.tenant_id AND c.id = a.call_id
           WHERE a.tenant_id = $1 AND a.call_id = $2 AND a.kind = $3 AND a.run_id IS NULL"#,
        tenant,
        call,
        Artifact::NormalizedTranscript as i16,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(changed)
}

/// Which of these calls have a transcript.
///
/// # Errors
/// What a transaction may fail with.
pub async fn among<A: Access>(tx: &mut TenantTx<A>, calls: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let tenant = tx.scope().tenant();
    let having = sqlx::query_scalar!(
        "SELECT call_id FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = ANY ($2) AND kind = $3 AND run_id IS NULL",
        tenant,
        calls,
        Artifact::NormalizedTranscript as i16,
    );
    Ok(having.fetch_all(tx.conn()).await?)
}

/// The transcript of a call as it is stored, in JSON; `None` when there is none yet.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub async fn json<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    call: Uuid,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    artifacts::get(tx, (call, Artifact::NormalizedTranscript), &key).await
}

/// The transcript of a call; `None` when there is none yet.
///
/// # Errors
/// As [`json`].
pub async fn get<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Option<Transcript>, VaultError> {
    let Some(json) = json(tx, vault, call).await? else { return Ok(None) };
    Ok(Some(parse(&json)?))
}

/// Reads a transcript as it is stored.
///
/// # Errors
/// When it is none.
pub fn parse(json: &[u8]) -> Result<Transcript, DbError> {
    serde_json::from_slice(json).map_err(|_| DbError::Unexpected)
}

/// Replaces the transcript of a call.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub async fn put(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    call: Uuid,
    transcript: &Transcript,
) -> Result<(), VaultError> {
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let json = Zeroizing::new(serde_json::to_vec(transcript).map_err(|_| DbError::Unexpected)?);
    artifacts::put(tx, (call, Artifact::NormalizedTranscript), (&key, None), &json).await
}
