//! Whether the service lives.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// What anybody may know.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// Of the program.
    version: &'static str,
}

/// Says that the service answers.
#[utoipa::path(get, path = "/api/health", tag = "operation", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
