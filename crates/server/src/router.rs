//! Every URL of the service, one line each.

use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, error::ApiError, health, http::request_id};

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(info(title = "Subrosa", description = "Private speech intelligence for calls"))]
struct Document;

fn operations() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // Operation
        .routes(routes!(health::health))
}

/// The description of the API, generated from the code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    operations().to_openapi()
}

/// The service.
pub fn service(app: App) -> Router {
    let (router, _) = operations().split_for_parts();
    router.fallback(async || ApiError::not_found()).layer(middleware::from_fn(request_id::layer)).with_state(app)
}
