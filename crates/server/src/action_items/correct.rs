//! What becomes of action items when a person corrects the transcript. Its one invariant: what a person wrote stays; what was found, ticked
//! off or not, says nothing that the transcript says no more.

use insight::analysis::{corrected::Gone, task::document::ActionItem};
use speech::transcript::Transcript;
use uuid::Uuid;

use super::{
    Document, Found, optional_texts,
    renew::{Touched, renewed, trace},
    store::{self, Row},
};
use crate::{
    db::{TenantTx, Write},
    redaction::Written as _,
    vault::{key::Key, keys::VaultError},
};

/// What an item is called that a person edited, when the title that it still had from the engine is said no more.
const UNTITLED: &str = "Action item";

/// Puts what is found in a corrected transcript in the place of what was found before, as [`renew`](super::renew) does, and goes through what
/// people touched. `key` is that of the call.
///
/// # Errors
/// [`VaultError::Broken`] when an item was tampered with; what a transaction may fail with.
pub(crate) async fn correct(
    tx: &mut TenantTx<Write>,
    key: &Key,
    call: Uuid,
    (found, gone, after): (&[ActionItem], &Gone, &Transcript),
) -> Result<(), VaultError> {
    for Touched { row, document, again } in renewed(tx, key, call, found).await? {
        match document.said(gone) {
            // What a person only ticked off is what was found.
            Some(Said::AsFound) => match again {
                Some((found, due)) => store::edit(tx, key, row.id, (&found, due, row.status)).await?,
                None => store::delete(tx, &[row.id]).await?,
            },
            Some(Said::Removed) => store::bury(tx, key, row.id, &document.forgetting()).await?,
            Some(Said::ByPerson) => {
                let left = document.edited_without(gone, again.as_ref().map(|(found, _)| found)).owned(after);
                store::edit(tx, key, row.id, (&left, row.due_date, row.status)).await?;
            }
            None => call_owner(tx, key, (&row, document), after).await?,
        }
    }
    for row in store::manual(tx, call).await? {
        let document = row.open(key)?;
        call_owner(tx, key, (&row, document), after).await?;
    }
    Ok(())
}

/// Calls the owner of an item as the transcript does; all else of it stays.
async fn call_owner(
    tx: &mut TenantTx<Write>,
    key: &Key,
    (row, before): (&Row, Document),
    after: &Transcript,
) -> Result<(), VaultError> {
    let left = before.clone().owned(after);
    if left == before { Ok(()) } else { store::edit(tx, key, row.id, (&left, row.due_date, row.status)).await }
}

/// Whose words an item has that speaks of what was corrected.
enum Said {
    AsFound,
    ByPerson,
    Removed,
}

impl Document {
    /// Whose words these are; `None` where they have nothing to do with what is gone.
    fn said(&self, gone: &Gone) -> Option<Said> {
        let found = self.found.clone().unwrap_or_default();
        let is_touched =
            gone.is_in(&found.title) || gone.cites(&found.source_segment_ids) || gone.cites(&self.source_segment_ids);
        let is_said = self.clone().texts().into_iter().any(|text| gone.is_in(text));
        (is_touched || is_said).then(|| match () {
            () if self.title.is_empty() => Said::Removed,
            // An older program noted neither texts nor edits: what it left may be a person's.
            () if self.title == found.title && !self.edited && !found.texts.is_empty() => Said::AsFound,
            () => Said::ByPerson,
        })
    }

    /// What a person made of an item, without what it still says of the engine's that is gone; `again` is the item as it is found now.
    fn edited_without(mut self, gone: &Gone, again: Option<&Self>) -> Self {
        let found = self.found.take().unwrap_or_default();
        let is_engines = |text: &String| gone.is_in(text) && (gone.is_quote(text) || found.texts.contains(text));
        let Self { description, intent_metadata, .. } = &mut self;
        for text in optional_texts(description, intent_metadata).filter(|text| text.as_ref().is_some_and(is_engines)) {
            *text = None;
        }
        self.intent_metadata.attendees.retain(|one| one.name.is_some() || one.email.is_some());
        let has_found_title = self.title == found.title;
        let mut now = again.map(trace).unwrap_or(Found { title: String::new(), texts: Vec::new(), ..found.clone() });
        match again {
            Some(again) if has_found_title => self.title.clone_from(&again.title),
            None if has_found_title && gone.is_in(&self.title) => UNTITLED.clone_into(&mut self.title),
            None if has_found_title => now.title = found.title,
            _ => {}
        }
        // The engine's texts that are left may go with another correction.
        now.texts.extend(found.texts.into_iter().filter(|text| !gone.is_in(text)));
        Self { found: Some(now), edited: true, ..self }
    }

    /// Without the words that it was found by; where it was found stays, so that it is recognised.
    fn forgetting(self) -> Self {
        let found = self.found.map(|found| Found { title: String::new(), texts: Vec::new(), ..found });
        Self { found, ..self }
    }

    /// Its owner called as the transcript does.
    fn owned(mut self, transcript: &Transcript) -> Self {
        if let Some(owner) = &mut self.owner
            && let Some(speaker) = transcript.speakers.iter().find(|speaker| speaker.speaker_id == owner.speaker_id)
        {
            (owner.label, owner.display_name) = (speaker.label.clone(), speaker.display_name.clone());
            super::details::role_name(speaker.role).clone_into(&mut owner.role);
        }
        self
    }
}
