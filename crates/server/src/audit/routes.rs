//! `/api/tenant/audit-log`. Its one invariant: it shows what the database shows owners and auditors of the tenant, and nobody else comes
//! as far as the database.

use api::{
    audit::{ActorRole, AuditEvent, SubjectKind},
    error::{ErrorBody, ErrorCode},
    page::Page,
};
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Action, Event, latest, subject};
use crate::{
    app::App,
    auth::Caller,
    db::Role,
    error::{ApiError, ApiResult},
    http::{extract::Query, page},
    vault::seal::RecordKind,
};

/// A page of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditLogQuery {
    /// At most so many, up to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    #[param(minimum = 1)]
    cursor: Option<i64>,
}

/// What was done in the tenant, the latest first.
///
/// # Errors
/// `forbidden` unless the caller owns the tenant or audits it.
#[utoipa::path(get, operation_id = "audit_log", path = "/api/tenant/audit-log", tag = "tenant", params(AuditLogQuery), responses(
    (status = 200, body = Page<AuditEvent>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AuditLogQuery>,
) -> ApiResult<axum::Json<Page<AuditEvent>>> {
    caller.session()?;
    if !matches!(caller.scope().role(), Role::Owner | Role::Auditor) {
        return Err(ApiError::new(ErrorCode::Forbidden, "this is for owners and auditors of the tenant"));
    }
    let limit = page::limit(query.limit)?;
    if query.cursor.is_some_and(|cursor| cursor < 1) {
        return Err(ApiError::field("cursor", "this cursor is not one that a list gave out"));
    }
    let mut tx = app.database.read(caller.scope()).await?;
    let mut events = latest(&mut tx, query.cursor, limit as i64 + 1).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next_cursor = events.last().filter(|_| has_more).map(|event| event.sequence.to_string());
    Ok(axum::Json(Page { items: events.iter().map(shown).collect(), next_cursor }))
}

fn shown(event: &Event) -> AuditEvent {
    AuditEvent {
        sequence: event.sequence,
        at: event.at,
        actor_id: event.actor,
        actor_role: role(event.role),
        action: upper_snake(&Action::name(event.action)),
        subject_kind: kind(event.subject_kind),
        subject_id: event.subject,
    }
}

fn role(number: i16) -> ActorRole {
    [
        (Role::Owner, ActorRole::Owner),
        (Role::Admin, ActorRole::Admin),
        (Role::Member, ActorRole::Member),
        (Role::Colleague, ActorRole::Member),
        (Role::Auditor, ActorRole::Auditor),
        (Role::Worker, ActorRole::Service),
    ]
    .into_iter()
    .find(|(role, _)| *role as i16 == number)
    // Above the roles are the reasons of operators.
    .map_or(ActorRole::Operator, |(_, shown)| shown)
}

fn kind(number: i16) -> SubjectKind {
    [
        (RecordKind::Call as i16, SubjectKind::Call),
        (RecordKind::Contact as i16, SubjectKind::Contact),
        (RecordKind::VoiceProfile as i16, SubjectKind::VoiceProfile),
        (RecordKind::User as i16, SubjectKind::User),
        (RecordKind::Tenant as i16, SubjectKind::Tenant),
        (subject::API_KEY, SubjectKind::ApiKey),
        (subject::INVITATION, SubjectKind::Invitation),
        (subject::EXPORT, SubjectKind::Export),
        (subject::SUBJECT_EXPORT, SubjectKind::SubjectExport),
    ]
    .into_iter()
    .find(|(kind, _)| *kind == number)
    .map_or(SubjectKind::Other, |(_, shown)| shown)
}

/// `DeleteCall` as `DELETE_CALL`.
fn upper_snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (place, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_uppercase());
    }
    snake
}
