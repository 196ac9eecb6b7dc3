//! Bodies, paths and queries. Axum's own rejections quote what was sent; these name the fault and the place, never the value.

use api::error::ErrorCode;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let request = |body| Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(request(body), state).await.map_err(|error| broken(error.status()))?;
        // Serde takes a list for a struct, its members in order; no body of this API is one.
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(misshapen());
        }
        match axum::Json::from_request(request(Body::from(body)), state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::new(ErrorCode::UnsupportedMediaType, "the body must be application/json"))
            }
            Err(JsonRejection::JsonSyntaxError(_)) => {
                Err(ApiError::new(ErrorCode::ValidationFailed, "the body is not JSON"))
            }
            Err(_) => Err(misshapen()),
        }
    }
}

fn broken(status: StatusCode) -> ApiError {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(ErrorCode::PayloadTooLarge, "the body is too large"),
        _ => ApiError::new(ErrorCode::ValidationFailed, "the body broke off"),
    }
}

fn misshapen() -> ApiError {
    let message = "the body does not have the shape that /openapi.json describes for this request";
    ApiError::new(ErrorCode::ValidationFailed, message)
}

/// Parameters in the query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(_) => {
                Err(ApiError::new(ErrorCode::ValidationFailed, "a parameter in the query is not what it should be"))
            }
        }
    }
}

/// Parameters in the path. One that cannot be read names nothing that exists.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(_) => Err(ApiError::not_found()),
        }
    }
}
