//! What becomes of action items when a person corrects the transcript. Its one invariant: what a person wrote stays; what was found, ticked
//! off or not, says nothing that the transcript says no more.

use api::action_items::ActionSource;
use insight::analysis::{corrected::Gone, task::document::ActionItem};
use speech::transcript::Transcript;
use uuid::Uuid;

use super::{Document, Found, SOURCES, optional_texts, renew, same::same, store};
use crate::{
    calls::code_of,
    db::{TenantTx, Write},
    redaction::Written as _,
    vault::{key::Key, keys::VaultError},
};

/// What an item is called that a person edited, when the title that it still had from the engine is said no more.
const UNTITLED: &str = "Action item";

/// Puts what is found in a corrected transcript in the place of what was found before, as [`renew`] does, and goes through what people
/// touched. `key` is that of the call.
///
/// # Errors
/// [`VaultError::Broken`] when an item was tampered with; what a transaction may fail with.
pub(crate) async fn correct(
    tx: &mut TenantTx<Write>,
    key: &Key,
    call: Uuid,
    (found, gone, after): (&[ActionItem], &Gone, &Transcript),
) -> Result<(), VaultError> {
    renew::renew(tx, key, call, found).await?;
    let found = renew::documents(found)?;
    let rows = store::touched(tx, call).await?;
    let documents = rows.iter().map(|row| row.open(key)).collect::<Result<Vec<_>, _>>()?;
    let traces = |documents: &[&Document]| documents.iter().map(|one| renew::trace(one)).collect::<Vec<_>>();
    let (new, old) =
        (traces(&found.iter().map(|(one, _)| one).collect::<Vec<_>>()), traces(&documents.iter().collect::<Vec<_>>()));
    let pairs = same(&new.iter().collect::<Vec<_>>(), &old.iter().collect::<Vec<_>>());
    for (place, (row, before)) in rows.iter().zip(&documents).enumerate() {
        let again = pairs.iter().position(|pair| *pair == Some(place)).map(|place| &found[place]);
        let is_found = row.source == code_of(&SOURCES, &ActionSource::Ai);
        let mut left = before.clone();
        left.call_owner(after);
        match before.said(gone).filter(|_| is_found) {
            // What a person only ticked off is what was found.
            Some(Said::AsFound) => match again {
                Some((document, due)) => store::edit(tx, key, row.id, (document, *due, row.status)).await?,
                None => store::delete(tx, &[row.id]).await?,
            },
            Some(Said::Removed) => store::bury(tx, key, row.id, &left.forgetting()).await?,
            Some(Said::ByPerson) => {
                let left = left.edited_without(gone, again.map(|(document, _)| document));
                store::edit(tx, key, row.id, (&left, row.due_date, row.status)).await?;
            }
            None if left != *before => store::edit(tx, key, row.id, (&left, row.due_date, row.status)).await?,
            None => {}
        }
    }
    Ok(())
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
            () if self.title == found.title && !self.edited => Said::AsFound,
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
        let mut now =
            again.map(renew::trace).unwrap_or(Found { title: String::new(), texts: Vec::new(), ..found.clone() });
        match again {
            Some(again) if has_found_title => self.title.clone_from(&again.title),
            None if has_found_title && gone.is_in(&self.title) => UNTITLED.clone_into(&mut self.title),
            None if has_found_title => now.title = found.title,
            _ => {}
        }
        // The engine's texts that are left may go with another correction.
        now.texts.extend(found.texts.into_iter().filter(|text| !gone.is_in(text)));
        Self { found: Some(now), ..self }
    }

    /// Without the words that it was found by; where it was found stays, so that it is recognised.
    fn forgetting(self) -> Self {
        let found = self.found.map(|found| Found { title: String::new(), texts: Vec::new(), ..found });
        Self { found, ..self }
    }

    /// Calls its owner as the transcript does.
    fn call_owner(&mut self, transcript: &Transcript) {
        let Some(owner) = &mut self.owner else { return };
        if let Some(speaker) = transcript.speakers.iter().find(|speaker| speaker.speaker_id == owner.speaker_id) {
            (owner.label, owner.display_name) = (speaker.label.clone(), speaker.display_name.clone());
            super::details::role_name(speaker.role).clone_into(&mut owner.role);
        }
    }
}
