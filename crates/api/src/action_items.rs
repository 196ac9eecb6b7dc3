//! Action items: what follows from calls, as analysis found it and as people keep it.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActionStatus {
    /// Nobody has begun.
    #[default]
    Open,
    /// Somebody has begun.
    InProgress,
    /// It is done.
    Done,
    /// It is not to be done.
    Dismissed,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ActionSource {
    /// Analysis found it.
    Ai,
    /// A person added it.
    Manual,
}

/// How much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Priority {
    High,
    Medium,
    Low,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Intent {
    Meeting,
    Email,
    Call,
    Message,
    Reminder,
    Task,
    #[default]
    None,
}

/// Who does it: a speaker of the call.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionOwner {
    /// `spk_1`, `spk_2` …
    pub speaker_id: String,
    /// What the transcript calls them.
    pub label: String,
    /// Their name, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `USER`, `CONTACT` or `UNKNOWN`.
    pub role: String,
}

/// Somebody who meets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Attendee {
    /// Their name; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub name: Option<String>,
    /// Their address; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub email: Option<String>,
}

/// What is known of a meeting, a call or a message. Texts have at most 500 characters, `bodyPreview` and `notes` 20,000.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IntentMetadata {
    /// A provider that was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub provider_hint: Option<String>,
    /// Who meets; at most 50.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub attendees: Vec<Attendee>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_at: Option<DateTime<Utc>>,
    /// How long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u32>,
    /// Of the meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub title: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub location: Option<String>,
    /// To which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub to_email: Option<String>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub to_name: Option<String>,
    /// Of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub subject: Option<String>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    pub body_preview: Option<String>,
    /// The last four digits of the number; never more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]{4}$")]
    pub phone_ending: Option<String>,
    /// Whom to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub contact_name: Option<String>,
    /// By what means.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub channel: Option<String>,
    /// A name on that channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub handle: Option<String>,
    /// When to be reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<DateTime<Utc>>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    pub notes: Option<String>,
}

/// A task worth tracking.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionItem {
    /// The item.
    pub action_item_id: Uuid,
    /// The call that it follows from.
    pub call_id: Uuid,
    /// What is to be done.
    pub title: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who does it; `null` where nobody took it.
    pub owner: Option<ActionOwner>,
    /// By when; `null` where nobody said.
    pub due_date: Option<NaiveDate>,
    /// How much it weighs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How far it is.
    pub status: ActionStatus,
    /// Who says so.
    pub source: ActionSource,
    /// What to do with it.
    pub intent: Intent,
    /// What that needs.
    pub intent_metadata: IntentMetadata,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
    /// When it was found or added.
    pub created_at: DateTime<Utc>,
    /// When anything of it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The action items of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionItems {
    /// Those that were found, in the order of the call, then those that were added.
    pub items: Vec<ActionItem>,
}

/// Everything that a person says of an action item. What the tenant has taken out of transcripts is taken out of its texts as well.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionItemDetails {
    /// What is to be done; 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub title: String,
    /// At most 20,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    pub description: Option<String>,
    /// Who does it: a speaker of the call's transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub owner_speaker_id: Option<String>,
    /// By when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
    /// How much it weighs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How far it is; left out, it is as far as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ActionStatus>,
    /// What to do with it.
    #[serde(default)]
    pub intent: Intent,
    /// What that needs.
    #[serde(default)]
    pub intent_metadata: IntentMetadata,
    /// Where it was said: segments of the call's transcript, at most 100; left out, they stay what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 100)]
    pub source_segment_ids: Option<Vec<String>>,
}

/// How far an action item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionPatch {
    /// How far it is now.
    pub status: ActionStatus,
}

/// Which action items to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ActionQuery {
    /// Only those that are this far.
    pub status: Option<ActionStatus>,
    /// The most items of a page, 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

unprinted!(ActionOwner Attendee IntentMetadata ActionItem ActionItemDetails);
