//! One sealed value: a key under a key, or content in its place. Its one invariant: what opens was sealed under this very
//! key for this very place; anything else is [`Broken`], and nothing of it is returned.

use crate::telemetry::fault::Fault;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key::{KEY_BYTES, Key, NotSealed, Purpose, SALT_BYTES, Salt};

/// First byte of a sealed value; another layout takes another number.
const FORMAT: u8 = 1;

/// Bytes of a GCM tag.
pub(crate) const TAG_BYTES: usize = 16;

/// Bytes that sealing adds: format, salt, tag.
const OVERHEAD: usize = 1 + SALT_BYTES + TAG_BYTES;

/// What has a key of its own, and so can be deleted by destroying it. The numbers are those of the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "i16", try_from = "i16")]
#[repr(i16)]
pub enum RecordKind {
    /// One call and everything made of it.
    Call = 1,
    /// One contact.
    Contact = 2,
    /// One voice profile.
    VoiceProfile = 3,
    /// One user's data in a tenant.
    User = 4,
    /// What belongs to the tenant as a whole.
    Tenant = 5,
}

impl RecordKind {
    const ALL: [Self; 5] = [Self::Call, Self::Contact, Self::VoiceProfile, Self::User, Self::Tenant];

    /// The kind of that number in the database.
    #[must_use]
    pub fn numbered(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i16 == number)
    }

    /// As in derivations, receipts and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Contact => "contact",
            Self::VoiceProfile => "voice_profile",
            Self::User => "user",
            Self::Tenant => "tenant",
        }
    }
}

impl From<RecordKind> for i16 {
    fn from(kind: RecordKind) -> Self {
        kind as Self
    }
}

impl TryFrom<i16> for RecordKind {
    type Error = &'static str;

    fn try_from(number: i16) -> Result<Self, &'static str> {
        Self::numbered(number).ok_or("not the number of a kind of record")
    }
}

/// Where a sealed key belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyPlace<'a> {
    /// A tenant's key, under a KEK.
    Tenant(Uuid),
    /// A version of a system key, under a KEK.
    System(&'a str, i32),
    /// The key of a user's personal fields, which belong to no tenant, under a KEK.
    GlobalUser(Uuid),
    /// The key of a record, under its tenant's key.
    Record(Uuid, RecordKind, Uuid),
    /// The key of a processing run, which seals what recognition made before redaction, under the tenant's key.
    Run(Uuid, Uuid),
}

impl KeyPlace<'_> {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Tenant(tenant) => Purpose::new(&[b"tenant key", tenant.as_bytes()]),
            Self::System(name, version) => Purpose::new(&[b"system key", name.as_bytes(), &version.to_be_bytes()]),
            Self::GlobalUser(user) => Purpose::new(&[b"user key", user.as_bytes()]),
            Self::Record(tenant, kind, id) => {
                Purpose::new(&[b"record key", tenant.as_bytes(), kind.as_str().as_bytes(), id.as_bytes()])
            }
            Self::Run(tenant, id) => Purpose::new(&[b"run key", tenant.as_bytes(), id.as_bytes()]),
        }
    }
}

impl fmt::Display for KeyPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "the key of tenant {tenant}"),
            Self::System(name, version) => write!(f, "system key {name} {version}"),
            Self::GlobalUser(user) => write!(f, "the key of user {user}"),
            Self::Record(tenant, kind, id) => write!(f, "the key of {} {id} of tenant {tenant}", kind.as_str()),
            Self::Run(tenant, id) => write!(f, "the key of run {id} of tenant {tenant}"),
        }
    }
}

/// The place of sealed content: a column of a row.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    table: &'static str,
    column: &'static str,
    row: Uuid,
    part: &'static str,
}

impl Field {
    /// The column of the row that `row` identifies within its tenant.
    #[must_use]
    pub fn new(table: &'static str, column: &'static str, row: Uuid) -> Self {
        Self { table, column, row, part: "" }
    }

    /// The column of the row that `row` and `part` identify together, such as a call and the kind of an artifact.
    #[must_use]
    pub fn with_part(table: &'static str, column: &'static str, row: Uuid, part: &'static str) -> Self {
        Self { table, column, row, part }
    }

    /// What a key for this place is derived for; `layer` is `in` or `pg`.
    pub(crate) fn purpose(&self, layer: &str) -> Purpose {
        let Self { table, column, row, part } = self;
        Purpose::new(&[layer.as_bytes(), table.as_bytes(), column.as_bytes(), row.as_bytes(), part.as_bytes()])
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, column, row, part } = self;
        write!(f, "{table}.{column} of row {row}")?;
        if part.is_empty() { Ok(()) } else { write!(f, "/{part}") }
    }
}

/// A sealed value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} does not open: it was changed, cut, moved here from elsewhere, or sealed under another key")]
pub struct Broken {
    /// What does not open; ids only.
    pub place: String,
}

impl Broken {
    pub(crate) fn at(place: impl fmt::Display) -> Self {
        Self { place: place.to_string() }
    }
}

/// Seals `key` under `parent`: `format ‖ salt ‖ ciphertext ‖ tag`.
///
/// # Errors
/// [`NotSealed`] when the system has no randomness to give.
pub fn seal_key(parent: &Key, place: KeyPlace<'_>, key: &Key) -> Result<Vec<u8>, NotSealed> {
    seal(parent, Salt::fresh()?, &place.purpose(), key.expose())
}

/// Opens a key that [`seal_key`] sealed in the same place.
///
/// # Errors
/// [`Broken`] when it is not that.
pub fn open_key(parent: &Key, place: KeyPlace<'_>, sealed: &[u8]) -> Result<Key, Broken> {
    let plain = open(parent, &place.purpose(), sealed).ok_or_else(|| Broken::at(place))?;
    <&[u8; KEY_BYTES]>::try_from(plain.as_slice()).map(Key::copy_of).map_err(|_| Broken::at(place))
}

/// Seals content for its place under the key of its record; the inner of the two layers.
///
/// # Errors
/// [`NotSealed`] when the system has no randomness to give.
pub fn seal_content(record: &Key, field: &Field, plain: &[u8]) -> Result<Vec<u8>, NotSealed> {
    seal(record, Salt::fresh()?, &field.purpose("in"), plain)
}

/// Opens what [`seal_content`] sealed for the same place.
///
/// # Errors
/// [`Broken`], which names the row, when it is not that.
pub fn open_content(record: &Key, field: &Field, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Broken> {
    open(record, &field.purpose("in"), sealed).ok_or_else(|| Broken::at(field))
}

/// The nonce of every key that seals one message only.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn seal(parent: &Key, salt: Salt, purpose: &Purpose, plain: &[u8]) -> Result<Vec<u8>, NotSealed> {
    let cipher = parent.derive(&salt, purpose).cipher();
    let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
    sealed.push(FORMAT);
    sealed.extend(salt.as_bytes());
    sealed.extend(plain);
    let (_, text) = sealed.split_at_mut(1 + SALT_BYTES);
    let tag = cipher.seal_in_place_separate_tag(only_nonce(), Aad::from(purpose.as_bytes()), text);
    sealed.extend(tag.map_err(|_| NotSealed)?.as_ref());
    Ok(sealed)
}

fn open(parent: &Key, purpose: &Purpose, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&format, rest) = sealed.split_first()?;
    let (salt, text) = rest.split_at_checked(SALT_BYTES)?;
    if format != FORMAT || text.len() < AES_256_GCM.tag_len() {
        return None;
    }
    let cipher = parent.derive(&Salt::stored(salt)?, purpose).cipher();
    let mut plain = Zeroizing::new(text.to_vec());
    let length = cipher.open_in_place(only_nonce(), Aad::from(purpose.as_bytes()), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

impl From<&Broken> for Fault {
    fn from(_: &Broken) -> Self {
        "something sealed does not open: it was changed, cut, moved, or sealed under another key".into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::copy_of(&[byte; KEY_BYTES])
    }

    fn field(row: u128) -> Field {
        Field::with_part("artifacts", "sealed", Uuid::from_u128(row), "ANALYSIS")
    }

    #[test]
    fn a_ciphertext_opens_in_its_own_place_only() {
        let row = Uuid::from_u128(7);
        let sealed = seal_content(&key(1), &field(7), b"hello").unwrap();
        assert_eq!(open_content(&key(1), &field(7), &sealed).unwrap().as_slice(), b"hello");
        for other in [
            field(8),
            Field::with_part("artifacts", "sealed", row, "DIARIZATION"),
            Field::with_part("artifacts", "salt", row, "ANALYSIS"),
            Field::with_part("calls", "sealed", row, "ANALYSIS"),
            Field::new("artifacts", "sealed", row),
        ] {
            let error = open_content(&key(1), &other, &sealed).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{other} does not open")), "{error}");
        }
        assert!(open_content(&key(2), &field(7), &sealed).is_err());
    }

    #[test]
    fn a_sealed_key_opens_for_its_owner_only() {
        let (tenant, id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let places = [
            KeyPlace::Tenant(tenant),
            KeyPlace::Tenant(id),
            KeyPlace::GlobalUser(tenant),
            KeyPlace::System("receipts", 1),
            KeyPlace::Record(tenant, RecordKind::Call, id),
            KeyPlace::Record(tenant, RecordKind::Contact, id),
            KeyPlace::Run(tenant, id),
            KeyPlace::Record(id, RecordKind::Call, id),
        ];
        for place in places {
            let sealed = seal_key(&key(1), place, &key(9)).unwrap();
            for other in places {
                assert_eq!(open_key(&key(1), other, &sealed).is_ok(), place == other);
            }
            assert!(open_key(&key(2), place, &sealed).is_err());
        }
    }

    #[test]
    fn content_of_another_length_is_no_key() {
        let place = KeyPlace::System("receipts", 1);
        let sealed = seal(&key(1), Salt::fresh().unwrap(), &place.purpose(), &[1; 31]).unwrap();
        assert_eq!(open_key(&key(1), place, &sealed).err(), Some(Broken::at(place)));
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(plain in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let sealed = seal_content(&key(1), &field(7), &plain).unwrap();
            prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD);
            let opened = open_content(&key(1), &field(7), &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
        }

        #[test]
        fn one_flipped_bit_or_a_cut_anywhere_is_noticed(
            plain in proptest::collection::vec(any::<u8>(), 0..64), place in any::<prop::sample::Index>(), bit in 0..8,
        ) {
            let mut sealed = seal_content(&key(1), &field(7), &plain).unwrap();
            let place = place.index(sealed.len());
            prop_assert!(open_content(&key(1), &field(7), &sealed[..place]).is_err());
            sealed[place] ^= 1u8 << bit;
            prop_assert!(open_content(&key(1), &field(7), &sealed).is_err());
        }

        #[test]
        fn equal_texts_never_look_alike(plain in proptest::collection::vec(any::<u8>(), 0..64)) {
            let seal = || seal_content(&key(1), &field(7), &plain).unwrap();
            prop_assert_ne!(seal(), seal());
        }
    }
}
