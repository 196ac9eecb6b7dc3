//! Who acts, and the signature by which the database knows that the program says so.
//!
//! Invariant: a [`Scope`] stands for somebody who was authenticated.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretBox};
use uuid::Uuid;

/// What a user is in a tenant, as policies of the database see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Role {
    /// Everything in the tenant, the audit log included.
    Owner = 1,
    /// Everything but the audit log.
    Admin = 2,
    /// Own calls only.
    Member = 3,
    /// The audit log and receipts, no content.
    Auditor = 4,
    /// A worker on the tenant's behalf.
    Worker = 5,
    /// A member of a tenant that shares its calls among its members.
    Colleague = 6,
}

/// A tenant, a user and what that user is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    tenant: Uuid,
    user: Uuid,
    role: Role,
}

impl Scope {
    /// What sign-in or a worker's lease has proved. Nobody else calls it, which `xtask tidy` checks.
    pub fn authenticated(tenant: Uuid, user: Uuid, role: Role) -> Self {
        Self { tenant, user, role }
    }

    /// The tenant.
    pub fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// The user, who owns what the transaction creates.
    pub fn user(&self) -> Uuid {
        self.user
    }

    /// What the user is in the tenant.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The user whose rows alone are seen; `None` where all of the tenant are, as `app.sees_all()` has it. The policies decide; a statement
    /// that says it as well is served by an index.
    pub fn sees_only(&self) -> Option<Uuid> {
        match self.role {
            Role::Owner | Role::Admin | Role::Worker | Role::Colleague => None,
            Role::Member | Role::Auditor => Some(self.user),
        }
    }
}

/// Why a transaction is allowed across tenants. Each function of the database asks for its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Reason {
    /// Keyring, system keys, rotation.
    Keys = 100,
    /// Finding who signs in, by hash.
    SignIn = 101,
    /// Claiming jobs and their leases.
    Jobs = 102,
    /// Removing blobs whose key is gone.
    Blobs = 103,
    /// Reading receipts and the audit log, of deleted tenants too; marking what is mirrored.
    Receipts = 104,
    /// Listing tenants for what runs in each of them: retention, temporary audio.
    Sweep = 105,
}

/// The key that signs contexts: HMAC-SHA-256 (RFC 2104), 256 bits. The database holds its copy where only the schema's owner reads.
pub struct ContextKey(SecretBox<[u8; 32]>);

impl ContextKey {
    /// Takes a key that was opened from its sealed form.
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The key itself, for sealing it and for handing it to the schema's owner.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// When a context of that life expires (seconds since 1970), and its signature. The message is that of `app.scope_signature`.
    pub(super) fn sign(&self, tenant: Uuid, actor: Uuid, role: i16, lifetime: Duration) -> (i64, [u8; 32]) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // A clock before 1970 or after the year 292 billion signs what has expired, and the database refuses it.
        let expires = i64::try_from((now + lifetime).as_secs()).unwrap_or_default();
        (expires, self.sign_until(expires, tenant, actor, role))
    }

    fn sign_until(&self, expires: i64, tenant: Uuid, actor: Uuid, role: i16) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.expose()));
        context.update(b"subrosa scope 1");
        context.update(tenant.as_bytes());
        context.update(actor.as_bytes());
        context.update(&role.to_be_bytes());
        context.update(&expires.to_be_bytes());
        let mut signature = [0; 32];
        signature.copy_from_slice(context.sign().as_ref());
        signature
    }
}

impl fmt::Debug for ContextKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ContextKey")
    }
}
