//! Transcripts follow what a contact is called. Its one invariant: speakers that were named by rules, or said to be the contact, have the name that
//! the call's contact has now, or none; whom a person named otherwise keeps that name. What a legal hold keeps follows when that is lifted.

use chrono::{DateTime, Utc};
use insight::redact::{Policy, Redacted};
use speech::transcript::{Role, Speaker, Transcript};
use uuid::Uuid;

use super::{held, store};
use crate::{
    analyses::correct::{After, Before},
    app::App,
    calls,
    db::{Access, DbError, TenantTx, Write},
    redaction::{self, findings},
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
    worker::sweep,
};

/// How often it is made anew for those who change the call at the same time, before that is left to who indexes the call.
const TRIES: usize = 3;

/// Names the speakers of a call who have the name that its contact had before, and takes the analysis along. Nothing to do for most calls.
///
/// The call is locked while it is redacted and analysed, some tenths of a second for an hour of talk: whoever indexes a call does so from
/// what it says when that is committed, and no change that overtakes may leave a name behind. Whoever can wait calls [`ahead`] first, so
/// that this is left with those calls that somebody changes within the minute in which their contact was renamed.
///
/// # Errors
/// [`VaultError::Broken`] when the call was tampered with; what a transaction may fail with.
pub(crate) async fn contact(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
    calls::store::lock(tx, call).await?;
    match Behind::of(tx, vault, call).await? {
        Some(behind) => behind.made().await?.put(tx, vault, call).await,
        None => Ok(()),
    }
}

/// The same with no transaction open while it is made, as a worker; the call is to be indexed behind it.
///
/// # Errors
/// As [`contact`].
pub(crate) async fn ahead(app: &App, (tenant, call): (Uuid, Uuid)) -> Result<(), VaultError> {
    let scope = sweep::scope(tenant);
    for _ in 0..TRIES {
        let mut tx = app.database.read(&scope).await?;
        let Some(behind) = Behind::of(&mut tx, &app.vault, call).await? else { return Ok(()) };
        tx.rollback().await?;
        let read_at = behind.read_at;
        let followed = behind.made().await?;
        let mut tx = app.database.write(&scope).await?;
        calls::store::lock(&mut tx, call).await?;
        if store::changed(&mut tx, call).await? == Some(read_at) {
            followed.put(&mut tx, &app.vault, call).await?;
            return Ok(tx.commit().await?);
        }
    }
    Ok(())
}

/// A call whose transcript may say what its contact was called before.
struct Behind {
    read_at: DateTime<Utc>,
    before: String,
    now: Option<String>,
    transcript: Transcript,
    analysis: Option<Before>,
}

impl Behind {
    async fn of<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Option<Self>, VaultError> {
        let row = calls::store::get(tx, call).await?;
        let document = calls::store::open(tx, vault, &row).await?;
        let Some(before) = document.called_before.filter(|_| !row.is_held()) else { return Ok(None) };
        let Some(read_at) = store::changed(tx, call).await? else { return Ok(None) };
        let Some(transcript) = store::get(tx, vault, call).await? else { return Ok(None) };
        let analysis = Before::of(tx, vault, call).await?;
        Ok(Some(Self { read_at, before, now: document.contact_name, transcript, analysis }))
    }

    async fn made(self) -> Result<Followed, DbError> {
        let Self { before, now, transcript, analysis, .. } = self;
        let Some(renamed) = renamed(&transcript, &before, now.as_deref()) else { return Ok(Followed::default()) };
        let said = redaction::redacted(renamed, Policy::default()).await.map_err(|_| DbError::Unexpected)?;
        let analysis = match analysis {
            Some(analysis) => Some(analysis.made((transcript, said.transcript.clone())).await?),
            None => None,
        };
        Ok(Followed { said: Some(said), analysis })
    }
}

/// What is to be stored of it; nothing where the name is not there.
#[derive(Default)]
struct Followed {
    said: Option<Redacted>,
    analysis: Option<After>,
}

impl Followed {
    /// Stores it in the transaction that has the call locked, and forgets the name.
    async fn put(self, tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
        let row = calls::store::get(tx, call).await?;
        let mut document = calls::store::open(tx, vault, &row).await?;
        document.called_before = None;
        calls::store::put_document(tx, vault, call, &document).await?;
        if let Some(Redacted { transcript, findings }) = &self.said {
            held::replace(tx, vault, call, transcript).await?;
            let key = vault.record_key(tx, RecordKind::Call, call).await?;
            findings::put(tx, &key, call, (transcript, findings)).await?;
        }
        match &self.analysis {
            Some(analysis) => analysis.put(tx, vault, call).await,
            None => Ok(()),
        }
    }
}

/// The transcript with those who were called `before` under their new name; `None` when nobody was, but by a person.
fn renamed(transcript: &Transcript, before: &str, name: Option<&str>) -> Option<Transcript> {
    // Where the contact had no name, whoever was said to be it has none.
    let is_called = |speaker: &Speaker| match &speaker.display_name {
        Some(name) => name == before,
        None => before.is_empty() && speaker.role == Role::Contact && speaker.role_by_person,
    };
    let is_meant =
        |speaker: &Speaker| is_called(speaker) && (speaker.display_name.is_none() || !speaker.is_named_by_person());
    let mut renamed = transcript.clone();
    let mut is_any = false;
    for (place, speaker) in renamed.speakers.iter_mut().enumerate() {
        if name == Some(before) || !is_meant(speaker) {
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
