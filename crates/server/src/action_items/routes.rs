//! Action items over HTTP.

use api::{
    action_items::{ActionItem, ActionItemDetails, ActionItems, ActionPatch, ActionQuery, ActionSource, ActionStatus},
    error::{ErrorBody, ErrorCode},
    page::Page,
};
use axum::{Extension, Json, extract::State, http::StatusCode};
use uuid::Uuid;

use super::{
    Document, SOURCES, STATUSES, details,
    store::{self, New, Row},
};
use crate::{
    app::App,
    auth::Caller,
    calls::{self, code_of, legal_hold, routes::or_call},
    db::{Access, TenantTx, Write},
    error::{ApiError, ApiResult},
    http::{
        extract::{self, Path, Query},
        idempotency::{IdempotencyKey, TellsOf},
        page::{self, Cursor},
    },
    search,
    vault::seal::RecordKind,
};

/// Action items that people add to one call: some times what anybody tracks of a conversation.
const MAX_ADDED: i64 = 200;

/// The number of [`ActionStatus::Dismissed`] in the database.
const DISMISSED: i16 = 4;

/// An item that was written; the answer is kept under the key of its call.
type Written = (Extension<TellsOf>, Json<ActionItem>);

fn written(item: ActionItem) -> Written {
    (Extension(TellsOf(RecordKind::Call, item.call_id)), Json(item))
}

async fn show<A: Access>(app: &App, tx: &mut TenantTx<A>, rows: &[Row]) -> ApiResult<Vec<ActionItem>> {
    let documents = store::open_all(tx, &app.vault, rows).await?;
    rows.iter().zip(documents).map(|(row, document)| row.shown(document)).collect()
}

async fn show_one<A: Access>(app: &App, tx: &mut TenantTx<A>, item: Uuid) -> ApiResult<ActionItem> {
    let row = store::get(tx, item).await?;
    show(app, tx, &[row]).await?.pop().ok_or_else(ApiError::not_found)
}

/// Locks an action item that is to be replaced or removed, behind its call, as analysis does.
async fn lock(tx: &mut TenantTx<Write>, item: Uuid) -> ApiResult<Row> {
    let call = store::get(tx, item).await?.call_id;
    legal_hold::lock_free(tx, call).await?;
    Ok(store::lock(tx, item).await?)
}

/// Action items of all calls, the latest first.
#[utoipa::path(
    get, operation_id = "list_actions", path = "/api/actions", tag = "action items", params(ActionQuery),
    responses(
        (status = 200, body = Page<ActionItem>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ActionQuery>,
) -> ApiResult<Json<Page<ActionItem>>> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(Cursor::decode).transpose()?;
    let status = query.status.map(|status| code_of(&STATUSES, &status));
    let mut tx = app.database.read(caller.scope()).await?;
    let mut rows = store::page(&mut tx, status, after, limit + 1).await?;
    let next_cursor = page::cut(&mut rows, limit, Row::cursor);
    Ok(Json(Page { items: show(&app, &mut tx, &rows).await?, next_cursor }))
}

/// Says how far an action item is. Analysing the call again leaves it so.
#[utoipa::path(
    patch, operation_id = "change_action_status", path = "/api/actions/{id}", tag = "action items", request_body = ActionPatch,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 200, body = ActionItem),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(patch): extract::Json<ActionPatch>,
) -> ApiResult<Written> {
    let mut tx = app.database.write(caller.scope()).await?;
    let call = store::get(&mut tx, id).await?.call_id;
    calls::store::lock(&mut tx, call).await?;
    let before = store::lock(&mut tx, id).await?.status;
    store::set_status(&mut tx, id, code_of(&STATUSES, &patch.status)).await?;
    // What is dismissed is not found, and what is taken up again is.
    if (before == DISMISSED) != (patch.status == ActionStatus::Dismissed) {
        search::index::renew(&mut tx, &app.vault, call).await?;
    }
    let item = show_one(&app, &mut tx, id).await?;
    tx.commit().await?;
    Ok(written(item))
}

/// The action items of a call.
#[utoipa::path(
    get, operation_id = "list_action_items", path = "/api/calls/{id}/action-items", tag = "action items",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = ActionItems),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn of_call(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<ActionItems>> {
    let mut tx = app.database.read(caller.scope()).await?;
    calls::store::get(&mut tx, id).await.map_err(or_call)?;
    let rows = store::of_call(&mut tx, id).await?;
    Ok(Json(ActionItems { items: show(&app, &mut tx, &rows).await? }))
}

/// Adds an action item to a call.
#[utoipa::path(
    post, operation_id = "add_action_item", path = "/api/calls/{id}/action-items", tag = "action items",
    request_body = ActionItemDetails, params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 201, body = ActionItem),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(details): extract::Json<ActionItemDetails>,
) -> ApiResult<(StatusCode, Written)> {
    let (due_date, status) = (details.due_date, details.status.unwrap_or_default());
    let document = details::written(&app, &caller, id, details).await?;
    let mut tx = app.database.write(caller.scope()).await?;
    calls::store::lock(&mut tx, id).await.map_err(or_call)?;
    let (count, position) = store::added(&mut tx, id).await?;
    if count >= MAX_ADDED {
        let message = "a call has at most 200 action items that people added; delete some first";
        return Err(ApiError::new(ErrorCode::Conflict, message));
    }
    let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await?;
    let new = New { status: code_of(&STATUSES, &status), position, due_date, ..New::added(id) };
    let item = store::insert(&mut tx, &key, new, &document).await?;
    search::index::renew(&mut tx, &app.vault, id).await?;
    let item = show_one(&app, &mut tx, item).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, written(item)))
}

/// Replaces what is said of an action item. Analysing the call again leaves it so.
#[utoipa::path(
    put, operation_id = "change_action_item", path = "/api/action-items/{id}", tag = "action items",
    request_body = ActionItemDetails, params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 200, body = ActionItem),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "The call is under legal hold"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(details): extract::Json<ActionItemDetails>,
) -> ApiResult<Written> {
    let mut tx = app.database.read(caller.scope()).await?;
    let call = store::get(&mut tx, id).await?.call_id;
    tx.rollback().await?;
    let (due_date, status) = (details.due_date, details.status.map(|status| code_of(&STATUSES, &status)));
    let is_cited = details.source_segment_ids.is_some();
    let said = details::written(&app, &caller, call, details).await?;
    let mut tx = app.database.write(caller.scope()).await?;
    let row = lock(&mut tx, id).await?;
    let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await?;
    // An analysis may have replaced it meanwhile.
    let before = row.open(&key)?;
    let source_segment_ids = if is_cited { said.source_segment_ids } else { before.source_segment_ids.clone() };
    let mut document = Document { source_segment_ids, edited: before.edited, found: before.found.clone(), ..said };
    document.edited |= due_date != row.due_date || document != before;
    store::edit(&mut tx, &key, id, (&document, due_date, status.unwrap_or(row.status))).await?;
    search::index::renew(&mut tx, &app.vault, call).await?;
    let item = show_one(&app, &mut tx, id).await?;
    tx.commit().await?;
    Ok(written(item))
}

/// Removes an action item. One that was found does not come back when the call is analysed again.
#[utoipa::path(
    delete, operation_id = "delete_action_item", path = "/api/action-items/{id}", tag = "action items",
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "The call is under legal hold"),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    let mut tx = app.database.write(caller.scope()).await?;
    let row = lock(&mut tx, id).await?;
    if row.source == code_of(&SOURCES, &ActionSource::Ai) {
        let key = app.vault.record_key(&mut tx, RecordKind::Call, row.call_id).await?;
        let left = row.open(&key)?.removed();
        store::bury(&mut tx, &key, id, &left).await?;
    } else {
        store::delete(&mut tx, &[id]).await?;
    }
    search::index::renew(&mut tx, &app.vault, row.call_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
