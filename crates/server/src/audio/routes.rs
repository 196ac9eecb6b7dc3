//! Playing recordings that are kept, over HTTP.

use std::time::Duration;

use api::{
    audio::AudioQuery,
    error::{ErrorBody, ErrorCode},
};
use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        },
        request::Parts,
    },
    response::{IntoResponse as _, Response},
};
use uuid::Uuid;

use super::{
    Rendition, TOLD,
    play::{self, Play},
    range::{Wanted, wanted},
    store,
};
use crate::{
    app::App,
    audit::{self, Action},
    auth::Caller,
    error::{ApiError, ApiResult},
    http::extract::{Path, Query},
    vault::{
        heads::{self, Chain},
        seal::RecordKind,
    },
};

/// What one event of the audit log stands for: a player asks for many ranges. One that asks for all at once is one play, however long it lasts.
const PLAY: Duration = Duration::from_secs(10 * 60);

/// The recording of a call, where its tenant keeps them: a WAVE file in which what was redacted is silent, in all formats alike; or, with
/// `redacted=false`, what was uploaded, for the owner of the call and those who manage the tenant, signed in and not by an API key.
///
/// One range of bytes is served at a time. Each play is in the audit log.
///
/// # Errors
/// `call_not_found`; `feature_not_available` while the tenant keeps no recordings; `not_found` when none of this call is kept;
/// `forbidden` for the original of another's call.
#[utoipa::path(
    get, operation_id = "audio", path = "/api/calls/{id}/audio", tag = "calls",
    params(("id" = Uuid, Path), AudioQuery, ("Range" = Option<String>, Header), ("If-Range" = Option<String>, Header)),
    responses(
        (status = 200, content((String = "audio/*")), headers(("Accept-Ranges" = String), ("ETag" = String))),
        (status = 206, content((String = "audio/*")), headers(("Content-Range" = String), ("ETag" = String))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 416, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn audio(
    State(app): State<App>,
    caller: Caller,
    Path(call): Path<Uuid>,
    Query(query): Query<AudioQuery>,
    parts: Parts,
) -> ApiResult<Response> {
    let rendition = if query.redacted { Rendition::Redacted } else { Rendition::Original };
    let open = play::open(&app, &caller, (call, rendition)).await?;
    let action = match rendition {
        Rendition::Redacted => Action::PlayAudio,
        Rendition::Original => {
            may_hear_the_original(&caller, open.kept.owner)?;
            Action::PlayOriginalAudio
        }
    };
    let (length, etag) = (open.length(), open.kept.etag.clone());
    let is_head = parts.method == Method::HEAD;
    // RFC 9110, 14.2: ranges are for GET.
    let wanted = if is_head { Wanted::All } else { wanted(&parts.headers, &etag, length) };
    let (status, range) = match wanted {
        Wanted::All => (StatusCode::OK, 0..length),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => return Ok(not_satisfiable(length)),
    };
    let (kind, ending) = open.kept.media.described();
    let mut response = Response::builder()
        .status(status)
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, etag)
        .header(CONTENT_TYPE, kind)
        .header(CONTENT_LENGTH, range.end - range.start)
        .header(CONTENT_DISPOSITION, format!("attachment; filename=\"{call}.{ending}\""))
        .header(CACHE_CONTROL, "no-store");
    if status == StatusCode::PARTIAL_CONTENT {
        response = response.header(CONTENT_RANGE, format!("bytes {}-{}/{length}", range.start, range.end - 1));
    }
    let body = if is_head {
        Body::empty()
    } else {
        let place = app.plays.take(caller.scope(), TOLD)?;
        note(&app, &caller, (call, action)).await?;
        play::body(Play { app, caller, parts, what: (call, rendition), _place: place }, open, range)
    };
    response.body(body).map_err(|error| ApiError::internal(&error))
}

/// The original says what redaction took out of everything else: it is for who was there, and for who answers for the tenant.
pub(super) fn may_hear_the_original(caller: &Caller, owner: Uuid) -> ApiResult<()> {
    caller.session()?;
    if caller.scope().user() == owner {
        return Ok(());
    }
    caller.manages()
}

/// 416 says how long the recording is.
fn not_satisfiable(length: u64) -> Response {
    let message = "this range is not within the recording; Content-Range says how long it is";
    let mut response = ApiError::new(ErrorCode::RangeNotSatisfiable, message).into_response();
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

/// Puts it into the audit log that the caller plays a recording, unless it is there lately; committed before a byte is out.
async fn note(app: &App, caller: &Caller, (call, action): (Uuid, Action)) -> ApiResult<()> {
    let mut tx = app.database.read(caller.scope()).await?;
    if store::plays_already(&mut tx, (call, action), PLAY).await? {
        return Ok(());
    }
    drop(tx);
    let mut tx = app.database.write(caller.scope()).await?;
    // One after the other: requests that come at once are one play.
    heads::lock(&mut tx, Chain::Audit).await?;
    if !store::plays_already(&mut tx, (call, action), PLAY).await? {
        audit::record(&mut tx, action, RecordKind::Call as i16, call).await?;
    }
    Ok(tx.commit().await?)
}
