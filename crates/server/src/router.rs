//! Every URL of the service, one line each.

use axum::{Router, middleware};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, auth, error::ApiError, health, http::request_id, tenants, users};

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
