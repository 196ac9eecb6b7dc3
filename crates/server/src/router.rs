//! Every URL of the service, one line each.

use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    calls::{deletions, events, forms, routes as calls, tus},
    error::ApiError,
    health,
    http::{idempotency, request_id},
    transcripts::routes as transcripts,
};

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(info(title = "Subrosa", description = "Private speech intelligence for calls"))]
struct Document;

fn operations() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // Operation
        .routes(routes!(health::health))
        // Calls
        .routes(routes!(forms::analyze))
        .routes(routes!(calls::list, deletions::delete_many))
        .routes(routes!(calls::status))
        .routes(routes!(calls::detail, calls::patch, deletions::delete))
        .routes(routes!(calls::link))
        .routes(routes!(events::stream))
        .routes(routes!(events::debug))
        .routes(routes!(deletions::receipt))
        .routes(routes!(tus::create, tus::options))
        .routes(routes!(tus::head, tus::patch, tus::delete))
        // Transcripts
        .routes(routes!(transcripts::transcript))
        .routes(routes!(transcripts::patch_speaker))
        .routes(routes!(transcripts::patch_segment))
}

/// The description of the API, generated from the code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    operations().to_openapi()
}

/// The service.
pub fn service(app: App) -> Router {
    let (router, _) = operations().split_for_parts();
    let once = middleware::from_fn_with_state(app.clone(), idempotency::layer);
    router
        .fallback(async || ApiError::not_found())
        .layer(once)
        .layer(middleware::from_fn(request_id::layer))
        .with_state(app)
}
