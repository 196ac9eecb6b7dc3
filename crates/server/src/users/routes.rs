//! `/api/users/me`.

use api::{
    error::{ErrorBody, ErrorCode},
    users::{ConsentPatch, Limits, Me, MePatch, Stats},
};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};

use super::store;
use crate::{
    app::App,
    auth::{
        Caller,
        person::{self, Person},
        wire_role,
    },
    calls::deletions::RECEIPT,
    db::{Access, Role, TenantTx},
    error::{ApiError, ApiResult},
    http::{extract::Json, idempotency::IdempotencyKey},
    tenants, voice_profiles,
};

/// The caller.
///
/// # Errors
/// When the caller is not signed in.
#[utoipa::path(get, operation_id = "own_profile", path = "/api/users/me", tag = "user", responses(
    (status = 200, body = Me), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn get(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Me>> {
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(axum::Json(read(&app, &mut tx).await?))
}

async fn read<A: Access>(app: &App, tx: &mut TenantTx<A>) -> ApiResult<Me> {
    let scope = tx.scope();
    Ok(Me {
        user: Person::own(tx, &app.vault).await?.of(scope.user()),
        tenant_id: scope.tenant(),
        role: wire_role(scope.role()),
        consents: store::consents(tx).await?,
    })
}

/// Changes the caller's profile.
///
/// # Errors
/// `validation_failed` for what is no name.
#[utoipa::path(patch, operation_id = "change_own_profile", path = "/api/users/me", tag = "user", params(IdempotencyKey), request_body = MePatch, responses(
    (status = 200, body = Me), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn change(State(app): State<App>, caller: Caller, Json(patch): Json<MePatch>) -> ApiResult<axum::Json<Me>> {
    caller.session()?;
    let name = match patch.display_name.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => {
            let wrong = || ApiError::field("displayName", "a name has at most 200 characters in one line");
            Some(Some(person::name(text).ok_or_else(wrong)?))
        }
    };
    let mut tx = app.database.write(caller.scope()).await?;
    if let Some(display_name) = name {
        let person = Person { display_name, ..Person::own(&mut tx, &app.vault).await? };
        person.store_own(&mut tx, &app.vault).await?;
    }
    let changed = read(&app, &mut tx).await?;
    tx.commit().await?;
    Ok(axum::Json(changed))
}

/// Records that the caller agrees, or does not any more; with the consent to it goes a voice profile.
///
/// # Errors
/// `forbidden` for an auditor, who has no data to agree to anything about.
#[utoipa::path(patch, path = "/api/users/me/consent", tag = "user", params(IdempotencyKey), request_body = ConsentPatch, responses(
    (status = 200, body = Me, headers(("Deletion-Receipt" = Uuid, description = "Of a voice profile that went with its consent"))), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn consent(State(app): State<App>, caller: Caller, Json(patch): Json<ConsentPatch>) -> ApiResult<Response> {
    caller.session()?;
    has_data(&caller)?;
    if patch.version == 0 {
        return Err(ApiError::field("version", "versions count from 1"));
    }
    let mut tx = app.database.write(caller.scope()).await?;
    store::consent(&mut tx, &patch).await?;
    let receipt = match patch.given {
        true => None,
        false => voice_profiles::end_without_consent(&mut tx, app.vault.signer()).await?,
    };
    let changed = read(&app, &mut tx).await?;
    tx.commit().await?;
    let receipt = receipt.map(|receipt| [(RECEIPT, receipt.id.to_string())]);
    Ok((receipt, axum::Json(changed)).into_response())
}

/// What the caller's tenant may do and did.
///
/// # Errors
/// When the caller is not signed in.
#[utoipa::path(get, path = "/api/users/me/limits", tag = "user", responses(
    (status = 200, body = Limits), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn limits(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Limits>> {
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(axum::Json(store::limits(&mut tx, caller.may_upload().is_ok()).await?))
}

/// Numbers of the caller's own calls.
///
/// # Errors
/// When the caller is not signed in.
#[utoipa::path(get, path = "/api/users/me/stats", tag = "user", responses(
    (status = 200, body = Stats), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn stats(State(app): State<App>, caller: Caller) -> ApiResult<axum::Json<Stats>> {
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(axum::Json(store::stats(&mut tx).await?))
}

/// Deletes the caller's data in the tenant, and the person when no other tenant has them.
///
/// # Errors
/// `conflict` for the last owner; `legal_hold`; `forbidden` for an auditor, whom a manager removes.
#[utoipa::path(delete, operation_id = "delete_own_account", path = "/api/users/me", tag = "user", params(IdempotencyKey), responses(
    (status = 204, description = "Gone; the receipt's id is in `Deletion-Receipt`"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn delete(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    caller.session()?;
    has_data(&caller)?;
    tenants::removal::remove(&app, &caller, caller.scope().user()).await
}

/// An auditor owns nothing in a tenant, by the database's policies.
pub(crate) fn has_data(caller: &Caller) -> ApiResult<()> {
    if caller.scope().role() == Role::Auditor {
        let message = "an auditor has no data in the tenant: who manages it removes an auditor";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    }
    Ok(())
}
