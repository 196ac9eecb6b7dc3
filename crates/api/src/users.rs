//! The user: profile, consent, limits, statistics.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::tenants::Role;

/// A person. Personal data, so without a printable form.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id.
    pub user_id: Uuid,
    /// With what they sign in.
    pub email: String,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Who makes the request.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The person.
    #[serde(flatten)]
    pub user: User,
    /// Where the request is made.
    pub tenant_id: Uuid,
    /// What they are there.
    pub role: Role,
    /// To what they agreed, of each kind the last word.
    pub consents: Vec<Consent>,
}

/// What to change; an empty name clears it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MePatch {
    /// What to be called, at most 200 characters in one line.
    #[schema(max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub display_name: Option<String>,
}

/// To what a user agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ConsentKind {
    PrivacyPolicy,
    Terms,
    RecordingDisclaimer,
    VoiceProfile,
}

/// That somebody agreed, and when; or took it back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// To what.
    pub kind: ConsentKind,
    /// To which version of it.
    pub version: u16,
    /// When.
    pub given_at: DateTime<Utc>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// A decision.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsentPatch {
    /// On what.
    pub kind: ConsentKind,
    /// On which version of it.
    #[schema(minimum = 1, maximum = 65535)]
    pub version: u16,
    /// Yes, or no longer.
    pub given: bool,
}

/// What a plan allows, and what is used of it this month and day (UTC).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The plan.
    pub plan: String,
    /// Minutes of speech a month.
    pub minutes_a_month: u32,
    /// Used of them by the tenant.
    pub minutes_used: f64,
    /// Transcripts a day; absent: as many as one likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcripts_a_day: Option<u32>,
    /// Made today by the tenant.
    pub transcripts_today: u64,
    /// Whether the limits are enforced.
    pub enforced: bool,
    /// Whether uploads are taken at all.
    pub may_upload: bool,
}

/// Numbers of the caller's own calls.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// All of them.
    pub calls: u64,
    /// With a transcript.
    pub completed: u64,
    /// That failed.
    pub failed: u64,
    /// Their speech, in seconds.
    pub duration_seconds: f64,
    /// Bytes of their recordings that are kept.
    pub kept_audio_bytes: u64,
    /// When the last one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call_at: Option<DateTime<Utc>>,
}
