//! The one shape of an error.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every answer that is not a success carries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong. `message` is for a person who builds on the API; it never holds personal data.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetail {
    /// What to branch on.
    pub code: ErrorCode,
    /// One sentence.
    pub message: String,
    /// Numbers, ids and names of fields.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub details: serde_json::Map<String, serde_json::Value>,
    /// Also in the `X-Request-Id` header, and in the log.
    pub request_id: String,
}

/// Codes of errors. The spelling is that of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ErrorCode {
    ValidationFailed,
    AuthMissing,
    AuthInvalid,
    #[serde(rename = "ACCOUNT_SUSPENDED")]
    AccountSuspended,
    #[serde(rename = "ACCOUNT_DISABLED")]
    AccountDisabled,
    Forbidden,
    SignInAgain,
    NotFound,
    CallNotFound,
    FeatureNotAvailable,
    MethodNotAllowed,
    IdempotencyConflict,
    LegalHold,
    Conflict,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    CallNotCompleted,
    AudioUndecodable,
    AudioTooLong,
    AudioEmpty,
    AudioTooShort,
    AudioTooLittleSpeech,
    AudioSeveralSpeakers,
    AudioTooNoisy,
    AudioClipped,
    RangeNotSatisfiable,
    RateLimited,
    #[serde(rename = "DAILY_TRANSCRIPT_LIMIT")]
    DailyTranscriptLimit,
    #[serde(rename = "MONTHLY_MINUTES_LIMIT")]
    MonthlyMinutesLimit,
    ChecksumMismatch,
    RequestTimeout,
    Internal,
    Unavailable,
}

impl ErrorCode {
    /// The status that goes with it (RFC 9110; 460: tus 1.0).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::ValidationFailed => 400,
            Self::AuthMissing | Self::AuthInvalid => 401,
            Self::AccountSuspended | Self::AccountDisabled | Self::Forbidden | Self::SignInAgain => 403,
            Self::NotFound | Self::CallNotFound | Self::FeatureNotAvailable => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::IdempotencyConflict | Self::LegalHold | Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RangeNotSatisfiable => 416,
            Self::CallNotCompleted | Self::AudioUndecodable | Self::AudioTooLong | Self::AudioEmpty => 422,
            Self::AudioTooShort | Self::AudioTooLittleSpeech | Self::AudioSeveralSpeakers => 422,
            Self::AudioTooNoisy | Self::AudioClipped => 422,
            Self::RateLimited | Self::DailyTranscriptLimit | Self::MonthlyMinutesLimit => 429,
            Self::ChecksumMismatch => 460,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }
}
