//! A line, a span and a count for every request: the template of its route, never its path.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use tracing::Span;

use crate::app::App;

/// A method and the template of a route, as they may be shown: a method can be any word that a client makes up.
pub(super) fn shown<'a>(method: &'a Method, route: Option<&'a MatchedPath>) -> (&'a str, &'a str) {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .contains(method);
    (if known { method.as_str() } else { "other" }, route.map_or("none", MatchedPath::as_str))
}

/// Tells of a request when its answer begins.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let _in_flight = app.operation.metrics.begin();
    let response = next.run(request).await;
    let (took, status) = (began.elapsed(), response.status());
    app.operation.metrics.answered(route.as_ref(), &method, status, took);
    let (verb, template) = shown(&method, route.as_ref());
    Span::current().record("http.response.status_code", status.as_u16());
    tracing::info!(
        method = verb,
        route = template,
        status = status.as_u16(),
        milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}
