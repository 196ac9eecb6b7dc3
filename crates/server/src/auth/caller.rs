//! Who makes a request, as an extractor: a handler that names [`Caller`] is served to nobody else.
//!
//! Invariant: a [`Caller`] stands for somebody whose credential was checked, with the role they have now, and to whom the path is open:
//! an API key comes only where [`scope_of`] says which scope opens it.

use api::{error::ErrorCode, tenants::ApiScope};
use axum::{
    extract::FromRequestParts,
    http::{Method, header::AUTHORIZATION, request::Parts},
};
use uuid::Uuid;

use super::{
    cookies::{self, FromOwnPage},
    liveness::{self, Live, Status, Subject},
    secret::{self, Prefix},
    tokens,
};
use crate::{
    app::App,
    db::{Role, Scope},
    error::{ApiError, ApiResult},
    http::limits::Remote,
};

/// By what somebody was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session (a refresh family).
    Session(Uuid),
    /// An API key.
    ApiKey(Uuid),
}

/// Who makes a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    scope: Scope,
    credential: Credential,
    /// Bits of [`bit`]; all of them for a session.
    scopes: i32,
    status: Status,
}

impl Caller {
    /// Tenant, user and role, for the gate.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// By what the caller was recognised.
    #[must_use]
    pub fn credential(&self) -> Credential {
        self.credential
    }

    /// That an API key has this scope; a session has every one.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require(&self, scope: ApiScope) -> ApiResult<()> {
        if self.scopes & bit(scope) == 0 { Err(out_of_scope()) } else { Ok(()) }
    }

    /// That uploads are taken from the caller.
    ///
    /// # Errors
    /// `ACCOUNT_SUSPENDED`.
    pub fn may_upload(&self) -> ApiResult<()> {
        match self.status {
            Status::Active => Ok(()),
            _ => Err(ApiError::new(ErrorCode::AccountSuspended, "this account is suspended: no new calls are taken")),
        }
    }

    /// The session, for what only a person who signed in may do.
    ///
    /// # Errors
    /// `forbidden` for an API key.
    pub fn session(&self) -> ApiResult<Uuid> {
        match self.credential {
            Credential::Session(session) => Ok(session),
            Credential::ApiKey(_) => Err(out_of_scope()),
        }
    }

    /// That the caller signed in and manages the tenant.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn manages(&self) -> ApiResult<()> {
        self.session()?;
        match self.scope.role() {
            Role::Owner | Role::Admin => Ok(()),
            _ => Err(ApiError::new(ErrorCode::Forbidden, "this is for owners and admins of the tenant")),
        }
    }

    /// Recognises who makes a request once more: an answer that takes its time is not for who signed out meanwhile. A session counts for as
    /// long as it lasts, and its access token only when the request begins: an archive may take longer than those minutes.
    ///
    /// # Errors
    /// As the extractor.
    pub async fn again(self, parts: &mut Parts, app: &App) -> ApiResult<Self> {
        parts.extensions.remove::<Self>();
        match self.credential {
            Credential::Session(family) => Self::by_family(app, (family, self.scope.user(), self.scope.tenant())).await,
            Credential::ApiKey(_) => Self::from_request_parts(parts, app).await,
        }
    }

    fn of(live: Live, credential: Credential) -> ApiResult<Self> {
        if live.status == Status::Disabled {
            return Err(disabled());
        }
        let scopes = live.api_key.map_or(i32::MAX, |(_, scopes)| scopes);
        let scope = Scope::authenticated(live.tenant, live.user, live.role);
        Ok(Self { scope, credential, scopes, status: live.status })
    }

    async fn by_session(app: &App, token: &str) -> ApiResult<Self> {
        let claims = tokens::verify(app, token).await?.ok_or_else(invalid)?;
        Self::by_family(app, (claims.session, claims.sub, claims.tenant)).await
    }

    async fn by_family(app: &App, (family, user, tenant): (Uuid, Uuid, Uuid)) -> ApiResult<Self> {
        let live = liveness::of(app, Subject::Session { family, user, tenant }).await?.ok_or_else(invalid)?;
        Self::of(live, Credential::Session(family))
    }

    async fn by_api_key(app: &App, token: &str, parts: &Parts) -> ApiResult<Self> {
        let (hash, from) = (secret::hash(token), parts.extensions.get::<Remote>());
        if let Some(Remote(network)) = from
            && !app.auth.liveness.was_good(&hash, app.clock.now())
            && let Err(wait) = app.operation.limiter.may_guess(*network)
        {
            let message = "too many keys that are none came from this address; Retry-After says when to come again";
            return Err(ApiError::new(ErrorCode::RateLimited, message).retry_after(wait));
        }
        let Some(live) = liveness::of(app, Subject::ApiKey(hash)).await? else {
            if let Some(Remote(network)) = from {
                app.operation.limiter.guessed(*network);
            }
            return Err(invalid());
        };
        let (id, _) = live.api_key.ok_or_else(invalid)?;
        let caller = Self::of(live, Credential::ApiKey(id))?;
        caller.require(scope_of(&parts.method, parts.uri.path()).ok_or_else(out_of_scope)?)?;
        Ok(caller)
    }
}

/// Why nobody was recognised: an extension of a request whose credential was looked at already.
#[derive(Clone, Debug)]
pub struct Unrecognised(pub ApiError);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        // Recognised, or not, before, to count the request.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(*caller);
        }
        if let Some(Unrecognised(error)) = parts.extensions.get() {
            return Err(error.clone());
        }
        if let Some(header) = parts.headers.get(AUTHORIZATION) {
            let token = header.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(invalid)?;
            return if token.starts_with(Prefix::ApiKey.as_str()) {
                Self::by_api_key(app, token, parts).await
            } else {
                Self::by_session(app, token).await
            };
        }
        let token = cookies::access(&parts.headers).ok_or_else(|| {
            ApiError::new(ErrorCode::AuthMissing, "sign in first: send a bearer token or an API key in Authorization")
        })?;
        FromOwnPage::of(parts)?;
        Self::by_session(app, token).await
    }
}

/// The bit of a scope in the database.
#[must_use]
pub fn bit(scope: ApiScope) -> i32 {
    match scope {
        ApiScope::CallsRead => 1,
        ApiScope::CallsWrite => 2,
        ApiScope::AccountRead => 4,
    }
}

/// Paths that API keys may come to, with what is below them.
const CALLS: [&str; 8] = [
    "/api/calls",
    "/api/uploads",
    "/api/actions",
    "/api/action-items",
    "/api/contacts",
    "/api/analytics",
    "/api/deletions",
    "/v1",
];

/// Which scope opens a path to an API key; `None`: no scope does, and a path that nobody thought of is one of these.
fn scope_of(method: &Method, path: &str) -> Option<ApiScope> {
    let is_below = |root: &&str| path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let reads = method == Method::GET || method == Method::HEAD;
    if CALLS.iter().any(is_below) {
        return Some(if reads { ApiScope::CallsRead } else { ApiScope::CallsWrite });
    }
    (reads && is_below(&"/api/users/me")).then_some(ApiScope::AccountRead)
}

pub(super) fn invalid() -> ApiError {
    ApiError::new(ErrorCode::AuthInvalid, "this token is not valid, or not any more")
}

pub(super) fn disabled() -> ApiError {
    ApiError::new(ErrorCode::AccountDisabled, "this account is disabled: ask who operates this service")
}

fn out_of_scope() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "this API key may not do this")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_comes_nowhere_that_is_not_on_the_list() {
        let opened = |method, path| scope_of(&method, path);
        assert_eq!(opened(Method::GET, "/api/calls"), Some(ApiScope::CallsRead));
        assert_eq!(opened(Method::GET, "/api/calls/1/transcript"), Some(ApiScope::CallsRead));
        assert_eq!(opened(Method::POST, "/v1/audio/transcriptions"), Some(ApiScope::CallsWrite));
        assert_eq!(opened(Method::DELETE, "/api/calls/1"), Some(ApiScope::CallsWrite));
        assert_eq!(opened(Method::GET, "/api/users/me/stats"), Some(ApiScope::AccountRead));
        for (method, path) in [
            (Method::PATCH, "/api/users/me"),
            (Method::GET, "/api/callsign"),
            (Method::GET, "/api/tenant/api-keys"),
            (Method::POST, "/api/auth/password"),
            (Method::GET, "/api/new"),
            (Method::GET, ""),
        ] {
            assert_eq!(opened(method, path), None, "{path}");
        }
    }
}
