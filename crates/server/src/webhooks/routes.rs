//! `/api/tenant/webhooks`: endpoints. Their one invariant: a secret is shown once, when it is made.

use api::{
    error::{ErrorBody, ErrorCode},
    page::Page,
    webhooks::{Webhook, WebhookEvent, WebhookPatch, WebhookRequest},
};
use axum::{extract::State as Shared, http::StatusCode};
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{Document, Previous, State, bits, new_secret, store, target};
use crate::{
    app::App,
    audit::{self, Action, subject},
    auth::{Caller, person},
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Path},
        idempotency::{IdempotencyKey, ShownOnce},
    },
    tenants,
};

/// Endpoints of one tenant.
const MOST: usize = 10;

/// For how long a secret that was replaced signs as well: until every receiver knows the new one.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// Replaced secrets that sign at once.
const MOST_SECRETS: usize = 5;

fn described(text: &str) -> ApiResult<String> {
    person::name(text)
        .ok_or_else(|| ApiError::field("description", "a description has 1 to 200 characters in one line"))
}

fn chosen(events: &[WebhookEvent]) -> ApiResult<i32> {
    match bits(events) {
        0 => Err(ApiError::field("events", "an endpoint without an event is told nothing: name at least one")),
        bits => Ok(bits),
    }
}

fn reached(app: &App, url: &str) -> ApiResult<String> {
    let url = target::parse(url, app.webhooks.settings()).map_err(|message| ApiError::field("url", message))?;
    Ok(url.into())
}

fn once(kept: Webhook, secret: &SecretString) -> ShownOnce<Webhook> {
    let shown = Webhook { secret: Some(secret.expose_secret().to_owned()), ..kept.clone() };
    ShownOnce { shown, kept }
}

/// The endpoints of the tenant, oldest first; at most 10.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant.
#[utoipa::path(get, operation_id = "list_webhooks", path = "/api/tenant/webhooks", tag = "tenant", responses(
    (status = 200, body = Page<Webhook>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn list(Shared(app): Shared<App>, caller: Caller) -> ApiResult<axum::Json<Page<Webhook>>> {
    caller.manages()?;
    let mut tx = app.database.read(caller.scope()).await?;
    let rows = store::all(&mut tx).await?;
    let documents = store::open_all(&mut tx, &app.vault, &rows).await?;
    let items = rows.iter().zip(&documents).map(|(row, document)| row.shown(document));
    Ok(axum::Json(Page { items: items.collect::<Result<_, _>>()?, next_cursor: None }))
}

/// An endpoint.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`.
#[utoipa::path(get, operation_id = "webhook", path = "/api/tenant/webhooks/{webhookId}", tag = "tenant",
    params(("webhookId" = Uuid, Path)), responses(
    (status = 200, body = Webhook), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn get(Shared(app): Shared<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<axum::Json<Webhook>> {
    caller.manages()?;
    let mut tx = app.database.read(caller.scope()).await?;
    let row = store::get(&mut tx, id).await?;
    let document = store::open(&mut tx, &app.vault, &row).await?;
    Ok(axum::Json(row.shown(&document)?))
}

/// Adds an endpoint, which is told by POST what ends: ids and times, signed as Standard Webhooks are (<https://www.standardwebhooks.com>).
/// It answers with a status from 200 to 299 within ten seconds; otherwise it is told again, seven times in 32 hours.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `conflict` past 10 endpoints.
#[utoipa::path(post, operation_id = "add_webhook", path = "/api/tenant/webhooks", tag = "tenant", params(IdempotencyKey),
    request_body = WebhookRequest, responses(
    (status = 201, body = Webhook, description = "The secret is in this answer and nowhere else, not when asked again either"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn add(
    Shared(app): Shared<App>,
    caller: Caller,
    Json(request): Json<WebhookRequest>,
) -> ApiResult<(StatusCode, ShownOnce<Webhook>)> {
    caller.manages()?;
    let url = reached(&app, &request.url)?;
    let (description, events) = (request.description.as_deref().map(described).transpose()?, chosen(&request.events)?);
    let secret = new_secret().map_err(|error| ApiError::internal(&error))?;
    let (id, document) = (Uuid::now_v7(), Document { url, description, secret, previous: Vec::new() });
    let mut tx = app.database.write(caller.scope()).await?;
    tenants::store::lock(&mut tx).await?;
    if store::all(&mut tx).await?.len() >= MOST {
        return Err(ApiError::new(ErrorCode::Conflict, "a tenant has at most 10 webhook endpoints: delete one first"));
    }
    store::put(&mut tx, &app.vault, (id, events, &document)).await?;
    let kept = store::get(&mut tx, id).await?.shown(&document)?;
    audit::record(&mut tx, Action::CreateWebhook, subject::WEBHOOK, id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, once(kept, &document.secret)))
}

/// Changes an endpoint. One that was disabled, by a person or because it failed, is told again what happens from when it is enabled.
///
/// # Errors
/// As [`add`]; `not_found`.
#[utoipa::path(patch, operation_id = "change_webhook", path = "/api/tenant/webhooks/{webhookId}", tag = "tenant",
    params(("webhookId" = Uuid, Path), IdempotencyKey), request_body = WebhookPatch, responses(
    (status = 200, body = Webhook), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn change(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(patch): Json<WebhookPatch>,
) -> ApiResult<axum::Json<Webhook>> {
    caller.manages()?;
    let url = patch.url.as_deref().map(|url| reached(&app, url)).transpose()?;
    let description = match patch.description.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => Some(Some(described(text)?)),
    };
    let events = patch.events.as_deref().map(chosen).transpose()?;
    let mut tx = app.database.write(caller.scope()).await?;
    let row = store::lock(&mut tx, id).await?;
    let before = store::open(&mut tx, &app.vault, &row).await?;
    if url.as_ref().is_some_and(|url| *url != before.url) && row.failing_since.is_some() {
        // That was elsewhere.
        store::set_failing(&mut tx, id, None).await?;
    }
    let document =
        Document { url: url.unwrap_or(before.url), description: description.unwrap_or(before.description), ..before };
    store::put(&mut tx, &app.vault, (id, events.unwrap_or(row.events), &document)).await?;
    match patch.enabled {
        Some(true) => store::set_state(&mut tx, id, State::Enabled).await?,
        Some(false) => store::set_state(&mut tx, id, State::Disabled).await?,
        None => {}
    }
    let changed = store::get(&mut tx, id).await?.shown(&document)?;
    audit::record(&mut tx, Action::ChangeWebhook, subject::WEBHOOK, id).await?;
    tx.commit().await?;
    Ok(axum::Json(changed))
}

/// Removes an endpoint with everything that it was told or was still to be told.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`.
#[utoipa::path(delete, operation_id = "delete_webhook", path = "/api/tenant/webhooks/{webhookId}", tag = "tenant",
    params(("webhookId" = Uuid, Path), IdempotencyKey), responses(
    (status = 204, description = "Removed"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn delete(Shared(app): Shared<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    caller.manages()?;
    let mut tx = app.database.write(caller.scope()).await?;
    // Whoever deletes a call has the head of the audit log when it leaves word for the endpoint: so the row, which they may have, is waited for
    // with the head in hand, and what only keeps others from changing it comes first.
    store::lock(&mut tx, id).await?;
    audit::record(&mut tx, Action::DeleteWebhook, subject::WEBHOOK, id).await?;
    store::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the secret of an endpoint. For 24 hours messages are signed with the old one as well.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `not_found`.
#[utoipa::path(post, operation_id = "replace_webhook_secret", path = "/api/tenant/webhooks/{webhookId}/secret", tag = "tenant",
    params(("webhookId" = Uuid, Path), IdempotencyKey), responses(
    (status = 200, body = Webhook, description = "The secret is in this answer and nowhere else, not when asked again either"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn replace_secret(
    Shared(app): Shared<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<ShownOnce<Webhook>> {
    caller.manages()?;
    let secret = new_secret().map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.database.write(caller.scope()).await?;
    let row = store::lock(&mut tx, id).await?;
    let before = store::open(&mut tx, &app.vault, &row).await?;
    let (now, mut previous) = (app.clock.now(), before.previous);
    previous.retain(|previous| now < previous.until);
    if previous.len() >= MOST_SECRETS {
        let message =
            "five secrets of this endpoint were replaced within 24 hours: wait until one of them signs no more";
        return Err(ApiError::new(ErrorCode::Conflict, message));
    }
    previous.push(Previous { secret: before.secret, until: now + OVERLAP });
    let document = Document { secret, previous, ..before };
    store::put(&mut tx, &app.vault, (id, row.events, &document)).await?;
    audit::record(&mut tx, Action::ReplaceWebhookSecret, subject::WEBHOOK, id).await?;
    tx.commit().await?;
    Ok(once(row.shown(&document)?, &document.secret))
}
