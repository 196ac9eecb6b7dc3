//! Keys of tenants, records and runs, as the database holds them: sealed. Its one invariant: an open record or run key lives as
//! long as its caller holds it and is cached nowhere, so that what a committed transaction destroyed is gone.

mod cache;

use crate::telemetry::fault::Fault;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use uuid::Uuid;

use super::{
    chain::{PublicKey, Signer},
    key::{Key, NotSealed, Purpose, Salt},
    keyring::{self, KeySource, Keyring, KeyringError},
    seal::{Broken, KeyPlace, RecordKind, open_key, seal_key},
    start,
    system::{SystemKey, SystemKeys},
};
use crate::db::{Access, DbError, Session, TenantTx, Write};

/// Why a key cannot be had, or content under it not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The transaction failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Something was changed, moved, or sealed under another key.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The key was destroyed, or never was: what it sealed is gone.
    #[error("{0} is gone")]
    Gone(String),
    /// More than a column takes.
    #[error("{bytes} bytes are more than one field holds")]
    TooLarge {
        /// What was given.
        bytes: usize,
    },
    /// The keyring is wrong, or lacks a key.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Nothing was sealed.
    #[error(transparent)]
    NotSealed(#[from] NotSealed),
}

/// What is looked up without being stored: a key for each, derived from the tenant's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IndexKey {
    /// Telephone numbers of contacts.
    Phone,
    /// E-mail addresses of contacts.
    Email,
    /// Names of whom calls were with.
    Name,
    /// Words of calls.
    Search,
    /// Recordings, by which one that is sent again is known.
    Recording,
    /// Idempotency keys and what was asked with them.
    Request,
}

impl IndexKey {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Phone => b"phone",
            Self::Email => b"email",
            Self::Name => b"name",
            Self::Search => b"search",
            Self::Recording => b"recording",
            Self::Request => b"request",
        }
    }

    /// The key of this index of a tenant. Equal words have to give equal tokens, so there is no salt in it: a key for HMAC may be
    /// used for any number of messages.
    #[must_use]
    pub fn derive(self, tenant: &Key) -> Key {
        tenant.derive(&Salt::NONE, &Purpose::new(&[b"index", self.label()]))
    }
}

/// The keyring of an installation and what opens under it.
pub struct Vault {
    ring: RwLock<Arc<Keyring>>,
    source: KeySource,
    tenants: cache::TenantKeys,
    signer: Signer,
    public_keys: Vec<PublicKey>,
    system: SystemKeys,
}

impl Vault {
    /// The vault of a keyring that was checked against the database; see [`super::start`].
    pub(super) fn new(ring: Keyring, source: KeySource, system: SystemKeys) -> Self {
        let signer = |(version, key): (i32, &Key)| Signer::new(key, version);
        let public_keys = system.all(SystemKey::Receipts).map(|key| signer(key).public_key()).collect();
        let signer = signer(system.newest(SystemKey::Receipts));
        let (ring, tenants) = (RwLock::new(Arc::new(ring)), cache::TenantKeys::default());
        Self { ring, source, tenants, signer, public_keys, system }
    }

    /// The key-encryption keys.
    pub fn ring(&self) -> Arc<Keyring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who signs receipts and the heads of audit chains.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What verifies them, also those of earlier versions of the key.
    pub fn public_keys(&self) -> &[PublicKey] {
        &self.public_keys
    }

    /// The installation's own keys: tokens, passwords, sign-in addresses.
    pub fn system_keys(&self) -> &SystemKeys {
        &self.system
    }

    /// A new tenant's key, sealed under the newest key-encryption key: `key_id` and `sealed_key` of its row.
    ///
    /// # Errors
    /// [`NotSealed`] when the system has no randomness to give.
    pub fn new_tenant_key(&self, tenant: Uuid) -> Result<(String, Vec<u8>), NotSealed> {
        self.new_key(KeyPlace::Tenant(tenant))
    }

    /// The same for the personal fields of a user, which belong to no tenant.
    ///
    /// # Errors
    /// [`NotSealed`] when the system has no randomness to give.
    pub fn new_user_key(&self, user: Uuid) -> Result<(String, Vec<u8>), NotSealed> {
        self.new_key(KeyPlace::GlobalUser(user))
    }

    /// Opens what [`Self::new_user_key`] sealed.
    ///
    /// # Errors
    /// [`VaultError::Broken`] when the row was tampered with.
    pub async fn user_key(
        &self,
        session: Session<'_>,
        user: Uuid,
        (key_id, sealed): (&str, &[u8]),
    ) -> Result<Key, VaultError> {
        self.open_under(session, key_id, KeyPlace::GlobalUser(user), sealed).await
    }

    fn new_key(&self, place: KeyPlace<'_>) -> Result<(String, Vec<u8>), NotSealed> {
        let ring = self.ring();
        let sealed = seal_key(&ring.newest().key, place, &Key::generate()?)?;
        Ok((ring.newest().id.as_str().to_owned(), sealed))
    }

    /// The key of the transaction's tenant.
    ///
    /// # Errors
    /// [`VaultError::Gone`] after the tenant was deleted; [`VaultError::Broken`] when the row was tampered with.
    pub async fn tenant_key<A: Access>(&self, tx: &mut TenantTx<A>) -> Result<Arc<Key>, VaultError> {
        let tenant = tx.scope().tenant();
        if let Some(key) = self.tenants.get(tenant) {
            return Ok(key);
        }
        let row = sqlx::query!("SELECT key_id, sealed_key FROM tenant.tenants WHERE tenant_id = $1", tenant)
            .fetch_optional(tx.conn())
            .await
            .map_err(DbError::from)?
            .ok_or_else(|| VaultError::Gone(KeyPlace::Tenant(tenant).to_string()))?;
        let place = KeyPlace::Tenant(tenant);
        let key = Arc::new(self.open_under(tx.conn(), &row.key_id, place, &row.sealed_key).await?);
        self.tenants.put(tenant, Arc::clone(&key));
        Ok(key)
    }

    /// Forgets the open key of a tenant; to be called when its deletion was committed. Other programs forget it within a minute.
    pub fn forget_tenant(&self, tenant: Uuid) {
        self.tenants.forget(tenant);
    }

    /// Opens what is sealed under the key-encryption key named `id`. One that the ring lacks may have been put into its
    /// source since the start, by a rotation that another program runs; so the source is read again, and proved as at the start.
    pub(super) async fn open_under(
        &self,
        session: Session<'_>,
        id: &str,
        place: KeyPlace<'_>,
        sealed: &[u8],
    ) -> Result<Key, VaultError> {
        if self.ring().find(id).is_none() {
            let fresh = keyring::load(&self.source).await?;
            start::prove(&fresh, &start::known(session).await?)?;
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        }
        let ring = self.ring();
        let kek = ring.find(id).ok_or_else(|| KeyringError::KeyLacking { id: id.to_owned() })?;
        Ok(open_key(&kek.key, place, sealed)?)
    }

    /// A key for a new record, not stored yet, so that an upload can be sealed under it before anything of the call is committed
    /// and without holding a connection for as long as it takes.
    ///
    /// # Errors
    /// As [`Self::tenant_key`].
    pub async fn new_record_key<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        kind: RecordKind,
        id: Uuid,
    ) -> Result<NewRecordKey, VaultError> {
        let key = Key::generate()?;
        let place = KeyPlace::Record(tx.scope().tenant(), kind, id);
        let sealed = seal_key(&*self.tenant_key(tx).await?, place, &key)?;
        Ok(NewRecordKey { key, kind, id, sealed })
    }

    /// Makes and stores the key of a new record of the transaction's user; `Tenant` records belong to nobody.
    ///
    /// # Errors
    /// When the record has a key already (unique violation) or the role may not make one.
    pub async fn create_record_key(
        &self,
        tx: &mut TenantTx<Write>,
        kind: RecordKind,
        id: Uuid,
    ) -> Result<Key, VaultError> {
        let new = self.new_record_key(tx, kind, id).await?;
        new.store(tx).await?;
        Ok(new.key)
    }

    /// The key of a record.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when it was destroyed or is another user's.
    pub async fn record_key<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        kind: RecordKind,
        id: Uuid,
    ) -> Result<Key, VaultError> {
        let place = KeyPlace::Record(tx.scope().tenant(), kind, id);
        self.record_keys(tx, kind, &[id]).await?.remove(&id).ok_or_else(|| VaultError::Gone(place.to_string()))
    }

    /// The keys of those of these records that have one: one statement for a whole list.
    ///
    /// # Errors
    /// [`VaultError::Broken`] when one of them was tampered with.
    pub async fn record_keys<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        kind: RecordKind,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Key>, VaultError> {
        self.each_record_key(tx, kind, ids).await?.into_iter().map(|(id, key)| Ok((id, key?))).collect()
    }

    /// As [`Vault::record_keys`], without those that were tampered with.
    ///
    /// # Errors
    /// What a transaction may fail with.
    pub async fn sound_record_keys<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        kind: RecordKind,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Key>, VaultError> {
        let keys = self.each_record_key(tx, kind, ids).await?;
        Ok(keys.into_iter().filter_map(|(id, key)| Some((id, key.ok()?))).collect())
    }

    async fn each_record_key<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        kind: RecordKind,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, Result<Key, Broken>)>, VaultError> {
        let tenant = tx.scope().tenant();
        let parent = self.tenant_key(tx).await?;
        let rows = sqlx::query!(
            "SELECT record_id, sealed FROM tenant.record_keys WHERE tenant_id = $1 AND kind = $2 AND record_id = ANY ($3)",
            tenant,
            kind as i16,
            ids,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(DbError::from)?;
        let open = |id, sealed: &[u8]| (id, open_key(&parent, KeyPlace::Record(tenant, kind, id), sealed));
        Ok(rows.into_iter().map(|row| open(row.record_id, &row.sealed)).collect())
    }

    /// Opens a record's key that the statement which read the record has read with it, by a join: so one round trip gives a row and
    /// its key.
    ///
    /// # Errors
    /// [`VaultError::Broken`] when it is not the key of that record.
    pub async fn open_record_key<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        kind: RecordKind,
        id: Uuid,
        sealed: &[u8],
    ) -> Result<Key, VaultError> {
        let place = KeyPlace::Record(tx.scope().tenant(), kind, id);
        Ok(open_key(&*self.tenant_key(tx).await?, place, sealed)?)
    }

    /// Makes the key of a processing run of a call. What the run stores before redaction is sealed under it.
    ///
    /// # Errors
    /// When the call is not there.
    pub async fn create_run_key(&self, tx: &mut TenantTx<Write>, call: Uuid, run: Uuid) -> Result<Key, VaultError> {
        let tenant = tx.scope().tenant();
        let key = Key::generate()?;
        let sealed = seal_key(&*self.tenant_key(tx).await?, KeyPlace::Run(tenant, run), &key)?;
        let made = sqlx::query!(
            "INSERT INTO tenant.run_keys (tenant_id, id, call_id, owner_id, sealed)
               SELECT tenant_id, $2, id, owner_id, $4 FROM tenant.calls WHERE tenant_id = $1 AND id = $3",
            tenant,
            run,
            call,
            sealed,
        )
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
        if made.rows_affected() == 1 { Ok(key) } else { Err(VaultError::Gone(format!("call {call}"))) }
    }

    /// The key of a run that has not been redacted yet.
    ///
    /// # Errors
    /// [`VaultError::Gone`] after redaction.
    pub async fn run_key<A: Access>(&self, tx: &mut TenantTx<A>, run: Uuid) -> Result<Key, VaultError> {
        let tenant = tx.scope().tenant();
        let place = KeyPlace::Run(tenant, run);
        let parent = self.tenant_key(tx).await?;
        let sealed =
            sqlx::query_scalar!("SELECT sealed FROM tenant.run_keys WHERE tenant_id = $1 AND id = $2", tenant, run)
                .fetch_optional(tx.conn())
                .await
                .map_err(DbError::from)?
                .ok_or_else(|| VaultError::Gone(place.to_string()))?;
        Ok(open_key(&parent, place, &sealed)?)
    }

    /// Destroys the key of a run and what it sealed; part of the transaction that commits `REDACTED`.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when there is no such key; the transaction should be dropped then.
    pub async fn destroy_run_key(&self, tx: &mut TenantTx<Write>, run: Uuid) -> Result<(), VaultError> {
        let tenant = tx.scope().tenant();
        sqlx::query!("DELETE FROM tenant.artifacts WHERE tenant_id = $1 AND run_id = $2", tenant, run)
            .execute(tx.conn())
            .await
            .map_err(DbError::from)?;
        let gone = sqlx::query!("DELETE FROM tenant.run_keys WHERE tenant_id = $1 AND id = $2", tenant, run)
            .execute(tx.conn())
            .await
            .map_err(DbError::from)?;
        if gone.rows_affected() == 1 {
            return Ok(());
        }
        Err(VaultError::Gone(KeyPlace::Run(tenant, run).to_string()))
    }
}

/// The key of a record that is not there yet.
pub struct NewRecordKey {
    /// The key.
    pub key: Key,
    kind: RecordKind,
    id: Uuid,
    sealed: Vec<u8>,
}

impl NewRecordKey {
    /// Stores it, with the record that it seals; where something was uploaded, [`crate::deletion::blobs::Upload::end`] is part of the
    /// transaction too.
    ///
    /// # Errors
    /// When the record has a key already (unique violation) or the role may not make one.
    pub async fn store(&self, tx: &mut TenantTx<Write>) -> Result<(), VaultError> {
        let owner = (self.kind != RecordKind::Tenant).then_some(tx.scope().user());
        sqlx::query!(
            "INSERT INTO tenant.record_keys (tenant_id, kind, record_id, owner_id, sealed) VALUES ($1, $2, $3, $4, $5)",
            tx.scope().tenant(),
            self.kind as i16,
            self.id,
            owner,
            self.sealed,
        )
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
        Ok(())
    }
}

impl From<&VaultError> for Fault {
    fn from(error: &VaultError) -> Self {
        match error {
            VaultError::Database(error) => error.into(),
            VaultError::Broken(error) => error.into(),
            VaultError::Gone(_) => "a key is gone".into(),
            VaultError::TooLarge { .. } => "more than one field holds".into(),
            VaultError::Keyring(_) => "the keyring is wrong, or lacks a key".into(),
            VaultError::NotSealed(error) => error.into(),
        }
    }
}
