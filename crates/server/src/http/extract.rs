//! Bodies, paths and queries. Axum's own rejections quote what was sent; these name the fault and the place, never the value.

use std::{fmt, marker::PhantomData};

use api::error::ErrorCode;
use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::request::Parts,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::error::ApiError;

/// A JSON body, an object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(Object(body))) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::new(ErrorCode::UnsupportedMediaType, "the body must be application/json"))
            }
            Err(JsonRejection::BytesRejection(error)) if error.status() == 413 => {
                Err(ApiError::new(ErrorCode::PayloadTooLarge, "the body is too large"))
            }
            Err(JsonRejection::BytesRejection(_)) => {
                Err(ApiError::new(ErrorCode::ValidationFailed, "the body broke off"))
            }
            Err(JsonRejection::JsonSyntaxError(_)) => {
                Err(ApiError::new(ErrorCode::ValidationFailed, "the body is not JSON"))
            }
            Err(_) => {
                let message = "the body does not have the shape that /openapi.json describes for this request";
                Err(ApiError::new(ErrorCode::ValidationFailed, message))
            }
        }
    }
}

/// What is read from an object alone. Serde's structs take an array of their fields, too.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        from.deserialize_map(Fields(PhantomData)).map(Self)
    }
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
