//! What the index says instead of words and places. Its one invariant: without the tenant's key a row says that two calls share some word,
//! and how often it is there, but neither which word it is nor where it stands.

use aws_lc_rs::{
    cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey},
    hmac,
    iv::FixedLength,
};
use insight::search::positions;

use crate::vault::{
    key::{Key, NotSealed, Purpose, Salt},
    keys::IndexKey,
};

/// Bytes of a token: half of an HMAC-SHA-256. Two of a million words would meet with probability 2^-89.
const BYTES: usize = 16;

/// What a word is looked up by.
pub(super) type Token = [u8; BYTES];

/// Makes the tokens of a tenant.
pub(super) struct Tokens(hmac::Key);

impl Tokens {
    pub(super) fn of(tenant: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, IndexKey::Search.derive(tenant).expose()))
    }

    /// The token of a key of [`insight::search::keys`].
    pub(super) fn token(&self, key: &str) -> Token {
        let mut token = [0; BYTES];
        token.copy_from_slice(&hmac::sign(&self.0, key.as_bytes()).as_ref()[..BYTES]);
        token
    }
}

/// Encrypts where the words of a call stand: AES-256 in counter mode under a key of the call and of the salt that its postings were made
/// with, from the token on, so that no key and counter meet twice. It goes with the call's record key, from old backups too. Whoever changes a row makes a phrase be found or missed, no more; the
/// rest of a row could not be trusted either.
pub(super) struct Places(Key);

impl Places {
    /// For a call's record key.
    pub(super) fn of(call: &Key, salt: &Salt) -> Self {
        Self(call.derive(salt, &Purpose::new(&[b"search", b"places"])))
    }

    pub(super) fn seal(&self, token: &Token, places: &[u32]) -> Result<Vec<u8>, NotSealed> {
        let mut packed = positions::pack(places);
        let iv = EncryptionContext::Iv128(FixedLength::from(*token));
        let cipher = self.cipher().and_then(EncryptingKey::ctr);
        cipher.and_then(|cipher| cipher.less_safe_encrypt(&mut packed, iv)).map_err(|_| NotSealed)?;
        Ok(packed)
    }

    /// The places that were sealed; none where the row was tampered with.
    pub(super) fn open(&self, token: &Token, mut sealed: Vec<u8>) -> Vec<u32> {
        let iv = DecryptionContext::Iv128(FixedLength::from(*token));
        let cipher = self.cipher().and_then(DecryptingKey::ctr);
        let opened = cipher.and_then(|cipher| cipher.decrypt(&mut sealed, iv).map(|_| ()));
        opened.ok().and_then(|()| positions::unpack(&sealed)).unwrap_or_default()
    }

    fn cipher(&self) -> Result<UnboundCipherKey, aws_lc_rs::error::Unspecified> {
        UnboundCipherKey::new(&AES_256, self.0.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_another_token_under_another_key() {
        let token = |key: u8, word: &str| Tokens::of(&Key::copy_of(&[key; 32])).token(word);
        assert_eq!(token(1, "en:offer"), token(1, "en:offer"));
        assert_ne!(token(1, "en:offer"), token(2, "en:offer"));
        assert_ne!(token(1, "en:offer"), token(1, "de:offer"));
    }

    #[test]
    fn places_are_read_under_their_call_salt_and_token_alone() {
        let (call, salt) = (Key::copy_of(&[1; 32]), Salt::stored(&[3; 32]).unwrap());
        let places: Vec<u32> = (0..100).map(|n| n * 7).collect();
        let (token, other) = ([5; BYTES], [6; BYTES]);
        let sealed = Places::of(&call, &salt).seal(&token, &places).unwrap();
        let open = |call: &Key, salt: &Salt, token| Places::of(call, salt).open(token, sealed.clone());
        assert_eq!(open(&call, &salt, &token), places);
        assert_ne!(open(&call, &salt, &other), places);
        assert_ne!(open(&call, &Salt::stored(&[4; 32]).unwrap(), &token), places);
        assert_ne!(open(&Key::copy_of(&[2; 32]), &salt, &token), places);
    }
}
