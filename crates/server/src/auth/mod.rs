//! Who somebody is, and may be.
//!
//! Invariant: a [`Caller`] stands for somebody whose credential was checked for this request.
//!
//! ```text
//! passwords     bcrypt off the async threads, and what is no password
//! secret        random tokens, stored as hashes
//! person        an address and a name, sealed
//! tenant        what a tenant is called
//! accounts      tenants and people come into being, and prove who they are
//! tokens        access tokens
//! liveness      what a session is worth right now
//! caller        who makes a request
//! cookies       sessions of browsers
//! sessions      refresh tokens
//! invitations   who was invited becomes a member
//! routes        HTTP: in and out
//! session_routes HTTP: who is in
//! ```

pub mod accounts;
mod caller;
pub mod cookies;
pub mod first;
pub mod invitations;
pub mod liveness;
pub mod passwords;
pub mod person;
pub mod recent;
pub mod routes;
pub mod secret;
pub mod session_routes;
pub mod sessions;
pub mod tenant;
pub mod tokens;

use aws_lc_rs::hmac;

pub use caller::{Caller, Credential, Unrecognised, bit};

use crate::{
    db::Role,
    vault::{
        key::{Purpose, Salt},
        keys::Vault,
        system::SystemKey,
    },
};
use liveness::Liveness;
use passwords::Passwords;
use tokens::Tokens;

/// What sign-in needs.
pub struct Auth {
    /// Access tokens.
    pub tokens: Tokens,
    /// Passwords.
    pub passwords: Passwords,
    /// What sessions are worth; told to forget by whoever takes something from somebody.
    pub liveness: Liveness,
    /// Under which a refresh token gives its child.
    successors: hmac::Key,
}

impl Auth {
    /// Sign-in under the installation's keys.
    #[must_use]
    pub fn new(vault: &Vault) -> Self {
        Self::with(vault, Passwords::new(vault.system_keys()))
    }

    /// The same with other passwords, for tests.
    #[must_use]
    pub fn with(vault: &Vault, passwords: Passwords) -> Self {
        let keys = vault.system_keys();
        let (_, sign_in) = keys.newest(SystemKey::SignIn);
        let key = |label: &[u8]| {
            let derived = sign_in.derive(&Salt::NONE, &Purpose::new(&[b"sign-in", label]));
            hmac::Key::new(hmac::HMAC_SHA256, derived.expose())
        };
        Self { tokens: Tokens::new(keys), passwords, liveness: Liveness::default(), successors: key(b"refresh tokens") }
    }
}

/// A role as the API says it: a colleague is a member of a tenant that shares.
#[must_use]
pub fn wire_role(role: Role) -> api::tenants::Role {
    match role {
        Role::Owner => api::tenants::Role::Owner,
        Role::Admin => api::tenants::Role::Admin,
        Role::Auditor => api::tenants::Role::Auditor,
        Role::Member | Role::Colleague | Role::Worker => api::tenants::Role::Member,
    }
}
