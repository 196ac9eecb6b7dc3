//! A line, a span and a count for every request: the template of its route, never its path.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};

use crate::{
    app::App,
    telemetry::{
        log,
        told::{Operation, record},
    },
};

/// What is asked, as it may be told: a method can be any word that a client makes up.
pub(super) fn operation(request: &Request) -> Operation {
    let verb = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    Operation { verb, template: request.extensions().get::<MatchedPath>().into() }
}

/// Tells of a request when its answer begins.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let (began, operation) = (Instant::now(), operation(&request));
    let _in_flight = app.operation.metrics.begin();
    let response = next.run(request).await;
    let (took, status) = (began.elapsed(), response.status());
    app.operation.metrics.answered(&operation, status, took);
    record("http.response.status_code", &status.as_u16());
    log::info!(
        method = operation.verb,
        route = operation.template,
        status = status.as_u16(),
        milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}
