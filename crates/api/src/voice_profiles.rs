//! Voice profiles: by which a user is known again in their own calls.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sample of the caller's voice, as a form: the service reads it as it comes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceSampleForm {
    /// 15 to 45 seconds in which the caller alone speaks, at most 10 MB, in any format of recordings. It is not kept.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    pub file: String,
    /// The version of the consent to voice profiles that the caller gives with it.
    #[schema(minimum = 1, maximum = 65535)]
    pub consent_version: u16,
}

/// Whether the caller has a voice profile. What it holds is told to nobody.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceProfileStatus {
    /// Whether there is one.
    pub exists: bool,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// Who made it, and compares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// With which model; one of another model matches nobody until it is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The version of the consent that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_version: Option<u16>,
}
