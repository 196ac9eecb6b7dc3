//! Opening the vault, before any port. Its one invariant: a [`Vault`] exists only when every key of the ring is the one that its
//! id named before, and every key that still seals something is in the ring.

use crate::db::Session;
use secrecy::SecretBox;

use super::{
    key::Key,
    keyring::{self, KeySource, Keyring, KeyringError},
    keys::{Vault, VaultError},
    system::{self, OpenSystemKey, SealedSystemKey, SystemKey, SystemKeys},
};
use crate::db::{ContextKey, Database, DbError, Locked, Owner, Reason, StartError, SystemTx};

/// Why the vault does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A key is missing, wrong, or does not open what it should.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A database that was never opened before, and nobody who may prepare it.
    #[error(
        "this database has no keys yet: start once with DATABASE_OWNER_URL, so that its owner takes the key of contexts"
    )]
    NotPrepared,
}

impl From<KeyringError> for OpenError {
    fn from(error: KeyringError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<DbError> for OpenError {
    fn from(error: DbError) -> Self {
        Self::Vault(error.into())
    }
}

/// A key of the ring as the database knows it.
pub(super) struct Known {
    id: String,
    check_value: Vec<u8>,
    retired: bool,
}

/// Under which number the owner keeps the key of contexts; others are for changing it.
const CONTEXT_KEY: i16 = 1;

/// Locked by a start while it gives the database keys; any number that nobody else locks, here the letters `subrosak`.
const STARTING: i64 = i64::from_be_bytes(*b"subrosak");

/// Reads the ring, proves it against the database, and opens the gate; see [`open_with`].
///
/// # Errors
/// Every fault of a keyring; see [`OpenError`]. Nothing was changed then, unless it is the very first start.
pub async fn open(
    locked: Locked,
    source: KeySource,
    owner: Option<&mut Owner>,
) -> Result<(Database, Vault), OpenError> {
    let ring = keyring::load(&source).await?;
    open_with(locked, ring, source, owner).await
}

/// Proves a ring that was read from `source` against the database, and opens the gate. A database without keys is given some, which
/// takes its owner's session; of programs that start at once for the first time, all use the keys of the first.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    locked: Locked,
    ring: Keyring,
    source: KeySource,
    owner: Option<&mut Owner>,
) -> Result<(Database, Vault), OpenError> {
    let mut tx = locked.read().await?;
    prove(&ring, &known(tx.conn()).await?)?;
    let sealed = system::sealed(tx.conn()).await?;
    drop(tx);

    let context = context_key(&ring, &sealed, owner).await?;
    let database = locked.unlock(gate_key(&context));
    let mut tx = database.system(Reason::Keys).await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", STARTING).execute(tx.conn()).await.map_err(DbError::from)?;
    // Again: another start may have given the database its keys meanwhile.
    let (known, sealed) = (known(tx.conn()).await?, system::sealed(tx.conn()).await?);
    prove(&ring, &known)?;
    enrol(&mut tx, &ring, &known).await?;
    let system = complete(&mut tx, &ring, &sealed, &context).await?;
    prove_complete(&mut tx, &ring).await?;
    tx.commit().await?;
    Ok((database, Vault::new(ring, source, system)))
}

/// The keys of the ring as the database knows them.
pub(super) async fn known(session: Session<'_>) -> Result<Vec<Known>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT key_id AS "id!", check_value AS "check_value!", retired_at IS NOT NULL AS "retired!" FROM app.keyring()"#
    )
    .fetch_all(session)
    .await?;
    Ok(rows.into_iter().map(|row| Known { id: row.id, check_value: row.check_value, retired: row.retired }).collect())
}

/// Every key of the ring that the database knows is the one it knows, and the one that seals was not retired.
pub(super) fn prove(ring: &Keyring, known: &[Known]) -> Result<(), KeyringError> {
    for kek in ring.iter() {
        let Some(known) = known.iter().find(|known| known.id == kek.id.as_str()) else { continue };
        if !kek.fits(&known.check_value) {
            return Err(KeyringError::WrongKey { id: kek.id.clone() });
        }
        if known.retired && kek.id == ring.newest().id {
            return Err(KeyringError::Retired { id: kek.id.clone() });
        }
    }
    Ok(())
}

/// Every key that seals something is in the ring.
async fn prove_complete(tx: &mut SystemTx, ring: &Keyring) -> Result<(), OpenError> {
    let used = sqlx::query_scalar!(
        r#"SELECT key_id AS "id!" FROM app.key_uses() WHERE tenants > 0 OR users > 0 OR system_keys > 0"#
    )
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    match used.into_iter().find(|id| ring.find(id).is_none()) {
        Some(id) => Err(KeyringError::KeyLacking { id }.into()),
        None => Ok(()),
    }
}

fn newest(sealed: &[SealedSystemKey], purpose: SystemKey) -> Option<&SealedSystemKey> {
    sealed.iter().filter(|key| key.purpose == purpose).max_by_key(|key| key.version)
}

/// The key that signs contexts. Sealed, it is the one that counts, and an owner who is at hand takes it again. Before the first
/// start was done the owner's copy is the only one: one that is there already was left by a start that is under way, or died.
async fn context_key(ring: &Keyring, sealed: &[SealedSystemKey], owner: Option<&mut Owner>) -> Result<Key, OpenError> {
    if let Some(sealed) = newest(sealed, SystemKey::Contexts) {
        let key = sealed.open(ring)?;
        if let Some(owner) = owner {
            owner.install_context_key(CONTEXT_KEY, &gate_key(&key)).await?;
        }
        return Ok(key);
    }
    let owner = owner.ok_or(OpenError::NotPrepared)?;
    let fresh = Key::generate().map_err(VaultError::from)?;
    let stored = owner.first_context_key(CONTEXT_KEY, &gate_key(&fresh)).await?;
    Ok(Key::copy_of(stored.expose()))
}

fn gate_key(key: &Key) -> ContextKey {
    ContextKey::new(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| bytes.copy_from_slice(key.expose())))
}

/// Gives the database the check values of keys that it does not know.
async fn enrol(tx: &mut SystemTx, ring: &Keyring, known: &[Known]) -> Result<(), OpenError> {
    // The oldest first, so that the newest is the last to have been added.
    for kek in ring.iter().collect::<Vec<_>>().into_iter().rev() {
        if known.iter().any(|known| known.id == kek.id.as_str()) {
            continue;
        }
        let check_value = kek.check_value().map_err(VaultError::from)?;
        sqlx::query!("SELECT app.keyring_add($1, $2)", kek.id.as_str(), check_value)
            .execute(tx.conn())
            .await
            .map_err(DbError::from)?;
    }
    Ok(())
}

/// Makes the system keys that are not there yet; returns all.
async fn complete(
    tx: &mut SystemTx,
    ring: &Keyring,
    sealed: &[SealedSystemKey],
    context: &Key,
) -> Result<SystemKeys, OpenError> {
    let mut keys = Vec::new();
    for purpose in SystemKey::ALL {
        for key in sealed.iter().filter(|key| key.purpose == purpose) {
            let (version, since) = (key.version, key.since);
            keys.push(OpenSystemKey { purpose, version, since, key: key.open(ring)? });
        }
        if keys.iter().any(|key| key.purpose == purpose) {
            continue;
        }
        let key = match purpose {
            SystemKey::Contexts => Key::copy_of(context.expose()),
            _ => Key::generate().map_err(VaultError::from)?,
        };
        system::add(tx, ring, (purpose, 1), &key).await?;
        keys.push(OpenSystemKey { purpose, version: 1, since: chrono::Utc::now(), key });
    }
    Ok(SystemKeys::new(keys))
}
