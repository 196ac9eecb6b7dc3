//! The state of an installation, for subcommands that need it: keys first, then the database, then the object store. Its one
//! invariant: nothing is started, connected to or changed before the keyring was read and found whole.

use std::{ffi::OsString, future::Future, path::Path, process::ExitCode};

use chrono::Utc;
use server::{
    db::{Address, DbError, Locked, Owner, StartError, Tls},
    deletion::{blobs::SweepError, mirror, restore::RestoreError},
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
            Self::Variable(_) => exit::USAGE,
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

/// Opens the installation, does `work` with it, and closes it.
pub(crate) fn with<W: Future<Output = Result<(), StateError>>>(
    data_dir: &Path,
    work: impl FnOnce(Installation) -> W,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(StateError::Runtime(error), exit::FAILED),
    };
    let done = runtime.block_on(async { work(open(data_dir).await?).await });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, error.code()),
    }
}

async fn open(data_dir: &Path) -> Result<Installation, StateError> {
    let source = || KeySource::from_environment(|name| std::env::var_os(name));
    keyring::load(&source()?).await?;
    let (address, owner_address, cluster) = match variable("DATABASE_URL")? {
        Some(url) => {
            let owner = variable("DATABASE_OWNER_URL")?.map(|url| Address::parse(&url, Tls::Required)).transpose()?;
            (Address::parse(&url, Tls::Required)?, owner, None)
        }
        None => {
            let cluster = Embedded::start(&data_dir.join("postgres"), ACCOUNT).await?;
            (cluster.address(), Some(cluster.owner_address()), Some(cluster))
        }
    };
    let mut owner = match owner_address {
        Some(address) => Some(Owner::connect(&address).await?),
        None => None,
    };
    if let Some(owner) = &mut owner {
        owner.migrate().await?;
    }
    let locked = Locked::connect(&address, CONNECTIONS).await?;
    let (database, vault) = start::open(locked, source()?, owner.as_mut()).await?;
    let blobs = match variable("SUBROSA_OBJECTS")? {
        Some(bucket) => Blobs::s3(&bucket, [])?,
        None => Blobs::local(&data_dir.join("objects"))?,
    };
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
        mirror::catch_up(&self.database, &self.blobs, self.vault.signer()).await?;
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

fn variable(name: &'static str) -> Result<Option<String>, StateError> {
    let text = |value: OsString| value.into_string().map_err(|_| StateError::Variable(name));
    std::env::var_os(name).map(text).transpose()
}
