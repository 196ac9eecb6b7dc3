//! An installation for a test: a database of its own, an open vault, and objects in memory.

use std::{error::Error, sync::Arc};

use secrecy::ExposeSecret as _;
use server::{
    db::{Address, Database, Locked, Owner, Role, Scope, Tls},
    vault::{
        blobs::Blobs,
        content::{self, Stored},
        keyring::{self, KeyId, KeySource},
        keys::{Vault, VaultError},
        seal::{Field, RecordKind},
        start::{self, OpenError},
    },
};
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::support::TestDatabase;

/// Connections of a test's pool.
const CONNECTIONS: u32 = 6;

/// A new key for a ring.
pub(crate) fn key(id: &str) -> String {
    keyring::generate(&KeyId::parse(id).unwrap()).unwrap().expose_secret().to_owned()
}

pub(crate) struct Installation {
    pub(crate) postgres: TestDatabase,
    /// The ring, as `SUBROSA_KEYS` would hold it.
    pub(crate) keys: String,
    pub(crate) database: Database,
    pub(crate) vault: Arc<Vault>,
    pub(crate) blobs: Blobs,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        Self::on(TestDatabase::new().await, key("k1")).await
    }

    /// On a database of its own, which is migrated.
    pub(crate) async fn on(postgres: TestDatabase, keys: String) -> Self {
        let (database, vault) = open(&postgres, &keys).await.unwrap();
        Self { postgres, keys, database, vault: Arc::new(vault), blobs: Blobs::memory() }
    }

    /// Opens the same database with another ring.
    pub(crate) async fn with_keys(&self, keys: &str) -> Result<(Database, Vault), OpenError> {
        open(&self.postgres, keys).await
    }

    /// Opens the same database by another address.
    pub(crate) async fn through(&self, address: &str) -> Database {
        let mut owner = Owner::connect(&self.postgres.address("subrosa_owner")).await.unwrap();
        let locked = Locked::connect(&Address::parse(address, Tls::Required).unwrap(), 2).await.unwrap();
        start::open(locked, KeySource::Text(self.keys.as_str().into()), Some(&mut owner)).await.unwrap().0
    }

    /// A tenant with one user, who owns it.
    pub(crate) async fn tenant(&self) -> Scope {
        let (tenant, user) = (Uuid::now_v7(), Uuid::now_v7());
        let mut superuser = self.postgres.superuser().await;
        let (key_id, sealed) = self.vault.new_user_key(user).unwrap();
        execute(
            &mut superuser,
            "INSERT INTO global.users (id, address_hmac, key_id, sealed_key) VALUES ($1, sha256(uuid_send($1)), $2, $3)",
            (user, &key_id, &sealed),
        )
        .await;
        let (key_id, sealed) = self.vault.new_tenant_key(tenant).unwrap();
        execute(
            &mut superuser,
            "INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES ($1, $2, $3)",
            (tenant, &key_id, &sealed),
        )
        .await;
        sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 1)")
            .bind(tenant)
            .bind(user)
            .execute(&mut superuser)
            .await
            .unwrap();
        superuser.close().await.unwrap();
        Scope::authenticated(tenant, user, Role::Owner)
    }

    /// A call with a title.
    pub(crate) async fn call(&self, scope: Scope, title: &str) -> Uuid {
        self.try_call(scope, title).await.unwrap()
    }

    /// A call with a title, where the database may fail.
    pub(crate) async fn try_call(&self, scope: Scope, title: &str) -> Result<Uuid, Box<dyn Error>> {
        let call = Uuid::now_v7();
        let mut tx = self.database.write(&scope).await?;
        let key = self.vault.create_record_key(&mut tx, RecordKind::Call, call).await?;
        let sealed = content::seal(&mut tx, &key, &title_of(call), title.as_bytes()).await?;
        sqlx::query("INSERT INTO tenant.calls (tenant_id, id, owner_id, sealed) VALUES ($1, $2, $3, $4)")
            .bind(scope.tenant())
            .bind(call)
            .bind(scope.user())
            .bind(sealed)
            .execute(tx.conn())
            .await?;
        tx.commit().await?;
        Ok(call)
    }

    /// The title of a call.
    pub(crate) async fn title(&self, scope: Scope, call: Uuid) -> Result<String, VaultError> {
        title(&self.database, &self.vault, scope, call).await
    }
}

/// The title of a call, by whichever program.
pub(crate) async fn title(database: &Database, vault: &Vault, scope: Scope, call: Uuid) -> Result<String, VaultError> {
    let mut tx = database.read(&scope).await?;
    let key = vault.record_key(&mut tx, RecordKind::Call, call).await?;
    let row =
        sqlx::query("SELECT sealed FROM tenant.calls WHERE id = $1").bind(call).fetch_one(tx.conn()).await.unwrap();
    let sealed: Vec<u8> = row.get(0);
    let plain = content::open(&Stored { key: &key, field: title_of(call), sealed: &sealed })?;
    Ok(String::from_utf8(plain.to_vec()).unwrap())
}

pub(crate) fn title_of(call: Uuid) -> Field {
    Field::new("calls", "sealed", call)
}

pub(crate) async fn open(postgres: &TestDatabase, keys: &str) -> Result<(Database, Vault), OpenError> {
    open_from(postgres, KeySource::Text(keys.into())).await
}

pub(crate) async fn open_from(postgres: &TestDatabase, source: KeySource) -> Result<(Database, Vault), OpenError> {
    let mut owner = Owner::connect(&postgres.address("subrosa_owner")).await.unwrap();
    let locked = Locked::connect(&postgres.address("subrosa_app"), CONNECTIONS).await.unwrap();
    start::open(locked, source, Some(&mut owner)).await
}

pub(crate) async fn execute(
    connection: &mut PgConnection,
    statement: &'static str,
    (id, key_id, sealed): (Uuid, &str, &[u8]),
) {
    sqlx::query(statement).bind(id).bind(key_id).bind(sealed).execute(connection).await.unwrap();
}
