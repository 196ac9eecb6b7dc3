//! Sessions of browsers. Its one invariant: a cookie speaks for somebody only in a request that the browser says a page of this very
//! origin made (docs/adr/014).

use api::error::ErrorCode;
use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{COOKIE, HOST, ORIGIN, SET_COOKIE},
        request::Parts,
    },
};
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::tokens;
use crate::error::{ApiError, ApiResult};

/// `__Host-`: the browser takes it only over TLS, for this host alone, and for every path (RFC 6265bis, 4.1.3.2).
pub(crate) const ACCESS: &str = "__Host-subrosa-access";
const REFRESH: &str = "__Host-subrosa-refresh";

/// What the browser says about where a request comes from; no script can set it (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The access token of the cookie.
pub(super) fn access(headers: &HeaderMap) -> Option<&str> {
    named(headers, ACCESS)
}

/// The refresh token of the cookie.
pub(super) fn refresh(headers: &HeaderMap) -> Option<SecretString> {
    named(headers, REFRESH).map(Into::into)
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Puts both tokens into an answer.
pub(super) fn set(headers: &mut HeaderMap, access: &SecretString, refresh: &SecretString, idle: TimeDelta) {
    put(headers, ACCESS, access.expose_secret(), tokens::LIFETIME);
    put(headers, REFRESH, refresh.expose_secret(), idle);
}

/// Takes both out of the browser.
pub(super) fn clear(headers: &mut HeaderMap) {
    put(headers, ACCESS, "", TimeDelta::zero());
    put(headers, REFRESH, "", TimeDelta::zero());
}

fn put(headers: &mut HeaderMap, name: &str, value: &str, age: TimeDelta) {
    let seconds = age.num_seconds();
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    // Tokens are base64 and dots.
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        headers.append(SET_COOKIE, cookie);
    }
}

/// That the browser says a page of this origin made the request.
pub struct FromOwnPage(());

impl FromOwnPage {
    pub(super) fn of(parts: &Parts) -> ApiResult<Self> {
        let text = |name| parts.headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let reads = parts.method.is_safe();
        let is_own = match (text(SEC_FETCH_SITE), text(ORIGIN)) {
            // `none`: somebody typed the address or opened a bookmark.
            (Some(site), _) => site == "same-origin" || (site == "none" && reads),
            // Browsers from before 2023 say it of what writes only.
            (None, Some(origin)) => {
                let host = text(HOST).or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str));
                origin.split_once("://").is_some_and(|(_, origin)| Some(origin) == host)
            }
            (None, None) => reads,
        };
        if is_own {
            return Ok(Self(()));
        }
        let message = "cookies are taken from pages of this service only: send a bearer token in Authorization";
        Err(ApiError::new(ErrorCode::Forbidden, message))
    }
}

/// Whether the request is from an own page, for handlers that ask only when they need a cookie.
pub struct Page(pub(super) ApiResult<FromOwnPage>);

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(FromOwnPage::of(parts)))
    }
}
