//! Exports: everything about a user, or about somebody calls were with, in one archive.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExportStatus {
    /// Is being built, or waits for it.
    Pending,
    /// Can be downloaded until `expiresAt`.
    Ready,
    /// Nothing more will come; `errorReason` says why.
    Failed,
    /// Over: its key is destroyed. `errorReason` says so where that was before `expiresAt`.
    Expired,
}

/// An export, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// Its id.
    pub export_id: Uuid,
    /// How far it is.
    pub status: ExportStatus,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its key is destroyed: a day after it was asked for.
    pub expires_at: DateTime<Utc>,
    /// Bytes of the archive, once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Calls in it, once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Why there is none: `build_failed`, `too_many_calls`, `too_large` (past 64 GiB, recordings and all), `not_an_owner`, `call_deleted` (a
    /// call that was in it, or its recording).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
}

/// Whose data is exported: a number or a name, not both. Personal data, so without a printable form.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataSubject {
    /// A telephone number with its country code, such as `+49 30 901820`, however it is grouped; at most 64 characters.
    #[schema(max_length = 64)]
    pub phone_number: Option<String>,
    /// The name of a contact as calls have it, in any order and case; at most 500 characters.
    #[schema(max_length = 500)]
    pub contact_name: Option<String>,
}
