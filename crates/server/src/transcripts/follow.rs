//! Transcripts follow what a contact is called. Its one invariant: speakers that were named by rules have the name that the call's contact has
//! now, or none; whom a person named keeps that name.

use insight::redact::Policy;
use speech::transcript::{LabelSource, Transcript};
use uuid::Uuid;

use super::store;
use crate::{
    analyses::correct::Before,
    calls,
    db::{DbError, TenantTx, Write},
    redaction::{self, findings},
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Names the speakers of a call who have the name that its contact had before, and takes the analysis along. Nothing to do for most calls.
///
/// # Errors
/// [`VaultError::Broken`] when the call was tampered with; what a transaction may fail with.
pub(crate) async fn contact(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
    calls::store::lock(tx, call).await?;
    let row = calls::store::get(tx, call).await?;
    let mut document = calls::store::open(tx, vault, &row).await?;
    let Some(before) = document.called_before.take() else { return Ok(()) };
    calls::store::put_document(tx, vault, call, &document).await?;
    let Some(transcript) = store::get(tx, vault, call).await? else { return Ok(()) };
    let Some(renamed) = renamed(&transcript, &before, document.contact_name.as_deref()) else { return Ok(()) };
    let redacted = redaction::redacted(renamed, Policy::default()).await.map_err(|_| DbError::Unexpected)?;
    store::put(tx, vault, call, &redacted.transcript).await?;
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    findings::put(tx, &key, call, (&redacted.transcript, &redacted.findings)).await?;
    match Before::of(tx, vault, call).await? {
        Some(analysis) => analysis.made((transcript, redacted.transcript)).await?.put(tx, vault, call).await,
        None => Ok(()),
    }
}

/// The transcript with those who were called `before` under their new name; `None` when nobody was, but by a person.
fn renamed(transcript: &Transcript, before: &str, name: Option<&str>) -> Option<Transcript> {
    let is_meant = |source: LabelSource, named: Option<&str>| source != LabelSource::Manual && named == Some(before);
    let mut renamed = transcript.clone();
    let mut is_any = false;
    for (place, speaker) in renamed.speakers.iter_mut().enumerate() {
        if !is_meant(speaker.label_source, speaker.display_name.as_deref()) {
            continue;
        }
        speaker.display_name = name.map(str::to_owned);
        speaker.label = name.map_or_else(|| format!("Speaker {}", place + 1), str::to_owned);
        for segment in renamed.segments.iter_mut().filter(|segment| segment.speaker_id == speaker.speaker_id) {
            segment.speaker.clone_from(&speaker.label);
        }
        is_any = true;
    }
    is_any.then_some(renamed)
}
