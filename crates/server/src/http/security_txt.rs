//! `/.well-known/security.txt` (RFC 9116): whom somebody tells of a hole. It is there when the operator says whom.

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use chrono::{Days, SecondsFormat};

use crate::{
    app::App,
    error::{ApiError, ApiResult},
};

/// How long the answer may be relied on; at most a year (RFC 9116, 2.5.5). It is renewed with every answer.
const VALID: Days = Days::new(180);

/// Where everybody looks for it (RFC 9116, 3).
pub const PATH: &str = "/.well-known/security.txt";

/// Whom to tell of a hole, and how long that holds.
///
/// # Errors
/// `not_found` where the operator names nobody.
pub async fn security_txt(State(app): State<App>) -> ApiResult<Response> {
    let http = &app.operation.config.http;
    let contact = http.security_contact.as_ref().ok_or_else(ApiError::not_found)?;
    let until = app.clock.now() + VALID;
    let mut text = format!("Contact: {contact}\nExpires: {}\n", until.to_rfc3339_opts(SecondsFormat::Secs, true));
    if let Some(url) = &http.public_url {
        text += &format!("Canonical: {}{PATH}\n", url.trim_end_matches('/'));
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
