//! Calls over HTTP: lists, details, changes.

use api::{
    calls::{CallDetail, CallPatch, CallProgressList, CallQuery, CallSummary, ContactLink, StatusQuery},
    error::ErrorBody,
    page::Page,
};
use axum::{Json, extract::State};
use uuid::Uuid;

use super::{
    CallDocument, MAX_IDS, MAX_NAME, MAX_TEXT, STATUSES, check_length, check_time, code_of, filled, legal_hold,
    store::{self, Filter, Row},
};
use crate::{
    app::App,
    auth::Caller,
    contacts,
    db::{Access, DbError, Read, TenantTx},
    error::{ApiError, ApiResult},
    http::{
        extract::{self, Path, Query},
        idempotency::IdempotencyKey,
        page::{self, Cursor},
    },
    redaction, search, transcripts,
};

/// Calls that are opened at once while a list is searched.
const BATCH: usize = 200;

/// Calls that are looked through for one page of a search: some 50 ms of decryption.
const MAX_SEARCHED: usize = 1000;

/// Characters of a search.
const MAX_SEARCH: usize = 500;

/// A call that is not there is `call_not_found`, whoever it belongs to.
pub(crate) fn or_call(error: DbError) -> ApiError {
    match error {
        DbError::NotFound => ApiError::call_not_found(),
        other => other.into(),
    }
}

/// Calls, the newest first.
#[utoipa::path(
    get, operation_id = "list_calls", path = "/api/calls", tag = "calls", params(CallQuery),
    responses(
        (status = 200, body = Page<CallSummary>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CallQuery>,
) -> ApiResult<Json<Page<CallSummary>>> {
    let limit = page::limit(query.limit)?;
    check_length("q", query.q.as_deref(), MAX_SEARCH)?;
    check_time("from", query.from)?;
    check_time("to", query.to)?;
    let search = filled(query.q.as_deref()).map(|search| search.to_lowercase());
    let after = query.cursor.as_deref().map(Cursor::decode).transpose()?;
    let status = query.status.map(|status| code_of(&STATUSES, &status));
    let filter = Filter { status, contact: query.contact_id, from: query.from, to: query.to };
    let mut tx = app.database.read(caller.scope()).await?;
    let (mut found, next) = find(&app, &mut tx, (&filter, search.as_deref()), after, limit).await?;
    store::name_actions(&mut tx, &app.vault, &mut found).await?;
    let items = found.iter().map(|(row, document)| row.summary(document)).collect::<ApiResult<_>>()?;
    Ok(Json(Page { items, next_cursor: next.map(Cursor::encode) }))
}

/// A page of calls, and behind which row the next one starts when there may be more.
async fn find(
    app: &App,
    tx: &mut TenantTx<Read>,
    (filter, search): (&Filter, Option<&str>),
    mut after: Option<Cursor>,
    limit: usize,
) -> ApiResult<(Vec<(Row, CallDocument)>, Option<Cursor>)> {
    let batch = if search.is_some() { BATCH } else { limit };
    let (mut found, mut searched) = (Vec::new(), 0);
    loop {
        // One more than is shown tells whether anything follows.
        let mut rows = store::page(tx, filter, after, batch + 1).await?;
        let follows = rows.len() > batch;
        rows.truncate(batch);
        let documents = store::open_all(tx, &app.vault, &rows).await?;
        let count = rows.len();
        for (place, (row, document)) in rows.into_iter().zip(documents).enumerate() {
            after = Some(row.cursor());
            if search.is_none_or(|search| document.matches(search)) {
                found.push((row, document));
            }
            if found.len() == limit {
                return Ok((found, after.filter(|_| follows || place + 1 < count)));
            }
        }
        searched += count;
        if !follows || searched >= MAX_SEARCHED {
            return Ok((found, after.filter(|_| follows)));
        }
    }
}

/// How far several calls are. Those that are not there are left out.
#[utoipa::path(
    get, path = "/api/calls/status", tag = "calls", params(StatusQuery),
    responses(
        (status = 200, body = CallProgressList),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn status(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<StatusQuery>,
) -> ApiResult<Json<CallProgressList>> {
    // One more than allowed is enough to refuse them.
    let ids: Result<Vec<Uuid>, _> = query.ids.split(',').take(MAX_IDS + 1).map(|id| id.trim().parse()).collect();
    let ids = ids.map_err(|_| ApiError::field("ids", "ids are UUIDs separated by commas"))?;
    if ids.len() > MAX_IDS {
        return Err(ApiError::field("ids", "at most 100 calls can be asked for at once"));
    }
    let mut tx = app.database.read(caller.scope()).await?;
    let found = store::progress(&mut tx, &ids).await?;
    Ok(Json(CallProgressList { items: found.iter().map(store::Progress::shown).collect::<ApiResult<_>>()? }))
}

/// A call.
#[utoipa::path(
    get, path = "/api/calls/{id}", tag = "calls", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = CallDetail),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn detail(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<CallDetail>> {
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(Json(shown(&app, &mut tx, id).await?))
}

/// A call in full.
async fn shown<A: Access>(app: &App, tx: &mut TenantTx<A>, call: Uuid) -> ApiResult<CallDetail> {
    let row = store::get(tx, call).await.map_err(or_call)?;
    let document = store::open(tx, &app.vault, &row).await?;
    let mut found = [(row, document)];
    store::name_actions(tx, &app.vault, &mut found).await?;
    let [(row, document)] = found;
    row.detail(document)
}

/// Changes what is said of a call. What is left out stays; an empty text clears. What the tenant has taken out of transcripts is taken out
/// of these texts as well.
#[utoipa::path(
    patch, operation_id = "change_call", path = "/api/calls/{id}", tag = "calls", request_body = CallPatch,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 200, body = CallDetail),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(patch): extract::Json<CallPatch>,
) -> ApiResult<Json<CallDetail>> {
    check_length("title", patch.title.as_deref(), MAX_NAME)?;
    check_length("summary", patch.summary.as_deref(), MAX_TEXT)?;
    check_length("notes", patch.notes.as_deref(), MAX_TEXT)?;
    let said = redacted(&app, &caller, id, patch).await?;
    let mut tx = app.database.write(caller.scope()).await?;
    store::lock(&mut tx, id).await.map_err(or_call)?;
    let row = store::get(&mut tx, id).await.map_err(or_call)?;
    let mut document = store::open(&mut tx, &app.vault, &row).await?;
    for (field, text) in
        [(&mut document.title, said.title), (&mut document.summary, said.summary), (&mut document.notes, said.notes)]
    {
        if text.is_some() {
            *field = filled(text.as_deref());
        }
    }
    store::put_document(&mut tx, &app.vault, id, &document).await?;
    search::index::renew(&mut tx, &app.vault, id).await?;
    let shown = shown(&app, &mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(shown))
}

/// What somebody says anew of a call that they may see, without what must not stay in it. No lock is held while that takes its time, and
/// what is not said anew stays as it was taken down.
async fn redacted(app: &App, caller: &Caller, call: Uuid, patch: CallPatch) -> ApiResult<CallDocument> {
    let mut tx = app.database.read(caller.scope()).await?;
    let language = store::get(&mut tx, call).await.map_err(or_call)?.language;
    tx.rollback().await?;
    let CallPatch { title, summary, notes } = patch;
    let said = CallDocument { title, summary, notes, ..CallDocument::default() };
    let policy = redaction::as_worker(app, (caller.scope().tenant(), call)).await?;
    Ok(redaction::redacted_words(said, language, policy).await?)
}

/// Links a call to a contact of its owner's, whose name it has from then on, or to none. What a call under legal hold is called stays.
///
/// # Errors
/// `validation_failed` when the owner has no such contact; `legal_hold`; `call_not_found`.
#[utoipa::path(
    patch, path = "/api/calls/{id}/contact", tag = "calls", request_body = ContactLink,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 200, body = CallDetail),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "The call is under legal hold"), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn link(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(link): extract::Json<ContactLink>,
) -> ApiResult<Json<CallDetail>> {
    let mut tx = app.database.write(caller.scope()).await?;
    legal_hold::lock_free(&mut tx, id).await?;
    let row = store::get(&mut tx, id).await.map_err(or_call)?;
    contacts::link::relink(&mut tx, &app.vault, &row, link.contact_id).await?;
    tx.commit().await?;
    // No lock is held while the transcript follows; where this ends in between, upkeep goes on.
    transcripts::follow::ahead(&app, (caller.scope().tenant(), id)).await?;
    let mut tx = app.database.write(caller.scope()).await?;
    search::index::renew(&mut tx, &app.vault, id).await?;
    let shown = shown(&app, &mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(shown))
}
