//! System keys: what the installation signs, hashes and proves contexts with. Its one invariant: each is random and lies in
//! the database sealed under a key-encryption key, bound to its purpose and version.

use chrono::{DateTime, Utc};

use super::{
    chain::Signer,
    key::Key,
    keyring::Keyring,
    keys::VaultError,
    seal::{KeyPlace, open_key, seal_key},
};
use crate::{
    audit::{
        Action,
        operator::{self, Subject},
    },
    db::{Database, DbError, Reason, Session, SystemTx},
    vault::{keyring::KeyringError, keys::Vault},
};

/// What a system key is for. The numbers are those of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i16)]
pub enum SystemKey {
    /// Signs access tokens (Ed25519).
    Tokens = 1,
    /// Signs receipts and the heads of audit chains (Ed25519).
    Receipts = 2,
    /// Keys the HMAC of passwords.
    Pepper = 3,
    /// Keys the HMAC of sign-in addresses.
    SignIn = 4,
    /// Signs the contexts of transactions (HMAC).
    Contexts = 5,
}

impl SystemKey {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tokens, Self::Receipts, Self::Pepper, Self::SignIn, Self::Contexts];

    /// As in derivations and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Receipts => "receipts",
            Self::Pepper => "pepper",
            Self::SignIn => "sign-in",
            Self::Contexts => "contexts",
        }
    }

    /// Where version `version` of it belongs.
    #[must_use]
    pub fn place(self, version: i32) -> KeyPlace<'static> {
        KeyPlace::System(self.as_str(), version)
    }
}

/// A system key, open.
pub(super) struct OpenSystemKey {
    pub(super) purpose: SystemKey,
    pub(super) version: i32,
    pub(super) since: DateTime<Utc>,
    pub(super) key: Key,
}

/// All system keys, open: at least one for each purpose.
pub struct SystemKeys(Vec<OpenSystemKey>);

impl SystemKeys {
    /// The caller gives a key for every purpose.
    pub(super) fn new(mut keys: Vec<OpenSystemKey>) -> Self {
        keys.sort_by_key(|key| std::cmp::Reverse(key.version));
        Self(keys)
    }

    /// The keys for a purpose with their versions, newest first.
    pub fn all(&self, purpose: SystemKey) -> impl Iterator<Item = (i32, &Key)> {
        self.0.iter().filter(move |key| key.purpose == purpose).map(|key| (key.version, &key.key))
    }

    /// Since when this version is there.
    #[must_use]
    pub fn since(&self, purpose: SystemKey, version: i32) -> Option<DateTime<Utc>> {
        self.0.iter().find(|key| key.purpose == purpose && key.version == version).map(|key| key.since)
    }

    /// The key that is used from now on, and its version.
    #[must_use]
    #[expect(clippy::expect_used, reason = "made with a key for every purpose")]
    pub fn newest(&self, purpose: SystemKey) -> (i32, &Key) {
        self.all(purpose).next().expect("a key for every purpose")
    }
}

/// A system key as the database holds it.
pub(super) struct SealedSystemKey {
    pub(super) purpose: SystemKey,
    pub(super) version: i32,
    pub(super) since: DateTime<Utc>,
    pub(super) key_id: String,
    pub(super) sealed: Vec<u8>,
}

/// All system keys, sealed.
pub(super) async fn sealed(connection: Session<'_>) -> Result<Vec<SealedSystemKey>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT purpose AS "purpose!", version AS "version!", created_at AS "since!", key_id AS "key_id!", sealed AS "sealed!"
           FROM app.system_keys()"#
    )
    .fetch_all(connection)
    .await?;
    let known = rows.into_iter().filter_map(|row| {
        let purpose = SystemKey::ALL.into_iter().find(|purpose| *purpose as i16 == row.purpose)?;
        let (version, since) = (row.version, row.since);
        Some(SealedSystemKey { purpose, version, since, key_id: row.key_id, sealed: row.sealed })
    });
    Ok(known.collect())
}

impl SealedSystemKey {
    pub(super) fn open(&self, ring: &Keyring) -> Result<Key, VaultError> {
        let kek = ring.find(&self.key_id).ok_or_else(|| KeyringError::KeyLacking { id: self.key_id.clone() })?;
        Ok(open_key(&kek.key, self.purpose.place(self.version), &self.sealed)?)
    }
}

/// Stores a key as a version of its purpose.
pub(super) async fn add(
    tx: &mut SystemTx,
    ring: &Keyring,
    (purpose, version): (SystemKey, i32),
    key: &Key,
) -> Result<(), VaultError> {
    let kek = ring.newest();
    let sealed = seal_key(&kek.key, purpose.place(version), key)?;
    let signs = matches!(purpose, SystemKey::Tokens | SystemKey::Receipts);
    let public = signs.then(|| Signer::new(key, version).public_key().key.to_vec());
    let id = kek.id.as_str();
    sqlx::query!("SELECT app.system_key_add($1, $2, $3, $4, $5)", purpose as i16, version, id, sealed, public)
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
    Ok(())
}

/// All system keys as they are now: another program may have added a version.
///
/// # Errors
/// When one does not open.
pub async fn load(database: &Database, vault: &Vault) -> Result<SystemKeys, VaultError> {
    let mut tx = database.system(Reason::Keys).await?;
    let sealed = sealed(tx.conn()).await?;
    tx.commit().await?;
    let ring = vault.ring();
    let open = |sealed: SealedSystemKey| {
        let SealedSystemKey { purpose, version, since, .. } = sealed;
        Ok(OpenSystemKey { purpose, version, since, key: sealed.open(&ring)? })
    };
    Ok(SystemKeys::new(sealed.into_iter().map(open).collect::<Result<_, VaultError>>()?))
}

/// Adds a version of the key that signs access tokens, and returns its number. Programs that serve follow within a minute; tokens that
/// older versions signed stay good until they end.
///
/// # Errors
/// A unique violation when another program does so at the same time: one new version is enough.
pub async fn rotate_tokens(database: &Database, vault: &Vault) -> Result<i32, VaultError> {
    let keys = load(database, vault).await?;
    let version = keys.newest(SystemKey::Tokens).0 + 1;
    let mut tx = database.system(Reason::Keys).await?;
    add(&mut tx, &vault.ring(), (SystemKey::Tokens, version), &Key::generate()?).await?;
    operator::record(&mut tx, Action::RotateTokens, Subject::Installation).await?;
    tx.commit().await?;
    Ok(version)
}
