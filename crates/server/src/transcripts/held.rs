//! What is left of a transcript that was corrected. Its one invariant: what it said before is stored nowhere. Under a legal hold it is, sealed
//! as the hold found it, until that is lifted: then it goes, and what was made of it follows in the same transaction.

use speech::transcript::Transcript;
use uuid::Uuid;

use super::store;
use crate::{
    action_items,
    analyses::correct::Before,
    artifacts::{self, Artifact},
    calls,
    db::{Access, DbError, TenantTx, Write},
    search::index,
    telemetry::log,
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Stores a transcript in the place of one that says something else.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub(super) async fn replace(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    call: Uuid,
    transcript: &Transcript,
) -> Result<(), VaultError> {
    let heard = (call, Artifact::RawTranscript);
    if !calls::store::get(tx, call).await?.is_held() {
        artifacts::remove(tx, heard).await?;
    } else if artifacts::stored(tx, heard).await?.is_none()
        && let Some(found) = store::json(tx, vault, call).await?
    {
        let key = vault.record_key(tx, RecordKind::Call, call).await?;
        artifacts::put(tx, heard, (&key, None), &found).await?;
    }
    store::put(tx, vault, call, transcript).await
}

/// The transcript of a call under legal hold as the hold found it, and as it is; `None` where both say the same.
///
/// # Errors
/// [`VaultError::Broken`] when one was tampered with.
pub(crate) async fn corrected<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    call: Uuid,
) -> Result<Option<(Transcript, Transcript)>, VaultError> {
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let Some(found) = artifacts::get(tx, (call, Artifact::RawTranscript), &key).await? else { return Ok(None) };
    let (found, Some(now)) = (store::parse(&found)?, store::get(tx, vault, call).await?) else { return Ok(None) };
    Ok((!is_same(&found, &now)).then_some((found, now)))
}

/// Whether two transcripts of a call say the same, and take the same people for its speakers.
fn is_same(one: &Transcript, other: &Transcript) -> bool {
    let said = |of: &Transcript| of.segments.iter().map(|one| (one.id.clone(), one.text.clone())).collect::<Vec<_>>();
    let called =
        |of: &Transcript| of.speakers.iter().map(|one| (one.role, one.display_name.clone())).collect::<Vec<_>>();
    said(one) == said(other) && called(one) == called(other)
}

/// Has everything that was made of a call follow what was corrected under the legal hold that was lifted in this transaction. The call is
/// locked for some tenths of a second an hour of talk. One that is damaged keeps nobody from lifting the hold, since who may delete it has to:
/// nothing of it follows half, and what was made of it goes.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn lifted(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
    sqlx::query!("SAVEPOINT followed").execute(tx.conn()).await.map_err(DbError::from)?;
    let error = match follow(tx, vault, call).await {
        // What opens and is no document is damaged as well.
        Err(error) if index::is_damage(&error) || matches!(error, VaultError::Database(DbError::Unexpected)) => error,
        followed => return followed,
    };
    log::warning!(call = call, fault = &error, "a call is damaged: what was made of it before it was corrected goes");
    sqlx::query!("ROLLBACK TO SAVEPOINT followed").execute(tx.conn()).await.map_err(DbError::from)?;
    artifacts::remove(tx, (call, Artifact::Analysis)).await?;
    action_items::store::remove_found(tx, call).await?;
    match calls::store::suggest(tx, vault, call, (None, None)).await {
        Err(error) if index::is_damage(&error) => {}
        suggested => suggested?,
    }
    Ok(artifacts::remove(tx, (call, Artifact::RawTranscript)).await?)
}

async fn follow(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
    let Some((found, now)) = corrected(tx, vault, call).await? else { return Ok(()) };
    artifacts::remove(tx, (call, Artifact::RawTranscript)).await?;
    if let Some(made) = Before::of(tx, vault, call).await? {
        made.made((found, now)).await?.put(tx, vault, call).await?;
    }
    index::renew(tx, vault, call).await
}
