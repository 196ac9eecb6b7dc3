//! `/api/auth`: signing in and out. Its one invariant: unknown, wrong and locked get the same answer after the same work.
//!
//! Reset by e-mail, second factors, passkeys and single sign-on come between a proof and [`enter`]: what else has to be proved, or what
//! proves instead of a password.

use api::{
    auth::{
        AcceptRequest, Keeping, LoginRequest, LoginResponse, Membership, PasswordRequest, RefreshRequest, Session,
        Sessions, Tokens,
    },
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
    guard::ClientAddress,
    invitations, liveness,
    person::{self, EmailAddress, Person},
    sessions::{self, Issued},
    tenant,
};
use crate::{
    app::App,
    audit::{self, Action},
    db::{DbError, Reason, Scope},
    error::{ApiError, ApiResult},
    http::extract::{Json, Path},
    vault::seal::RecordKind,
};

/// Sessions that are listed, and tenants of a person.
const MOST: i32 = 100;

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
    client: Option<Extension<ClientAddress>>,
    Json(request): Json<LoginRequest>,
) -> ApiResult<Response> {
    if request.keeping == Keeping::Cookie {
        page.0?;
    }
    // Not an address: nobody's, and as much work.
    let email = EmailAddress::parse(request.email.expose_secret());
    let guard = &app.auth.guard;
    let account =
        guard.account(email.as_ref().map(|email| email.token(&app.vault)).as_ref().map_or(&[], |token| token));
    let names: Vec<_> = client.map(|Extension(client)| guard.address(client)).into_iter().chain([account]).collect();
    let is_looked_at = guard.check(&names, app.clock.now());
    let proved = match &email {
        Some(email) => accounts::authenticate(&app, email, &request.password).await?,
        None => app.auth.passwords.verify(&request.password, None).await.map(|_| None)?,
    };
    let Some(proved) = proved.filter(|_| is_looked_at) else {
        if is_looked_at {
            guard.failed(&names, app.clock.now());
        }
        return Err(refused());
    };
    guard.succeeded(account);
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
        i64::from(MOST),
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
        let wrong = || ApiError::new(ErrorCode::ValidationFailed, "the body is JSON with a refreshToken, or empty");
        let request: RefreshRequest = serde_json::from_slice(body).map_err(|_| wrong())?;
        if let Some(token) = request.refresh_token {
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
#[utoipa::path(post, path = "/api/auth/logout", tag = "sign-in", request_body = Option<RefreshRequest>, responses(
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
            revoke(&app, &caller, Some(caller.session()?), None, None).await?;
        }
        Err(error) if token.is_none() => return Err(error),
        Err(_) => {}
    }
    let mut headers = HeaderMap::new();
    cookies::clear(&mut headers);
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Signs out everywhere.
///
/// # Errors
/// When the caller is not signed in.
#[utoipa::path(post, path = "/api/auth/logout-all", tag = "sign-in", responses(
    (status = 204, description = "Signed out of every session, this one too"),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn logout_all(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    caller.session()?;
    revoke(&app, &caller, None, None, Some(Action::SignOutEverywhere)).await?;
    let mut headers = HeaderMap::new();
    cookies::clear(&mut headers);
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Where the caller is signed in.
///
/// # Errors
/// When the caller is not signed in.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "sign-in", responses(
    (status = 200, body = Sessions), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn list_sessions(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Sessions>> {
    let current = caller.session()?;
    let mut tx = app.database.read(caller.scope()).await?;
    let rows = sqlx::query!(
        r#"SELECT family AS "family!", tenant_id AS "tenant!", created_at AS "created_at!", last_used_at AS "last_used_at!",
             expires_at AS "expires_at!" FROM app.sessions_own($1)"#,
        MOST
    )
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    let session = |row: (Uuid, Uuid, _, _, _)| Session {
        session_id: row.0,
        tenant_id: row.1,
        created_at: row.2,
        last_used_at: row.3,
        expires_at: row.4,
        is_current: row.0 == current,
    };
    let rows = rows.into_iter().map(|row| (row.family, row.tenant, row.created_at, row.last_used_at, row.expires_at));
    Ok(axum::Json(Sessions { items: rows.map(session).collect() }))
}

/// Signs out somewhere else.
///
/// # Errors
/// `not_found` for a session that is not the caller's.
#[utoipa::path(delete, path = "/api/auth/sessions/{sessionId}", tag = "sign-in", params(("sessionId" = Uuid, Path)), responses(
    (status = 204, description = "Signed out there"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn end_session(State(app): State<App>, caller: Caller, Path(session): Path<Uuid>) -> ApiResult<StatusCode> {
    caller.session()?;
    match revoke(&app, &caller, Some(session), None, None).await? {
        0 => Err(ApiError::not_found()),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Ends sessions of the caller: one, or all, or all but one.
async fn revoke(
    app: &App,
    caller: &Caller,
    only: Option<Uuid>,
    but: Option<Uuid>,
    action: Option<Action>,
) -> ApiResult<i64> {
    let mut tx = app.database.write(caller.scope()).await?;
    let revoked = sqlx::query_scalar!(r#"SELECT app.sessions_revoke($1, $2) AS "revoked!""#, only, but)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    if let Some(action) = action {
        audit::record(&mut tx, action, RecordKind::User as i16, caller.scope().user()).await?;
    }
    tx.commit().await?;
    app.auth.liveness.forget();
    Ok(revoked)
}

/// Changes the password, and signs out everywhere else.
///
/// # Errors
/// `forbidden` when the current one is wrong; `validation_failed` when the new one is not good enough.
#[utoipa::path(post, path = "/api/auth/password", tag = "sign-in", request_body = PasswordRequest, responses(
    (status = 204, description = "Changed; every other session has ended"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<PasswordRequest>,
) -> ApiResult<StatusCode> {
    let session = caller.session()?;
    let user = caller.scope().user();
    let old = prove_again(&app, user, &request.current_password).await?;
    let mut tx = app.database.read(caller.scope()).await?;
    let person = Person::own(&mut tx, &app.vault).await?;
    tx.rollback().await?;
    app.auth.passwords.check(&request.new_password, person.known()).await?;
    let new = app.auth.passwords.hash(&request.new_password).await?;
    let mut tx = app.database.write(caller.scope()).await?;
    let replaced = sqlx::query_scalar!(r#"SELECT app.credential_replace($1, $2) AS "replaced!""#, old, new)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    if !replaced {
        return Err(ApiError::new(ErrorCode::Conflict, "the password was changed somewhere else just now"));
    }
    sqlx::query_scalar!("SELECT app.sessions_revoke(NULL, $1)", session)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    audit::record(&mut tx, Action::ChangePassword, RecordKind::User as i16, user).await?;
    tx.commit().await?;
    app.auth.liveness.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// The stored credential of somebody signed in, who gave its password again.
async fn prove_again(app: &App, user: Uuid, password: &SecretString) -> ApiResult<Vec<u8>> {
    let account = [app.auth.guard.account(user.as_bytes())];
    let mut tx = app.database.system(Reason::SignIn).await?;
    let credential =
        sqlx::query_scalar!("SELECT app.credential_of($1)", user).fetch_one(tx.conn()).await.map_err(DbError::from)?;
    tx.commit().await?;
    let is_looked_at = app.auth.guard.check(&account, app.clock.now());
    let fits = app.auth.passwords.verify(password, credential.clone()).await?;
    match credential.filter(|_| fits && is_looked_at) {
        Some(credential) => {
            app.auth.guard.succeeded(account[0]);
            Ok(credential)
        }
        None => {
            if is_looked_at {
                app.auth.guard.failed(&account, app.clock.now());
            }
            let message = "the current password is wrong, or there were too many attempts: wait a little and try again";
            Err(ApiError::new(ErrorCode::Forbidden, message))
        }
    }
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
    Json(request): Json<AcceptRequest>,
) -> ApiResult<Response> {
    if request.keeping == Keeping::Cookie {
        page.0?;
    }
    let name = request.display_name.as_deref().map(|text| {
        person::name(text).ok_or_else(|| ApiError::field("displayName", "a name has 1 to 200 characters in one line"))
    });
    // As at sign-in: who has an invitation may not guess the password of its address without end.
    let account = [app.auth.guard.account(request.token.expose_secret().as_bytes())];
    if !app.auth.guard.check(&account, app.clock.now()) {
        return Err(refused());
    }
    let accepted = invitations::accept(&app, &request.token, request.password, name.transpose()?).await;
    if accepted.as_ref().is_err_and(|error| error.code() == ErrorCode::AuthInvalid) {
        app.auth.guard.failed(&account, app.clock.now());
    }
    let (proved, tenant) = accepted?;
    enter(&app, &proved, Some(tenant), request.keeping).await
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
