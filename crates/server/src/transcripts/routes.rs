//! Transcripts over HTTP.

use api::{
    analytics::Party,
    calls::CallStatus,
    error::{ErrorBody, ErrorCode},
    transcripts as wire,
    transcripts::{SegmentPatch, SpeakerPatch, TranscriptFormat, TranscriptQuery},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse as _, Response},
};
use insight::{
    export::{self, Format, Style},
    redact::{Policy, Redacted},
};
use serde_json::Value;
use speech::transcript::{Role, Transcript};
use uuid::Uuid;

use super::{correct, held, rename, store};
use crate::{
    analyses::correct::{After, Before},
    app::App,
    auth::Caller,
    calls::{self, MAX_TEXT, check_length, routes::or_call},
    db::{TenantTx, Write},
    error::{ApiError, ApiResult},
    http::{
        extract::{self, Path, Query},
        idempotency::IdempotencyKey,
    },
    redaction::{self, endings, findings},
    search,
    transcripts::voices::{Parties, assign},
    vault::seal::RecordKind,
};

/// Characters of a speaker's name.
const MAX_NAME: usize = 200;

/// How often a correction is made that others overtake, each time after tenths of a second at most.
const TRIES: usize = 3;

/// Characters of a file's name: file systems allow 255 bytes, and one character takes up to four.
const MAX_FILE_NAME: usize = 60;

fn format_of(format: TranscriptFormat) -> (Format, &'static str) {
    match format {
        TranscriptFormat::Json => (Format::Json, "application/json"),
        TranscriptFormat::Txt => (Format::Txt, "text/plain; charset=utf-8"),
        TranscriptFormat::Srt => (Format::Srt, "application/x-subrip"),
        TranscriptFormat::Vtt => (Format::Vtt, "text/vtt; charset=utf-8"),
        TranscriptFormat::Md => (Format::Md, "text/markdown; charset=utf-8"),
        TranscriptFormat::Docx => {
            (Format::Docx, "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
        }
        TranscriptFormat::Rttm => (Format::Rttm, "text/plain; charset=utf-8"),
    }
}

fn role_of(party: Party) -> Role {
    match party {
        Party::User => Role::User,
        Party::Contact => Role::Contact,
        Party::Unknown => Role::Unknown,
    }
}

pub(crate) fn not_yet() -> ApiError {
    ApiError::new(ErrorCode::CallNotCompleted, "the transcript is not there yet; watch the call's events")
}

/// The transcript of a call.
#[utoipa::path(
    get, path = "/api/calls/{id}/transcript", tag = "transcripts",
    params(("id" = Uuid, Path), TranscriptQuery, ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, content(
            (wire::Transcript = "application/json"), (String = "text/plain"), (String = "application/x-subrip"),
            (String = "text/vtt"), (String = "text/markdown"),
            (String = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        )),
        (status = 304, description = "What the caller has is current"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn transcript(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(query): Query<TranscriptQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (format, content_type) = format_of(query.format);
    let mut tx = app.database.read(caller.scope()).await?;
    let row = calls::store::get(&mut tx, id).await.map_err(or_call)?;
    let changed = store::changed(&mut tx, id).await?.ok_or_else(not_yet)?;
    // Same times, same bytes: nothing has to be opened to know it.
    let etag = format!("\"{:x}-{format}\"", changed.timestamp_micros());
    let fresh = [(ETAG, etag.clone()), (CACHE_CONTROL, "private, no-cache".to_owned())];
    if is_current(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    let mut stored = store::json(&mut tx, &app.vault, id).await?.ok_or_else(not_yet)?;
    let title = calls::store::open(&mut tx, &app.vault, &row).await?.shown_title().cloned().unwrap_or_default();
    drop(tx);
    let disposition = disposition(&title, id, format);
    let bytes = if format == Format::Json {
        // It is stored as it is answered.
        std::mem::take(&mut *stored)
    } else {
        let rendered = tokio::task::spawn_blocking(move || render(&store::parse(&stored)?, format, &title));
        rendered.await.map_err(|error| ApiError::internal(&error))??
    };
    let shown = [(CONTENT_TYPE, content_type.to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((fresh, shown, Body::from(bytes)).into_response())
}

/// RFC 9110, 13.1.2: a list of tags, compared weakly, or any.
pub(crate) fn is_current(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn render(transcript: &Transcript, format: Format, title: &str) -> ApiResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let style = Style { title, words: true, ..Style::default() };
    export::write(transcript, format, style, &mut bytes).map_err(|error| ApiError::internal(error.kind()))?;
    Ok(bytes)
}

/// RFC 6266: the title in UTF-8 for those who read `filename*`, the call's id for everybody else. Nothing of it is a path.
fn disposition(title: &str, call: Uuid, format: Format) -> String {
    let kind = if format == Format::Json { "inline" } else { "attachment" };
    let name: String = title.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_')).collect();
    let name: String = name.trim().chars().take(MAX_FILE_NAME).collect();
    let plain = format!("{kind}; filename=\"{call}.{format}\"");
    if name.is_empty() {
        return plain;
    }
    let encoded: String = name.bytes().map(percent_encoded).collect();
    format!("{plain}; filename*=UTF-8''{encoded}.{format}")
}

/// RFC 8187: letters and digits stand for themselves.
fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

/// Changes the transcript of a call, and takes out what must not stay in it: people type numbers as well. `edit` gives the segment that
/// it says anew, if any; nothing is stored where that changes nothing. A call that is not completed is the worker's to write. No lock is held while that takes its time: who was overtaken by another change begins again.
async fn change(
    app: &App,
    caller: &Caller,
    call: Uuid,
    edit: impl Fn(&mut Transcript, &Parties) -> ApiResult<Option<usize>>,
) -> ApiResult<Transcript> {
    for _ in 0..TRIES {
        let mut tx = app.database.read(caller.scope()).await?;
        // Before that the worker still reads what it stored, to silence the recording that is kept.
        if calls::progress(&mut tx, call).await?.status != CallStatus::Completed {
            let message = "the call is still being processed; correct it when it is COMPLETED";
            return Err(ApiError::new(ErrorCode::CallNotCompleted, message));
        }
        let read_at = store::changed(&mut tx, call).await?.ok_or_else(not_yet)?;
        let mut transcript = store::get(&mut tx, &app.vault, call).await?.ok_or_else(not_yet)?;
        tx.rollback().await?;
        let (before, mut analysis) = (transcript.clone(), Before::read(app, (caller.scope().tenant(), call)).await?);
        let parties = Parties::of(app, (caller.scope().tenant(), call)).await?;
        let (policy, ending) = match edit(&mut transcript, &parties)? {
            Some(place) => {
                let policy = redaction::as_worker(app, (caller.scope().tenant(), call)).await?.in_segment(place);
                let (said, mut endings) = redaction::phone_endings(transcript, policy.clone()).await;
                transcript = said;
                let id = transcript.segments[place].id.clone();
                let ending = endings.remove(&id);
                if let Some(analysis) = &mut analysis {
                    endings::replace(analysis.phone_endings(), (&id, ending.clone()));
                }
                (policy, Some((id, ending)))
            }
            None => (Policy::default(), None),
        };
        let redacted = redaction::redacted(transcript, policy).await?;
        // Who says what is there corrects nothing.
        if redacted.transcript == before {
            return Ok(before);
        }
        let analysis = match analysis {
            Some(analysis) => Some(analysis.made((before, redacted.transcript.clone())).await?),
            None => None,
        };
        let mut tx = app.database.write(caller.scope()).await?;
        calls::store::lock(&mut tx, call).await.map_err(or_call)?;
        if store::changed(&mut tx, call).await? == Some(read_at) {
            put(app, &mut tx, call, (&redacted, ending), analysis.as_ref()).await?;
            tx.commit().await?;
            return Ok(redacted.transcript);
        }
    }
    let message = "others change this call at the same time; send the correction again";
    Err(ApiError::new(ErrorCode::Conflict, message).retry_after(1))
}

/// Stores what a correction left, with the end of the number that was said in the segment, if it says one anew, and what is made of it.
async fn put(
    app: &App,
    tx: &mut TenantTx<Write>,
    call: Uuid,
    (redacted, said): (&Redacted, Option<(String, Option<String>)>),
    analysis: Option<&After>,
) -> ApiResult<()> {
    held::replace(tx, &app.vault, call, &redacted.transcript).await?;
    let key = app.vault.record_key(tx, RecordKind::Call, call).await?;
    if let Some((segment, ending)) = said {
        endings::correct(tx, &key, call, (&segment, ending)).await?;
    }
    findings::put(tx, &key, call, (&redacted.transcript, &redacted.findings)).await?;
    if let Some(analysis) = analysis {
        analysis.put(tx, &app.vault, call).await?;
    }
    Ok(search::index::renew(tx, &app.vault, call).await?)
}

/// Names a speaker, or says whose voice it is.
///
/// Of two speakers the other one is the other party then; of more, who was that party is what this one was. A name that is not given is that
/// party's, unless a person gave one before.
#[utoipa::path(
    patch, path = "/api/calls/{id}/speakers/{speakerId}", tag = "transcripts", request_body = SpeakerPatch,
    params(("id" = Uuid, Path), ("speakerId" = String, Path), IdempotencyKey),
    responses(
        (status = 200, body = wire::Speaker),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn patch_speaker(
    State(app): State<App>,
    caller: Caller,
    Path((id, speaker)): Path<(Uuid, String)>,
    extract::Json(patch): extract::Json<SpeakerPatch>,
) -> ApiResult<Json<Value>> {
    check_length("displayName", patch.display_name.as_deref(), MAX_NAME)?;
    let named = |transcript: &mut Transcript, parties: &Parties| {
        if !transcript.speakers.iter().any(|one| one.speaker_id == speaker) {
            return Err(ApiError::not_found());
        }
        if let Some(role) = patch.role {
            assign(transcript, &speaker, role_of(role), parties).ok_or_else(ApiError::not_found)?;
        }
        if let Some(name) = &patch.display_name {
            rename(transcript, &speaker, name).ok_or_else(ApiError::not_found)?;
        }
        Ok(None)
    };
    let transcript = change(&app, &caller, id, named).await?;
    let renamed = transcript.speakers.iter().find(|one| one.speaker_id == speaker);
    Ok(Json(serde_json::to_value(renamed).map_err(|error| ApiError::internal(&error))?))
}

/// Corrects what was said in a segment. The tenant's policy of today applies to that segment; the others stay as that of their time left
/// them, but for telephone numbers.
#[utoipa::path(
    patch, path = "/api/calls/{id}/segments/{segId}", tag = "transcripts", request_body = SegmentPatch,
    params(("id" = Uuid, Path), ("segId" = String, Path), IdempotencyKey),
    responses(
        (status = 200, body = wire::Segment),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn patch_segment(
    State(app): State<App>,
    caller: Caller,
    Path((id, segment)): Path<(Uuid, String)>,
    extract::Json(patch): extract::Json<SegmentPatch>,
) -> ApiResult<Json<Value>> {
    check_length("text", Some(&patch.text), MAX_TEXT)?;
    let corrected = |transcript: &mut Transcript, _: &Parties| {
        correct(transcript, &segment, &patch.text).map(Some).ok_or_else(ApiError::not_found)
    };
    let transcript = change(&app, &caller, id, corrected).await?;
    let corrected = transcript.segments.iter().find(|one| one.id == segment);
    Ok(Json(serde_json::to_value(corrected).map_err(|error| ApiError::internal(&error))?))
}
