//! Uploads that survive a bad network: tus 1.0 with creation, expiration and termination (tus.io/protocols/resumable-upload).
//!
//! Invariant: an offset that was acknowledged is stored and committed, and the last bytes are acknowledged in the transaction that makes
//! the call. Each request leaves one sealed object; the last one reads them all once more into the recording, which is then what a
//! form would have left (docs/adr/015).

use api::{
    calls::RecordingMetadata,
    error::{ErrorBody, ErrorCode},
};
use axum::{
    body::{Body, BodyDataStream},
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use utoipa::IntoParams;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    check,
    tus_store::{self as store, Piece, Upload},
    upload::{self, KnownBy, REMEMBERED},
};
use crate::{
    app::App,
    auth::Caller,
    db::{DbError, TenantTx, Write},
    deletion::{self, blobs::expect_upload},
    error::{ApiError, ApiResult},
    http::{extract::Path, idempotency::IdempotencyKey},
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        content::{self, Stored},
        key::Key,
        seal::{Field, RecordKind},
    },
};

/// The version of the protocol.
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// The call that an upload became.
pub const CALL_ID: HeaderName = HeaderName::from_static("call-id");

/// Uploads that a user may have begun and not finished.
const MAX_OPEN: i64 = 100;

/// What is said of an upload until it is a call.
fn field(upload: Uuid) -> Field {
    Field::new("uploads", "sealed", upload)
}

/// Every answer names the version; a request with another one is refused.
fn check_version(headers: &HeaderMap) -> ApiResult<()> {
    if headers.get(RESUMABLE) == Some(&VERSION) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::PreconditionFailed, "send Tus-Resumable: 1.0.0"))
}

fn number(headers: &HeaderMap, name: &HeaderName, field: &'static str) -> ApiResult<i64> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    value.filter(|value| *value >= 0).ok_or_else(|| ApiError::field(field, "this header holds a number of bytes"))
}

fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `Upload-Metadata`: pairs of a name and a value in Base64, separated by commas. `metadata` is the JSON that a form has, `title` a title;
/// other names are a client's own.
fn metadata(headers: &HeaderMap) -> ApiResult<RecordingMetadata> {
    let refused = || ApiError::field("Upload-Metadata", "this header holds names and Base64 values; metadata is JSON");
    let text = headers.get(METADATA).map_or(Ok(""), HeaderValue::to_str).map_err(|_| refused())?;
    let (mut metadata, mut title) = (RecordingMetadata::default(), None);
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value).map_err(|_| refused())?;
        match name {
            "metadata" => metadata = serde_json::from_slice(&value).map_err(|_| refused())?,
            "title" => title = Some(String::from_utf8(value).map_err(|_| refused())?),
            _ => {}
        }
    }
    metadata.title = metadata.title.or(title);
    check(&metadata)?;
    Ok(metadata)
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
    responses((status = 204, headers(("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64)))),
)]
pub async fn options(State(app): State<App>) -> Response {
    let headers = [
        (RESUMABLE, VERSION),
        (HeaderName::from_static("tus-version"), VERSION),
        (HeaderName::from_static("tus-extension"), HeaderValue::from_static("creation,expiration,termination")),
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
    let headers =
        [(RESUMABLE, "1.0.0".to_owned()), (LOCATION, format!("/api/uploads/{id}")), (EXPIRES, http_date(expires_at))];
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

fn answer(status: StatusCode, offset: i64, expires_at: DateTime<Utc>, call: Option<Uuid>) -> Response {
    let headers = [(RESUMABLE, "1.0.0".to_owned()), (OFFSET, offset.to_string()), (EXPIRES, http_date(expires_at))];
    let call = call.map(|call| [(CALL_ID, call.to_string())]);
    match call {
        Some(call) => (status, headers, call).into_response(),
        None => (status, headers).into_response(),
    }
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
) -> ApiResult<Response> {
    check_version(&headers)?;
    let mut tx = app.database.write(caller.scope()).await?;
    store::take_turn(&mut tx, id, Uuid::now_v7()).await?;
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
    Ok((StatusCode::NO_CONTENT, [(RESUMABLE, VERSION)]).into_response())
}

/// Adds bytes to an upload. With the last ones it becomes a call, which `Call-Id` names.
#[utoipa::path(
    patch, operation_id = "add_to_upload", path = "/api/uploads/{id}", tag = "uploads",
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    params(("id" = Uuid, Path), TusResumable, ("Upload-Offset" = u64, Header)),
    responses(
        (status = 204, headers(("Upload-Offset" = u64), ("Upload-Expires" = String), ("Call-Id" = Uuid))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
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
    let turn = Turn::take(&app, &caller, id, offset).await?;
    // On its own, so that it keeps what came when the connection, and with it this future, goes away.
    let work = async move { turn.run(body.into_data_stream()).await };
    tokio::spawn(tracing::Instrument::in_current_span(work)).await.map_err(|error| ApiError::internal(&error))?
}

/// A request that may add bytes.
struct Turn {
    app: App,
    caller: Caller,
    id: Uuid,
    turn: Uuid,
    upload: Upload,
    key: Key,
    known_by: KnownBy,
}

impl Turn {
    async fn take(app: &App, caller: &Caller, id: Uuid, offset: i64) -> ApiResult<Self> {
        let turn = Uuid::now_v7();
        let mut tx = app.database.write(caller.scope()).await?;
        store::take_turn(&mut tx, id, turn).await?;
        let upload = store::get(&mut tx, id, app.clock.now()).await?;
        if upload.received != offset || upload.became.is_some() {
            let error =
                ApiError::new(ErrorCode::Conflict, "these are not the next bytes; ask with HEAD for the offset");
            return Err(error.with("offset", upload.received));
        }
        let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await?;
        let known_by = KnownBy::of(app, &mut tx).await?;
        tx.commit().await?;
        Ok(Self { app: app.clone(), caller: *caller, id, turn, upload, key, known_by })
    }

    /// Leaves word that an object goes when the upload is over, unless it became the recording of a call by then.
    async fn expect(&self, object: Uuid) -> ApiResult<deletion::blobs::Upload> {
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        let word = expect_upload(&mut tx, RecordKind::Call, (self.id, object), self.upload.expires_at).await?;
        tx.commit().await?;
        Ok(word)
    }

    fn place(&self, object: Uuid) -> BlobPlace {
        BlobPlace { tenant: self.caller.scope().tenant(), record: self.id, object }
    }

    async fn run(self, body: BodyDataStream) -> ApiResult<Response> {
        let piece = self.store_piece(body).await?;
        let received = self.upload.received + piece.bytes;
        if received == self.upload.length {
            return self.finish(piece).await;
        }
        if piece.bytes > 0 {
            let mut tx = self.app.database.write(self.caller.scope()).await?;
            if !store::add(&mut tx, (self.id, self.turn), self.upload.received, &piece).await? {
                drop(tx);
                return self.lost(piece).await;
            }
            tx.commit().await?;
        }
        Ok(answer(StatusCode::NO_CONTENT, received, self.upload.expires_at, None))
    }

    /// Seals and stores what comes. A connection that breaks ends it, and what came until then counts.
    async fn store_piece(&self, body: BodyDataStream) -> ApiResult<Piece> {
        let place = self.expect(Uuid::now_v7()).await?.place();
        let room = (self.upload.length - self.upload.received).unsigned_abs();
        let (mut came, mut over) = (0, false);
        let blocks = body.take_while(|block| std::future::ready(block.is_ok())).map(|block| {
            let block = block.map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
            came += block.len() as u64;
            over = came > room;
            if over { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(block) }
        });
        let written = self.app.blobs.write(&self.key, place, blocks).await;
        if over {
            return Err(ApiError::new(ErrorCode::PayloadTooLarge, "this is more than Upload-Length announced"));
        }
        let bytes = i64::try_from(written?).unwrap_or(i64::MAX);
        if bytes == 0 {
            self.app.blobs.remove(place).await?;
        }
        Ok(Piece { object: place.object, bytes })
    }

    async fn lost(&self, piece: Piece) -> ApiResult<Response> {
        self.app.blobs.remove(self.place(piece.object)).await?;
        Err(ApiError::new(ErrorCode::Conflict, "a later request adds to this upload; ask with HEAD for the offset"))
    }

    /// Makes a recording of the pieces and a call of the recording.
    async fn finish(self, last: Piece) -> ApiResult<Response> {
        let mut tx = self.app.database.read(self.caller.scope()).await?;
        let mut pieces = store::pieces(&mut tx, self.id).await?;
        let metadata = self.metadata()?;
        drop(tx);
        pieces.push(last);
        let places: Vec<(BlobPlace, u64)> = pieces
            .iter()
            .filter(|piece| piece.bytes > 0)
            .map(|piece| (self.place(piece.object), piece.bytes.unsigned_abs()))
            .collect();
        let word = self.expect(self.id).await?;
        let recording = word.place();
        let blocks = Box::pin(joined(&self.app.blobs, &self.key, places.clone()));
        let known_by = self.known_by.clone();
        let received = match upload::receive(&self.app, (&self.key, recording), known_by, blocks).await {
            Ok(received) => received,
            Err(error) => return Err(self.refused(error).await),
        };
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        let call = (self.id, &self.key, None);
        let accepted = upload::record(&self.app, &mut tx, call, (word, &received), (&metadata, None)).await?;
        if !store::finish(&mut tx, (self.id, self.turn), accepted.call_id).await? {
            return Err(ApiError::new(
                ErrorCode::Conflict,
                "a later request adds to this upload; ask with HEAD for the offset",
            ));
        }
        let is_new = accepted.call_id == self.id;
        if !is_new {
            store::abandon(&mut tx, self.id).await?;
        }
        tx.commit().await?;
        self.app.changes.wake();
        self.clear(is_new, &places).await;
        Ok(answer(StatusCode::NO_CONTENT, self.upload.length, self.upload.expires_at, Some(accepted.call_id)))
    }

    fn metadata(&self) -> ApiResult<RecordingMetadata> {
        let sealed = self.upload.sealed.as_deref().ok_or(DbError::Unexpected)?;
        let plain = content::open(&Stored { key: &self.key, field: field(self.id), sealed })?;
        Ok(serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?)
    }

    /// What is no recording does not become one by being sent again. Whatever else went wrong was the store's fault.
    async fn refused(&self, error: ApiError) -> ApiError {
        match error.code() {
            ErrorCode::AudioEmpty | ErrorCode::UnsupportedMediaType | ErrorCode::PayloadTooLarge => {
                self.give_up().await.err().unwrap_or(error)
            }
            _ => {
                let message = "the recording could not be put together now; send its last bytes again";
                ApiError::new(ErrorCode::Unavailable, message).retry_after(2)
            }
        }
    }

    async fn give_up(&self) -> ApiResult<()> {
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        store::abandon(&mut tx, self.id).await?;
        store::remove(&mut tx, self.id).await?;
        tx.commit().await?;
        self.clear(false, &[]).await;
        Ok(())
    }

    /// Removes what is not needed any more; what fails goes by the outbox when the upload is over: each piece has left word there.
    async fn clear(&self, is_new: bool, pieces: &[(BlobPlace, u64)]) {
        if !is_new {
            let _ = self.app.blobs.remove_record(self.caller.scope().tenant(), self.id).await;
            return;
        }
        for (piece, _) in pieces {
            let _ = self.app.blobs.remove(*piece).await;
        }
    }
}

/// The plaintext of several objects, one after the other, a chunk at a time.
fn joined<'a>(
    blobs: &'a Blobs,
    key: &'a Key,
    places: Vec<(BlobPlace, u64)>,
) -> impl Stream<Item = Result<bytes::Bytes, BlobError>> + 'a {
    futures::stream::iter(places)
        .then(move |(place, length)| async move { blobs.read(key, place, length, 0..length).await })
        .map_ok(|reader| {
            futures::stream::try_unfold(reader, |mut reader| async move {
                Ok(reader.next().await?.map(|block| (block, reader)))
            })
        })
        .try_flatten()
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
