//! Calls: what is said of one when it is uploaded, in a list, and in full.

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallStatus {
    /// Waits for a worker.
    Queued,
    /// Becomes a transcript.
    Transcribing,
    /// The transcript is there and is being analysed.
    Analyzing,
    /// Everything is there.
    Completed,
    /// Nothing more will come; `errorReason` says why.
    Failed,
}

impl CallStatus {
    /// Whether it stays what it is.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// Who called whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    /// The other party called.
    Incoming,
    /// The user called.
    Outgoing,
    /// Not known.
    #[default]
    Unknown,
}

/// What is known of a recording when it is uploaded; everything may be left out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RecordingMetadata {
    /// What to call it; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub title: Option<String>,
    /// The other party; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub contact_name: Option<String>,
    /// A contact of the user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<Uuid>,
    /// The other party's number; at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub phone_number: Option<String>,
    /// The other party's organization; at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub organization: Option<String>,
    /// Who called whom.
    pub direction: Direction,
    /// When it was recorded, with the offset of the place where it was: "tomorrow" counts from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<DateTime<FixedOffset>>,
    /// How long it is by the recorder's account, in seconds; at most 31 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2_678_400)]
    pub duration_seconds: Option<f64>,
    /// The language spoken, as an ISO 639 code of two or three small letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z]{2,3}$")]
    pub language: Option<String>,
    /// How many channels it has, 1 to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 32)]
    pub channels: Option<i16>,
}

/// The form in which a recording is uploaded; for the document, since the server reads it as it comes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a form")]
pub struct UploadForm {
    /// The recording.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// What is known of it.
    metadata: Option<RecordingMetadata>,
    /// Its title, for those who have nothing else to say.
    title: Option<String>,
}

/// A recording was taken in, or recognised as one that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The call.
    pub call_id: Uuid,
    /// How far it is.
    pub status: CallStatus,
}

/// A call in a list.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallSummary {
    /// The call.
    pub call_id: Uuid,
    /// What it is called: by a person, else by its analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The other party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    /// Who called whom.
    pub direction: Direction,
    /// How far it is.
    pub status: CallStatus,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// Action items that were found in it or added to it, without those that were dismissed.
    pub action_item_count: i64,
    /// What the first of them says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_action_title: Option<String>,
}

/// A call in full.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallDetail {
    /// What a list shows of it.
    #[serde(flatten)]
    pub call: CallSummary,
    /// The contact that it is linked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<Uuid>,
    /// The other party's number, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The other party's organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What it was about: by a person, else by its analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What the user noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The language spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Channels of the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<i16>,
    /// When it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<DateTime<Utc>>,
    /// Why it failed: a short code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// Percent of the work that is done.
    pub percent: i16,
    /// Whether it may not be deleted.
    pub legal_hold: bool,
    /// When anything of it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What to change of a call. What is left out stays; an empty text clears, and what the analysis calls it and says of it is shown again.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallPatch {
    /// At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub title: Option<String>,
    /// At most 20,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    pub summary: Option<String>,
    /// At most 20,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    pub notes: Option<String>,
}

/// Links a call to a contact, or to none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContactLink {
    /// A contact of the call's owner; `null` unlinks.
    #[schema(required = true)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub contact_id: Option<Uuid>,
}

/// How far a call is, for those who poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallProgress {
    /// The call.
    pub call_id: Uuid,
    /// How far it is.
    pub status: CallStatus,
    /// Percent of the work that is done.
    pub percent: i16,
    /// Why it failed: a short code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
}

/// How far several calls are; those that are not there are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallProgressList {
    /// In no particular order.
    pub items: Vec<CallProgress>,
}

/// How a stage ended, or that it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum StageOutcome {
    Started,
    Completed,
    Failed,
    Skipped,
}

/// Something that happened to a call while it was processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessingEvent {
    /// The event.
    pub event_id: Uuid,
    /// The stage, for example `TRANSCRIBED`.
    pub stage: String,
    /// How it ended, or that it began.
    pub outcome: StageOutcome,
    /// Who did it: a short code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Why it failed: a short code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What happened to a call, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessingEvents {
    /// The events.
    pub items: Vec<ProcessingEvent>,
}

/// Calls to delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteCalls {
    /// At most 100.
    #[schema(max_items = 100)]
    pub call_ids: Vec<Uuid>,
}

/// What became of a bulk deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedCalls {
    /// Gone. `Deletion-Receipt` has a receipt of each, in this order.
    pub deleted: Vec<Uuid>,
    /// Not there, or not the caller's.
    pub missing: Vec<Uuid>,
    /// Still there: under legal hold, or the database failed.
    pub failed: Vec<Uuid>,
}

/// Proof of a deletion. It holds no content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionReceipt {
    /// The receipt.
    pub receipt_id: Uuid,
    /// Whose it was.
    pub tenant_id: Uuid,
    /// Its place in the tenant's chain of receipts, from 1.
    pub sequence: i64,
    /// What was deleted: `CALL`, `CONTACT`, `VOICE_PROFILE`, `USER` or `TENANT`.
    pub class: String,
    /// The id of what was deleted.
    pub subject_id: Uuid,
    /// Rows of the database that went.
    pub rows_removed: i64,
    /// Objects of the object store that went.
    pub blobs_removed: i64,
    /// Keys that were destroyed.
    pub keys_destroyed: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Hash of the receipt before, in hexadecimal.
    pub previous: String,
    /// SHA-256 over all fields above, in hexadecimal.
    pub hash: String,
    /// Which version of the installation's key signed it.
    pub signing_key: i32,
    /// Ed25519 over the hash, in hexadecimal.
    pub signature: String,
    /// What erasure means here, and what it cannot promise.
    pub horizon: String,
}

/// Which calls to list.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// The most items of a page, 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Only calls that are this far.
    pub status: Option<CallStatus>,
    /// Only calls whose title, contact name or organization holds this, in any case. At most a thousand calls are looked through for
    /// a page, so a page may be short and still have a `nextCursor`.
    #[param(max_length = 500)]
    pub q: Option<String>,
    /// Only calls that are linked to this contact.
    pub contact_id: Option<Uuid>,
    /// Only calls uploaded at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Only calls uploaded before this time.
    pub to: Option<DateTime<Utc>>,
}

/// Which calls to poll.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// Ids separated by commas, at most 100.
    #[param(pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}){0,99}$")]
    pub ids: String,
}

/// A call is put under legal hold, or released.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetLegalHold {
    /// Whether it is to be held.
    pub held: bool,
    /// Why; 1 to 20,000 characters, sealed as everything that people write.
    #[schema(min_length = 1, max_length = 20_000)]
    pub reason: String,
}

/// Whether a call is under legal hold: nobody deletes it then, and no retention period does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LegalHold {
    /// Whether it is held.
    pub held: bool,
    /// How that came about, newest first; the latest hundred acts.
    pub acts: Vec<LegalHoldAct>,
}

/// A hold was set or lifted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LegalHoldAct {
    /// Which of the two.
    pub held: bool,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub user_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
}

unprinted!(RecordingMetadata CallSummary CallDetail CallPatch CallQuery SetLegalHold LegalHoldAct);
