//! What can go wrong at the database. Messages of PostgreSQL quote values, so only its code and the constraint's name pass.

use crate::telemetry::fault::{Code, Fault, Sqlstate};
use thiserror::Error;

/// Why a transaction or a statement failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DbError {
    /// No connection came free in time.
    #[error("the database is busy")]
    Busy,
    /// The connection broke; whether a commit under way took place is unknown.
    #[error("the connection to the database broke ({0})")]
    Disconnected(std::io::ErrorKind),
    /// The database does not accept the context, or a role or policy forbids the statement.
    #[error("the database refused access (SQLSTATE {0})")]
    Forbidden(String),
    /// A statement for one row found none.
    #[error("no such row")]
    NotFound,
    /// The database refused a statement.
    #[error("the database refused a statement (SQLSTATE {code}{})", .constraint.as_ref().map(|c| format!(", {c}")).unwrap_or_default())]
    Refused {
        /// SQLSTATE.
        code: String,
        /// The constraint that was violated.
        constraint: Option<String>,
    },
    /// A row does not have the shape that the program expects.
    #[error("the database answered what the program does not understand")]
    Unexpected,
}

impl DbError {
    /// Whether doing the whole transaction again may help: serialization failure, deadlock, lock not available.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if matches!(code.as_str(), "40001" | "40P01" | "55P03"))
    }

    /// Whether it is the database that fails, whatever was asked of it: no connection, one that broke, a server that stops (class
    /// 57P), or one without room, memory or connections (53), or whose files fail (58).
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Busy | Self::Disconnected(_) => true,
            Self::Refused { code, .. } => ["53", "57P", "58"].iter().any(|class| code.starts_with(class)),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Disconnected(std::io::ErrorKind::NotConnected)
            }
            sqlx::Error::Io(error) => Self::Disconnected(error.kind()),
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default().into_owned();
                match code.as_str() {
                    "28000" | "42501" => Self::Forbidden(code),
                    _ => Self::Refused { code, constraint: error.constraint().map(str::to_owned) },
                }
            }
            _ => Self::Unexpected,
        }
    }
}

/// Whether a statement failed because its connection was already dead: broken, or ended by the server (class 57P).
pub(super) fn is_disconnected(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

/// Why the program does not start with this database.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Not an address of PostgreSQL.
    #[error("the database's address is malformed: expected postgres://user@host/database?sslmode=verify-full")]
    Address,
    /// TLS that does not prove who answers.
    #[error(
        "sslmode={0} does not prove that {1} is the database: add ?sslmode=verify-full&sslrootcert=FILE to its address, or use a \
         local socket"
    )]
    Tls(String, String),
    /// Nobody answers, or not as a database should.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Before 15.
    #[error("PostgreSQL {0} is too old: Subrosa needs 15 or newer")]
    TooOld(u32),
    /// CVE-2026-2005.
    #[error("PostgreSQL {major}.{minor} has a hole in pgcrypto (CVE-2026-2005): update it to {major}.{fixed} or newer")]
    Hole {
        /// Major version.
        major: u32,
        /// Minor version.
        minor: u32,
        /// The first minor version without it.
        fixed: u32,
    },
    /// A setting under which the server would log passphrases or plaintext.
    #[error("{name} is {value}, and what it logs may hold passphrases: {remedy}")]
    Logs {
        /// The setting.
        name: String,
        /// Its value in the session.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// The runtime login may do more than it should.
    #[error("the login {login} {fault}: DATABASE_URL must name subrosa_app as roles.sql makes it")]
    Login {
        /// The login.
        login: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The schema lacks migrations.
    #[error(
        "the schema is at version {found}, this program needs {needed}: run the migrations over DATABASE_OWNER_URL; `subrosa keys rotate` \
         does, and makes a new database"
    )]
    SchemaOlder {
        /// The last migration in the database.
        found: i64,
        /// The last migration of the program.
        needed: i64,
    },
    /// The schema has migrations that the program does not know.
    #[error("the schema is at version {found}, this program knows only {needed}: run a newer program")]
    SchemaNewer {
        /// The last migration in the database.
        found: i64,
        /// The last migration of the program.
        needed: i64,
    },
    /// A migration was changed after it was applied.
    #[error("migration {0} in the database is not the one of this program")]
    SchemaDiffers(i64),
    /// A migration failed and was undone.
    #[error("migration failed, nothing of it was kept: {0}")]
    Migration(String),
    /// A query of the start failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl StartError {
    /// Why a connection was not made: PostgreSQL's message there names roles and databases, never content.
    pub(super) fn unreachable(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::Unreachable(error.message().to_owned()),
            sqlx::Error::Io(error) => Self::Unreachable(error.to_string()),
            sqlx::Error::Tls(error) => Self::Unreachable(error.to_string()),
            sqlx::Error::PoolTimedOut => Self::Unreachable("no answer in time".to_owned()),
            other => Self::Database(other.into()),
        }
    }
}

impl From<sqlx::Error> for StartError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<&DbError> for Fault {
    fn from(error: &DbError) -> Self {
        let sqlstate = |code: &str| Sqlstate::parse(code).map(Code::Sqlstate);
        match error {
            DbError::Busy => "the database is busy".into(),
            DbError::Disconnected(kind) => Self::new("the connection to the database broke", Some(Code::Io(*kind))),
            DbError::Forbidden(code) => Self::new("the database refused access", sqlstate(code)),
            DbError::NotFound => "no such row".into(),
            DbError::Refused { code, .. } => Self::new("the database refused a statement", sqlstate(code)),
            DbError::Unexpected => "the database answered what the program does not understand".into(),
        }
    }
}

impl From<&StartError> for Fault {
    fn from(_: &StartError) -> Self {
        "the database cannot be reached, or is not as it should be".into()
    }
}
