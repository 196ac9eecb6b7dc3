//! Whether the service lives, whether it can serve, and how its parts are.
//!
//! Invariant: the public learns no more than that it lives and which version it is; how its parts are is for owners, admins and a
//! monitor that has the token (S3).

use std::time::Duration;

use api::error::ErrorCode;
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{header::AUTHORIZATION, request::Parts},
};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::Caller,
    db::{Reason, Role},
    error::{ApiError, ApiResult},
    vault::rotation,
};

/// How long a part may take to say how it is: health is asked for every few seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What anybody may know.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// Of the program.
    version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Says that the service answers.
#[utoipa::path(get, path = "/api/health", tag = "operation", security(()), responses(
    (status = 200, body = Health),
    (status = 429, body = api::error::ErrorBody),
))]
pub async fn health() -> Json<Health> {
    Json(OK)
}

/// Says whether the service can do its work: its database answers, and it was not told to stop. For what sends requests to it.
#[utoipa::path(get, path = "/api/health/ready", tag = "operation", security(()), responses(
    (status = 200, body = Health),
    (status = 429, body = api::error::ErrorBody),
    (status = 503, body = api::error::ErrorBody, description = "not now"),
))]
pub async fn ready(State(app): State<App>) -> ApiResult<Json<Health>> {
    if *app.operation.stopping().borrow() {
        return Err(ApiError::new(ErrorCode::Unavailable, "the service is stopping").retry_after(2));
    }
    match database(&app).await {
        Condition::Ok => Ok(Json(OK)),
        _ => Err(ApiError::new(ErrorCode::Unavailable, "the database does not answer").retry_after(2)),
    }
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Condition {
    /// It does its work.
    Ok,
    /// It does, and somebody should look.
    Warning,
    /// It does not answer.
    Down,
    /// There is none.
    NotConfigured,
}

/// How the parts of the service are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The worst of the parts: `OK`, `WARNING` or `DOWN`.
    status: Condition,
    /// Of the program.
    version: &'static str,
    database: Condition,
    object_store: Condition,
    /// `DOWN` still serves: this process counts requests for itself.
    redis: Condition,
    /// `NOT_CONFIGURED`: the model is not installed, and search goes by words alone.
    search_by_meaning: Condition,
    keys: Keys,
}

/// The key that seals.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    status: Condition,
    /// Since when it seals; absent when the database does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_days: Option<i64>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// Who may know how the parts are: an owner, an admin, or a monitor with `health.token`.
pub struct Monitor;

impl FromRequestParts<App> for Monitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if let Some(token) = &app.operation.config.health_token {
            let sent = parts.headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
            let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
            // Of hashes, so that neither the time nor the length tells anything.
            let is_it = |sent| {
                verify_slices_are_equal(hash(sent).as_ref(), hash(token.expose_secret().as_bytes()).as_ref()).is_ok()
            };
            if sent.is_some_and(is_it) {
                return Ok(Self);
            }
        }
        match Caller::from_request_parts(parts, app).await?.scope().role() {
            Role::Owner | Role::Admin => Ok(Self),
            _ => Err(ApiError::new(ErrorCode::Forbidden, "this is for owners and admins")),
        }
    }
}

/// Says how the parts of the service are.
#[utoipa::path(get, path = "/api/health/details", tag = "operation", responses(
    (status = 200, body = Details),
    (status = 401, body = api::error::ErrorBody),
    (status = 403, body = api::error::ErrorBody),
    (status = 429, body = api::error::ErrorBody),
    (status = 503, body = api::error::ErrorBody),
))]
pub async fn details(_: Monitor, State(app): State<App>) -> Json<Details> {
    let (database, object_store, redis, keys) =
        tokio::join!(database(&app), object_store(&app), app.operation.limiter.ping(), keys(&app));
    let redis = match redis {
        None => Condition::NotConfigured,
        Some(true) => Condition::Ok,
        Some(false) => Condition::Down,
    };
    let all = [database, object_store, redis, keys.status];
    let status = match () {
        () if database == Condition::Down || object_store == Condition::Down => Condition::Down,
        () if all.iter().any(|part| matches!(part, Condition::Down | Condition::Warning)) => Condition::Warning,
        () => Condition::Ok,
    };
    let search_by_meaning = match app.search.model.loaded() {
        Some(_) => Condition::Ok,
        None => Condition::NotConfigured,
    };
    Json(Details { status, version: OK.version, database, object_store, redis, search_by_meaning, keys })
}

async fn database(app: &App) -> Condition {
    let answer = async { app.database.system(Reason::Keys).await.map(drop) };
    condition(&tokio::time::timeout(PATIENCE, answer).await)
}

async fn object_store(app: &App) -> Condition {
    condition(&tokio::time::timeout(PATIENCE, app.blobs.reach()).await)
}

fn condition<E, T>(answer: &Result<Result<(), E>, T>) -> Condition {
    if matches!(answer, Ok(Ok(()))) { Condition::Ok } else { Condition::Down }
}

async fn keys(app: &App) -> Keys {
    let now = app.clock.now();
    let listed = tokio::time::timeout(PATIENCE, rotation::list(&app.database, &app.vault)).await;
    let newest = listed.ok().and_then(Result::ok).and_then(|keys| keys.into_iter().find(|key| key.is_newest));
    let Some(newest) = newest else { return Keys { status: Condition::Down, age_days: None, warning: None } };
    let warning = newest.warning(now);
    let status = if warning.is_some() { Condition::Warning } else { Condition::Ok };
    Keys { status, age_days: Some(newest.age_days(now)), warning }
}

/// How old the key that seals is, for metrics.
pub async fn key_age(app: &App) -> Option<Duration> {
    keys(app).await.age_days.and_then(|days| u64::try_from(days).ok()).map(|days| Duration::from_secs(days * 86_400))
}
