//! Endpoints of a tenant that are told what ends, and what they are told: ids and times, never content.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What an endpoint can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum WebhookEvent {
    /// A call has its transcript and its analysis.
    #[serde(rename = "call.completed")]
    CallCompleted,
    /// A call ended without a transcript.
    #[serde(rename = "call.failed")]
    CallFailed,
    /// A call was deleted, by a person or by retention.
    #[serde(rename = "call.deleted")]
    CallDeleted,
    /// A contact was deleted.
    #[serde(rename = "contact.deleted")]
    ContactDeleted,
    /// A voice profile was deleted.
    #[serde(rename = "voice_profile.deleted")]
    VoiceProfileDeleted,
    /// A user was removed from the tenant with all their data in it, calls included.
    #[serde(rename = "user.deleted")]
    UserDeleted,
    /// The tenant was deleted. Told once, and not again where that fails: nobody is left to whom it could be told later.
    #[serde(rename = "tenant.deleted")]
    TenantDeleted,
}

/// What a message tells of: an event, or that somebody tries the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum WebhookType {
    /// An event.
    Event(WebhookEvent),
    /// A try.
    Ping(Ping),
}

/// A try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ping {
    /// Sent to every endpoint when somebody asks for it.
    Ping,
}

/// The body of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    /// What happened.
    pub r#type: WebhookType,
    /// When.
    pub timestamp: DateTime<Utc>,
    /// To what.
    pub data: WebhookSubject,
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSubject {
    /// Its id; of a `ping`, the endpoint's.
    pub id: Uuid,
    /// In which tenant.
    pub tenant_id: Uuid,
    /// The receipt of a deletion: `GET /api/deletions/{receiptId}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<Uuid>,
}

/// Whether an endpoint is told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WebhookStatus {
    /// It is.
    Enabled,
    /// Somebody turned it off.
    Disabled,
    /// Its receiver answered 410 Gone.
    Gone,
    /// It accepted nothing for five days.
    Failing,
}

/// A new endpoint.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookRequest {
    /// An `https://` address of a public host, without a user and a fragment.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: String,
    /// What it is for, 1 to 200 characters in one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub description: Option<String>,
    /// What it is told of, at least one thing.
    #[schema(min_items = 1)]
    pub events: Vec<WebhookEvent>,
}

/// What is to change of an endpoint; what is left out stays.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookPatch {
    /// An `https://` address of a public host, without a user and a fragment.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: Option<String>,
    /// What it is for, at most 200 characters in one line; empty for nothing.
    #[schema(max_length = 200, pattern = r"^([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*)?$")]
    pub description: Option<String>,
    /// What it is told of, at least one thing.
    #[schema(min_items = 1)]
    pub events: Option<Vec<WebhookEvent>>,
    /// Whether it is told anything. Turned off, it is not told later what it missed.
    pub enabled: Option<bool>,
}

/// An endpoint.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub webhook_id: Uuid,
    /// Where it is.
    pub url: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is told of.
    pub events: Vec<WebhookEvent>,
    /// Whether it is told anything.
    pub status: WebhookStatus,
    /// Since when it accepted nothing that it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
    /// What its messages are signed with (Standard Webhooks); shown when it is made or replaced and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryState {
    /// It is to be sent, or sent again.
    Queued,
    /// It was accepted.
    Delivered,
    /// It is sent no more.
    GivenUp,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryOutcome {
    /// With a status from 200 to 299.
    Accepted,
    /// With another one; a redirection is not followed.
    Refused,
    /// With 410, which disables the endpoint.
    Gone,
    /// Without a connection, or one that broke.
    Unreachable,
    /// Without an answer in ten seconds.
    TooSlow,
    /// Before it began: the host has no address that is public.
    AddressNotAllowed,
    /// Before it began: the endpoint was disabled.
    Disabled,
}

/// A message to an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id, which is its `webhook-id` at every attempt.
    pub delivery_id: Uuid,
    /// What it tells of.
    pub r#type: WebhookType,
    /// Of which call, contact, user or tenant.
    pub subject_id: Uuid,
    /// The receipt of a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id: Option<Uuid>,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u16,
    /// How the last attempt ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<DeliveryOutcome>,
    /// The status that the endpoint answered it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// When the last attempt ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<DateTime<Utc>>,
}

unprinted!(WebhookRequest WebhookPatch Webhook);
