//! What a request may fail with. Its one invariant: an answer holds a code, a fixed sentence and numbers; what a dependency said
//! goes to the log as a code, and nowhere else.

use api::error::{ErrorBody, ErrorCode, ErrorDetail};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use crate::{
    db::DbError,
    http::request_id,
    telemetry::{fault::Fault, log},
    vault::{blobs::BlobError, keys::VaultError},
};

/// A failed request.
#[derive(Clone, Debug)]
pub struct ApiError {
    code: ErrorCode,
    message: &'static str,
    details: Map<String, Value>,
    retry_after: Option<u32>,
}

/// What an answer refused, for layers that say it in another shape: an extension of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// What to branch on.
    pub code: ErrorCode,
    /// The sentence.
    pub message: &'static str,
}

/// What a handler gives.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A failure with a sentence that says what to do.
    #[must_use]
    pub fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message, details: Map::new(), retry_after: None }
    }

    /// A field that cannot be: its name in `details.field`, never its value.
    #[must_use]
    pub fn field(name: &'static str, message: &'static str) -> Self {
        Self::new(ErrorCode::ValidationFailed, message).with("field", name)
    }

    /// No such object, or not the caller's: the same answer.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "there is no such object")
    }

    /// No such call, or not the caller's: the same answer.
    #[must_use]
    pub fn call_not_found() -> Self {
        Self::new(ErrorCode::CallNotFound, "there is no such call")
    }

    /// Adds a number, an id or the name of a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// When to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What to branch on.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// A fault of ours, which is told in the log and not to the caller.
    pub fn internal(fault: impl Into<Fault>) -> Self {
        let fault = fault.into();
        log::error!(fault = fault, "a request failed");
        Self::new(ErrorCode::Internal, "something is wrong on our side; the request id finds it in the log")
    }

    fn unavailable(fault: impl Into<Fault>) -> Self {
        let fault = fault.into();
        log::warning!(fault = fault, "a request could not be served");
        Self::new(ErrorCode::Unavailable, "this is not possible right now; try again").retry_after(2)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let request_id = request_id::current();
        let detail =
            ErrorDetail { code: self.code, message: self.message.to_owned(), details: self.details, request_id };
        let mut response = (status, Json(ErrorBody { error: detail })).into_response();
        response.extensions_mut().insert(Refusal { code: self.code, message: self.message });
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound => Self::not_found(),
            _ if error.is_transient() || error.is_outage() => Self::unavailable(&error),
            _ => Self::internal(&error),
        }
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            VaultError::Gone(_) => Self::not_found(),
            VaultError::TooLarge { .. } => Self::new(ErrorCode::PayloadTooLarge, "this is more than one field holds"),
            _ => Self::internal(&error),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing(_) => Self::not_found(),
            BlobError::TooLarge { .. } => Self::new(ErrorCode::PayloadTooLarge, "the recording is too large"),
            BlobError::Input { .. } => Self::new(ErrorCode::ValidationFailed, "the upload broke off"),
            BlobError::Store(_) | BlobError::Directory { .. } => Self::unavailable(&error),
            _ => Self::internal(&error),
        }
    }
}
