//! The end of members and of the tenant. Its one invariant: a removal comes to its end, and leaves its receipt, whether or not somebody
//! still waits for the answer.

use api::{
    error::{ErrorBody, ErrorCode},
    tenants::{Role, TenantDeletion},
};
use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use uuid::Uuid;

use super::{is_not_the_last_owner, may_handle, role, store};
use crate::{
    app::App,
    auth::{Caller, recent, wire_role},
    db::{TenantTx, Write},
    deletion::{self, DeletionError},
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Path},
        idempotency::IdempotencyKey,
        lasting,
    },
    vault::{receipts::Receipt, seal::RecordKind},
    webhooks::deliver::LastWord,
};

/// Where the id of the receipt of a deletion is.
const RECEIPT: HeaderName = HeaderName::from_static("deletion-receipt");

fn not_an_owner() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "this is for owners of the tenant")
}

/// Removes a member with all their data in the tenant, and the person when no other tenant has them.
///
/// Much data takes longer than a request may: the removal goes on then, and `unavailable` is the answer until there is no such member.
///
/// # Errors
/// As [`change_member`](super::routes::change_member); `legal_hold`.
#[utoipa::path(delete, path = "/api/tenant/members/{userId}", tag = "tenant", params(("userId" = Uuid, Path), IdempotencyKey), responses(
    (status = 204, description = "Removed; the receipt's id is in `Deletion-Receipt`"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn remove_member(State(app): State<App>, caller: Caller, Path(user): Path<Uuid>) -> ApiResult<Response> {
    caller.manages()?;
    remove(&app, &caller, user).await
}

/// Deletes the tenant: its calls, its members, the people whom no other tenant has, its keys. It cannot be undone. The receipt and the
/// audit log remain, without content.
///
/// The body names the tenant, so that nobody deletes another one than they mean. Much data takes longer than a request may: the deletion
/// goes on then, and `auth_invalid` is the answer when there is no such tenant any more.
///
/// # Errors
/// `forbidden` unless the caller owns the tenant; `sign_in_again` unless the session began within ten minutes; `validation_failed` for
/// another tenant's id; `legal_hold` while a call is under one.
#[utoipa::path(delete, operation_id = "delete_tenant", path = "/api/tenant", tag = "tenant", params(IdempotencyKey),
    request_body = TenantDeletion, responses(
    (status = 204, description = "Gone; the receipt's id is in `Deletion-Receipt`"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn delete(State(app): State<App>, caller: Caller, Json(named): Json<TenantDeletion>) -> ApiResult<Response> {
    let session = caller.session()?;
    if wire_role(caller.scope().role()) != Role::Owner {
        return Err(not_an_owner());
    }
    let tenant = caller.scope().tenant();
    if named.tenant_id != tenant {
        return Err(ApiError::field("tenantId", "this is not the tenant that you are signed in to"));
    }
    let mut tx = app.database.read(caller.scope()).await?;
    recent::signed_in(&mut tx, session).await?;
    drop(tx);
    to_its_end(&app, &caller, (RecordKind::Tenant, tenant)).await
}

/// Removes somebody whom the caller may remove.
pub(crate) async fn remove(app: &App, caller: &Caller, user: Uuid) -> ApiResult<Response> {
    to_its_end(app, caller, (RecordKind::User, user)).await
}

async fn to_its_end(app: &App, caller: &Caller, what: (RecordKind, Uuid)) -> ApiResult<Response> {
    let (work_app, caller) = (app.clone(), *caller);
    let receipt = lasting::to_its_end(app, async move { erase(&work_app, &caller, what).await }).await?;
    let id = HeaderValue::from_str(&receipt.id.to_string()).map_err(|error| ApiError::internal(&error))?;
    Ok((StatusCode::NO_CONTENT, [(RECEIPT, id)]).into_response())
}

async fn erase(app: &App, caller: &Caller, (class, subject): (RecordKind, Uuid)) -> ApiResult<Receipt> {
    let mut tx = app.database.write_long(caller.scope()).await?;
    // Who asks again waits for no lock, and so takes no connection for as long as the removal lasts.
    if !store::begin_removal(&mut tx, subject).await? {
        let message = "this is being removed already, which goes on: ask again later";
        return Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(30));
    }
    let told_and_deleted = async {
        let last_word = match class {
            RecordKind::Tenant => Some(LastWord::of(app, &mut tx).await?),
            _ => None,
        };
        Ok::<_, ApiError>((last_word, attempt(app, caller, &mut tx, (class, subject)).await?))
    };
    let attempted = told_and_deleted.await;
    let (last_word, receipt) = tx.end(attempted).await?;
    if let Some(last_word) = last_word {
        last_word.tell(app, (receipt.id, receipt.at));
    }
    app.search.memories.forget(caller.scope().tenant(), None);
    if class == RecordKind::Tenant {
        app.vault.forget_tenant(subject);
    }
    app.auth.liveness.forget();
    Ok(receipt)
}

/// Deletes what the caller may delete, in a transaction that nobody else removes the same in.
async fn attempt(
    app: &App,
    caller: &Caller,
    tx: &mut TenantTx<Write>,
    (class, subject): (RecordKind, Uuid),
) -> ApiResult<Receipt> {
    if class == RecordKind::User && caller.manages().is_ok() {
        let was = role(store::member(tx, subject).await?.ok_or_else(ApiError::not_found)?.role)?;
        may_handle(caller, was)?;
        if was == Role::Owner {
            is_not_the_last_owner(tx, subject).await?;
        }
    }
    if class == RecordKind::Tenant {
        // Who was an owner when the request came may be none any more.
        let is = store::member(tx, caller.scope().user()).await?.map(|member| role(member.role)).transpose()?;
        if is != Some(Role::Owner) {
            return Err(not_an_owner());
        }
    }
    let receipt = deletion::delete(tx, app.vault.signer(), class, subject).await;
    receipt.map_err(|error| match error {
        DeletionError::NotFound => ApiError::not_found(),
        DeletionError::LegalHold => ApiError::new(ErrorCode::LegalHold, "a call is under legal hold: lift it first"),
        DeletionError::Database(error) => error.into(),
    })
}
