//! `/api/analytics`. Its one invariant: a report holds the calls that its caller may see, and nothing else tells who may see what.

use api::{
    analytics::{AnalyticsQuery, TalkReport, VibeReport},
    error::ErrorBody,
};
use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};

use super::reports;
use crate::{
    app::App,
    auth::Caller,
    error::{ApiError, ApiResult},
    http::extract::Query,
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
