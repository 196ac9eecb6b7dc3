//! The one gate to the database: nothing reaches a tenant's rows except through a transaction that [`Database`] opened for a [`Scope`].
//!
//! Invariant: the pool never leaves this module, and every transaction that does has a context that the database verified. How
//! the context is signed and what the database does with it is in `migrations/0001_foundation.sql` and `docs/adr/004`.
//!
//! A handler cannot go around the gate. The pool is out of reach:
//! ```compile_fail,E0616
//! fn handler(database: &server::db::Database) { let _ = &database.pool; }
//! ```
//! A transaction cannot be made without the gate:
//! ```compile_fail,E0451
//! use server::db::{Read, Scope, TenantTx};
//! fn handler(scope: Scope, transaction: sqlx::Transaction<'static, sqlx::Postgres>) -> TenantTx<Read> {
//!     TenantTx { transaction, scope, access: std::marker::PhantomData }
//! }
//! ```
//! Nor a scope from thin air:
//! ```compile_fail,E0451
//! use server::db::{Role, Scope};
//! fn handler(tenant: uuid::Uuid, user: uuid::Uuid) -> Scope { Scope { tenant, user, role: Role::Owner } }
//! ```
//! An address does not show what it holds, so a second connection has nowhere to go:
//! ```compile_fail,E0616
//! fn handler(address: &server::db::Address) { let _ = &address.options; }
//! ```
//! And what is only read cannot be written with:
//! ```compile_fail,E0308
//! use server::db::{Read, TenantTx, Write};
//! async fn rename(_: &mut TenantTx<Write>) {}
//! async fn handler(transaction: &mut TenantTx<Read>) { rename(transaction).await; }
//! ```

mod address;
mod checks;
mod error;
mod schema;
mod scope;
mod transaction;

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, Postgres, Transaction, postgres::PgPoolOptions};
use uuid::Uuid;

pub use address::{Address, Tls};
pub use error::{DbError, StartError};
pub use schema::Owner;
pub use scope::{ContextKey, Reason, Role, Scope};
pub use transaction::{Access, Read, SystemTx, TenantTx, Write};

/// Connections of one program. Beyond it a request waits; PostgreSQL's default is 100 for everything.
pub const MAX_CONNECTIONS: u32 = 32;

/// How long a request waits for a connection before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection's life. A backend keeps copies of passphrases that passed through it until it ends.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(600);

/// Opened, checked, and locked: contexts cannot be signed yet, so no row of a tenant can be reached.
#[derive(Clone, Debug)]
pub struct Locked {
    pool: PgPool,
}

impl Locked {
    /// Connects as the runtime login and refuses a server that is unsafe or whose schema is not this program's.
    pub async fn connect(address: &Address, connections: u32) -> Result<Self, StartError> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(CONNECTION_LIFETIME)
            // Asking first whether a connection still lives costs a round trip a transaction; a dead one fails at BEGIN, which
            // has no effect and is repeated.
            .test_before_acquire(false)
            .connect_with(address.options.clone())
            .await
            .map_err(StartError::unreachable)?;
        let mut connection = pool.acquire().await.map_err(StartError::unreachable)?;
        checks::server(&mut connection).await?;
        checks::login(&mut connection).await?;
        schema::verify(&mut connection).await?;
        drop(connection);
        Ok(Self { pool })
    }

    /// A read-only transaction without a context, in which only the functions of the start answer: `app.keyring()` and
    /// `app.system_keys()`.
    pub async fn read(&self) -> Result<Transaction<'static, Postgres>, DbError> {
        Ok(self.pool.begin_with(Read::BEGIN).await?)
    }

    /// Opens the gate with the key that signs contexts.
    pub fn unlock(self, key: ContextKey) -> Database {
        Database { pool: self.pool, key: Arc::new(key) }
    }
}

/// The gate. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    key: Arc<ContextKey>,
}

impl Database {
    /// Opens a read-only transaction in which the rows of this scope can be seen.
    pub async fn read(&self, scope: &Scope) -> Result<TenantTx<Read>, DbError> {
        self.tenant(scope).await
    }

    /// Opens a transaction in which the rows of this scope can be seen and changed. Dropping it undoes what it did.
    pub async fn write(&self, scope: &Scope) -> Result<TenantTx<Write>, DbError> {
        self.tenant(scope).await
    }

    /// Opens a transaction across tenants, in which the functions for this reason can be called and no row can be reached.
    pub async fn system(&self, reason: Reason) -> Result<SystemTx, DbError> {
        let transaction = self.enter(Write::BEGIN, Uuid::nil(), Uuid::nil(), reason.code()).await?;
        Ok(SystemTx::new(transaction, reason))
    }

    /// Waits for open transactions to end, and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn tenant<A: Access>(&self, scope: &Scope) -> Result<TenantTx<A>, DbError> {
        let transaction = self.enter(A::BEGIN, scope.tenant(), scope.user(), scope.role().code()).await?;
        Ok(TenantTx::new(transaction, *scope))
    }

    /// Begins and has the database verify the signed context. The signature is a bind parameter and never part of the statement:
    /// every session of the same login can read the text of the others' statements in `pg_stat_activity`.
    async fn enter(
        &self,
        begin: &'static str,
        tenant: Uuid,
        actor: Uuid,
        role: i16,
    ) -> Result<Transaction<'static, Postgres>, DbError> {
        let mut transaction = self.begin(begin).await?;
        let (expires, signature) = self.key.sign(tenant, actor, role);
        sqlx::query!("SELECT app.enter($1, $2, $3, $4, $5)", tenant, actor, role, expires, &signature[..])
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }

    /// Begins on a connection that lives. After the server was restarted every pooled connection is dead.
    async fn begin(&self, begin: &'static str) -> Result<Transaction<'static, Postgres>, DbError> {
        for _ in 0..self.pool.size() {
            match self.pool.begin_with(begin).await {
                Err(error) if error::is_disconnected(&error) => {}
                result => return Ok(result?),
            }
        }
        Ok(self.pool.begin_with(begin).await?)
    }
}
