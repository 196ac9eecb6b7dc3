//! `POST /api/calls/analyze`: a form with a recording. Its one invariant: fields are read in the order in which they come, and only the
//! recording may be long.

use api::{
    calls::{Accepted, RecordingMetadata, UploadForm},
    error::{ErrorBody, ErrorCode},
};
use axum::{
    Json,
    extract::{
        DefaultBodyLimit, Request, State,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    check,
    upload::{self, Begun, Received},
};
use crate::{
    app::App,
    auth::Caller,
    error::{ApiError, ApiResult},
    http::{
        extract::Object,
        form::Fields,
        idempotency::{self, Answer, Fingerprint, IdempotencyKey},
    },
};

/// Bytes of a field that is not the recording.
const MAX_FIELD: usize = 64 << 10;

/// What a form holds.
struct Form {
    received: Received,
    metadata: RecordingMetadata,
}

/// Takes in a recording and queues it. Its fields may come in any order; a recording that the user sent within 24 hours is not
/// processed again.
#[utoipa::path(
    post, path = "/api/calls/analyze", tag = "calls",
    params(IdempotencyKey),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 202, body = Accepted),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn analyze(State(app): State<App>, caller: Caller, request: Request) -> ApiResult<Response> {
    let key = idempotency::key_in(request.headers())?.map(str::to_owned);
    let not_a_form =
        |_| ApiError::new(ErrorCode::UnsupportedMediaType, "send multipart/form-data with a field named file");
    // The recording has a limit of its own, which is told by name.
    let fields = Fields::of(request, DefaultBodyLimit::disable()).await.map_err(not_a_form)?;
    let mut begun = upload::begin(&app, &caller).await?;
    let form = read(&app, &mut begun, fields).await?;
    let fingerprint = match key {
        Some(key) => Some(fingerprint(&app, &caller, &key, &form).await?),
        None => None,
    };
    accept(&app, &caller, begun, &form, fingerprint).await
}

async fn read(app: &App, begun: &mut Begun, mut fields: Fields) -> ApiResult<Form> {
    let (mut received, mut metadata, mut title) = (None, None::<RecordingMetadata>, None);
    while let Some(field) = fields.next_field().await.map_err(|error| broken(&error))? {
        // An owned name, because the field is consumed.
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" if received.is_none() => {
                let place = begun.upload.place();
                let known_by = begun.known_by.clone();
                received = Some(upload::receive(app, (&begun.new.key, place), known_by, field).await?);
            }
            "metadata" if metadata.is_none() => {
                let text = text(field, "metadata").await?;
                let message = "the field metadata holds a JSON object as /openapi.json describes it, RecordingMetadata";
                let refused = |_| ApiError::field("metadata", message);
                let Object(said) = serde_json::from_str(&text).map_err(refused)?;
                metadata = Some(said);
            }
            "title" if title.is_none() => title = Some(text(field, "title").await?),
            _ => {
                let message = "a form has the fields file, metadata and title, each at most once";
                return Err(ApiError::new(ErrorCode::ValidationFailed, message));
            }
        }
    }
    let received =
        received.ok_or_else(|| ApiError::field("file", "the form holds no recording: add a field named file"))?;
    let mut metadata = metadata.unwrap_or_default();
    metadata.title = metadata.title.or(title);
    check(&metadata)?;
    Ok(Form { received, metadata })
}

async fn text(mut field: Field<'_>, name: &'static str) -> ApiResult<String> {
    let mut bytes = Vec::new();
    while let Some(block) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + block.len() > MAX_FIELD {
            return Err(ApiError::field(name, "this field is too long"));
        }
        bytes.extend(&block);
    }
    String::from_utf8(bytes).map_err(|_| ApiError::field(name, "this field is not UTF-8"))
}

fn broken(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(ErrorCode::PayloadTooLarge, "the form is too large"),
        _ => ApiError::new(ErrorCode::ValidationFailed, "the form is malformed, or broke off"),
    }
}

async fn fingerprint(app: &App, caller: &Caller, key: &str, form: &Form) -> ApiResult<Fingerprint> {
    let metadata = serde_json::to_vec(&form.metadata).map_err(|error| ApiError::internal(&error))?;
    Fingerprint::of(app, caller, key, &[b"POST", b"/api/calls/analyze", &form.received.token, &metadata]).await
}

async fn accept(
    app: &App,
    caller: &Caller,
    mut begun: Begun,
    form: &Form,
    fingerprint: Option<Fingerprint>,
) -> ApiResult<Response> {
    let mut tx = app.database.write(caller.scope()).await?;
    if let Some(fingerprint) = &fingerprint {
        let claim = idempotency::claim(&mut tx, &app.vault, fingerprint, idempotency::times(app)).await?;
        if let Some(answer) = claim.answer()? {
            return answer.again();
        }
    }
    let call = (begun.call, &begun.new.key, Some(&begun.new));
    let accepted = upload::record(app, &mut tx, call, (begun.upload, &form.received), (&form.metadata, None)).await?;
    if let Some(fingerprint) = &fingerprint {
        let body = serde_json::to_vec(&accepted).map_err(|error| ApiError::internal(&error))?;
        idempotency::keep(&mut tx, &app.vault, fingerprint, (None, &Answer::json(StatusCode::ACCEPTED, &body))).await?;
    }
    if accepted.call_id == begun.call {
        begun.keep();
    }
    tx.commit().await?;
    app.changes.wake();
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}
