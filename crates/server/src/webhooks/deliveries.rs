//! `/api/tenant/webhooks/{webhookId}/…`: what an endpoint was told, and what somebody has it told again.

use api::{
    error::{ErrorBody, ErrorCode},
    page::{Page, PageQuery},
    webhooks::{Delivery, Ping, WebhookType},
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use uuid::Uuid;

use super::{State, outbox, store};
use crate::{
    app::App,
    audit::{self, Action, subject},
    auth::Caller,
    db::{TenantTx, Write},
    error::{ApiError, ApiResult},
    http::{
        extract::{Path, Query},
        idempotency::IdempotencyKey,
        page::{self, Cursor},
    },
};

/// What an endpoint was told within 30 days, and what it is still to be told, newest first.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`.
#[utoipa::path(get, operation_id = "list_deliveries", path = "/api/tenant/webhooks/{webhookId}/deliveries", tag = "tenant",
    params(("webhookId" = Uuid, Path), PageQuery), responses(
    (status = 200, body = Page<Delivery>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(endpoint): Path<Uuid>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Delivery>>> {
    caller.manages()?;
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(Cursor::decode).transpose()?;
    let mut tx = app.database.read(caller.scope()).await?;
    store::get(&mut tx, endpoint).await?;
    let mut rows = outbox::page(&mut tx, endpoint, after, limit + 1).await?;
    let next_cursor = page::cut(&mut rows, limit, outbox::Row::cursor);
    let items = rows.iter().map(outbox::Row::shown).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next_cursor }))
}

/// Sends a `ping`, whatever events the endpoint is told of.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`; `conflict` while the endpoint is disabled.
#[utoipa::path(post, operation_id = "test_webhook", path = "/api/tenant/webhooks/{webhookId}/test", tag = "tenant",
    params(("webhookId" = Uuid, Path), IdempotencyKey), responses(
    (status = 202, body = Delivery), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn test(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(endpoint): Path<Uuid>,
) -> ApiResult<(StatusCode, Json<Delivery>)> {
    caller.manages()?;
    let mut tx = app.database.write(caller.scope()).await?;
    enabled(&mut tx, endpoint).await?;
    let id = outbox::add(&mut tx, endpoint, WebhookType::Ping(Ping::Ping)).await?;
    accept(app, tx, (endpoint, id)).await
}

/// Sends a message once more that is not being sent, from its first attempt on and under the same `webhook-id`.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`; `conflict` while the endpoint is disabled or the message is queued.
#[utoipa::path(post, operation_id = "redeliver", tag = "tenant",
    path = "/api/tenant/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver",
    params(("webhookId" = Uuid, Path), ("deliveryId" = Uuid, Path), IdempotencyKey), responses(
    (status = 202, body = Delivery), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn redeliver(
    Shared(app): Shared<App>,
    caller: Caller,
    Path((endpoint, id)): Path<(Uuid, Uuid)>,
) -> ApiResult<(StatusCode, Json<Delivery>)> {
    caller.manages()?;
    let mut tx = app.database.write(caller.scope()).await?;
    enabled(&mut tx, endpoint).await?;
    if outbox::lock(&mut tx, (endpoint, id)).await?.is_queued() {
        return Err(ApiError::new(ErrorCode::Conflict, "this message is queued: it is sent without being asked for"));
    }
    outbox::send_again(&mut tx, id).await?;
    accept(app, tx, (endpoint, id)).await
}

/// Locks an endpoint that is told anything.
async fn enabled(tx: &mut TenantTx<Write>, endpoint: Uuid) -> ApiResult<()> {
    match State::numbered(store::lock(tx, endpoint).await?.state)? {
        State::Enabled => Ok(()),
        _ => Err(ApiError::new(ErrorCode::Conflict, "this endpoint is disabled: enable it first")),
    }
}

async fn accept(
    app: App,
    mut tx: TenantTx<Write>,
    (endpoint, id): (Uuid, Uuid),
) -> ApiResult<(StatusCode, Json<Delivery>)> {
    let delivery = outbox::get(&mut tx, (endpoint, id)).await?.shown()?;
    audit::record(&mut tx, Action::SendWebhook, subject::WEBHOOK, endpoint).await?;
    tx.commit().await?;
    app.changes.wake_webhooks();
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}
