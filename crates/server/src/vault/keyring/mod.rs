//! The key-encryption keys of an installation: `id:base64,id:base64`, newest first. Its one invariant: a [`Keyring`] that
//! exists holds at least one key, all of 256 bits and not degenerate, no id twice and no key twice. No error holds key material.

mod source;

use std::{fmt, path::PathBuf};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

pub use source::KeySource;

use super::key::{KEY_BYTES, Key, NotSealed, Purpose, Salt};

/// Characters of a key id. Shorter than the 43 characters of a key in base64, so that a key in the place of its id is
/// refused before anything could show it.
const MAX_ID_CHARS: usize = 32;

/// Keys in a ring: one a quarter for sixteen years, all of them still in use, is already a mistake.
const MAX_KEYS: usize = 64;

/// Days after which the newest key should be rotated away (H5).
pub const MAX_AGE_DAYS: i64 = 90;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The name of a key: 1 to 32 letters, digits, `.`, `_`, `-`. It is public.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KeyId(String);

impl KeyId {
    /// The id that `text` spells; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_ID_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One key-encryption key.
pub struct Kek {
    /// Its name, stored beside everything it seals.
    pub id: KeyId,
    pub(crate) key: Key,
}

impl Kek {
    /// What shows later that a key of this id is this very key: a salt, and a key derived for nothing else. It says nothing
    /// about the key, which is uniform.
    ///
    /// # Errors
    /// [`NotSealed`] when the system has none to give.
    pub fn check_value(&self) -> Result<Vec<u8>, NotSealed> {
        let salt = Salt::fresh()?;
        let check = self.key.derive(&salt, &self.check_purpose());
        Ok([salt.as_bytes(), check.expose()].concat())
    }

    /// Whether `check_value` was made by this key.
    #[must_use]
    pub fn fits(&self, check_value: &[u8]) -> bool {
        check_value.split_at_checked(KEY_BYTES).is_some_and(|(salt, check)| {
            let (Some(salt), Ok(check)) = (Salt::stored(salt), check.try_into()) else { return false };
            self.key.derive(&salt, &self.check_purpose()).same_as(&Key::copy_of(check))
        })
    }

    fn check_purpose(&self) -> Purpose {
        Purpose::new(&[b"check", self.id.as_str().as_bytes()])
    }
}

/// The key-encryption keys, newest first; the newest seals, all of them open.
pub struct Keyring(Vec<Kek>);

impl Keyring {
    /// Reads `id:base64,id:base64`, newest first. Spaces and line ends around entries do not count.
    ///
    /// # Errors
    /// Every fault has its own [`KeyringError`].
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        if text.trim().is_empty() {
            return Err(KeyringError::Empty);
        }
        let mut ring = Self(Vec::new());
        for (index, entry) in text.trim().split(',').enumerate() {
            if index == MAX_KEYS {
                return Err(KeyringError::TooMany);
            }
            ring.add(parse_entry(index + 1, entry.trim())?)?;
        }
        Ok(ring)
    }

    fn add(&mut self, new: Kek) -> Result<(), KeyringError> {
        for old in &self.0 {
            if old.id == new.id {
                return Err(KeyringError::DuplicateId { id: new.id });
            }
            if old.key.same_as(&new.key) {
                return Err(KeyringError::DuplicateKey { first: old.id.clone(), second: new.id });
            }
        }
        self.0.push(new);
        Ok(())
    }

    /// The key that seals.
    #[must_use]
    pub fn newest(&self) -> &Kek {
        &self.0[0]
    }

    /// The key named `id`.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Kek> {
        self.0.iter().find(|kek| kek.id.as_str() == id)
    }

    /// All keys, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Kek> {
        self.0.iter()
    }
}

fn parse_entry(position: usize, entry: &str) -> Result<Kek, KeyringError> {
    let (id, encoded) = entry.split_once(':').ok_or(KeyringError::NoId { position })?;
    let id = KeyId::parse(id.trim()).ok_or(KeyringError::BadId { position })?;
    if encoded.trim().is_empty() {
        return Err(KeyringError::EmptyKey { id });
    }
    let Ok(bytes) = BASE64.decode(encoded.trim()).map(Zeroizing::new) else {
        return Err(KeyringError::NotBase64 { id });
    };
    let Ok(bytes) = <&[u8; KEY_BYTES]>::try_from(bytes.as_slice()) else {
        return Err(KeyringError::Length { id, bytes: bytes.len() });
    };
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(KeyringError::Degenerate { id });
    }
    Ok(Kek { id, key: Key::copy_of(bytes) })
}

/// A new entry for a ring: a random key under `id`, ready to be put in front of the others.
///
/// # Errors
/// [`NotSealed`] when the system has none to give.
pub fn generate(id: &KeyId) -> Result<SecretString, NotSealed> {
    let encoded = Zeroizing::new(BASE64.encode(Key::generate()?.expose()));
    Ok(format!("{id}:{}", encoded.as_str()).into())
}

/// Reads the ring of an installation.
///
/// # Errors
/// See [`KeyringError`].
pub async fn load(source: &KeySource) -> Result<Keyring, KeyringError> {
    Keyring::parse(source.read().await?.expose_secret())
}

/// What is wrong with a keyring. Never holds key material; names ids, positions and what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// No source is named.
    #[error("no key: set SUBROSA_KEYS_FILE, SUBROSA_KEYS_COMMAND or SUBROSA_KEYS; `subrosa keys generate` makes a key")]
    Missing,
    /// More than one source is named.
    #[error("both {first} and {second} are set; keep one of them")]
    Ambiguous {
        /// A variable that is set.
        first: &'static str,
        /// Another one.
        second: &'static str,
    },
    /// The source holds nothing.
    #[error("the keyring is empty; it wants id:base64,id:base64, newest first; `subrosa keys generate` makes a key")]
    Empty,
    /// An entry without a colon.
    #[error("entry {position} of the keyring has no id: it wants id:base64")]
    NoId {
        /// Which entry, from 1.
        position: usize,
    },
    /// An entry whose id is none.
    #[error("entry {position} of the keyring has no usable id: 1 to {MAX_ID_CHARS} letters, digits, '.', '_' or '-'")]
    BadId {
        /// Which entry, from 1.
        position: usize,
    },
    /// An id without a key.
    #[error("key {id} is empty; it wants 32 bytes in base64")]
    EmptyKey {
        /// Its id.
        id: KeyId,
    },
    /// Text that is no base64.
    #[error("key {id} is not base64")]
    NotBase64 {
        /// Its id.
        id: KeyId,
    },
    /// A key that is too short or too long.
    #[error("key {id} is {bytes} bytes long; AES-256 takes 32")]
    Length {
        /// Its id.
        id: KeyId,
        /// What it has.
        bytes: usize,
    },
    /// All zero, or another byte all through.
    #[error("key {id} is no random key: all its bytes are alike (all zero?); `subrosa keys generate` makes one")]
    Degenerate {
        /// Its id.
        id: KeyId,
    },
    /// One id for two keys.
    #[error("two keys have the id {id}; an id names one key for ever")]
    DuplicateId {
        /// The id.
        id: KeyId,
    },
    /// Two ids for one key.
    #[error("keys {first} and {second} are the same key; a rotation wants a new one")]
    DuplicateKey {
        /// The first id.
        first: KeyId,
        /// The second id.
        second: KeyId,
    },
    /// More entries than a ring holds.
    #[error("more than {MAX_KEYS} keys; retire the old ones")]
    TooMany,
    /// The file or command gives more than any keyring has.
    #[error("the keyring is longer than {} KiB", source::MAX_BYTES / 1024)]
    TooLong,
    /// The source gives something that is no text.
    #[error("the keyring is not text")]
    NotText,
    /// The file cannot be read.
    #[error("key file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is a directory, a device, …
    #[error("key file {} is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write the file.
    #[error("key file {} has mode {mode:04o}: others could read it; chmod 0600 it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is somebody else's.
    #[error("key file {} belongs to user {owner}, but this is user {user}; chown it", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who reads it.
        user: u32,
    },
    /// The command could not be run or did not succeed.
    #[error("SUBROSA_KEYS_COMMAND {0}")]
    Command(String),
    /// A key of the ring is not the one that sealed the data.
    #[error("key {id} does not open this database: another key of that id sealed it")]
    WrongKey {
        /// Its id.
        id: KeyId,
    },
    /// The ring lacks a key that the data needs.
    #[error("the keyring does not open this database: it lacks key {id}, which still seals something")]
    KeyLacking {
        /// The id it lacks.
        id: String,
    },
    /// Something is sealed under a key that is to be retired.
    #[error("key {id} still seals {sealed} keys; run `subrosa keys rotate` first")]
    InUse {
        /// Its id.
        id: KeyId,
        /// Tenant, user and system keys under it.
        sealed: i64,
    },
    /// The ring has the key in front that is to be retired.
    #[error("key {id} is the newest of the keyring; put a new one in front of it first")]
    Newest {
        /// Its id.
        id: KeyId,
    },
    /// The database knows no key of that id.
    #[error("there is no key {id} in this database")]
    Unknown {
        /// The id.
        id: KeyId,
    },
    /// The ring has a retired key in front.
    #[error("key {id} was retired in this database; put a new key in front of it")]
    Retired {
        /// Its id.
        id: KeyId,
    },
    /// A check value or key could not be sealed.
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
}

#[cfg(test)]
mod tests;
