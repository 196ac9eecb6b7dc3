//! `/api/auth`: signing in and out. Its one invariant: unknown, wrong and locked get the same answer after the same work.
//!
//! Reset by e-mail, second factors, passkeys and single sign-on come between a proof and `enter`: what else has to be proved, or what
//! proves instead of a password.

use api::{
    auth::{AcceptRequest, Keeping, LoginRequest, LoginResponse, Membership, RefreshRequest, Tokens},
    error::{ErrorBody, ErrorCode},
};
use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{
    accounts::{self, AccountError, Proved},
    caller::{Caller, disabled},
    cookies::{self, Page},
    invitations, liveness,
    person::{self, EmailAddress, Person},
    session_routes::revoke,
    sessions::{self, Issued},
    tenant,
};
use crate::{
    app::App,
    db::{DbError, Reason, Scope},
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Object},
        limits::Remote,
    },
};

/// Tenants of a person that are listed.
const MOST: i64 = 100;

/// The one answer to a sign-in that fails.
pub(super) fn refused() -> ApiError {
    let message = "address and password do not fit, or there were too many attempts: wait a little and try again";
    ApiError::new(ErrorCode::AuthInvalid, message)
}

/// Signs in with e-mail and password.
///
/// # Errors
/// The same `auth_invalid` for an unknown address, a wrong password and too many attempts.
#[utoipa::path(post, path = "/api/auth/login", tag = "sign-in", request_body = LoginRequest, security(()), responses(
    (status = 200, body = LoginResponse, description = "Signed in; with cookies the tokens are there"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "Not a member of the tenant that was named"),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn login(
    State(app): State<App>,
    page: Page,
    Extension(Remote(from)): Extension<Remote>,
    Json(request): Json<LoginRequest>,
) -> ApiResult<Response> {
    if request.keeping == Keeping::Cookie {
        page.0?;
    }
    // Not an address: nobody's, and as much work.
    let email = EmailAddress::parse(request.email.expose_secret());
    let token = email.as_ref().map(|email| email.token(&app.vault));
    let account = token.as_ref().map_or(&[][..], |token| token);
    // Refused or not: the password is verified, so that a wait takes as long as a wrong password does.
    let attempt = app.operation.limiter.sign_in(from, account).await;
    let proved = match &email {
        Some(email) => accounts::authenticate(&app, email, &request.password).await?,
        None => app.auth.passwords.verify(&request.password, None).await.map(|_| None)?,
    };
    let (Some(proved), Ok(attempt)) = (proved, attempt) else { return Err(refused()) };
    attempt.succeeded().await;
    enter(&app, &proved, request.tenant_id, request.keeping).await
}

/// Opens a session for somebody who proved who they are.
async fn enter(app: &App, proved: &Proved, wanted: Option<Uuid>, keeping: Keeping) -> ApiResult<Response> {
    let tenants = memberships(app, proved.user).await?;
    let chosen = match wanted {
        Some(wanted) => tenants.iter().find(|tenant| tenant.id == wanted).ok_or_else(ApiError::not_found)?,
        None => tenants.iter().min_by_key(|tenant| (tenant.is_disabled, tenant.id)).ok_or_else(refused)?,
    };
    if chosen.is_disabled {
        return Err(disabled());
    }
    let issued = sessions::begin(app, proved, chosen.id).await?.ok_or_else(refused)?;
    let mut tx = app.database.read(&chosen.scope).await?;
    let person = Person::own(&mut tx, &app.vault).await?;
    let name = tenant::name(&mut tx, &app.vault).await?;
    tx.rollback().await?;
    let tenants = tenants.iter().map(|tenant| Membership {
        tenant_id: tenant.id,
        name: name.clone().filter(|_| tenant.id == chosen.id),
        role: tenant.role,
    });
    let (headers, tokens) = given(issued, keeping);
    let response =
        LoginResponse { tokens, user: person.of(proved.user), tenant_id: chosen.id, tenants: tenants.collect() };
    Ok((headers, axum::Json(response)).into_response())
}

/// A tenant of somebody who proved who they are.
struct Chosen {
    id: Uuid,
    role: api::tenants::Role,
    scope: Scope,
    is_disabled: bool,
}

async fn memberships(app: &App, user: Uuid) -> ApiResult<Vec<Chosen>> {
    let mut tx = app.database.system(Reason::SignIn).await?;
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", role AS "role!", status AS "status!", shares_calls AS "shares!"
           FROM app.memberships_of($1) ORDER BY tenant_id LIMIT $2"#,
        user,
        MOST,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    tx.commit().await?;
    let chosen = rows.into_iter().filter_map(|row| {
        let role = liveness::role(row.role, row.shares)?;
        Some(Chosen {
            id: row.tenant,
            role: super::wire_role(role),
            scope: Scope::authenticated(row.tenant, user, role),
            is_disabled: liveness::Status::worse(row.status, row.status) == liveness::Status::Disabled,
        })
    });
    Ok(chosen.collect())
}

/// Tokens into the body, or into cookies.
fn given(issued: Issued, keeping: Keeping) -> (HeaderMap, Tokens) {
    let mut headers = HeaderMap::new();
    let Issued { session, access, expires_at, refresh } = issued;
    let (access_token, refresh_token) = match keeping {
        Keeping::Bearer => (Some(access.expose_secret().to_owned()), Some(refresh.expose_secret().to_owned())),
        Keeping::Cookie => {
            cookies::set(&mut headers, &access, &refresh, sessions::IDLE);
            (None, None)
        }
    };
    (headers, Tokens { access_token, expires_at, refresh_token, session_id: session })
}

/// The refresh token of a request: in its body, or in its cookie when an own page sent it.
fn refresh_token(page: Page, headers: &HeaderMap, body: &Bytes) -> ApiResult<Option<(SecretString, Keeping)>> {
    if !body.is_empty() {
        let wrong =
            || ApiError::new(ErrorCode::ValidationFailed, "the body is a JSON object with a refreshToken, or empty");
        let request: Option<Object<RefreshRequest>> = serde_json::from_slice(body).map_err(|_| wrong())?;
        if let Some(token) = request.and_then(|Object(request)| request.refresh_token) {
            return Ok(Some((token, Keeping::Bearer)));
        }
    }
    let Some(token) = cookies::refresh(headers) else { return Ok(None) };
    page.0?;
    Ok(Some((token, Keeping::Cookie)))
}

/// Renews the tokens of a session. A token that is used again revokes its session.
///
/// # Errors
/// `auth_invalid` for a token that is not good, or not any more.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "sign-in", request_body = Option<RefreshRequest>, security(()), responses(
    (status = 200, body = Tokens, description = "New tokens, where the old one was"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn refresh(State(app): State<App>, page: Page, headers: HeaderMap, body: Bytes) -> ApiResult<Response> {
    let Some((token, keeping)) = refresh_token(page, &headers, &body)? else {
        return Err(ApiError::new(ErrorCode::AuthMissing, "send refreshToken in the body, or its cookie"));
    };
    let (headers, tokens) = given(sessions::rotate(&app, &token).await?, keeping);
    Ok((headers, axum::Json(tokens)).into_response())
}

/// Signs out here: of the session of the access token, of the refresh token, or of both.
///
/// # Errors
/// `auth_missing` without either.
#[utoipa::path(post, path = "/api/auth/logout", tag = "sign-in", request_body = Option<RefreshRequest>,
    security((), ("bearer" = [])), responses(
    (status = 204, description = "Signed out"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn logout(
    State(app): State<App>,
    caller: Result<Caller, ApiError>,
    page: Page,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    let token = refresh_token(page, &headers, &body)?;
    if let Some((token, _)) = &token {
        sessions::end(&app, token).await?;
    }
    match caller {
        Ok(caller) => {
            revoke(&app, &caller, Some(caller.session()?), None).await?;
        }
        Err(error) if token.is_none() => return Err(error),
        Err(_) => {}
    }
    let mut headers = HeaderMap::new();
    cookies::clear(&mut headers);
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Accepts an invitation, and signs in.
///
/// # Errors
/// `not_found` for an invitation that cannot be used; `auth_invalid` for the wrong password of an account that is there.
#[utoipa::path(post, path = "/api/auth/invitations/accept", tag = "sign-in", request_body = AcceptRequest, security(()), responses(
    (status = 200, body = LoginResponse, description = "A member, and signed in"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn accept_invitation(
    State(app): State<App>,
    page: Page,
    Extension(Remote(from)): Extension<Remote>,
    Json(request): Json<AcceptRequest>,
) -> ApiResult<Response> {
    if request.keeping == Keeping::Cookie {
        page.0?;
    }
    let name = request.display_name.as_deref().map(|text| {
        person::name(text).ok_or_else(|| ApiError::field("displayName", "a name has 1 to 200 characters in one line"))
    });
    let name = name.transpose()?;
    let found = invitations::find(&app, &request.token).await;
    // As at sign-in, and counted together with it: who invites somebody may not guess their password on and on. Tokens that were made
    // up count against who sends them.
    let account = found.as_ref().map_or(request.token.expose_secret().as_bytes(), |found| &found.address);
    let attempt = app.operation.limiter.sign_in(from, account).await.map_err(|_| refused())?;
    let accepted = async { invitations::accept(&app, found?, request.password, name).await };
    match accepted.await {
        Ok((proved, tenant)) => {
            attempt.succeeded().await;
            enter(&app, &proved, Some(tenant), request.keeping).await
        }
        Err(error) => {
            // A new password that is too simple, or a service that is busy, is no guess.
            if !matches!(error.code(), ErrorCode::AuthInvalid | ErrorCode::NotFound) {
                attempt.forgiven().await;
            }
            Err(error)
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::AddressTaken => Self::new(ErrorCode::Conflict, "somebody signs in with this address already"),
            AccountError::Password(error) => error.into(),
            AccountError::Vault(error) => error.into(),
        }
    }
}
