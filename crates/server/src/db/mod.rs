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
//! fn handler(other: TenantTx<Read>, scope: Scope) -> TenantTx<Read> { TenantTx { scope, ..other } }
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
mod listen;
mod schema;
mod scope;
mod session;
mod transaction;

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

pub use address::{Address, Tls};
pub use error::{DbError, StartError};
pub use listen::{Listener, Notice};
pub use schema::Owner;
pub use scope::{ContextKey, Reason, Role, Scope};
use session::Open;
pub use session::Session;
pub use transaction::{Access, Read, StartTx, SystemTx, TenantTx, Write};

/// How long a request waits for a connection before it is told that the database is busy: half of what a request may take. How many
/// wait is bounded by `limits.requests` and `limits.uploads`; those that were let in are better late than refused (5 s refused readers
/// of a service that 500 of them and 200 uploads kept busy on two cores that others used as well).
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection's life. A backend keeps copies of passphrases that passed through it until it ends.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(600);

/// How long a context is good: four of the longest statements (30 s) of a request, or fewer with waits for its client (30 s each),
/// less what the clocks of two machines differ by.
const LIFETIME: Duration = Duration::from_secs(120);

/// How long the context of [`Database::write_long`] is good: for tenants of many millions of rows on slow disks, and not for ever.
const LONG_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How such a transaction begins: no single statement is too long.
const BEGIN_LONG: &str = "BEGIN READ WRITE; SET LOCAL statement_timeout = 0";

/// How [`Database::snapshot`] begins.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Opened, checked, and locked: contexts cannot be signed yet, so no row of a tenant can be reached.
#[derive(Clone, Debug)]
pub struct Locked {
    pool: PgPool,
    prepared: bool,
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
        let mut open = Open::begin(&pool, address.prepared, Read::BEGIN).await?;
        checks::server(open.session()).await?;
        checks::login(&mut open).await?;
        schema::verify(&mut open).await?;
        open.rollback().await?;
        Ok(Self { pool, prepared: address.prepared })
    }

    /// Opens the one kind of transaction that needs no context.
    pub async fn read(&self) -> Result<StartTx, DbError> {
        Ok(StartTx::new(begin(&self.pool, self.prepared, Read::BEGIN).await?))
    }

    /// Opens the gate with the key that signs contexts.
    pub fn unlock(self, key: ContextKey) -> Database {
        Database { pool: self.pool, prepared: self.prepared, key: Arc::new(key) }
    }
}

/// The gate. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    prepared: bool,
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

    /// Opens a transaction like [`Self::write`] for work without a person who waits, of up to an hour: a deletion of all that a user or
    /// tenant has.
    pub async fn write_long(&self, scope: &Scope) -> Result<TenantTx<Write>, DbError> {
        let who = (scope.tenant(), scope.user(), scope.role() as i16);
        Ok(TenantTx::new(self.enter(BEGIN_LONG, who, LONG_LIFETIME).await?, *scope))
    }

    /// Opens a transaction across tenants, in which the functions for this reason can be called and no row can be reached.
    pub async fn system(&self, reason: Reason) -> Result<SystemTx, DbError> {
        let open = self.enter(Write::BEGIN, (Uuid::nil(), Uuid::nil(), reason as i16), LIFETIME).await?;
        Ok(SystemTx::new(open, reason))
    }

    /// Opens a transaction like [`Self::system`] that only reads, and in which all statements see the rows as of one moment.
    pub async fn snapshot(&self, reason: Reason) -> Result<SystemTx, DbError> {
        let open = self.enter(BEGIN_SNAPSHOT, (Uuid::nil(), Uuid::nil(), reason as i16), LIFETIME).await?;
        Ok(SystemTx::new(open, reason))
    }

    /// Waits for open transactions to end, and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn tenant<A: Access>(&self, scope: &Scope) -> Result<TenantTx<A>, DbError> {
        let who = (scope.tenant(), scope.user(), scope.role() as i16);
        Ok(TenantTx::new(self.enter(A::BEGIN, who, LIFETIME).await?, *scope))
    }

    /// Begins and has the database verify the signed context. The signature is a bind parameter and never part of the statement:
    /// every session of the same login can read the text of the others' statements in `pg_stat_activity`.
    async fn enter(
        &self,
        begin_with: &'static str,
        (tenant, actor, role): (Uuid, Uuid, i16),
        lifetime: Duration,
    ) -> Result<Open, DbError> {
        let mut open = begin(&self.pool, self.prepared, begin_with).await?;
        let (expires, signature) = self.key.sign(tenant, actor, role, lifetime);
        sqlx::query!("SELECT app.enter($1, $2, $3, $4, $5)", tenant, actor, role, expires, &signature[..])
            .execute(open.session())
            .await?;
        Ok(open)
    }
}

/// Begins on a connection that lives. After the server was restarted every pooled connection is dead.
async fn begin(pool: &PgPool, prepared: bool, begin: &'static str) -> Result<Open, DbError> {
    for _ in 0..pool.size() {
        match Open::begin(pool, prepared, begin).await {
            Err(error) if error::is_disconnected(&error) => {}
            result => return Ok(result?),
        }
    }
    Ok(Open::begin(pool, prepared, begin).await?)
}
