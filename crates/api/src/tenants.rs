//! A tenant, its members, invitations and API keys.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a user is in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but the audit log and owners.
    Admin,
    /// Own calls, and all where the tenant shares them.
    Member,
    /// The audit log and receipts, no content.
    Auditor,
}

/// What may be done in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Everything.
    Active,
    /// Everything but uploads.
    Suspended,
    /// Nothing.
    Disabled,
}

/// What can be taken out of transcripts besides telephone numbers, which always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RedactedKind {
    /// E-mail addresses, written or said.
    EmailAddress,
    /// Numbers of payment cards.
    PaymentCard,
    /// International bank account numbers.
    Iban,
    /// Numbers that a state gives to a person.
    NationalId,
    /// Dates of birth.
    DateOfBirth,
    /// Streets with a house number.
    StreetAddress,
    /// Names of the people who are known or who introduce themselves.
    PersonName,
}

/// Whom content can leave for, besides this installation; none by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Provider {
    /// The language model of the installation's operator, where it is not on their machine: it is sent redacted transcripts.
    #[serde(rename = "openai-compatible")]
    OpenaiCompatible,
}

/// A tenant.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its id.
    pub tenant_id: Uuid,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where its data is.
    pub region: String,
    /// Its plan.
    pub plan: String,
    /// What may be done in it.
    pub status: Status,
    /// Days that a call is kept.
    pub retention_days: u16,
    /// Whether recordings are kept for as long as their calls.
    pub audio_retention: bool,
    /// Whether members see each other's calls.
    pub shares_calls: bool,
    /// What is taken out of transcripts besides telephone numbers.
    pub redaction_policy: Vec<RedactedKind>,
    /// Whom content may leave for.
    pub allowed_providers: Vec<Provider>,
    /// The regions that it may leave for.
    pub allowed_regions: Vec<String>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantPatch {
    /// 1 to 200 characters in one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub name: Option<String>,
    /// Whether members see each other's calls.
    pub shares_calls: Option<bool>,
    /// What to take out of transcripts besides telephone numbers, from the next one on; of earlier ones, out of segments that are corrected.
    pub redaction_policy: Option<Vec<RedactedKind>>,
    /// Whether to keep recordings for as long as their calls, from the next one on. What is kept goes when it is turned off.
    pub audio_retention: Option<bool>,
    /// Whom content may leave for, from the next analysis on.
    pub allowed_providers: Option<Vec<Provider>>,
    /// The regions that it may leave for: up to 16 codes as the operator names them.
    #[schema(max_items = 16, pattern = "^[a-z0-9-]{1,32}$")]
    pub allowed_regions: Option<Vec<String>>,
    /// 1 to 3650.
    #[schema(minimum = 1, maximum = 3650)]
    pub retention_days: Option<u16>,
}

/// A member.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Their id.
    pub user_id: Uuid,
    /// With what they sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What they are.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What a member is to be.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// The role.
    pub role: Role,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvitationRequest {
    /// Their address.
    #[schema(value_type = String, format = "email")]
    pub email: SecretString,
    /// As what.
    pub role: Role,
}

/// An invitation that nobody has accepted yet.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its id.
    pub invitation_id: Uuid,
    /// Who is invited.
    pub email: String,
    /// As what.
    pub role: Role,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// For `/api/auth/invitations/accept`; shown when the invitation is made and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ApiScope {
    /// Read calls, transcripts, contacts and action items.
    #[serde(rename = "calls:read")]
    CallsRead,
    /// Upload, change and delete them.
    #[serde(rename = "calls:write")]
    CallsWrite,
    /// Read the profile, limits and statistics of its owner.
    #[serde(rename = "account:read")]
    AccountRead,
}

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKeyRequest {
    /// What it is for, 1 to 200 characters in one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub name: String,
    /// What it may do, at least one thing.
    #[schema(min_items = 1)]
    pub scopes: Vec<ApiScope>,
    /// Days until it ends; absent: 90.
    #[schema(minimum = 1, maximum = 365)]
    pub expires_in_days: Option<u16>,
}

/// An API key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Its id.
    pub api_key_id: Uuid,
    /// Whose calls it works on.
    pub owner_id: Uuid,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<ApiScope>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<DateTime<Utc>>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The key itself; shown when it is made and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Which tenant is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantDeletion {
    /// Its id, so that nobody deletes another one than they mean.
    pub tenant_id: Uuid,
}
