//! Random tokens that are shown once: refresh tokens, API keys, invitations.
//!
//! Invariant: 256 random bits, of which only a SHA-256 is stored; that needs no salt and no stretching, because nobody guesses them.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

use crate::vault::key::{Key, NotSealed};

/// What a token is for, by which people and scanners of repositories know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// An API key.
    ApiKey,
    /// A refresh token.
    Refresh,
    /// An invitation.
    Invitation,
}

impl Prefix {
    /// What stands before the token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "sbr_",
            Self::Refresh => "sbrr_",
            Self::Invitation => "sbri_",
        }
    }

    fn token(self, bits: &[u8]) -> SecretString {
        format!("{}{}", self.as_str(), URL_SAFE_NO_PAD.encode(bits)).into()
    }
}

/// A new token.
///
/// # Errors
/// [`NotSealed`] when the system has no randomness to give.
pub fn generate(prefix: Prefix) -> Result<SecretString, NotSealed> {
    Ok(prefix.token(Key::generate()?.expose()))
}

/// The token that follows another one: under the same key always the same, to anybody else as good as random.
#[must_use]
pub fn successor(prefix: Prefix, key: &hmac::Key, token: &SecretString) -> SecretString {
    prefix.token(hmac::sign(key, token.expose_secret().as_bytes()).as_ref())
}

/// What is stored of a token.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
