//! Every URL of the service, one line each, and the layers around them.

use axum::{Router, extract::DefaultBodyLimit, middleware, response::IntoResponse as _};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use api::error::ErrorCode;

use crate::{
    app::App,
    error::ApiError,
    health,
    http::{access, docs, headers, limits, request_id},
};

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(info(title = "Subrosa", description = "Private speech intelligence for calls"))]
struct Document;

fn operations() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // Operation
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::details))
}

/// The description of the API, generated from the code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    operations().to_openapi()
}

/// The service.
pub fn service(app: App) -> Router {
    let (router, document) = operations().split_for_parts();
    guarded(router.merge(docs::routes(&document)), app)
}

/// Routes behind every guard that a request passes, from the outside in.
pub fn guarded(routes: Router<App>, app: App) -> Router {
    // Limits of bodies are those of `limits`, by kind of route, and not axum's one for all.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(request_id::layer))
        .layer(middleware::from_fn_with_state(app.clone(), access::layer))
        .layer(middleware::from_fn_with_state(app.clone(), headers::layer))
        .layer(CatchPanicLayer::custom(|_| panicked().into_response()))
        .option_layer(headers::cors(&app.operation.config.http.cors_origins))
        .layer(middleware::from_fn_with_state(app.clone(), limits::layer))
        .layer(DefaultBodyLimit::disable());
    let wrong_method = "this address does not take this method; Allow says which it does";
    routes
        .method_not_allowed_fallback(async move || ApiError::new(ErrorCode::MethodNotAllowed, wrong_method))
        .fallback(async || ApiError::not_found())
        .layer(layers)
        .with_state(app)
}

/// The place of a panic is in the log, by its hook; its message is nowhere.
fn panicked() -> ApiError {
    ApiError::new(ErrorCode::Internal, "something is wrong on our side; the request id finds it in the log")
}
