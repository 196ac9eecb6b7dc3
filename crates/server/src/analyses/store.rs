//! Analyses in the database. Its one invariant: the document, the numbers of the call, and what a list shows of it are of the same analysis.

use insight::{
    analysis::document::Analysis,
    talk::{self, TalkAnalytics},
};
use speech::transcript::Transcript;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    analytics,
    artifacts::{self, Artifact},
    calls,
    db::{Access, DbError, TenantTx, Write},
    vault::{
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// An analysis, with the transcript that it was made of and how much was spoken there.
pub(crate) struct Made {
    pub(crate) transcript: Transcript,
    pub(crate) analysis: Analysis,
    pub(crate) talk: TalkAnalytics,
}

impl Made {
    /// On the calling thread: an hour of talk in some hundredths of a second.
    pub(crate) fn of(transcript: Transcript, analysis: Analysis) -> Self {
        Self { talk: talk::measure(&transcript), transcript, analysis }
    }
}

/// The analysis of a call; `None` when there is none.
///
/// # Errors
/// [`VaultError::Broken`] when it was tampered with.
pub(crate) async fn get<A: Access>(
    tx: &mut TenantTx<A>,
    key: &Key,
    call: Uuid,
) -> Result<Option<Analysis>, VaultError> {
    let Some(json) = artifacts::get(tx, (call, Artifact::Analysis), key).await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&json).map_err(|_| DbError::Unexpected)?))
}

/// Stores the analysis of a call in the place of the one before; its tasks are rows of their own.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub(crate) async fn put(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid, made: &Made) -> Result<(), VaultError> {
    let Made { transcript, analysis, talk } = made;
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    // Fails only for maps whose keys are no strings, which an analysis does not have.
    let json = Zeroizing::new(serde_json::to_vec(analysis).map_err(|_| DbError::Unexpected)?);
    artifacts::put(tx, (call, Artifact::Analysis), (&key, None), &json).await?;
    analytics::store::put(tx, call, &analytics::rows(transcript, talk, analysis)).await?;
    let summary = analysis.executive_summary.clone().or_else(|| analysis.one_line_summary.clone());
    calls::store::suggest(tx, vault, call, (analysis.suggested_title.clone(), summary)).await
}
