//! What every answer says to browsers, and to whom they may show it.
//!
//! Invariant: answers of the API are never stored on the way, nothing is guessed about their type, and no page reads them from another
//! origin unless the origin is listed.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, Method,
        header::{
            AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
            STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};
use tower_http::cors::CorsLayer;

use super::request_id;
use crate::{app::App, config::Origin};

/// Answers are data: nothing in them runs or is framed.
const DATA: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The page of documentation runs its own script, embeds its own images, and speaks to this server alone. It sets styles from script.
const PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Two years, as preload lists ask for (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// How long a browser remembers what another origin may do: the most that any of them takes is two hours.
const PREFLIGHT: Duration = Duration::from_secs(2 * 60 * 60);

/// Adds the headers; an answer that has its own rule of storage keeps it.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_page = request.uri().path().starts_with("/docs");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, if is_page { PAGE } else { DATA });
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.operation.config.http.is_behind_tls() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// Which pages of other origins may call, and what they may see. None without a list: then nothing answers their questions.
pub fn cors(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let sent = [
        "idempotency-key",
        "last-event-id",
        "tus-resumable",
        "upload-checksum",
        "upload-length",
        "upload-metadata",
        "upload-offset",
    ];
    let seen = [
        "call-id",
        "deletion-receipt",
        "idempotency-replayed",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "tus-checksum-algorithm",
        "tus-extension",
        "tus-max-size",
        "tus-resumable",
        "tus-version",
        "upload-expires",
        "upload-length",
        "upload-offset",
    ];
    let layer = CorsLayer::new()
        .allow_origin(origins.iter().map(|origin| origin.0.clone()).collect::<Vec<_>>())
        .allow_methods(methods)
        .allow_headers(
            [AUTHORIZATION, CONTENT_TYPE].into_iter().chain(sent.map(HeaderName::from_static)).collect::<Vec<_>>(),
        )
        .expose_headers(
            [RETRY_AFTER, request_id::HEADER].into_iter().chain(seen.map(HeaderName::from_static)).collect::<Vec<_>>(),
        )
        .max_age(PREFLIGHT);
    Some(layer)
}
