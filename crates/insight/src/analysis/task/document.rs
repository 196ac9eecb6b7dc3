//! Action items as they are stored and served. Its one invariant: an owner is a speaker of the transcript, and of a telephone number
//! there are at most the last four digits.

use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use speech::transcript::Role;

use crate::analysis::document::Importance;

/// A discrete task.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionItem {
    /// What is to be done, in the words of the call.
    pub title: String,
    /// The sentence that asks or promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who does it; absent where nobody took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// By when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
    /// High where somebody said that it is urgent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Importance>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
    /// What to do with it.
    pub intent: Intent,
    /// What the intent needs.
    pub intent_metadata: IntentMetadata,
}

/// A speaker of the transcript.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// `spk_1` …
    pub speaker_id: String,
    /// What the transcript calls them.
    pub label: String,
    /// Their name, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Their party.
    pub role: Role,
}

/// What is known of a meeting, a call or a message.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IntentMetadata {
    /// A provider that was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_hint: Option<String>,
    /// Who meets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attendees: Vec<Attendee>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_at: Option<DateTime<FixedOffset>>,
    /// How long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u32>,
    /// Of the meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// To which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_email: Option<String>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_name: Option<String>,
    /// Of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_preview: Option<String>,
    /// Last four digits of the number; never more (H7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_ending: Option<String>,
    /// Whom to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    /// By what means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// A name on that channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// When to be reminded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<DateTime<FixedOffset>>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Somebody who meets.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attendee {
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// What to do with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

speech::unprinted!(ActionItem Owner IntentMetadata Attendee);
