//! Every URL of the service, one line each.

use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth,
    calls::{deletions, events, forms, routes as calls, tus},
    error::ApiError,
    health,
    http::{idempotency, request_id},
    tenants,
    transcripts::routes as transcripts,
    users,
};

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(info(title = "Subrosa", description = "Private speech intelligence for calls"))]
struct Document;

fn operations() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        // Sign-in
        .routes(routes!(auth::routes::login))
        .routes(routes!(auth::routes::refresh))
        .routes(routes!(auth::routes::logout))
        .routes(routes!(auth::session_routes::logout_all))
        .routes(routes!(auth::session_routes::list_sessions))
        .routes(routes!(auth::session_routes::end_session))
        .routes(routes!(auth::session_routes::change_password))
        .routes(routes!(auth::routes::accept_invitation))
        // The user and the tenant
        .routes(routes!(users::routes::get, users::routes::change, users::routes::delete))
        .routes(routes!(users::routes::consent))
        .routes(routes!(users::routes::limits))
        .routes(routes!(users::routes::stats))
        .routes(routes!(tenants::routes::get, tenants::routes::change))
        .routes(routes!(tenants::routes::members))
        .routes(routes!(tenants::routes::change_member, tenants::routes::remove_member))
        .routes(routes!(tenants::routes::list_invitations, tenants::routes::invite))
        .routes(routes!(tenants::routes::withdraw))
        .routes(routes!(tenants::api_keys::list, tenants::api_keys::create))
        .routes(routes!(tenants::api_keys::revoke))
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
