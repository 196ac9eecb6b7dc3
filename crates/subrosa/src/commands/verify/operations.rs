//! Every operation of the API as somebody uses it who has leave to, in an order in which each finds what it needs. Its one invariant:
//! wherever a person or a program writes something, a canary is written; `{name}` stands for one, or for an id from an answer before.
//! What the document of a service does not have is not asked.

use super::client::Ask;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Nobody,
    Owner,
    Guest,
    /// The owner of another tenant.
    Stranger,
}
use By::{Guest, Nobody, Owner};

/// What goes with a request.
pub(super) enum Sent {
    Nothing,
    Json(&'static str),
    /// Headers of tus.
    Tus(&'static [(&'static str, &'static str)]),
    /// Half of a recording, by tus: from its beginning, or to its end.
    Half(bool),
    /// The recording of that number with these fields.
    Form(u32, &'static [(&'static str, &'static str)]),
    /// The recording of a voice with these.
    Voice(&'static [(&'static str, &'static str)]),
}
use Sent::{Form, Half, Json, Nothing, Tus, Voice};

/// A request and what is kept of its answer: a name, and where in the body (a JSON pointer) or in which header.
pub(super) struct Step {
    pub(super) operation: &'static str,
    pub(super) query: &'static str,
    pub(super) by: By,
    pub(super) sent: Sent,
    pub(super) keep: &'static [(&'static str, &'static str)],
    /// What the answer has to say before the visit goes on: where in the body, and what.
    pub(super) until: Option<(&'static str, &'static str)>,
}

/// Parameters of paths that are called `id` in the document, by the beginning of the path.
pub(super) const IDS: [(&str, &str); 5] = [
    ("/api/uploads", "{upload}"),
    ("/api/calls/{id}/audio", "{kept call}"),
    ("/api/contacts", "{contact}"),
    ("/api/action", "{action item}"),
    ("/", "{call}"),
];

const fn step(operation: &'static str, by: By, sent: Sent) -> Step {
    Step { operation, query: "", by, sent, keep: &[], until: None }
}

const fn get(operation: &'static str) -> Step {
    step(operation, Owner, Nothing)
}

impl Step {
    const fn with(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    const fn keep(self, keep: &'static [(&'static str, &'static str)]) -> Self {
        Self { keep, ..self }
    }

    const fn until(self, at: &'static str, says: &'static str) -> Self {
        Self { until: Some((at, says)), ..self }
    }
}

const LOGIN: &str = r#"{"email": "{e-mail address}@verify.invalid", "password": "{password}"}"#;
const LOGIN_AGAIN: &str = r#"{"email": "{e-mail address}@verify.invalid", "password": "{new password}"}"#;
const INVITE: &str = r#"{"email": "{invited e-mail address}@verify.invalid", "role": "MEMBER"}"#;
const INVITE_SECOND: &str = r#"{"email": "{second invited e-mail address}@verify.invalid", "role": "MEMBER"}"#;
const ACCEPT: &str = r#"{"token": "{invitation}", "password": "{accepted person's password}",
  "displayName": "{accepted person's name}"}"#;
const METADATA: &str = r#"{"title": "{title}", "contactName": "{contact's name}", "organization": "{organization}",
  "phoneNumber": "+49{phone number}", "language": "en"}"#;
const WORDS: &str = r#"{"title": "{title}", "notes": "{notes}", "summary": "{summary}"}"#;
const CONTACT: &str = r#"{"name": "{second contact's name}", "email": "{contact's e-mail address}@verify.invalid",
  "organization": "{contact's organization}", "notes": "{contact's notes}"}"#;
const TASK: &str = r#"{"title": "{action item's title}", "description": "{action item's description}", "intent": "meeting",
  "intentMetadata": {"location": "{action item's place}"}}"#;
const HOLD: &str = r#"{"held": true, "reason": "{hold's reason}"}"#;
const LIFT: &str = r#"{"held": false, "reason": "{hold's reason}"}"#;
const SUBJECT: &str = r#"{"phoneNumber": "+49{phone number}"}"#;
const KEY: &str = r#"{"name": "{API key's name}", "scopes": ["account:read"]}"#;
const HOOK: &str = r#"{"url": "https://verify.invalid/{webhook's address}", "description": "{webhook's description}",
  "events": ["call.completed", "call.failed", "call.deleted", "contact.deleted", "voice_profile.deleted", "user.deleted", "tenant.deleted"]}"#;
const HOOK_AGAIN: &str = r#"{"url": "https://verify.invalid/{webhook's address}", "enabled": true}"#;
const PASSWORDS: &str = r#"{"currentPassword": "{password}", "newPassword": "{new password}"}"#;
const SESSION: &[(&str, &str)] = &[("owner", "/accessToken"), ("refresh", "/refreshToken")];

/// Signs in.
pub(super) const SIGN_IN: [Step; 2] = [
    step("POST /api/auth/login", Nobody, Json(LOGIN)).keep(SESSION),
    step("POST /api/auth/refresh", Nobody, Json(r#"{"refreshToken": "{refresh}"}"#)).keep(SESSION),
];

/// Brings half of a recording.
pub(super) const HALF: [Step; 4] = [
    step("OPTIONS /api/uploads", Nobody, Tus(&[])),
    step(
        "POST /api/uploads",
        Owner,
        Tus(&[
            ("upload-length", "{length}"),
            ("upload-metadata", "title {title in base64},filename {file name in base64}"),
        ]),
    )
    .keep(&[("upload", "location")]),
    step("PATCH /api/uploads/{id}", Owner, Half(true)),
    step("HEAD /api/uploads/{id}", Owner, Tus(&[])),
];

/// Brings the rest, and another recording.
pub(super) const WHOLE: [Step; 2] = [
    step("PATCH /api/uploads/{id}", Owner, Half(false)).keep(&[("call", "call-id")]),
    step("POST /api/calls/analyze", Owner, Form(2, &[("metadata", METADATA)])).keep(&[("other call", "/callId")]),
];

/// Everything about people and their tenant.
pub(super) const ACCOUNT: [Step; 40] = [
    step("POST /api/auth/login", Nobody, Json(LOGIN)).keep(&[("sessionId", "/sessionId")]),
    get("GET /api/auth/sessions"),
    get("DELETE /api/auth/sessions/{sessionId}"),
    get("GET /api/users/me"),
    step("PATCH /api/users/me", Owner, Json(r#"{"displayName": "{person's name}"}"#)),
    step("PATCH /api/users/me/consent", Owner, Json(r#"{"kind": "TERMS", "version": 1, "given": true}"#)),
    get("GET /api/users/me/limits"),
    get("GET /api/users/me/stats"),
    get("GET /api/tenant").keep(&[("tenant", "/tenantId")]),
    get("GET /api/tenant/audit-log").with("?limit=200"),
    step("PATCH /api/tenant", Owner, Json(r#"{"name": "{tenant's name}", "retentionDays": 1}"#)),
    step("POST /api/tenant/api-keys", Owner, Json(KEY)).keep(&[("apiKeyId", "/apiKeyId")]),
    get("GET /api/tenant/api-keys"),
    get("DELETE /api/tenant/api-keys/{apiKeyId}"),
    step("POST /api/tenant/webhooks", Owner, Json(HOOK)).keep(&[("webhookId", "/webhookId")]),
    get("GET /api/tenant/webhooks"),
    get("GET /api/tenant/webhooks/{webhookId}"),
    get("POST /api/tenant/webhooks/{webhookId}/secret"),
    get("POST /api/tenant/webhooks/{webhookId}/test"),
    // What is queued cannot be sent once more, so it is given up first.
    step("PATCH /api/tenant/webhooks/{webhookId}", Owner, Json(r#"{"enabled": false}"#)),
    step("PATCH /api/tenant/webhooks/{webhookId}", Owner, Json(HOOK_AGAIN)),
    get("GET /api/tenant/webhooks/{webhookId}/deliveries").keep(&[("deliveryId", "/items/0/deliveryId")]),
    get("POST /api/tenant/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver"),
    step("POST /api/tenant/webhooks", Owner, Json(HOOK)).keep(&[("webhookId", "/webhookId")]),
    get("DELETE /api/tenant/webhooks/{webhookId}"),
    get("GET /api/tenant/webhooks"),
    step("POST /api/tenant/invitations", Owner, Json(INVITE)).keep(&[("invitation", "/token")]),
    step("POST /api/auth/invitations/accept", Nobody, Json(ACCEPT)).keep(&[("guest", "/accessToken")]),
    step("GET /api/users/me", Guest, Nothing).keep(&[("userId", "/userId")]),
    get("GET /api/tenant/members"),
    step("PATCH /api/tenant/members/{userId}", Owner, Json(r#"{"role": "ADMIN"}"#)),
    get("DELETE /api/tenant/members/{userId}"),
    step("POST /api/tenant/invitations", Owner, Json(INVITE_SECOND)).keep(&[("invitation", "/token")]),
    step("POST /api/auth/invitations/accept", Nobody, Json(ACCEPT)).keep(&[("guest", "/accessToken")]),
    step("DELETE /api/users/me", Guest, Nothing),
    step("POST /api/tenant/invitations", Owner, Json(INVITE)).keep(&[("invitationId", "/invitationId")]),
    get("GET /api/tenant/invitations"),
    get("DELETE /api/tenant/invitations/{invitationId}"),
    step("GET /api/health", Nobody, Nothing),
    step("GET /api/health/ready", Nobody, Nothing),
];

/// Everything about a voice, and about a call that has its transcript.
pub(super) const CONTENT: [Step; 44] = [
    // What hears voices is loaded by now.
    step("POST /api/users/me/voice-profile", Owner, Voice(&[("consentVersion", "1")])),
    get("GET /api/users/me/voice-profile/status"),
    get("DELETE /api/users/me/voice-profile"),
    get("GET /api/health/details"),
    get("GET /api/calls").with("?limit=200"),
    get("GET /api/calls").with("?q={title}"),
    get("GET /api/calls/search").with("?q={title}"),
    get("GET /api/calls/status").with("?ids={call}"),
    get("GET /api/calls/{id}"),
    step("PATCH /api/calls/{id}", Owner, Json(WORDS)),
    step("PATCH /api/calls/{id}/contact", Owner, Json(r#"{"contactId": null}"#)),
    step("POST /api/contacts", Owner, Json(CONTACT)).keep(&[("contact", "/contactId")]),
    step("PATCH /api/calls/{id}/contact", Owner, Json(r#"{"contactId": "{contact}"}"#)),
    step("PUT /api/contacts/{id}", Owner, Json(CONTACT)),
    get("GET /api/contacts/{id}"),
    get("GET /api/contacts"),
    step("POST /api/calls/{id}/action-items", Owner, Json(TASK)).keep(&[("action item", "/actionItemId")]),
    step("PUT /api/action-items/{id}", Owner, Json(TASK)),
    step("PATCH /api/actions/{id}", Owner, Json(r#"{"status": "IN_PROGRESS"}"#)),
    get("GET /api/calls/{id}/action-items"),
    get("GET /api/actions").with("?status=IN_PROGRESS"),
    get("GET /api/calls/{id}/transcript"),
    get("GET /api/calls/{id}/transcript").with("?format=docx"),
    step("PATCH /api/calls/{id}/speakers/{speakerId}", Owner, Json(r#"{"displayName": "{speaker's name}"}"#)),
    step("PATCH /api/calls/{id}/segments/{segId}", Owner, Json(r#"{"text": "{segment's text}"}"#)),
    get("GET /api/calls/{id}/transcript").with("?format=srt"),
    get("GET /api/calls/{id}/redactions"),
    get("GET /api/calls/{id}/analysis"),
    get("GET /api/calls/{id}/talk"),
    get("GET /api/calls/{id}/digest").with("?format=email"),
    get("GET /api/analytics/talk").with("?days=30"),
    get("GET /api/analytics/vibe").with("?days=30"),
    step("PUT /api/calls/{id}/legal-hold", Owner, Json(HOLD)),
    get("GET /api/calls/{id}/legal-hold"),
    step("PUT /api/calls/{id}/legal-hold", Owner, Json(LIFT)),
    // After the correction, so that what a person typed goes wherever an engine of analysis is.
    step("POST /api/calls/{id}/reanalyze", Owner, Nothing),
    get("GET /api/calls/{id}/events"),
    get("GET /api/debug/calls/{id}/events"),
    get("GET /v1/models"),
    step("POST /v1/audio/transcriptions", Owner, Form(3, &[("model", "whisper-1")])),
    step("POST /v1/audio/translations", Owner, Form(4, &[("model", "whisper-1")])),
    step("POST /api/uploads", Owner, Tus(&[("upload-length", "{length}")])).keep(&[("upload", "location")]),
    step("DELETE /api/uploads/{id}", Owner, Tus(&[])),
    step("DELETE /api/calls", Owner, Json(r#"{"callIds": ["{other call}"]}"#)),
];

/// A recording that is kept, and played; where a worker ends the call.
pub(super) const KEPT: [Step; 5] = [
    step("PATCH /api/tenant", Owner, Json(r#"{"audioRetention": true}"#)),
    step("POST /api/calls/analyze", Owner, Form(5, &[("metadata", METADATA)])).keep(&[("kept call", "/callId")]),
    get("GET /api/calls/status").with("?ids={kept call}").until("/items/0/status", "COMPLETED"),
    get("GET /api/calls/{id}/audio"),
    get("HEAD /api/calls/{id}/audio"),
];

/// Everything about exports, of the person and of whose number the call has.
pub(super) const EXPORTS: [Step; 7] = [
    step("POST /api/users/me/export", Owner, Nothing).keep(&[("exportId", "/exportId")]),
    get("GET /api/users/me/export/{exportId}").until("/status", "READY"),
    step("POST /api/tenant/data-subjects/export", Owner, Json(SUBJECT)).keep(&[("subjectExportId", "/exportId")]),
    get("GET /api/tenant/data-subjects/export/{subjectExportId}").until("/status", "READY"),
    step("POST /api/auth/login", Nobody, Json(LOGIN)).keep(SESSION),
    get("GET /api/users/me/export/{exportId}/download"),
    get("GET /api/tenant/data-subjects/export/{subjectExportId}/download"),
];

/// Deletes what there is of the call, and the call.
pub(super) const DELETION: [Step; 4] = [
    get("DELETE /api/action-items/{id}"),
    get("DELETE /api/contacts/{id}"),
    get("DELETE /api/calls/{id}").keep(&[("receiptId", "deletion-receipt")]),
    get("GET /api/deletions/{receiptId}"),
];

/// Takes another password, signs out, and deletes the tenant.
pub(super) const SIGN_OUT: [Step; 7] = [
    step("POST /api/auth/password", Owner, Json(PASSWORDS)),
    step("POST /api/auth/login", Nobody, Json(LOGIN_AGAIN)).keep(SESSION),
    step("POST /api/auth/logout", Owner, Json(r#"{"refreshToken": "{refresh}"}"#)),
    step("POST /api/auth/login", Nobody, Json(LOGIN_AGAIN)).keep(SESSION),
    get("POST /api/auth/logout-all"),
    step("POST /api/auth/login", Nobody, Json(LOGIN_AGAIN)).keep(SESSION),
    step("DELETE /api/tenant", Owner, Json(r#"{"tenantId": "{tenant}"}"#)),
];

impl Step {
    /// The method, and the path with the name of what `id` stands for.
    pub(super) fn address(&self) -> (&'static str, String) {
        address(self.operation)
    }
}

/// The method, and the path with the name of what `id` stands for.
pub(super) fn address(operation: &str) -> (&str, String) {
    let (method, path) = operation.split_once(' ').unwrap_or(("GET", operation));
    let of = IDS.iter().find(|(start, _)| path.starts_with(start)).map_or("{call}", |(_, name)| name);
    (method, path.replace("{id}", of))
}

/// A request of the protocol.
pub(super) fn tus(ask: Ask) -> Ask {
    ask.header("tus-resumable", "1.0.0")
}
