//! A 256-bit key and everything that is derived from one. Its one invariant: a key that encrypts is derived with a fresh
//! random salt and used for one message, so no key and nonce ever meet twice.

use crate::telemetry::fault::Fault;
use aws_lc_rs::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt as HkdfSalt},
};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use zeroize::Zeroizing;

/// Bytes of every key: AES-256, and the output of SHA-256.
pub const KEY_BYTES: usize = 32;

/// Bytes of a salt: as long as the hash, which RFC 5869 (3.1) asks for. 2^64 salts would have to be drawn under one key
/// before two of them met with probability 2^-129.
pub const SALT_BYTES: usize = 32;

/// The random part of a derivation; public, stored beside what was sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Salt([u8; SALT_BYTES]);

impl Salt {
    /// A salt that was never used.
    ///
    /// # Errors
    /// [`NotSealed`] when the system has none to give.
    pub fn fresh() -> Result<Self, NotSealed> {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).map_err(|Unspecified| NotSealed)?;
        Ok(Self(salt))
    }

    /// No salt, for keys that do not encrypt.
    pub(crate) const NONE: Self = Self([0; SALT_BYTES]);

    /// The salt of something that was sealed before; `None` when it is not [`SALT_BYTES`] long.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// What is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The system gave no random bytes, or the cipher refused its input (AES-GCM does past 64 GiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing was sealed: the system's random number generator or the cipher failed")]
pub struct NotSealed;

/// 256 secret bits. They are wiped when dropped and have no printable form.
pub struct Key(SecretBox<[u8; KEY_BYTES]>);

impl Key {
    /// A random key.
    ///
    /// # Errors
    /// [`NotSealed`] when the system has none to give.
    pub fn generate() -> Result<Self, NotSealed> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(&mut *bytes).map_err(|Unspecified| NotSealed)?;
        Ok(Self::copy_of(&bytes))
    }

    /// A key from its bytes; the caller wipes its own copy.
    #[must_use]
    pub fn copy_of(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| key.copy_from_slice(bytes)))
    }

    /// The bytes, for sealing this key under another one.
    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose_secret()
    }

    /// Whether both are the same key; takes the same time whatever they hold.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.expose(), other.expose()).is_ok()
    }

    /// HKDF-SHA-256 (RFC 5869): 256 bits that only this key, this salt and this purpose give.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HKDF-SHA-256 fails past 255 times 32 bytes, and this asks for 32")]
    pub fn derive(&self, salt: &Salt, purpose: &Purpose) -> Self {
        let info = [purpose.as_bytes()];
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        HkdfSalt::new(HKDF_SHA256, salt.as_bytes())
            .extract(self.expose())
            .expand(&info, Length)
            .and_then(|output| output.fill(&mut *bytes))
            .expect("32 bytes of HKDF-SHA-256");
        Self::copy_of(&bytes)
    }

    /// The cipher under this key.
    #[expect(
        clippy::expect_used,
        reason = "AES-256 fails with a key that is not 32 bytes long, and the type says it is"
    )]
    pub(crate) fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.expose()).expect("AES-256 takes 32 bytes");
        LessSafeKey::new(key)
    }

    /// The key in hexadecimal, which is how a passphrase of pgcrypto can carry 256 bits in any text encoding.
    pub(crate) fn passphrase(&self) -> SecretString {
        let mut text = String::with_capacity(2 * KEY_BYTES);
        for byte in self.expose() {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        text.into()
    }
}

/// Hexadecimal.
const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// The length of a derived key, as the HKDF of AWS-LC wants to be told.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

/// What a derived key is for: a label and the ids it is bound to. It is the `info` of the derivation and the additional
/// authenticated data of the seal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purpose(Vec<u8>);

impl Purpose {
    /// A purpose from its label and ids.
    #[must_use]
    pub fn new(parts: &[&[u8]]) -> Self {
        Self(framed(parts))
    }

    /// The encoded parts.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The parts one after the other, each preceded by its length in eight bytes, so that no two lists of parts read alike.
pub(crate) fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

impl From<&NotSealed> for Fault {
    fn from(_: &NotSealed) -> Self {
        "the system's random number generator or the cipher failed".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivation_is_that_of_rfc_5869() {
        let derived = Key::copy_of(&[1; 32]).derive(&Salt([2; 32]), &Purpose::new(&[b"in"]));
        assert_eq!(secrecy::ExposeSecret::expose_secret(&derived.passphrase()), EXPECTED);
    }

    /// HKDF-SHA-256 of 32 bytes 01 with 32 bytes 02 as salt and "in" after its length as info, by Python's hmac.
    const EXPECTED: &str = "1460aa9723d4ec76a1445f23e8bdeab147d39a9b71df3223bdb36fb486819ef4";

    #[test]
    fn parts_of_a_purpose_cannot_be_moved_between_each_other() {
        assert_ne!(Purpose::new(&[b"ab", b"c"]), Purpose::new(&[b"a", b"bc"]));
        assert_ne!(Purpose::new(&[b"ab", b""]), Purpose::new(&[b"ab"]));
    }

    #[test]
    fn another_key_salt_or_purpose_gives_another_key() {
        let (key, salt, purpose) = (Key::copy_of(&[1; 32]), Salt([2; 32]), Purpose::new(&[b"in"]));
        let derived = key.derive(&salt, &purpose);
        assert!(derived.same_as(&key.derive(&salt, &purpose)));
        assert!(!derived.same_as(&Key::copy_of(&[3; 32]).derive(&salt, &purpose)));
        assert!(!derived.same_as(&key.derive(&Salt([3; 32]), &purpose)));
        assert!(!derived.same_as(&key.derive(&salt, &Purpose::new(&[b"pg"]))));
    }
}
