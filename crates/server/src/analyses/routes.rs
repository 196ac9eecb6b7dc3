//! Analyses over HTTP.

use api::{
    analyses::{self as wire, DigestFormat, DigestQuery},
    calls::{Accepted, CallStatus},
    error::{ErrorBody, ErrorCode},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    },
    response::{IntoResponse as _, Response},
};
use insight::digest::{Format, Of};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::digest;
use crate::{
    action_items,
    app::App,
    artifacts::{self, Artifact},
    auth::Caller,
    calls::{self, legal_hold, routes::or_call},
    db::{Read, TenantTx},
    error::{ApiError, ApiResult},
    http::{
        extract::{Path, Query},
        idempotency::IdempotencyKey,
    },
    queue::{self, JobKind},
    transcripts::{self, routes::is_current},
    vault::seal::RecordKind,
};

fn not_yet() -> ApiError {
    let message = "there is no analysis yet; watch the call's events, or ask for one once the call is completed";
    ApiError::new(ErrorCode::CallNotCompleted, message)
}

async fn stored(app: &App, tx: &mut TenantTx<Read>, call: Uuid) -> ApiResult<Zeroizing<Vec<u8>>> {
    let key = app.vault.record_key(tx, RecordKind::Call, call).await?;
    artifacts::get(tx, (call, Artifact::Analysis), &key).await?.ok_or_else(not_yet)
}

/// The analysis of a call.
#[utoipa::path(
    get, path = "/api/calls/{id}/analysis", tag = "analyses",
    params(("id" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = wire::Analysis),
        (status = 304, description = "What the caller has is current"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn analysis(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let mut tx = app.database.read(caller.scope()).await?;
    calls::store::get(&mut tx, id).await.map_err(or_call)?;
    let stored_at = artifacts::stored(&mut tx, (id, Artifact::Analysis)).await?.ok_or_else(not_yet)?;
    let etag = format!("\"{:x}\"", stored_at.timestamp_micros());
    let fresh = [(ETAG, etag.clone()), (CACHE_CONTROL, "private, no-cache".to_owned())];
    if is_current(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    // It is stored as it is answered.
    let bytes = std::mem::take(&mut *stored(&app, &mut tx, id).await?);
    Ok((fresh, [(CONTENT_TYPE, "application/json")], Body::from(bytes)).into_response())
}

/// Analyses a call again, from its stored transcript and what people corrected in it. The call stays as it is meanwhile; asking twice is
/// asking once. What a call under legal hold has stays as it is.
///
/// # Errors
/// `call_not_completed`; `legal_hold`.
#[utoipa::path(
    post, path = "/api/calls/{id}/reanalyze", tag = "analyses", params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 202, body = Accepted, description = "To be analysed: the analysis has another `ETag` afterwards"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "The call is under legal hold"),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn reanalyze(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<(StatusCode, Json<Accepted>)> {
    let mut tx = app.database.write(caller.scope()).await?;
    legal_hold::lock_free(&mut tx, id).await?;
    let status = calls::progress(&mut tx, id).await?.status;
    if status != CallStatus::Completed {
        let message = "the call has no transcript to analyse; watch the call's events";
        return Err(ApiError::new(ErrorCode::CallNotCompleted, message));
    }
    queue::enqueue_once(&mut tx, id, JobKind::Analyze).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { call_id: id, status })))
}

fn format_of(format: DigestFormat) -> (Format, &'static str) {
    match format {
        DigestFormat::Text => (Format::Plain, "text/plain; charset=utf-8"),
        DigestFormat::Whatsapp => (Format::WhatsApp, "text/plain; charset=utf-8"),
        DigestFormat::Email | DigestFormat::Html => (Format::Html, "text/html; charset=utf-8"),
        DigestFormat::Markdown => (Format::Markdown, "text/markdown; charset=utf-8"),
    }
}

/// The analysis of a call as a text to share: what a person says of the call stands before what was found, and its action items are as
/// people left them, without those that were dismissed or removed. Headings are in the language of the call, if it is English, German, French,
/// Spanish or Portuguese, and else in English.
#[utoipa::path(
    get, path = "/api/calls/{id}/digest", tag = "analyses", params(("id" = Uuid, Path), DigestQuery),
    responses(
        (status = 200, content((String = "text/plain"), (String = "text/html"), (String = "text/markdown"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn shared(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<DigestQuery>,
) -> ApiResult<Response> {
    let (format, content_type) = format_of(query.format);
    let mut tx = app.database.read(caller.scope()).await?;
    let row = calls::store::get(&mut tx, id).await.map_err(or_call)?;
    let json = stored(&app, &mut tx, id).await?;
    let said = calls::store::open(&mut tx, &app.vault, &row).await?;
    let tasks = action_items::tasks(&mut tx, &app.vault, id).await?;
    let made = transcripts::store::get(&mut tx, &app.vault, id).await?;
    drop(tx);
    let analysis = serde_json::from_slice(&json).map_err(|error| ApiError::internal(&error))?;
    let of =
        made.as_ref().map_or(Of::default(), |made| Of { speakers: &made.speakers, language: made.language.as_deref() });
    Ok(([(CONTENT_TYPE, content_type)], digest(analysis, &said, (of, &tasks), format)).into_response())
}
