//! Migrations: applied by the schema's owner, compared at every start.
//!
//! Invariant: the program runs only on the schema that it was built with.

use std::sync::LazyLock;

use secrecy::SecretBox;
use sqlx::{
    ConnectOptions, Connection, Executor as _, PgConnection,
    migrate::{MigrateError, Migrator},
};
use zeroize::Zeroizing;

use super::{Address, ContextKey, DbError, StartError, checks, session::Open};

/// What was applied is kept beside the functions, out of the runtime login's reach.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.create_schema("app");
    migrator.dangerous_set_table_name("app.migrations");
    migrator
});

/// A session of the schema's owner, who alone may migrate and hand over the key that signs contexts.
#[derive(Debug)]
pub struct Owner {
    connection: PgConnection,
}

impl Owner {
    /// Connects to `DATABASE_OWNER_URL`, which leads to the server itself: the lock of a migration belongs to a session, and a
    /// transaction-mode pooler changes sessions.
    pub async fn connect(address: &Address) -> Result<Self, StartError> {
        let mut connection = address.options.connect().await.map_err(StartError::unreachable)?;
        checks::server(&mut connection).await?;
        checks::logging(&mut connection, "subrosa_owner").await?;
        Ok(Self { connection })
    }

    /// Applies what is missing, each migration in a transaction of its own; two at a time wait for each other. Forward only.
    pub async fn migrate(&mut self) -> Result<(), StartError> {
        MIGRATIONS.run(&mut self.connection).await.map_err(failed)
    }

    /// Gives the database its copy of the key that signs contexts, in the place of another one.
    pub async fn install_context_key(&mut self, version: i16, key: &ContextKey) -> Result<(), StartError> {
        sqlx::query!(
            "INSERT INTO global.context_keys (id, key) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET key = excluded.key",
            version,
            &key.expose()[..],
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Gives the database its copy of the key that signs contexts unless it has one; returns the one that it has then.
    pub async fn first_context_key(&mut self, version: i16, key: &ContextKey) -> Result<ContextKey, StartError> {
        sqlx::query!(
            "INSERT INTO global.context_keys (id, key) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
            version,
            &key.expose()[..],
        )
        .execute(&mut self.connection)
        .await?;
        // A statement of its own: it sees what another start has put there meanwhile.
        let stored = sqlx::query_scalar!("SELECT key FROM global.context_keys WHERE id = $1", version)
            .fetch_one(&mut self.connection)
            .await?;
        let stored = <[u8; 32]>::try_from(Zeroizing::new(stored).as_slice()).map_err(|_| DbError::Unexpected)?;
        Ok(ContextKey::new(SecretBox::new(Box::new(stored))))
    }

    /// Has every page written that was changed, so that files show what the tables hold. It takes a superuser or a member of
    /// `pg_checkpoint`.
    pub async fn checkpoint(&mut self) -> Result<(), StartError> {
        self.connection.execute("CHECKPOINT").await?;
        Ok(())
    }

    /// Ends the session.
    pub async fn close(self) -> Result<(), StartError> {
        Ok(self.connection.close().await?)
    }
}

/// Refuses a schema that is older or newer than the program, or made of other migrations.
pub(super) async fn verify(open: &mut Open) -> Result<(), StartError> {
    let needed = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let is_there = sqlx::query_scalar!("SELECT to_regprocedure('app.applied_migrations()') IS NOT NULL")
        .fetch_one(open.session())
        .await?;
    if is_there != Some(true) {
        return Err(StartError::SchemaOlder { found: 0, needed });
    }
    let applied =
        sqlx::query!(r#"SELECT version AS "version!", checksum AS "checksum!" FROM app.applied_migrations()"#)
            .fetch_all(open.session())
            .await?;
    let found = applied.iter().map(|migration| migration.version).max().unwrap_or_default();
    if found > needed {
        return Err(StartError::SchemaNewer { found, needed });
    }
    for ours in MIGRATIONS.iter() {
        match applied.iter().find(|migration| migration.version == ours.version) {
            None => return Err(StartError::SchemaOlder { found, needed }),
            Some(theirs) if theirs.checksum[..] != ours.checksum[..] => {
                return Err(StartError::SchemaDiffers(ours.version));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn failed(error: MigrateError) -> StartError {
    match error {
        MigrateError::VersionMissing(version) => StartError::SchemaNewer {
            found: version,
            needed: MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default(),
        },
        MigrateError::VersionMismatch(version) => StartError::SchemaDiffers(version),
        // Statements of migrations hold no values of anybody.
        error => StartError::Migration(error.to_string()),
    }
}
