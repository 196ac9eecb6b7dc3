//! Who somebody is, and may be.
//!
//! Invariant: a [`Caller`] stands for somebody whose credential was checked for this request.

pub mod accounts;
pub mod first;
pub mod passwords;
pub mod person;
pub mod tenant;
pub mod tokens;

use api::error::ErrorCode;
use axum::{
    extract::FromRequestParts,
    http::{header::AUTHORIZATION, request::Parts},
};
use uuid::Uuid;

use crate::{
    app::App,
    db::{Role, Scope},
    error::ApiError,
    vault::keys::Vault,
};
use passwords::Passwords;
use tokens::{Claims, Tokens};

/// What sign-in needs.
pub struct Auth {
    /// Access tokens.
    pub tokens: Tokens,
    /// Passwords.
    pub passwords: Passwords,
}

impl Auth {
    /// Sign-in under the installation's keys.
    #[must_use]
    pub fn new(vault: &Vault) -> Self {
        Self { tokens: Tokens::new(vault.system_keys()), passwords: Passwords::new(vault.system_keys()) }
    }
}

/// By what somebody was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session (a refresh family).
    Session(Uuid),
    /// An API key.
    ApiKey(Uuid),
}

/// Who makes a request. An extractor: a handler that names it is served to nobody else.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    scope: Scope,
    credential: Credential,
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

    fn of(claims: &Claims) -> Self {
        let role = match claims.role {
            tokens::TokenRole::Owner => Role::Owner,
            tokens::TokenRole::Admin => Role::Admin,
            tokens::TokenRole::Member => Role::Member,
            tokens::TokenRole::Auditor => Role::Auditor,
            tokens::TokenRole::Colleague => Role::Colleague,
        };
        Self {
            scope: Scope::authenticated(claims.tenant, claims.sub, role),
            credential: Credential::Session(claims.session),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // Recognised before, to count the request.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(*caller);
        }
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| {
            ApiError::new(ErrorCode::AuthMissing, "sign in first: send a bearer token or an API key in Authorization")
        })?;
        let invalid = || ApiError::new(ErrorCode::AuthInvalid, "this token is not valid, or not any more");
        let token = header.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(invalid)?;
        let claims = app.auth.tokens.verify(token, app.clock.now()).ok_or_else(invalid)?;
        Ok(Self::of(&claims))
    }
}
