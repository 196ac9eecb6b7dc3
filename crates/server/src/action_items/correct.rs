//! What becomes of action items when a person corrects the transcript. Its one invariant: what a person wrote stays; what was found, ticked
//! off or not, says nothing that the transcript says no more.

use api::action_items::ActionSource;
use insight::analysis::{corrected::Gone, task::document::ActionItem};
use speech::transcript::Transcript;
use uuid::Uuid;

use super::{Document, Found, SOURCES, renew, same::same, store};
use crate::{
    calls::code_of,
    db::{TenantTx, Write},
    redaction::Written as _,
    vault::{key::Key, keys::VaultError},
};

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
            Some(Said::AsFound) => match again {
                Some((document, _)) => {
                    store::edit(tx, key, row.id, (&left.worded_as(document, gone), row.due_date, row.status)).await?
                }
                None => store::delete(tx, &[row.id]).await?,
            },
            Some(Said::Removed) => store::bury(tx, key, row.id, &left.forgetting()).await?,
            Some(Said::ByPerson) => {
                left.description = left.description.filter(|text| !(gone.is_in(text) && gone.is_quote(text)));
                store::edit(tx, key, row.id, (&left.forgetting(), row.due_date, row.status)).await?;
            }
            None if left != *before => store::edit(tx, key, row.id, (&left, row.due_date, row.status)).await?,
            None => {}
        }
    }
    Ok(())
}

/// Whose words an item has that says what is said no more.
enum Said {
    /// Its title is the one that was found: a person ticked it off, or gave it a day.
    AsFound,
    ByPerson,
    Removed,
}

impl Document {
    /// Whose words these are; `None` where all of them are still said.
    fn said(&self, gone: &Gone) -> Option<Said> {
        let found = self.found.as_ref().map(|found| found.title.as_str()).unwrap_or_default();
        let is_gone = gone.is_in(found) || self.clone().texts().into_iter().any(|text| gone.is_in(text));
        is_gone.then(|| match self.title.as_str() {
            "" => Said::Removed,
            title if title == found && gone.is_in(title) => Said::AsFound,
            _ => Said::ByPerson,
        })
    }

    /// In the words in which it is found now, with what else is noted of it as far as that is still said.
    fn worded_as(self, found: &Self, gone: &Gone) -> Self {
        let mut noted = Self { title: String::new(), description: None, ..self.clone() };
        let is_noted = noted.texts().into_iter().all(|text| !gone.is_in(text));
        let intent_metadata = if is_noted { self.intent_metadata } else { found.intent_metadata.clone() };
        let description = self.description.filter(|text| !gone.is_in(text)).or_else(|| found.description.clone());
        let Self { owner, priority, intent, .. } = self;
        Self { owner, priority, intent, intent_metadata, description, ..found.clone() }
    }

    /// Without the words that it was found by; where it was found stays, so that it is recognised.
    fn forgetting(self) -> Self {
        let found = self.found.map(|found| Found { title: String::new(), ..found });
        Self { found, ..self }
    }

    /// Calls its owner as the transcript does.
    fn call_owner(&mut self, transcript: &Transcript) {
        let Some(owner) = &mut self.owner else { return };
        if let Some(speaker) = transcript.speakers.iter().find(|speaker| speaker.speaker_id == owner.speaker_id) {
            (owner.label, owner.display_name) = (speaker.label.clone(), speaker.display_name.clone());
        }
    }
}
