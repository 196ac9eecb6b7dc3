//! Every request has an id: made here, in the answer's `X-Request-Id`, in its error, and in each line that is logged while it is served.
//! What a client sends is not taken, because it could be anything.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tokio::task::JoinError;
use tracing::Instrument as _;
use uuid::Uuid;

use super::access;
use crate::telemetry::log;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: Uuid;
}

/// The id of the request that is being served; nil outside of one.
#[must_use]
pub fn current() -> String {
    CURRENT.try_with(Uuid::to_string).unwrap_or_else(|_| Uuid::nil().to_string())
}

/// Runs work of the request that is being served to its end, under the request's id, although the client may go away and the request be
/// dropped.
///
/// # Errors
/// When the work panics.
pub async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    let id = CURRENT.try_with(|id| *id).unwrap_or_default();
    tokio::spawn(CURRENT.scope(id, work).in_current_span()).await
}

/// Gives a request its id.
pub async fn layer(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    let operation = access::operation(&request);
    // In the words of OpenTelemetry, whose spans take no name once they were entered. The status is filled in by `access`.
    let span = log::span!(
        "request",
        id = id,
        otel.name = operation,
        otel.kind = "server",
        http.route = (operation.template),
        http.request.method = (operation.verb),
        http.response.status_code = empty
    );
    let mut response = CURRENT.scope(id, next.run(request)).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
