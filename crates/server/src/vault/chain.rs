//! Chains of what may never change: each link holds the hash of the one before it, and ends are signed. Its one invariant: a
//! link's hash covers every one of its fields and, through the hash before, every link up to it.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::key::{Key, framed};

/// Bytes of SHA-256.
pub const HASH_BYTES: usize = 32;

/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// The hash of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// What comes before the first link.
    pub const START: Self = Self([0; HASH_BYTES]);

    /// The hash of a link of the kind `label` with these fields; the hash before it is one of them.
    #[must_use]
    pub fn of(label: &str, fields: &[&[u8]]) -> Self {
        let mut parts = vec![label.as_bytes()];
        parts.extend(fields);
        let mut hash = [0; HASH_BYTES];
        hash.copy_from_slice(digest(&SHA256, &framed(&parts)).as_ref());
        Self(hash)
    }

    /// The hash that is stored as `bytes`; `None` when it has another length.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Where a link says that it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Whose chain it is in.
    pub tenant: Uuid,
    /// Its place in the chain, from 1.
    pub sequence: i64,
    /// The hash that it says the link before has.
    pub previous: Hash,
    /// The hash that it says it has.
    pub hash: Hash,
}

/// A link as it is stored.
pub trait Link {
    /// Where it says that it stands.
    fn position(&self) -> Position;
    /// The hash of its fields.
    fn computed(&self) -> Hash;
}

/// What is wrong with a chain, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A link is not there, or not in its place.
    #[error("tenant {tenant}: link {expected} is missing or out of order; {found} is there")]
    Missing {
        /// Whose chain.
        tenant: Uuid,
        /// What should come.
        expected: i64,
        /// What came.
        found: i64,
    },
    /// A link's fields are not those that were hashed, or it does not follow the one before.
    #[error("tenant {tenant}: link {sequence} was changed, or the one before it")]
    Changed {
        /// Whose chain.
        tenant: Uuid,
        /// Which link.
        sequence: i64,
    },
    /// A signature is not this installation's.
    #[error("tenant {tenant}: link {sequence} is not signed by this installation")]
    Unsigned {
        /// Whose chain.
        tenant: Uuid,
        /// Which link.
        sequence: i64,
    },
    /// The end of the chain is gone.
    #[error("tenant {tenant}: the chain was cut: it ends at {found}, but {known} was signed")]
    Cut {
        /// Whose chain.
        tenant: Uuid,
        /// Where it ends.
        found: i64,
        /// The end that is known.
        known: i64,
    },
    /// An event that is kept longer, although the database says that it is over.
    #[error(
        "tenant {tenant}: the database says that event {sequence} is over, but by this machine's clock it is younger than six years"
    )]
    Young {
        /// Whose log.
        tenant: Uuid,
        /// Which event.
        sequence: i64,
    },
}

/// Follows chains link by link, one tenant after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walker {
    tenant: Uuid,
    sequence: i64,
    hash: Option<Hash>,
}

impl Walker {
    /// Takes the next link.
    ///
    /// # Errors
    /// When it is not the one that follows.
    pub fn step(&mut self, link: &impl Link) -> Result<(), Fault> {
        let Position { tenant, sequence, previous, hash } = link.position();
        if self.tenant != tenant {
            *self = Self { tenant, ..Self::default() };
        }
        if sequence != self.sequence + 1 {
            return Err(Fault::Missing { tenant, expected: self.sequence + 1, found: sequence });
        }
        if previous != self.hash.unwrap_or(Hash::START) || link.computed() != hash {
            return Err(Fault::Changed { tenant, sequence });
        }
        self.resume_at(link);
        Ok(())
    }

    /// Goes on behind a link as if it had been right.
    pub fn resume_at(&mut self, link: &impl Link) {
        let Position { tenant, sequence, hash, .. } = link.position();
        self.resume_behind(tenant, sequence, hash);
    }

    /// Goes on behind a place whose link is over, and had this hash.
    pub fn resume_behind(&mut self, tenant: Uuid, sequence: i64, hash: Hash) {
        *self = Self { tenant, sequence, hash: Some(hash) };
    }
}

/// Signs the ends of chains with the installation's Ed25519 key (RFC 8032).
pub struct Signer {
    pair: Ed25519KeyPair,
    /// Which version of the system key it is.
    pub version: i32,
}

impl Signer {
    /// The signer whose seed is `key`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "every 32 bytes are the seed of an Ed25519 key, and the type says 32")]
    pub fn new(key: &Key, version: i32) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(key.expose()).expect("a seed of 32 bytes"), version }
    }

    /// The signature of a hash.
    #[must_use]
    pub fn sign(&self, hash: &Hash) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.pair.sign(&signed_bytes(hash)).as_ref());
        signature
    }

    /// What others verify with.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey { version: self.version, key }
    }
}

/// The public half of a [`Signer`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey {
    /// Which version of the system key it is.
    pub version: i32,
    /// RFC 8032's encoding.
    pub key: [u8; 32],
}

impl PublicKey {
    /// Whether this key signed `hash`.
    #[must_use]
    pub fn verifies(&self, hash: &Hash, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(&signed_bytes(hash), signature).is_ok()
    }
}

/// Whether one of these keys, in the version that is named, signed `hash`.
#[must_use]
pub fn is_signed(keys: &[PublicKey], version: i32, hash: &Hash, signature: &[u8]) -> bool {
    keys.iter().any(|key| key.version == version && key.verifies(hash, signature))
}

/// A signature over a chain says so, and is worth nothing where another kind of signature is asked for.
fn signed_bytes(hash: &Hash) -> Vec<u8> {
    framed(&[b"subrosa chain 1", &hash.0])
}

/// Bytes as hexadecimal text in the copies outside of the database.
pub(crate) mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(D::Error::custom("not hexadecimal of the right length"));
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(D::Error::custom)?;
        }
        Ok(bytes)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hexadecimal::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hexadecimal::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_hash_and_its_key_only() {
        let signer = Signer::new(&Key::copy_of(&[1; 32]), 1);
        let other = Signer::new(&Key::copy_of(&[2; 32]), 1);
        let hash = Hash::of("test", &[b"a"]);
        let signature = signer.sign(&hash);
        assert!(signer.public_key().verifies(&hash, &signature));
        assert!(!signer.public_key().verifies(&Hash::of("test", &[b"b"]), &signature));
        assert!(!other.public_key().verifies(&hash, &signature));
        assert!(!signer.public_key().verifies(&hash, &signature[1..]));
    }

    #[test]
    fn links_of_different_kinds_or_fields_differ() {
        let hashes = [
            Hash::of("receipt", &[b"ab", b"c"]),
            Hash::of("receipt", &[b"a", b"bc"]),
            Hash::of("receipt", &[b"abc"]),
            Hash::of("audit", &[b"ab", b"c"]),
        ];
        assert!((1..hashes.len()).all(|n| !hashes[..n].contains(&hashes[n])));
    }

    #[test]
    fn a_hash_is_written_and_read_as_hexadecimal() {
        let hash = Hash::of("test", &[]);
        let text = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<Hash>(&text).unwrap(), hash);
        for bad in ["\"\"", "\"00\"", &text.replace(&text[1..2], "x"), "7"] {
            assert!(serde_json::from_str::<Hash>(bad).is_err());
        }
    }
}
