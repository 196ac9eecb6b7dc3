//! The form of OpenAI's clients. Its one invariant: every field is understood or refused; `file` may stand anywhere.

use axum::extract::multipart::{Field, MultipartError};
use utoipa::ToSchema;

use super::error::OpenAiError;
use crate::{
    app::App,
    calls::upload::{self, Begun, Received},
    http::form::Fields,
};

/// Bytes of a field that is not the recording. The prompt is the longest: a model looks at its last 224 tokens.
const MAX_FIELD: usize = 4 << 10;

/// The most that a list of terms holds.
const MAX_TERMS: usize = 100;

/// Bytes of all terms together: they are kept with the call, and a list of calls opens many.
const MAX_TERMS_BYTES: usize = 4 << 10;

/// What to answer with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum ResponseFormat {
    #[default]
    Json,
    Text,
    Srt,
    Vtt,
    VerboseJson,
    DiarizedJson,
}

/// The form, for the document, since the server reads it as it comes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a form")]
pub(super) struct AudioForm {
    /// The recording.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// One that `GET /v1/models` lists.
    model: String,
    /// ISO 639-1; detected when left out.
    language: Option<String>,
    /// Text to take as having come before; at most 4 KiB.
    prompt: Option<String>,
    /// Terms to expect; at most 4 KiB together.
    #[schema(max_items = 100)]
    keywords: Option<Vec<String>>,
    /// `json` when left out.
    response_format: Option<ResponseFormat>,
    /// 0 alone.
    #[schema(minimum = 0, maximum = 0)]
    temperature: Option<f32>,
    /// With `verbose_json`; segments when left out.
    timestamp_granularities: Option<Vec<Granularity>>,
    /// Server-sent events, with `json`, `text` or `diarized_json`.
    stream: Option<bool>,
}

/// What gets times.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a form")]
enum Granularity {
    Word,
    Segment,
}

/// What was asked.
#[derive(Default)]
pub(super) struct Form {
    pub(super) model: String,
    pub(super) language: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) keywords: Vec<String>,
    pub(super) format: ResponseFormat,
    pub(super) words: bool,
    pub(super) segments: bool,
    pub(super) stream: bool,
}

impl Form {
    /// What makes another transcript of the same recording, for telling a recording that is sent again from one that is sent with
    /// other wishes. How the answer is written down does not count.
    pub(super) fn wishes(&self, translate: bool) -> String {
        let Self { language, prompt, keywords, .. } = self;
        format!("{translate:?} {language:?} {prompt:?} {keywords:?}")
    }
}

/// Reads the form; the recording is sealed and stored on the way.
pub(super) async fn read(app: &App, begun: &Begun, mut fields: Fields) -> Result<(Form, Received), OpenAiError> {
    let (mut form, mut received) = (Form::default(), None);
    while let Some(field) = fields.next_field().await.map_err(|error| broken(&error))? {
        // An owned name, because the field is consumed. Arrays and objects are written with brackets.
        let name = field.name().unwrap_or_default().trim_end_matches("[]").to_owned();
        if name == "file" {
            if received.is_some() {
                return Err(OpenAiError::parameter("file", "one recording a request"));
            }
            let place = begun.upload.place();
            received = Some(upload::receive(app, (&begun.new.key, place), begun.known_by.clone(), field).await?);
            continue;
        }
        let value = text(field).await?;
        form.take(&name, value)?;
    }
    let received = received.ok_or_else(|| OpenAiError::parameter("file", "a recording is required: the field file"))?;
    form.check()?;
    Ok((form, received))
}

impl Form {
    fn take(&mut self, name: &str, value: String) -> Result<(), OpenAiError> {
        let refused = OpenAiError::parameter;
        match name {
            "model" => self.model = value,
            "language" => self.language = (!value.is_empty()).then_some(value),
            "languages" => match self.language.replace(value) {
                None => {}
                Some(_) => return Err(refused("languages", "one language at most; leave it out to have it detected")),
            },
            "prompt" => self.prompt = (!value.is_empty()).then_some(value),
            "keywords" => {
                let bytes: usize = self.keywords.iter().map(String::len).sum();
                if self.keywords.len() == MAX_TERMS || bytes + value.len() > MAX_TERMS_BYTES {
                    return Err(refused("keywords", "at most 100 keywords, of 4 KiB together"));
                }
                self.keywords.push(value);
            }
            "response_format" => self.format = format(&value)?,
            "temperature" => match value.parse::<f32>() {
                // Zero is what recognition starts with; it samples by itself where a passage stays doubtful.
                Ok(0.0) => {}
                _ => return Err(refused("temperature", "only temperature 0 is supported")),
            },
            "timestamp_granularities" => match value.as_str() {
                "word" => self.words = true,
                "segment" => self.segments = true,
                _ => return Err(refused("timestamp_granularities", "a granularity is word or segment")),
            },
            "stream" => match value.as_str() {
                "true" => self.stream = true,
                "false" => self.stream = false,
                _ => return Err(refused("stream", "true or false")),
            },
            // Voice activity always finds the speech, by rules of its own.
            "chunking_strategy" if value == "auto" => {}
            "chunking_strategy[type]" if value == "server_vad" => {}
            name if name.starts_with("chunking_strategy") => {
                return Err(refused("chunking_strategy", "auto, or server_vad without settings"));
            }
            "include" => return Err(refused("include", "log probabilities of tokens are not kept")),
            name if name.starts_with("known_speaker") => {
                return Err(refused("known_speaker_names", "speakers are told apart without references"));
            }
            _ => {
                return Err(refused(
                    "file",
                    "a field of the form is not known here; see /openapi.json for those that are",
                ));
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), OpenAiError> {
        if self.model.is_empty() {
            return Err(OpenAiError::parameter("model", "a model is required: GET /v1/models lists them"));
        }
        if let Some(language) = &self.language
            && speech::language::name(language).is_none()
        {
            return Err(OpenAiError::parameter("language", "a language is an ISO 639-1 code such as en"));
        }
        let verbose = self.format == ResponseFormat::VerboseJson;
        if (self.words || self.segments) && !verbose {
            let message = "timestamp granularities need response_format verbose_json";
            return Err(OpenAiError::parameter("timestamp_granularities", message));
        }
        if verbose && !self.words {
            self.segments = true;
        }
        let streams = matches!(self.format, ResponseFormat::Json | ResponseFormat::Text | ResponseFormat::DiarizedJson);
        if self.stream && !streams {
            return Err(OpenAiError::parameter("stream", "a stream needs response_format json, text or diarized_json"));
        }
        Ok(())
    }
}

fn format(value: &str) -> Result<ResponseFormat, OpenAiError> {
    match value {
        "json" => Ok(ResponseFormat::Json),
        "text" => Ok(ResponseFormat::Text),
        "srt" => Ok(ResponseFormat::Srt),
        "vtt" => Ok(ResponseFormat::Vtt),
        "verbose_json" => Ok(ResponseFormat::VerboseJson),
        "diarized_json" => Ok(ResponseFormat::DiarizedJson),
        _ => Err(OpenAiError::parameter(
            "response_format",
            "a format is json, text, srt, verbose_json, vtt or diarized_json",
        )),
    }
}

async fn text(mut field: Field<'_>) -> Result<String, OpenAiError> {
    let mut bytes = Vec::new();
    while let Some(block) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + block.len() > MAX_FIELD {
            return Err(OpenAiError::parameter("file", "a field of the form is longer than 4 KiB"));
        }
        bytes.extend(&block);
    }
    String::from_utf8(bytes).map_err(|_| OpenAiError::parameter("file", "a field of the form is not UTF-8"))
}

fn broken(_: &MultipartError) -> OpenAiError {
    OpenAiError::parameter("file", "the form is malformed, or broke off")
}
