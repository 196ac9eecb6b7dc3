//! Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037), good for ten minutes.
//!
//! Invariant: a token is accepted only with exactly the header that this module writes, signed by a key of the installation, inside its
//! time without leeway. Nothing is taken from a token before its signature was checked but the key's id. A key that has a successor is
//! accepted for as long as its last token could be good.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    app::App,
    vault::{
        keys::VaultError,
        system::{self, SystemKey, SystemKeys},
    },
};

/// How long a token is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// The media type of these tokens (RFC 9068), so that another kind signed with the same key is not one of them.
const TYPE: &str = "at+jwt";

/// Who signs, and for whom.
const ISSUER: &str = "subrosa";

/// How long another program may sign with a key after it has a successor: it looks every minute, and whenever it meets the first
/// token of that one.
const HANDOVER: TimeDelta = TimeDelta::minutes(10);

/// Between two looks for new keys: whoever sends unknown ids costs no more than that.
const LOOK: TimeDelta = TimeDelta::seconds(10);

/// What stands before the seed in PKCS #8 (RFC 8410): a sequence of version 0, the algorithm Ed25519, and 32 bytes.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What a user is in the tenant, as a token says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "as in db::Role")]
pub enum TokenRole {
    Owner,
    Admin,
    Member,
    Auditor,
    Colleague,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The user.
    pub sub: Uuid,
    /// The tenant.
    pub tenant: Uuid,
    /// What the user is there.
    pub role: TokenRole,
    /// The session, a family of refresh tokens: when it is revoked the token is worth nothing.
    pub session: Uuid,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// Signs and checks tokens.
pub struct Tokens {
    keys: RwLock<Arc<Keys>>,
    looked: Mutex<Option<DateTime<Utc>>>,
}

/// The keys of the installation as this program knows them.
struct Keys {
    kid: String,
    signing: EncodingKey,
    verifying: Vec<Verifying>,
}

struct Verifying {
    kid: String,
    key: DecodingKey,
    until: Option<DateTime<Utc>>,
}

impl Keys {
    #[expect(clippy::expect_used, reason = "every 32 bytes are the seed of an Ed25519 key")]
    fn new(keys: &SystemKeys) -> Self {
        // Newest first: each ends some time after the one before it began.
        let mut successor = None;
        let verifying = keys.all(SystemKey::Tokens).map(|(version, key)| {
            let pair = Ed25519KeyPair::from_seed_unchecked(key.expose()).expect("a seed of 32 bytes");
            let until = successor.map(|since| since + HANDOVER + LIFETIME);
            successor = keys.since(SystemKey::Tokens, version);
            Verifying { kid: version.to_string(), key: DecodingKey::from_ed_der(pair.public_key().as_ref()), until }
        });
        let verifying = verifying.collect();
        let (version, newest) = keys.newest(SystemKey::Tokens);
        let document = zeroize::Zeroizing::new([&PKCS8[..], newest.expose()].concat());
        Self { kid: version.to_string(), signing: EncodingKey::from_ed_der(&document), verifying }
    }
}

impl Tokens {
    /// Signs with the newest key of the installation, and accepts the others until their tokens have ended.
    #[must_use]
    pub fn new(keys: &SystemKeys) -> Self {
        Self { keys: RwLock::new(Arc::new(Keys::new(keys))), looked: Mutex::new(None) }
    }

    /// Goes over to other keys.
    fn replace(&self, keys: &SystemKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Keys::new(keys));
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a token names a key that this program does not know, and it is time to look for new ones.
    fn should_look(&self, token: &str, now: DateTime<Utc>) -> bool {
        let Some(kid) = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid) else { return false };
        if self.keys().verifying.iter().any(|known| known.kid == kid) {
            return false;
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = looked.is_none_or(|at| now - at >= LOOK);
        if is_time {
            *looked = Some(now);
        }
        is_time
    }

    /// A token for a user's session in a tenant, and when it ends.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn issue(
        &self,
        (tenant, user, role): (Uuid, Uuid, TokenRole),
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), jsonwebtoken::errors::Error> {
        let end = now + LIFETIME;
        let claims = Claims {
            sub: user,
            tenant,
            role,
            session,
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            iat: now.timestamp(),
            exp: end.timestamp(),
        };
        let keys = self.keys();
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(keys.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok((jsonwebtoken::encode(&header, &claims, &keys.signing)?, end))
    }

    /// What a token says; `None` when it is not one of ours or not good now.
    #[must_use]
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let kid = header.kid.as_ref()?;
        let expected = Header { typ: Some(TYPE.to_owned()), kid: Some(kid.clone()), ..Header::new(Algorithm::EdDSA) };
        if header != expected {
            return None;
        }
        let keys = self.keys();
        let known = keys.verifying.iter().find(|known| known.kid == *kid)?;
        if known.until.is_some_and(|until| now >= until) {
            return None;
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked below, by the clock of the program and to the second.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &known.key, &validation).ok()?.claims;
        let now = now.timestamp();
        let lives = claims.exp > now && claims.iat <= now && claims.exp - claims.iat == LIFETIME.num_seconds();
        lives.then_some(claims)
    }
}

/// What a token says. One of a key that another program made since is worth a look into the database.
///
/// # Errors
/// When the keys cannot be read.
pub async fn verify(app: &App, token: &str) -> Result<Option<Claims>, VaultError> {
    let (tokens, now) = (&app.auth.tokens, app.clock.now());
    if tokens.should_look(token, now) {
        tokens.replace(&system::load(&app.database, &app.vault).await?);
    }
    Ok(tokens.verify(token, now))
}

/// Signs with the newest key of the installation from now on, which an operator may have made since.
///
/// # Errors
/// When the keys cannot be read.
pub async fn follow(app: &App) -> Result<(), VaultError> {
    app.auth.tokens.replace(&system::load(&app.database, &app.vault).await?);
    Ok(())
}
