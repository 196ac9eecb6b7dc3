//! `/api/tenant/api-keys`: keys for machines. Its one invariant: a key is shown once, when it is made; what is stored opens nothing.

use api::{
    error::{ErrorBody, ErrorCode},
    page::{MAX_LIMIT, Page},
    tenants::{ApiKey, ApiKeyRequest, ApiScope},
};
use axum::{extract::State, http::StatusCode};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    audit::{self, Action, subject},
    auth::{
        Caller, bit, person,
        secret::{self, Prefix},
    },
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Path},
        idempotency::{IdempotencyKey, ShownOnce},
    },
    vault::{
        content::{self, Stored},
        seal::{Broken, Field, RecordKind},
    },
};

/// Days that a key is good when nobody says, and the most.
const DAYS: u16 = 90;
const MOST_DAYS: u16 = 365;

const SCOPES: [ApiScope; 3] = [ApiScope::CallsRead, ApiScope::CallsWrite, ApiScope::AccountRead];

/// Where the name of a key is sealed.
pub(crate) fn field(id: Uuid) -> Field {
    Field::new("api_keys", "sealed", id)
}

/// The scopes of a key, as the API says them.
pub(crate) fn scopes_of(bits: i32) -> Vec<ApiScope> {
    SCOPES.into_iter().filter(|scope| bits & bit(*scope) != 0).collect()
}

/// The keys of the tenant that were not revoked, oldest first; at most 200.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant.
#[utoipa::path(get, operation_id = "list_api_keys", path = "/api/tenant/api-keys", tag = "tenant", responses(
    (status = 200, body = Page<ApiKey>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn list(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Page<ApiKey>>> {
    caller.manages()?;
    let mut tx = app.database.read(caller.scope()).await?;
    let rows = store::api_keys(&mut tx, i64::from(MAX_LIMIT)).await?;
    let key = app.vault.record_key(&mut tx, RecordKind::Tenant, caller.scope().tenant()).await?;
    let sealed = |row: &'_ store::ApiKeyRow| row.sealed.is_some();
    let rows: Vec<_> = rows.into_iter().filter(sealed).collect();
    let stored: Vec<_> = rows
        .iter()
        .filter_map(|row| Some(Stored { key: &key, field: field(row.id), sealed: row.sealed.as_deref()? }))
        .collect();
    let names = content::open_all(&stored)?;
    let items = rows.iter().zip(names).map(|(row, name)| {
        let name = std::str::from_utf8(&name).map_err(|_| ApiError::internal(&Broken::at(field(row.id))))?;
        Ok(ApiKey {
            api_key_id: row.id,
            owner_id: row.owner,
            name: name.to_owned(),
            scopes: scopes_of(row.scopes),
            created_at: row.created_at,
            used_at: row.used_at,
            expires_at: row.expires_at,
            token: None,
        })
    });
    Ok(axum::Json(Page { items: items.collect::<ApiResult<_>>()?, next_cursor: None }))
}

/// Makes a key that acts as its maker, within its scopes.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `conflict` past 200 keys.
#[utoipa::path(post, operation_id = "create_api_key", path = "/api/tenant/api-keys", tag = "tenant", params(IdempotencyKey),
    request_body = ApiKeyRequest, responses(
    (status = 201, body = ApiKey, description = "The token is in this answer and nowhere else, not when asked again either"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<ApiKeyRequest>,
) -> ApiResult<(StatusCode, ShownOnce<ApiKey>)> {
    caller.manages()?;
    let name = person::name(&request.name)
        .ok_or_else(|| ApiError::field("name", "a name has 1 to 200 characters in one line"))?;
    let scopes = request.scopes.iter().fold(0, |bits, scope| bits | bit(*scope));
    if scopes == 0 {
        return Err(ApiError::field("scopes", "a key without a scope opens nothing: name at least one"));
    }
    let days = request.expires_in_days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(ApiError::field("expiresInDays", "a key is good for 1 to 365 days"));
    }
    let (id, tenant) = (Uuid::now_v7(), caller.scope().tenant());
    let token = secret::generate(Prefix::ApiKey).map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.database.write(caller.scope()).await?;
    store::lock(&mut tx).await?;
    if store::api_keys(&mut tx, i64::from(MAX_LIMIT)).await?.len() >= usize::from(MAX_LIMIT) {
        return Err(ApiError::new(ErrorCode::Conflict, "a tenant has at most 200 API keys: revoke one first"));
    }
    let key = app.vault.record_key(&mut tx, RecordKind::Tenant, tenant).await?;
    let sealed = content::seal(&mut tx, &key, &field(id), name.as_bytes()).await?;
    let hash = secret::hash(token.expose_secret());
    let (created_at, expires_at) = store::add_api_key(&mut tx, id, (scopes, i32::from(days)), (&hash, &sealed)).await?;
    audit::record(&mut tx, Action::CreateApiKey, subject::API_KEY, id).await?;
    tx.commit().await?;
    let kept = ApiKey {
        api_key_id: id,
        owner_id: caller.scope().user(),
        name,
        scopes: scopes_of(scopes),
        created_at,
        used_at: None,
        expires_at,
        token: None,
    };
    let shown = ApiKey { token: Some(token.expose_secret().to_owned()), ..kept.clone() };
    Ok((StatusCode::CREATED, ShownOnce { shown, kept }))
}

/// Revokes a key at once.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`.
#[utoipa::path(delete, path = "/api/tenant/api-keys/{apiKeyId}", tag = "tenant", params(("apiKeyId" = Uuid, Path), IdempotencyKey), responses(
    (status = 204, description = "Revoked"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    caller.manages()?;
    let mut tx = app.database.write(caller.scope()).await?;
    if !store::revoke_api_key(&mut tx, id).await? {
        return Err(ApiError::not_found());
    }
    audit::record(&mut tx, Action::RevokeApiKey, subject::API_KEY, id).await?;
    tx.commit().await?;
    app.auth.liveness.forget();
    Ok(StatusCode::NO_CONTENT)
}
