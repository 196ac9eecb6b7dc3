//! Why the private cluster does not run.

use std::{io, path::PathBuf};

use thiserror::Error;

use crate::db::DbError;

/// Why the private cluster does not run, and what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No usable installation.
    #[error(
        "PostgreSQL 15 or newer is not installed: run `apt-get install postgresql`, or set DATABASE_URL to a server"
    )]
    NotInstalled,
    /// The cluster was made by another major version.
    #[error(
        "the database was made by PostgreSQL {made} and only {found} is installed: run `apt-get install postgresql-{made}`, or \
         move the data with pg_upgrade"
    )]
    OtherMajor {
        /// Version that made the cluster.
        made: u32,
        /// Versions found.
        found: String,
    },
    /// Root may not run PostgreSQL, and the account is missing.
    #[error(
        "PostgreSQL does not run as root, and there is no account {0:?} to run it under: create it, or run Subrosa unprivileged"
    )]
    NoAccount(String),
    /// Another program holds the directory.
    #[error("another Subrosa uses {0}")]
    InUse(PathBuf),
    /// The directory is not the program's.
    #[error(
        "{0} is a link, or belongs to another account: give the directory of the database to the account of Subrosa"
    )]
    NotOurs(PathBuf),
    /// A server of before does not end.
    #[error("processes {0:?} of an earlier PostgreSQL do not end: end them with `kill -KILL`")]
    Orphan(Vec<i32>),
    /// The account cannot reach the directory.
    #[error(
        "the account {account:?} cannot enter {directory}: run `chmod o+x {directory}`, or choose another data directory"
    )]
    Unreachable {
        /// The account.
        account: String,
        /// The first directory that it cannot enter.
        directory: PathBuf,
    },
    /// A socket's path is at most 107 bytes (`sockaddr_un`).
    #[error("the path of the data directory is {0} bytes too long for a socket: choose a shorter one")]
    TooLong(usize),
    /// Core dumps could not be turned off.
    #[error("core dumps cannot be turned off: {0}")]
    CoreDumps(#[source] nix::Error),
    /// A file or directory of the cluster.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A program of PostgreSQL did not start.
    #[error("{0} did not start: {1}")]
    Spawn(PathBuf, #[source] io::Error),
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server ended while it started.
    #[error("PostgreSQL ended while it started: {0}")]
    Died(String),
    /// The server does not answer.
    #[error("PostgreSQL has not answered for ten minutes")]
    Silent,
    /// The server ended while it was needed: somebody killed it, or it could not go on, for want of room on its disk perhaps.
    #[error(
        "PostgreSQL ended by itself; why is in postgres/cluster/log of the data directory, and it recovers at the next start"
    )]
    Ended,
    /// The server does not stop.
    #[error("PostgreSQL did not stop within a minute and was ended; it recovers at the next start")]
    Stop,
    /// Making the database or the roles failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sqlx::Error> for PostgresError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}
