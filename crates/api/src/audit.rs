//! The audit log of a tenant: who did what to what, and when. Ids and names of acts, never content.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// As what somebody acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ActorRole {
    /// An owner of the tenant.
    Owner,
    /// An admin.
    Admin,
    /// A member.
    Member,
    /// An auditor.
    Auditor,
    /// The service, on the tenant's behalf: retention, expiry.
    Service,
    /// Who operates the installation.
    Operator,
}

/// What something was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubjectKind {
    /// A call.
    Call,
    /// A contact.
    Contact,
    /// A voice profile.
    VoiceProfile,
    /// A user.
    User,
    /// The tenant.
    Tenant,
    /// An API key.
    ApiKey,
    /// An invitation.
    Invitation,
    /// An export of a user's own data.
    Export,
    /// An export of a data subject's calls.
    SubjectExport,
    /// Something else, such as a key of the installation.
    Other,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Its place in the tenant's chain, from 1.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who; all zeros for the service itself.
    pub actor_id: Uuid,
    /// As what.
    pub actor_role: ActorRole,
    /// What was done, such as `DELETE_CALL`; an act of a newer program by its number.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: SubjectKind,
    /// To which.
    pub subject_id: Uuid,
}
