//! `/v1`: what OpenAI's clients call.

use std::time::Duration;

use api::calls::{CallStatus, RecordingMetadata};
use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRequestParts as _, Request, State},
    http::{header::CONTENT_TYPE, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use insight::export;
use serde::Serialize;
use speech::transcript::Transcript;
use tokio::time;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    error::{self, OpenAiError, OpenAiErrorBody},
    form::{self, AudioForm, Form, ResponseFormat},
    render, stream,
};
use crate::{
    app::App,
    artifacts::{self, Artifact},
    auth::Caller,
    calls::{self, Recognition, upload},
    error::ApiError,
    http::{form::Fields, places::Told},
    vault::seal::RecordKind,
};

/// How long an answer may take: OpenAI's clients give up after 600 s.
const PATIENCE: Duration = Duration::from_secs(590);

/// Between two looks at least, so that the changes of others cost a caller who waits four looks a second.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two looks at most: a notice can be lost, and signing out ends the wait within a second.
const LOOK: Duration = Duration::from_millis(750);

/// The names that OpenAI's clients send by habit; each means the model that is installed.
const ALIASES: [&str; 5] =
    ["whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"];

/// Models.
#[derive(Serialize, ToSchema)]
pub struct Models {
    object: &'static str,
    data: Vec<Model>,
}

/// A model.
#[derive(Serialize, ToSchema)]
pub struct Model {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

/// Puts what any layer refuses into OpenAI's shape.
pub async fn shape(request: Request, next: Next) -> Response {
    let is_theirs = request.uri().path().starts_with("/v1/");
    let response = next.run(request).await;
    if is_theirs { error::reshape(response) } else { response }
}

/// Lists the models.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = Models),
    (status = 401, body = OpenAiErrorBody), (status = 429, body = OpenAiErrorBody), (status = 503, body = OpenAiErrorBody)),
    security(("bearer" = [])))]
pub async fn models(State(app): State<App>, _: Caller) -> Json<Models> {
    let model = |id: &str| Model { id: id.to_owned(), object: "model", created: 0, owned_by: "subrosa" };
    let data = std::iter::once(app.operation.config.worker.model.as_str()).chain(ALIASES).map(model).collect();
    Json(Models { object: "list", data })
}

/// Transcribes a recording and answers when it is done.
#[utoipa::path(post, path = "/v1/audio/transcriptions", tag = "openai",
    request_body(content = AudioForm, content_type = "multipart/form-data"), responses(
    (status = 200, description = "In the format that was asked for; `verbose_json` and `diarized_json` hold more", content(
        (render::Text = "application/json"), (String = "text/plain"), (String = "application/x-subrip"),
        (String = "text/vtt"), (String = "text/event-stream"))),
    (status = 400, body = OpenAiErrorBody), (status = 401, body = OpenAiErrorBody), (status = 403, body = OpenAiErrorBody),
    (status = 404, body = OpenAiErrorBody), (status = 413, body = OpenAiErrorBody), (status = 429, body = OpenAiErrorBody),
    (status = 503, body = OpenAiErrorBody)),
    security(("bearer" = [])))]
pub async fn transcriptions(State(app): State<App>, request: Request) -> Result<Response, OpenAiError> {
    serve(app, request, false).await
}

/// Translates a recording into English and answers when it is done.
#[utoipa::path(post, path = "/v1/audio/translations", tag = "openai",
    request_body(content = AudioForm, content_type = "multipart/form-data"), responses(
    (status = 200, description = "In the format that was asked for; `verbose_json` and `diarized_json` hold more", content(
        (render::Text = "application/json"), (String = "text/plain"), (String = "application/x-subrip"),
        (String = "text/vtt"), (String = "text/event-stream"))),
    (status = 400, body = OpenAiErrorBody), (status = 401, body = OpenAiErrorBody), (status = 403, body = OpenAiErrorBody),
    (status = 404, body = OpenAiErrorBody), (status = 413, body = OpenAiErrorBody), (status = 429, body = OpenAiErrorBody),
    (status = 503, body = OpenAiErrorBody)),
    security(("bearer" = [])))]
pub async fn translations(State(app): State<App>, request: Request) -> Result<Response, OpenAiError> {
    serve(app, request, true).await
}

async fn serve(app: App, request: Request, translate: bool) -> Result<Response, OpenAiError> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    let request = Request::from_parts(parts.clone(), body);
    let no_form = |_| OpenAiError::parameter("file", "send multipart/form-data");
    // The recording has a limit of its own, which is told by name.
    let fields = Fields::of(request, DefaultBodyLimit::disable()).await.map_err(no_form)?;
    let mut begun = upload::begin(&app, &caller).await?;
    let (form, mut received) = form::read(&app, &begun, fields).await?;
    check_model(&app, &form, translate)?;
    received.with_wishes(&form.wishes(translate));
    let call =
        upload::take_in(&app, &caller, &mut begun, &received, (&form.metadata(), form.recognition(translate))).await?;
    if form.stream {
        let place = app.streams.take(caller.scope(), TOLD)?;
        let transcript = async move {
            let _place = place;
            done(app, (caller, parts), call).await
        };
        return Ok(stream::answer(transcript, form.format == ResponseFormat::DiarizedJson));
    }
    let transcript = done(app, (caller, parts), call).await?;
    answer(&transcript, &form, translate)
}

fn check_model(app: &App, form: &Form, translate: bool) -> Result<(), OpenAiError> {
    if form.model != app.operation.config.worker.model && !ALIASES.contains(&form.model.as_str()) {
        return Err(OpenAiError::Model("there is no such model here: GET /v1/models lists them".to_owned()));
    }
    // Turbo was distilled without translation data; `.en` models know English only.
    if translate
        && (app.operation.config.worker.model.contains("turbo") || app.operation.config.worker.model.ends_with(".en"))
    {
        return Err(OpenAiError::parameter(
            "model",
            "the installed model cannot translate; large-v3, medium, small and base can",
        ));
    }
    Ok(())
}

/// What is said where too many wait for a transcript in a stream.
const TOLD: Told = Told {
    user: "too many transcripts are streamed to you at once; wait for one, or ask without stream=true",
    tenant: "too many transcripts are streamed to your tenant at once; wait for one, or ask without stream=true",
    all: "too many transcripts are streamed at once; ask without stream=true, or try again",
};

fn still_at_it() -> ApiError {
    let message = "the recording is still being processed: send it again to wait on; it is processed once";
    ApiError::new(api::error::ErrorCode::Unavailable, message).retry_after(1)
}

impl Form {
    fn metadata(&self) -> RecordingMetadata {
        RecordingMetadata { language: self.language.clone(), ..RecordingMetadata::default() }
    }

    fn recognition(&self, translate: bool) -> Recognition {
        Recognition {
            translate,
            prompt: self.prompt.clone(),
            hotwords: (!self.keywords.is_empty()).then(|| self.keywords.join(", ")),
        }
    }
}

/// The transcript of a call, once it is there; for as long as who asked may see it, and the service goes on.
async fn done(app: App, (mut caller, mut parts): (Caller, Parts), call: Uuid) -> Result<Transcript, OpenAiError> {
    let (mut changes, mut stopping) = (app.changes.watch(), app.operation.stopping());
    let looking = async {
        loop {
            changes.mark_unchanged();
            caller = caller.again(&mut parts, &app).await?;
            if let Some(transcript) = finished(&app, &caller, call).await? {
                return Ok(transcript);
            }
            time::sleep(PAUSE).await;
            // Whether woken or not: a notice can be lost with its connection.
            let _ = time::timeout(LOOK, changes.changed()).await;
        }
    };
    tokio::select! {
        found = time::timeout(PATIENCE, looking) => found.map_err(|_| still_at_it())?,
        _ = stopping.wait_for(|is_stopping| *is_stopping) => Err(still_at_it().into()),
    }
}

async fn finished(app: &App, caller: &Caller, call: Uuid) -> Result<Option<Transcript>, OpenAiError> {
    let mut tx = app.database.read(caller.scope()).await.map_err(ApiError::from)?;
    let progress = calls::progress(&mut tx, call).await?;
    match progress.status {
        CallStatus::Completed => {}
        CallStatus::Failed => {
            let reason = progress.error_reason.unwrap_or_default();
            return Err(OpenAiError::parameter("file", format!("the recording could not be transcribed: {reason}")));
        }
        CallStatus::Queued | CallStatus::Transcribing | CallStatus::Analyzing => return Ok(None),
    }
    let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await.map_err(ApiError::from)?;
    let place = (call, Artifact::NormalizedTranscript);
    let document = artifacts::get(&mut tx, place, &key).await.map_err(ApiError::from)?;
    let document = document.ok_or_else(|| ApiError::internal("a completed call without a transcript"))?;
    let transcript =
        serde_json::from_slice(&document).map_err(|_| ApiError::internal("a transcript of another shape"))?;
    Ok(Some(transcript))
}

fn answer(transcript: &Transcript, form: &Form, translate: bool) -> Result<Response, OpenAiError> {
    let task = if translate { "translate" } else { "transcribe" };
    let subtitles = |format, kind: &'static str| {
        let body = render::subtitles(transcript, format).map_err(|error| ApiError::internal(error.kind()))?;
        Ok(([(CONTENT_TYPE, kind)], body).into_response())
    };
    Ok(match form.format {
        ResponseFormat::Json => Json(render::json(transcript)).into_response(),
        ResponseFormat::Text => {
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], render::text(transcript) + "\n").into_response()
        }
        ResponseFormat::Srt => return subtitles(export::Format::Srt, "application/x-subrip; charset=utf-8"),
        ResponseFormat::Vtt => return subtitles(export::Format::Vtt, "text/vtt; charset=utf-8"),
        ResponseFormat::VerboseJson => {
            Json(render::verbose(transcript, task, form.words, form.segments)).into_response()
        }
        ResponseFormat::DiarizedJson => Json(render::diarized(transcript)).into_response(),
    })
}
