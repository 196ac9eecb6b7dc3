//! The state of an installation, for subcommands that need it: keys first, then the database, then the object store. Its one
//! invariant: nothing is started, connected to or changed before the keyring was read and found whole, and nothing is changed in a
//! database that lacks deletions which its object store knows of.

use std::{ffi::OsString, future::Future, path::Path, process::ExitCode};

use chrono::Utc;
use server::{
    db::{Address, DbError, Locked, Owner, StartError, Tls},
    deletion::{
        blobs::SweepError,
        mirror,
        restore::{self, RestoreError},
    },
    postgres::{Embedded, PostgresError},
    vault::{
        blobs::{BlobError, Blobs},
        keyring::{self, KeySource, KeyringError},
        keys::{Vault, VaultError},
        rotation,
        start::{self, OpenError},
    },
};

use crate::exit;

/// The account that runs the private cluster when the program is started as root; Debian's package makes it.
const ACCOUNT: &str = "postgres";

/// Connections of a subcommand: one that works and one that looks.
const CONNECTIONS: u32 = 2;

/// An open installation.
pub(crate) struct Installation {
    pub(crate) database: server::db::Database,
    pub(crate) vault: Vault,
    pub(crate) blobs: Blobs,
    cluster: Option<Embedded>,
}

/// Why a subcommand cannot do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Cluster(#[from] PostgresError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error(transparent)]
    Objects(#[from] BlobError),
    #[error("SUBROSA_DATABASE_TLS is neither `required` nor `optional`")]
    Tls,
    #[error("{0} is not text")]
    Variable(&'static str),
    #[error("{0}")]
    Tampered(String),
    #[error("no threads: {0}")]
    Runtime(std::io::Error),
}

impl StateError {
    fn code(&self) -> u8 {
        match self {
            Self::Keyring(error)
            | Self::Vault(VaultError::Keyring(error))
            | Self::Open(OpenError::Vault(VaultError::Keyring(error))) => exit::keyring(error),
            Self::Tampered(_) | Self::Restore(RestoreError::Receipts(_) | RestoreError::Behind) => exit::TAMPERED,
            Self::Objects(_)
            | Self::Sweep(SweepError::Blobs(_))
            | Self::Restore(RestoreError::Sweep(SweepError::Blobs(_))) => exit::OBJECTS,
            Self::Vault(VaultError::Broken(_)) | Self::Open(OpenError::Vault(VaultError::Broken(_))) => exit::TAMPERED,
            Self::Variable(_) | Self::Tls => exit::USAGE,
            Self::Runtime(_) => exit::FAILED,
            _ => exit::DATABASE,
        }
    }
}

impl From<DbError> for StateError {
    fn from(error: DbError) -> Self {
        Self::Vault(error.into())
    }
}

/// What a subcommand is about to do with an installation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Look only: the schema stays what it is, and a database that was never opened before is refused.
    Look,
    /// Change something: the schema is brought up to the program, and the database has to be current.
    Change,
    /// Bring a restored database up to its receipts.
    Restore,
}

/// Opens the installation, does `work` with it, and closes it.
pub(crate) fn with<W: Future<Output = Result<(), StateError>>>(
    data_dir: &Path,
    purpose: Purpose,
    work: impl FnOnce(Installation) -> W,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(StateError::Runtime(error), exit::FAILED),
    };
    let done = runtime.block_on(async { work(open(data_dir, purpose).await?).await });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, error.code()),
    }
}

async fn open(data_dir: &Path, purpose: Purpose) -> Result<Installation, StateError> {
    let source = KeySource::from_environment(|name| std::env::var_os(name))?;
    let ring = keyring::load(&source).await?;
    let tls = tls()?;
    let (address, owner_address, cluster) = match variable("DATABASE_URL")? {
        Some(url) => {
            let owner = variable("DATABASE_OWNER_URL")?.map(|url| Address::parse(&url, tls)).transpose()?;
            (Address::parse(&url, tls)?, owner, None)
        }
        None => {
            let cluster = Embedded::start(&data_dir.join("postgres"), ACCOUNT).await?;
            (cluster.address(), Some(cluster.owner_address()), Some(cluster))
        }
    };
    let mut owner = match owner_address.filter(|_| purpose != Purpose::Look) {
        Some(address) => Some(Owner::connect(&address).await?),
        None => None,
    };
    if let Some(owner) = &mut owner {
        owner.migrate().await?;
    }
    let locked = Locked::connect(&address, CONNECTIONS).await?;
    let (database, vault) = start::open_with(locked, ring, source, owner.as_mut()).await?;
    let blobs = match variable("SUBROSA_OBJECTS")? {
        Some(bucket) => Blobs::s3(&bucket, [])?,
        None => Blobs::local(&data_dir.join("objects"))?,
    };
    if purpose == Purpose::Change {
        restore::require_current(&database, &blobs).await?;
    }
    for state in rotation::list(&database, &vault).await? {
        if let Some(warning) = state.warning(Utc::now()) {
            exit::line(format_args!("warning: {warning}"));
        }
    }
    Ok(Installation { database, vault, blobs, cluster })
}

impl Installation {
    /// Copies what was put on record out of the database: after an act, so that nobody can take its event back unseen.
    pub(crate) async fn copy_logs(&self) -> Result<(), StateError> {
        mirror::catch_up(&self.database, &self.blobs, &self.vault).await?;
        Ok(())
    }

    /// Closes connections, and stops the private cluster.
    pub(crate) async fn close(self) -> Result<(), StateError> {
        self.database.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await?;
        }
        Ok(())
    }
}

/// What the way to the database needs. Less than a proof of who answers is for a developer's machine, and has to be asked for.
fn tls() -> Result<Tls, StateError> {
    match variable("SUBROSA_DATABASE_TLS")?.as_deref() {
        None | Some("required") => Ok(Tls::Required),
        Some("optional") => {
            exit::line("warning: SUBROSA_DATABASE_TLS=optional: nothing proves who answers as the database");
            Ok(Tls::Optional)
        }
        Some(_) => Err(StateError::Tls),
    }
}

fn variable(name: &'static str) -> Result<Option<String>, StateError> {
    let text = |value: OsString| value.into_string().map_err(|_| StateError::Variable(name));
    std::env::var_os(name).map(text).transpose()
}
