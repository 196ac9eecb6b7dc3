//! Action items: what follows from a call. Each is sealed under the key of its call and goes with it.
//!
//! Invariant: what a person changed, dismissed or removed stays so, whatever analysis finds later.
//!
//! ```text
//! routes   action items over HTTP
//! correct  what a correction of the transcript leaves of them
//! details  what people say of one, checked
//! renew    what analysis finds, beside what people made of it
//! same     whether it is an item that is there already
//! store    all SQL of action items
//! ```

mod correct;
mod details;
mod renew;
pub mod routes;
mod same;
pub(crate) mod store;

use api::action_items::{
    ActionItem, ActionOwner, ActionSource, ActionStatus, Attendee, Intent, IntentMetadata, Priority,
};
use insight::digest::Task;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    calls::{code_of, of_code},
    db::{Access, TenantTx},
    error::ApiResult,
    redaction::Written,
    vault::{
        keys::{Vault, VaultError},
        seal::Field,
    },
};

pub(crate) use correct::correct;
pub use renew::renew;

/// The number of a status in the database, from 1.
const STATUSES: [ActionStatus; 4] =
    [ActionStatus::Open, ActionStatus::InProgress, ActionStatus::Done, ActionStatus::Dismissed];

/// The number of a source in the database, from 1.
const SOURCES: [ActionSource; 2] = [ActionSource::Ai, ActionSource::Manual];

/// What an action item says, sealed as one. It reads what an analysis writes of one. No printable form: it is content.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Document {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<ActionOwner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    intent: Intent,
    intent_metadata: IntentMetadata,
    source_segment_ids: Vec<String>,
    /// Whether a person said more of it than how far it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    edited: bool,
    /// What it was found by; none when a person added it.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
}

/// By what analysis recognises an item that it found before.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Found {
    title: String,
    intent: Intent,
    source_segment_ids: Vec<String>,
    /// All that it said, by which it is known what of an edited item is still the engine's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<String>,
}

impl Document {
    /// Where the document of an action item is sealed.
    fn field(item: Uuid) -> Field {
        Field::new("action_items", "sealed", item)
    }

    /// What is left of an item that a person removed.
    fn removed(self) -> Self {
        let found = self.found.map(|found| Found { texts: Vec::new(), ..found });
        Self { found, ..Self::default() }
    }
}

/// Everything that an item may say beside its title.
fn optional_texts<'d>(
    description: &'d mut Option<String>,
    of: &'d mut IntentMetadata,
) -> impl Iterator<Item = &'d mut Option<String>> {
    let IntentMetadata { provider_hint, attendees, title, location, to_email, to_name, .. } = of;
    let IntentMetadata { subject, body_preview, contact_name, channel, handle, notes, .. } = of;
    let attendees = attendees.iter_mut().flat_map(|Attendee { name, email }| [name, email]);
    let texts = [description, provider_hint, title, location, to_email, to_name, subject, body_preview];
    texts.into_iter().chain([contact_name, channel, handle, notes]).chain(attendees)
}

impl Written for Document {
    fn texts(&mut self) -> Vec<&mut String> {
        let Self { title, description, intent_metadata, .. } = self;
        [title].into_iter().chain(optional_texts(description, intent_metadata).flatten()).collect()
    }

    fn names(&mut self) -> Vec<&mut String> {
        let IntentMetadata { attendees, to_name, contact_name, .. } = &mut self.intent_metadata;
        let attendees = attendees.iter_mut().filter_map(|attendee| attendee.name.as_mut());
        [to_name, contact_name].into_iter().flatten().chain(attendees).collect()
    }
}

/// The tasks of a call as people left them, in their order; those that were dismissed are none.
///
/// # Errors
/// [`VaultError::Broken`] when one was tampered with.
pub(crate) async fn tasks<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Vec<Task>, VaultError> {
    let rows = store::of_call(tx, call).await?;
    let documents = store::open_all(tx, vault, &rows).await?;
    let status = |status: ActionStatus| code_of(&STATUSES, &status);
    let shown = rows.into_iter().zip(documents).filter(|(row, _)| row.status != status(ActionStatus::Dismissed));
    let task = |(row, Document { title, owner, .. }): (store::Row, Document)| Task {
        title,
        owner: owner.map(|owner| owner.display_name.unwrap_or(owner.label)),
        due: row.due_date,
        is_done: row.status == status(ActionStatus::Done),
    };
    Ok(shown.map(task).collect())
}

/// The words of a call's action items that it is found by: each one's title and what is noted there; not of those that were dismissed, and
/// only of those that people added where it `is_added`.
///
/// # Errors
/// As [`tasks`].
pub(crate) async fn texts<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    (call, is_added): (Uuid, bool),
) -> Result<Vec<String>, VaultError> {
    let mut rows = store::of_call(tx, call).await?;
    rows.retain(|row| row.status != code_of(&STATUSES, &ActionStatus::Dismissed));
    rows.retain(|row| !is_added || row.source == code_of(&SOURCES, &ActionSource::Manual));
    let documents = store::open_all(tx, vault, &rows).await?;
    let texts = documents.into_iter().flat_map(|Document { title, description, intent_metadata, .. }| {
        let IntentMetadata { title: subject, location, subject: line, body_preview, notes, .. } = intent_metadata;
        [Some(title), description, subject, location, line, body_preview, notes].into_iter().flatten()
    });
    Ok(texts.collect())
}

impl store::Row {
    /// As the API shows it.
    pub(crate) fn shown(&self, document: Document) -> ApiResult<ActionItem> {
        let Document { title, description, owner, priority, intent, intent_metadata, source_segment_ids, .. } =
            document;
        Ok(ActionItem {
            action_item_id: self.id,
            call_id: self.call_id,
            title,
            description,
            owner,
            due_date: self.due_date,
            priority,
            status: of_code(&STATUSES, self.status)?,
            source: of_code(&SOURCES, self.source)?,
            intent,
            intent_metadata,
            source_segment_ids,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
