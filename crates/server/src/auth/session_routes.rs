//! What somebody who is signed in does about it: where they are, ending that, another password. Its one invariant: what is ended has ended
//! when the answer is there.

use api::{
    auth::{PasswordRequest, Session, Sessions},
    error::{ErrorBody, ErrorCode},
};
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use uuid::Uuid;

use super::{caller::Caller, cookies, person::Person};
use crate::{
    app::App,
    audit::{self, Action},
    db::{DbError, Reason},
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Path},
        limits::Remote,
    },
    rate_limit::Network,
    vault::seal::RecordKind,
};

/// Sessions that are listed.
const MOST: i32 = 100;

/// Signs out everywhere.
///
/// # Errors
/// When the caller is not signed in.
#[utoipa::path(post, path = "/api/auth/logout-all", tag = "sign-in", responses(
    (status = 204, description = "Signed out of every session, this one too"),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn logout_all(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    caller.session()?;
    revoke(&app, &caller, None, Some(Action::SignOutEverywhere)).await?;
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
    match revoke(&app, &caller, Some(session), None).await? {
        0 => Err(ApiError::not_found()),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Ends sessions of the caller: one, or all.
pub(super) async fn revoke(app: &App, caller: &Caller, only: Option<Uuid>, action: Option<Action>) -> ApiResult<i64> {
    let mut tx = app.database.write(caller.scope()).await?;
    let revoked = sqlx::query_scalar!(r#"SELECT app.sessions_revoke($1, NULL) AS "revoked!""#, only)
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
    Extension(Remote(from)): Extension<Remote>,
    Json(request): Json<PasswordRequest>,
) -> ApiResult<StatusCode> {
    let session = caller.session()?;
    let user = caller.scope().user();
    let old = prove_again(&app, (user, from), &request.current_password).await?;
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
async fn prove_again(app: &App, (user, from): (Uuid, Network), password: &SecretString) -> ApiResult<Vec<u8>> {
    let mut tx = app.database.system(Reason::SignIn).await?;
    let credential =
        sqlx::query_scalar!("SELECT app.credential_of($1)", user).fetch_one(tx.conn()).await.map_err(DbError::from)?;
    tx.commit().await?;
    let attempt = app.operation.limiter.sign_in(from, user.as_bytes()).await;
    let fits = app.auth.passwords.verify(password, credential.clone()).await?;
    let (Some(credential), true, Ok(attempt)) = (credential, fits, attempt) else {
        let message = "the current password is wrong, or there were too many attempts: wait a little and try again";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    };
    attempt.succeeded().await;
    Ok(credential)
}
