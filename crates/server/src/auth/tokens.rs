//! Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037), good for ten minutes.
//!
//! Invariant: a token is accepted only with exactly the header that this module writes, signed by a key of the installation, inside its
//! time without leeway. Nothing is taken from a token before its signature was checked but the key's id.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::vault::system::{SystemKey, SystemKeys};

/// How long a token is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// The media type of these tokens (RFC 9068), so that another kind signed with the same key is not one of them.
const TYPE: &str = "at+jwt";

/// Who signs, and for whom.
const ISSUER: &str = "subrosa";

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
    kid: String,
    signing: EncodingKey,
    verifying: Vec<(String, DecodingKey)>,
}

impl Tokens {
    /// Signs with the newest key of the installation, and accepts the others until they are gone.
    #[must_use]
    #[expect(clippy::expect_used, reason = "every 32 bytes are the seed of an Ed25519 key")]
    pub fn new(keys: &SystemKeys) -> Self {
        let verifying = keys.all(SystemKey::Tokens).map(|(version, key)| {
            let pair = Ed25519KeyPair::from_seed_unchecked(key.expose()).expect("a seed of 32 bytes");
            (version.to_string(), DecodingKey::from_ed_der(pair.public_key().as_ref()))
        });
        let (version, newest) = keys.newest(SystemKey::Tokens);
        let document = zeroize::Zeroizing::new([&PKCS8[..], newest.expose()].concat());
        Self { kid: version.to_string(), signing: EncodingKey::from_ed_der(&document), verifying: verifying.collect() }
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
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        Ok((jsonwebtoken::encode(&header, &claims, &self.signing)?, end))
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
        let (_, key) = self.verifying.iter().find(|(known, _)| known == kid)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked below, by the clock of the program and to the second.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).ok()?.claims;
        let now = now.timestamp();
        let lives = claims.exp > now && claims.iat <= now && claims.exp - claims.iat == LIFETIME.num_seconds();
        lives.then_some(claims)
    }
}
