//! Errors in OpenAI's shape: `{"error": {message, type, param, code}}`, all four always there.

use api::error::ErrorCode;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Refusal};

/// The body of an error.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenAiErrorBody {
    error: Detail,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct Detail {
    message: String,
    r#type: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

/// A failed request of an OpenAI client.
#[derive(Debug)]
pub enum OpenAiError {
    /// A parameter that cannot be, or that this service does not support.
    Parameter(&'static str, String),
    /// There is no such model, or it cannot do what is asked.
    Model(String),
    /// What the service itself answers.
    Native(ApiError),
}

impl From<ApiError> for OpenAiError {
    fn from(error: ApiError) -> Self {
        Self::Native(error)
    }
}

impl OpenAiError {
    /// A parameter that is refused.
    pub(super) fn parameter(name: &'static str, message: impl Into<String>) -> Self {
        Self::Parameter(name, message.into())
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let refused = |status: StatusCode, param, code, message| {
            let error = Detail { message, r#type: "invalid_request_error", param: Some(param), code: Some(code) };
            (status, Json(OpenAiErrorBody { error })).into_response()
        };
        match self {
            Self::Parameter(name, message) => refused(StatusCode::BAD_REQUEST, name, "invalid_value", message),
            Self::Model(message) => refused(StatusCode::NOT_FOUND, "model", "model_not_found", message),
            Self::Native(error) => reshape(error.into_response()),
        }
    }
}

/// Puts an error of the service, wherever it arose, into OpenAI's shape; leaves every other answer alone.
pub(super) fn reshape(response: Response) -> Response {
    let Some(&Refusal { code, message }) = response.extensions().get::<Refusal>() else { return response };
    let (r#type, name) = match code {
        ErrorCode::AuthMissing | ErrorCode::AuthInvalid => ("invalid_request_error", Some("invalid_api_key")),
        ErrorCode::RateLimited | ErrorCode::DailyTranscriptLimit | ErrorCode::MonthlyMinutesLimit => {
            ("requests", Some("rate_limit_exceeded"))
        }
        ErrorCode::Forbidden | ErrorCode::AccountSuspended | ErrorCode::AccountDisabled => ("permission_error", None),
        ErrorCode::Internal | ErrorCode::Unavailable => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    let (mut parts, _) = response.into_parts();
    // OpenAI answers with 400 what is wrong with a recording.
    if matches!(parts.status, StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY) {
        parts.status = StatusCode::BAD_REQUEST;
    }
    let error = Detail { message: message.to_owned(), r#type, param: None, code: name };
    let mut reshaped = (parts.status, Json(OpenAiErrorBody { error })).into_response();
    for (name, value) in &parts.headers {
        if !reshaped.headers().contains_key(name) {
            reshaped.headers_mut().insert(name.clone(), value.clone());
        }
    }
    reshaped
}
