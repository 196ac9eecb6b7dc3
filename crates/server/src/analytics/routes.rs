//! `/api/analytics`, and the talk of one call. Its one invariant: a report holds the calls that its caller may see, and nothing else tells who
//! may see what.

use api::{
    analytics::{AnalyticsQuery, TalkAnalytics, TalkReport, VibeReport},
    error::ErrorBody,
};
use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, ETAG},
    },
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use insight::talk;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::reports;
use crate::{
    app::App,
    auth::Caller,
    calls::{self, routes::or_call},
    error::{ApiError, ApiResult},
    http::extract::{Path, Query},
    transcripts::{
        self,
        routes::{is_current, not_yet},
    },
};

/// Days of a report for which nobody asked.
const DAYS: u16 = 30;

/// The most days of a report.
const MAX_DAYS: u16 = 365;

/// How many days, and from when on.
fn since(app: &App, query: AnalyticsQuery) -> ApiResult<(u16, DateTime<Utc>)> {
    let days = query.days.unwrap_or(DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ApiError::field("days", "a report is over 1 to 365 days"));
    }
    Ok((days, app.clock.now() - TimeDelta::days(i64::from(days))))
}

/// Who spoke how much in a call. It is measured from the transcript as it is now.
#[utoipa::path(
    get, operation_id = "talk_of_call", path = "/api/calls/{id}/talk", tag = "analyses",
    params(("id" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = TalkAnalytics),
        (status = 304, description = "What the caller has is current"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn of_call(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let mut tx = app.database.read(caller.scope()).await?;
    calls::store::get(&mut tx, id).await.map_err(or_call)?;
    let changed = transcripts::store::changed(&mut tx, id).await?.ok_or_else(not_yet)?;
    let etag = format!("\"{:x}-talk\"", changed.timestamp_micros());
    let fresh = [(ETAG, etag.clone()), (CACHE_CONTROL, "private, no-cache".to_owned())];
    if is_current(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    let transcript = transcripts::store::get(&mut tx, &app.vault, id).await?.ok_or_else(not_yet)?;
    drop(tx);
    // An hour of talk takes some hundredths of a second.
    let talk = spawn_blocking(move || talk::measure(&transcript)).await.map_err(|error| ApiError::internal(&error))?;
    Ok((fresh, Json(talk)).into_response())
}

/// Who spoke how much in the calls of the last days.
#[utoipa::path(
    get, operation_id = "talk_analytics", path = "/api/analytics/talk", tag = "analyses", params(AnalyticsQuery),
    responses(
        (status = 200, body = TalkReport),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn talk(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AnalyticsQuery>,
) -> ApiResult<Json<TalkReport>> {
    let (days, since) = since(&app, query)?;
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(Json(reports::talk(&mut tx, days, since).await?))
}

/// How the calls of the last days felt and sounded.
#[utoipa::path(
    get, operation_id = "vibe_analytics", path = "/api/analytics/vibe", tag = "analyses", params(AnalyticsQuery),
    responses(
        (status = 200, body = VibeReport),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn vibe(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AnalyticsQuery>,
) -> ApiResult<Json<VibeReport>> {
    let (days, since) = since(&app, query)?;
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(Json(reports::vibe(&mut tx, days, since).await?))
}
