//! What a tus client and the server tell each other in headers. Its one invariant: a header that cannot be read is refused by its name,
//! never by its value.

use api::{calls::RecordingMetadata, error::ErrorCode};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    calls::check,
    error::{ApiError, ApiResult},
    http::extract::Object,
};

/// The version of the protocol.
pub(super) const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

/// The call that an upload became.
const CALL_ID: HeaderName = HeaderName::from_static("call-id");

/// By which a client may have its bytes checked. Every server that does so knows SHA-1, says tus; against accidents it does.
const ALGORITHMS: [(&str, &digest::Algorithm); 2] =
    [("sha1", &digest::SHA1_FOR_LEGACY_USE_ONLY), ("sha256", &digest::SHA256)];

/// Names the version in every answer about uploads, whoever refuses them, and again in the one that refuses another version.
pub async fn version(request: Request, next: Next) -> Response {
    let is_upload = request.uri().path().starts_with("/api/uploads");
    let mut response = next.run(request).await;
    if is_upload {
        response.headers_mut().insert(RESUMABLE, VERSION);
        if response.status() == StatusCode::PRECONDITION_FAILED {
            response.headers_mut().insert(HeaderName::from_static("tus-version"), VERSION);
        }
    }
    response
}

/// A request with another version is refused.
pub(super) fn check_version(headers: &HeaderMap) -> ApiResult<()> {
    if headers.get(RESUMABLE) == Some(&VERSION) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::PreconditionFailed, "send Tus-Resumable: 1.0.0"))
}

pub(super) fn number(headers: &HeaderMap, name: &HeaderName, field: &'static str) -> ApiResult<i64> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    value.filter(|value| *value >= 0).ok_or_else(|| ApiError::field(field, "this header holds a number of bytes"))
}

pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `Upload-Metadata`: pairs of a name and a value in Base64, separated by commas. `metadata` is the JSON that a form has, `title` a title;
/// other names are a client's own.
pub(super) fn metadata(headers: &HeaderMap) -> ApiResult<RecordingMetadata> {
    let message = "this header holds pairs of a name and Base64; metadata is a JSON object as /openapi.json describes it, RecordingMetadata";
    let refused = || ApiError::field("Upload-Metadata", message);
    let text = headers.get(METADATA).map_or(Ok(""), HeaderValue::to_str).map_err(|_| refused())?;
    let (mut metadata, mut title) = (RecordingMetadata::default(), None);
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value).map_err(|_| refused())?;
        match name {
            "metadata" => Object(metadata) = serde_json::from_slice(&value).map_err(|_| refused())?,
            "title" => title = Some(String::from_utf8(value).map_err(|_| refused())?),
            _ => {}
        }
    }
    metadata.title = metadata.title.or(title);
    check(&metadata)?;
    Ok(metadata)
}

/// `Upload-Checksum`: what the bytes of a request come to, by the client's account.
pub(super) struct Checksum {
    expected: Vec<u8>,
    passing: digest::Context,
}

impl Checksum {
    pub(super) fn of(headers: &HeaderMap) -> ApiResult<Option<Self>> {
        let Some(value) = headers.get(CHECKSUM) else { return Ok(None) };
        let message = "this header holds sha1 or sha256, a space, and the checksum in Base64";
        let refused = || ApiError::field("Upload-Checksum", message);
        let (name, value) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(refused)?;
        let (_, algorithm) = ALGORITHMS.into_iter().find(|(known, _)| *known == name).ok_or_else(refused)?;
        let expected = STANDARD.decode(value).ok().filter(|bytes| bytes.len() == algorithm.output_len());
        Ok(Some(Self { expected: expected.ok_or_else(refused)?, passing: digest::Context::new(algorithm) }))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.passing.update(bytes);
    }

    /// That these were all the bytes, as the client meant them.
    pub(super) fn check(self) -> ApiResult<()> {
        let message = "these are not the bytes that Upload-Checksum stands for, and they do not count; send them again";
        verify_slices_are_equal(self.passing.finish().as_ref(), &self.expected)
            .map_err(|_| ApiError::new(ErrorCode::ChecksumMismatch, message))
    }
}

/// Says how much of an upload is there, and what it became.
pub(super) fn answer(status: StatusCode, offset: i64, expires_at: DateTime<Utc>, call: Option<Uuid>) -> Response {
    let headers = [(OFFSET, offset.to_string()), (EXPIRES, http_date(expires_at))];
    let call = call.map(|call| [(CALL_ID, call.to_string())]);
    match call {
        Some(call) => (status, headers, call).into_response(),
        None => (status, headers).into_response(),
    }
}
