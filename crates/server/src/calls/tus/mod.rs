//! Uploads that survive a bad network: tus 1.0 with creation, expiration, termination and checksum (tus.io/protocols/resumable-upload).
//!
//! Invariant: an offset that was acknowledged is stored and committed, and the last bytes are acknowledged in the transaction that makes
//! the call. Each request leaves one sealed object; the last one reads them all once more into the recording, which is then what a
//! form would have left (docs/adr/015).

mod headers;
mod store;
mod turn;

use api::error::{ErrorBody, ErrorCode};
use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use utoipa::IntoParams;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::upload::{self, REMEMBERED};
use crate::{
    app::App,
    auth::Caller,
    db::{DbError, TenantTx, Write},
    error::{ApiError, ApiResult},
    http::{extract::Path, idempotency::IdempotencyKey, request_id},
    vault::{
        content,
        seal::{Field, RecordKind},
    },
};
pub use headers::version;
use headers::{Checksum, EXPIRES, LENGTH, OFFSET, VERSION, answer, check_version, http_date, metadata, number};
pub use turn::Joins;
use turn::Turn;

/// Uploads that a user may have begun and not finished.
const MAX_OPEN: i64 = 100;

/// What is said of an upload until it is a call.
pub(crate) fn field(upload: Uuid) -> Field {
    Field::new("uploads", "sealed", upload)
}

/// The header of every request, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header")]
struct TusResumable {
    /// The version of the protocol.
    #[param(rename = "Tus-Resumable", pattern = r"^1\.0\.0$")]
    version: String,
}

/// What the server speaks.
#[utoipa::path(
    options, path = "/api/uploads", tag = "uploads", security(()),
    responses((status = 204, headers(
        ("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Checksum-Algorithm" = String), ("Tus-Max-Size" = u64),
    ))),
)]
pub async fn options(State(app): State<App>) -> Response {
    let headers = [
        (HeaderName::from_static("tus-version"), VERSION),
        (
            HeaderName::from_static("tus-extension"),
            HeaderValue::from_static("creation,expiration,termination,checksum"),
        ),
        (HeaderName::from_static("tus-checksum-algorithm"), HeaderValue::from_static("sha1,sha256")),
        (HeaderName::from_static("tus-max-size"), HeaderValue::from(app.operation.config.limits.upload_body)),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Begins an upload.
#[utoipa::path(
    post, operation_id = "begin_upload", path = "/api/uploads", tag = "uploads",
    params(
        TusResumable, ("Upload-Length" = u64, Header, minimum = 1), ("Upload-Metadata" = Option<String>, Header),
        IdempotencyKey,
    ),
    responses(
        (status = 201, headers(("Location" = String), ("Upload-Expires" = String), ("Tus-Resumable" = String))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn create(State(app): State<App>, caller: Caller, headers: HeaderMap) -> ApiResult<Response> {
    check_version(&headers)?;
    upload::admit(&caller)?;
    let length = number(&headers, &LENGTH, "Upload-Length")?;
    if length == 0 {
        return Err(ApiError::new(ErrorCode::AudioEmpty, "the recording is empty"));
    }
    if length.unsigned_abs() > app.operation.config.limits.upload_body {
        let error = ApiError::new(ErrorCode::PayloadTooLarge, "the recording is too large");
        return Err(error.with("maxBytes", app.operation.config.limits.upload_body));
    }
    let metadata = metadata(&headers)?;
    let (id, now) = (Uuid::now_v7(), app.clock.now());
    let expires_at = now + REMEMBERED;
    let mut tx = app.database.write(caller.scope()).await?;
    if store::count_open(&mut tx, now).await? >= MAX_OPEN {
        return Err(ApiError::new(ErrorCode::RateLimited, "finish or end an upload first").retry_after(60));
    }
    let key = app.vault.create_record_key(&mut tx, RecordKind::Call, id).await?;
    let plain = Zeroizing::new(serde_json::to_vec(&metadata).map_err(|error| ApiError::internal(&error))?);
    let sealed = content::seal(&mut tx, &key, &field(id), &plain).await?;
    store::insert(&mut tx, id, sealed, length, expires_at).await?;
    tx.commit().await?;
    let headers = [(LOCATION, format!("/api/uploads/{id}")), (EXPIRES, http_date(expires_at))];
    Ok((StatusCode::CREATED, headers).into_response())
}

/// How much of an upload is there.
#[utoipa::path(
    head, path = "/api/uploads/{id}", tag = "uploads", params(("id" = Uuid, Path), TusResumable),
    responses(
        (status = 200, headers(
            ("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Expires" = String), ("Call-Id" = Uuid),
        )),
        (status = 401), (status = 404), (status = 412), (status = 429), (status = 503),
    ),
)]
pub async fn head(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    check_version(&headers)?;
    let mut tx = app.database.read(caller.scope()).await?;
    let upload = store::get(&mut tx, id, app.clock.now()).await?;
    let mut response = answer(StatusCode::OK, upload.received, upload.expires_at, upload.became);
    response.headers_mut().insert(LENGTH, HeaderValue::from(upload.length));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Ends an upload that will be no call.
#[utoipa::path(
    delete, operation_id = "end_upload", path = "/api/uploads/{id}", tag = "uploads",
    params(("id" = Uuid, Path), TusResumable, IdempotencyKey),
    responses(
        (status = 204, headers(("Tus-Resumable" = String))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<StatusCode> {
    check_version(&headers)?;
    let mut tx = app.database.write(caller.scope()).await?;
    store::end_turns(&mut tx, id).await?;
    let upload = store::get(&mut tx, id, app.clock.now()).await?;
    if upload.became != Some(id) {
        store::abandon(&mut tx, id).await?;
    }
    store::remove(&mut tx, id).await?;
    tx.commit().await?;
    // What fails here is removed by the outbox.
    if upload.became.is_none() {
        let _ = app.blobs.remove_record(caller.scope().tenant(), id).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Adds bytes to an upload. With the last ones it becomes a call, which `Call-Id` names. Of several requests at once the one that came
/// last adds, and the others get 409, as do those that come while the recording is put together: `Retry-After` says when to ask with HEAD
/// what became of it.
#[utoipa::path(
    patch, operation_id = "add_to_upload", path = "/api/uploads/{id}", tag = "uploads",
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    params(
        ("id" = Uuid, Path), TusResumable, ("Upload-Offset" = u64, Header),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha1` or `sha256`, a space, and the checksum of the body in Base64"),
    ),
    responses(
        (status = 204, headers(("Upload-Offset" = u64), ("Upload-Expires" = String), ("Call-Id" = Uuid))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 460, body = ErrorBody, description = "Not the bytes of Upload-Checksum"),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    check_version(&headers)?;
    upload::admit(&caller)?;
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/offset+octet-stream") {
        let message = "the body must be application/offset+octet-stream";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, message));
    }
    let offset = number(&headers, &OFFSET, "Upload-Offset")?;
    let checksum = Checksum::of(&headers)?;
    let turn = Turn::take(&app, &caller, id, offset).await?;
    // What came when the connection goes away is kept.
    let work = async move { turn.run(body.into_data_stream(), checksum).await };
    request_id::to_its_end(work).await.map_err(|error| ApiError::internal(&error))?
}

/// Ends uploads of the transaction's tenant that are over; returns how many. Repeated until it returns none.
///
/// # Errors
/// What a transaction may fail with.
pub async fn sweep(tx: &mut TenantTx<Write>, now: DateTime<Utc>) -> Result<usize, DbError> {
    let expired = store::expired(tx, now).await?;
    for (upload, became) in &expired {
        if became.is_none() {
            store::abandon(tx, *upload).await?;
        }
        store::remove(tx, *upload).await?;
    }
    Ok(expired.len())
}
