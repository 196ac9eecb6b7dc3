//! A line, a span and a count for every request: the template of its route, never its path.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use tracing::{Span, field::display};

use crate::app::App;

/// Tells of a request when its answer begins.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let _in_flight = app.operation.metrics.begin();
    let response = next.run(request).await;
    let (took, status) = (began.elapsed(), response.status());
    app.operation.metrics.answered(route.as_ref(), &method, status, took);
    // A method can be any word that a client makes up; those are no routes.
    let template = route.as_ref().map_or("none", MatchedPath::as_str);
    let verb = if route.is_some() { method.as_str() } else { "other" };
    let span = Span::current();
    span.record("otel.name", display(format_args!("{verb} {template}")));
    span.record("http.route", template);
    span.record("http.request.method", verb);
    span.record("http.response.status_code", status.as_u16());
    tracing::info!(
        method = verb,
        route = template,
        status = status.as_u16(),
        milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}
