//! What people say of an action item, checked. Its one invariant: an owner is a speaker of the call's transcript, and what is cited is a
//! segment of it.

use api::action_items::{ActionItemDetails, ActionOwner, IntentMetadata};
use speech::transcript::{Role, Transcript};
use uuid::Uuid;

use super::{Document, renew::is_storable};
use crate::{
    app::App,
    auth::Caller,
    calls::{self, MAX_NAME, MAX_TEXT, check_length, filled, routes::or_call},
    error::{ApiError, ApiResult},
    redaction, transcripts,
};

/// Segments that one item cites: some times what a task rests on.
const MAX_SEGMENTS: usize = 100;

/// People who meet.
const MAX_ATTENDEES: usize = 50;

/// What somebody says of an action item of this call, without what must not stay in it. No lock is held while that takes its time.
pub(super) async fn written(app: &App, caller: &Caller, call: Uuid, details: ActionItemDetails) -> ApiResult<Document> {
    check(&details)?;
    let mut tx = app.database.read(caller.scope()).await?;
    let row = calls::store::get(&mut tx, call).await.map_err(or_call)?;
    let is_cited = details.owner_speaker_id.is_some() || details.source_segment_ids.is_some();
    let transcript = if is_cited { transcripts::store::get(&mut tx, &app.vault, call).await? } else { None };
    tx.rollback().await?;
    let document = Document {
        owner: details.owner_speaker_id.as_deref().map(|id| speaker(transcript.as_ref(), id)).transpose()?,
        source_segment_ids: cited(transcript.as_ref(), details.source_segment_ids.unwrap_or_default())?,
        title: filled(Some(&details.title)).unwrap_or_default(),
        description: filled(details.description.as_deref()),
        priority: details.priority,
        intent: details.intent,
        intent_metadata: details.intent_metadata,
        edited: false,
        found: None,
    };
    let policy = redaction::as_worker(app, (caller.scope().tenant(), call)).await?;
    Ok(redaction::redacted_words(document, row.language().map(str::to_owned), policy).await?)
}

fn speaker(transcript: Option<&Transcript>, id: &str) -> ApiResult<ActionOwner> {
    let found = transcript.and_then(|transcript| transcript.speakers.iter().find(|speaker| speaker.speaker_id == id));
    let found = found.ok_or_else(|| ApiError::field("ownerSpeakerId", "the call's transcript has no such speaker"))?;
    Ok(ActionOwner {
        speaker_id: found.speaker_id.clone(),
        label: found.label.clone(),
        display_name: found.display_name.clone(),
        role: role_name(found.role).to_owned(),
    })
}

/// As transcripts write it.
pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "USER",
        Role::Contact => "CONTACT",
        Role::Unknown => "UNKNOWN",
    }
}

fn cited(transcript: Option<&Transcript>, ids: Vec<String>) -> ApiResult<Vec<String>> {
    let has = |id: &String| transcript.is_some_and(|transcript| transcript.segments.iter().any(|one| one.id == *id));
    if ids.iter().all(has) {
        return Ok(ids);
    }
    Err(ApiError::field("sourceSegmentIds", "the call's transcript does not have each of these segments"))
}

/// Refuses what cannot be said of an action item.
fn check(details: &ActionItemDetails) -> ApiResult<()> {
    if filled(Some(&details.title)).is_none() {
        return Err(ApiError::field("title", "an action item has a title"));
    }
    check_length("title", Some(&details.title), MAX_NAME)?;
    check_length("description", details.description.as_deref(), MAX_TEXT)?;
    if !details.due_date.as_ref().is_none_or(is_storable) {
        return Err(ApiError::field("dueDate", "a date is in the years 1 to 9999"));
    }
    if details.source_segment_ids.as_ref().is_some_and(|ids| ids.len() > MAX_SEGMENTS) {
        return Err(ApiError::field("sourceSegmentIds", "an action item cites at most 100 segments"));
    }
    check_metadata(&details.intent_metadata)
}

fn check_metadata(metadata: &IntentMetadata) -> ApiResult<()> {
    const FIELD: &str = "intentMetadata";
    let IntentMetadata { provider_hint, attendees, title, location, to_email, to_name, subject, .. } = metadata;
    let IntentMetadata { body_preview, phone_ending, contact_name, channel, handle, notes, .. } = metadata;
    if attendees.len() > MAX_ATTENDEES {
        return Err(ApiError::field(FIELD, "a meeting has at most 50 attendees"));
    }
    let people = attendees.iter().flat_map(|attendee| [&attendee.name, &attendee.email]);
    for text in [provider_hint, title, location, to_email, to_name, subject, contact_name, channel, handle]
        .into_iter()
        .chain(people)
    {
        check_length(FIELD, text.as_deref(), MAX_NAME)?;
    }
    for text in [body_preview, notes] {
        check_length(FIELD, text.as_deref(), MAX_TEXT)?;
    }
    let is_ending = |digits: &String| digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !phone_ending.as_ref().is_none_or(is_ending) {
        return Err(ApiError::field(FIELD, "phoneEnding is the last four digits of a number, and no more of it"));
    }
    Ok(())
}
