//! `/api/tenant`: settings, members, invitations.

use api::{
    error::{ErrorBody, ErrorCode},
    page::{DEFAULT_LIMIT, MAX_LIMIT, Page},
    tenants::{Invitation, InvitationRequest, Member, MemberPatch, Tenant, TenantPatch},
};
use axum::{extract::State, http::StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{is_not_the_last_owner, may_handle, providers, role, status, store};
use crate::{
    app::App,
    audit::{self, Action, subject},
    auth::{
        Caller, invitations,
        person::{self, EmailAddress, Person},
        secret::{self, Prefix},
        tenant,
    },
    db::{Access, TenantTx},
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Path, Query},
        idempotency::{IdempotencyKey, ShownOnce},
    },
    redaction,
    vault::seal::RecordKind,
};

/// Days in which an invitation can be accepted.
const INVITATION_DAYS: i32 = 7;

/// Regions that a tenant allows.
const MOST_REGIONS: usize = 16;

/// A code as the database has it.
fn is_region(code: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&code.len()) && code.bytes().all(fits)
}

/// A page of members.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// At most so many, up to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<Uuid>,
}

/// The caller's tenant.
///
/// # Errors
/// `forbidden` unless the caller manages it.
#[utoipa::path(get, operation_id = "own_tenant", path = "/api/tenant", tag = "tenant", responses(
    (status = 200, body = Tenant), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn get(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Tenant>> {
    caller.manages()?;
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(axum::Json(read(&app, &mut tx).await?))
}

async fn read<A: Access>(app: &App, tx: &mut TenantTx<A>) -> ApiResult<Tenant> {
    let row = store::tenant(tx).await?;
    Ok(Tenant {
        tenant_id: tx.scope().tenant(),
        name: tenant::name(tx, &app.vault).await?,
        region: row.region,
        plan: row.plan,
        status: status(row.status)?,
        retention_days: u16::try_from(row.retention_days).unwrap_or_default(),
        audio_retention: row.audio_retention,
        shares_calls: row.shares_calls,
        redaction_policy: redaction::shown(row.redaction),
        allowed_providers: providers(&row.allowed_providers),
        allowed_regions: row.allowed_regions,
        created_at: row.created_at,
    })
}

/// Changes the tenant.
///
/// # Errors
/// `forbidden` unless the caller manages it.
#[utoipa::path(patch, operation_id = "change_tenant", path = "/api/tenant", tag = "tenant", params(IdempotencyKey),
    request_body = TenantPatch, responses(
    (status = 200, body = Tenant), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Json(patch): Json<TenantPatch>,
) -> ApiResult<axum::Json<Tenant>> {
    caller.manages()?;
    if patch.retention_days.is_some_and(|days| !(1..=3650).contains(&days)) {
        return Err(ApiError::field("retentionDays", "calls are kept for 1 to 3650 days"));
    }
    if patch.allowed_regions.iter().flatten().any(|region| !is_region(region))
        || patch.allowed_regions.as_ref().is_some_and(|regions| regions.len() > MOST_REGIONS)
    {
        return Err(ApiError::field(
            "allowedRegions",
            "regions are up to 16 codes of 1 to 32 small letters, digits and dashes",
        ));
    }
    let name = patch.name.as_deref().map(|name| {
        person::name(name).ok_or_else(|| ApiError::field("name", "a name has 1 to 200 characters in one line"))
    });
    let name = name.transpose()?;
    let mut tx = app.database.write(caller.scope()).await?;
    let kept_audio = store::audio_retention_until_changed(&mut tx).await?;
    store::change(&mut tx, &patch).await?;
    if let Some(name) = name {
        tenant::store_name(&mut tx, &app.vault, &name).await?;
    }
    audit::record(&mut tx, Action::ChangeTenant, RecordKind::Tenant as i16, caller.scope().tenant()).await?;
    let changed = read(&app, &mut tx).await?;
    if changed.audio_retention != kept_audio {
        let turned = if changed.audio_retention { Action::TurnOnAudioRetention } else { Action::TurnOffAudioRetention };
        audit::record(&mut tx, turned, RecordKind::Tenant as i16, caller.scope().tenant()).await?;
    }
    tx.commit().await?;
    app.auth.liveness.forget();
    Ok(axum::Json(changed))
}

/// The members, in about the order in which they came.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant.
#[utoipa::path(get, path = "/api/tenant/members", tag = "tenant", params(MembersQuery), responses(
    (status = 200, body = Page<Member>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn members(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<MembersQuery>,
) -> ApiResult<axum::Json<Page<Member>>> {
    caller.manages()?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::field("limit", "a page has 1 to 200 items"));
    }
    let mut tx = app.database.read(caller.scope()).await?;
    let mut rows = store::members(&mut tx, query.cursor, i64::from(limit) + 1).await?;
    let has_more = rows.len() > usize::from(limit);
    rows.truncate(limit.into());
    let ids: Vec<_> = rows.iter().map(|row| row.user).collect();
    let people = Person::read(&mut tx, &app.vault, &ids).await?;
    let items = rows.into_iter().map(|row| {
        let person = people.iter().find(|(id, _)| *id == row.user).map(|(_, person)| person);
        Ok(Member {
            user_id: row.user,
            email: person.map(|person| person.email.clone()),
            display_name: person.and_then(|person| person.display_name.clone()),
            role: role(row.role)?,
            created_at: row.created_at,
        })
    });
    let next_cursor = ids.last().filter(|_| has_more).map(Uuid::to_string);
    Ok(axum::Json(Page { items: items.collect::<ApiResult<_>>()?, next_cursor }))
}

/// Makes a member something else.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant, and where an owner is concerned owns it; `conflict` for the last owner.
#[utoipa::path(patch, path = "/api/tenant/members/{userId}", tag = "tenant", params(("userId" = Uuid, Path), IdempotencyKey),
    request_body = MemberPatch, responses(
    (status = 204, description = "Changed, from the next request on"), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn change_member(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<Uuid>,
    Json(patch): Json<MemberPatch>,
) -> ApiResult<StatusCode> {
    may_handle(&caller, patch.role)?;
    let mut tx = app.database.write(caller.scope()).await?;
    let was = role(store::member(&mut tx, user).await?.ok_or_else(ApiError::not_found)?.role)?;
    may_handle(&caller, was)?;
    if was == api::tenants::Role::Owner && patch.role != was {
        is_not_the_last_owner(&mut tx, user).await?;
    }
    store::set_role(&mut tx, user, patch.role).await?;
    audit::record(&mut tx, Action::ChangeMember, RecordKind::User as i16, user).await?;
    tx.commit().await?;
    app.auth.liveness.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// Who is invited and has not come yet; at most 200.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant.
#[utoipa::path(get, path = "/api/tenant/invitations", tag = "tenant", responses(
    (status = 200, body = Page<Invitation>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn list_invitations(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Page<Invitation>>> {
    caller.manages()?;
    let mut tx = app.database.read(caller.scope()).await?;
    let rows = store::invitations(&mut tx, i64::from(MAX_LIMIT)).await?;
    let sealed: Vec<_> = rows.iter().map(|row| (row.id, row.sealed.clone())).collect();
    let emails = invitations::open_all(&mut tx, &app.vault, &sealed).await?;
    let items = rows.into_iter().zip(emails).map(|(row, email)| {
        let role = role(row.role)?;
        Ok(Invitation { invitation_id: row.id, email, role, expires_at: row.expires_at, token: None })
    });
    Ok(axum::Json(Page { items: items.collect::<ApiResult<_>>()?, next_cursor: None }))
}

/// Invites somebody. An older invitation of the same address is worth nothing any more.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant, and owns it to invite an owner; `conflict` past 200 invitations.
#[utoipa::path(post, path = "/api/tenant/invitations", tag = "tenant", params(IdempotencyKey), request_body = InvitationRequest, responses(
    (status = 201, body = Invitation, description = "The token is in this answer and nowhere else, not when asked again either"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn invite(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<InvitationRequest>,
) -> ApiResult<(StatusCode, ShownOnce<Invitation>)> {
    may_handle(&caller, request.role)?;
    let email = EmailAddress::parse(request.email.expose_secret())
        .ok_or_else(|| ApiError::field("email", "this is not an e-mail address"))?;
    let id = Uuid::now_v7();
    let token = secret::generate(Prefix::Invitation).map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.database.write(caller.scope()).await?;
    store::lock(&mut tx).await?;
    if store::invitations(&mut tx, i64::from(MAX_LIMIT)).await?.len() >= usize::from(MAX_LIMIT) {
        return Err(ApiError::new(ErrorCode::Conflict, "200 invitations are open: withdraw one first"));
    }
    let sealed = invitations::seal(&mut tx, &app.vault, id, &email).await?;
    let (address, hash) = (email.token(&app.vault), secret::hash(token.expose_secret()));
    let expires_at = store::invite(&mut tx, (id, request.role, INVITATION_DAYS), (&address, &hash, &sealed)).await?;
    audit::record(&mut tx, Action::Invite, subject::INVITATION, id).await?;
    tx.commit().await?;
    let kept =
        Invitation { invitation_id: id, email: email.expose().to_owned(), role: request.role, expires_at, token: None };
    let shown = Invitation { token: Some(token.expose_secret().to_owned()), ..kept.clone() };
    Ok((StatusCode::CREATED, ShownOnce { shown, kept }))
}

/// Withdraws an invitation.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant, and owns it to withdraw an owner's; `not_found`.
#[utoipa::path(delete, path = "/api/tenant/invitations/{invitationId}", tag = "tenant",
    params(("invitationId" = Uuid, Path), IdempotencyKey), responses(
    (status = 204, description = "Withdrawn"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn withdraw(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    caller.manages()?;
    let mut tx = app.database.write(caller.scope()).await?;
    let was = store::withdraw(&mut tx, id).await?.ok_or_else(ApiError::not_found)?;
    may_handle(&caller, role(was)?)?;
    audit::record(&mut tx, Action::WithdrawInvitation, subject::INVITATION, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
