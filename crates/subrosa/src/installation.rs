//! The state of an installation, for subcommands that need it: keys first, then the database, then the object store. Its one
//! invariant: nothing is started, connected to or changed before the keyring was read and found whole; nothing is changed in a database
//! that lacks deletions which its object store knows of; and what was started is stopped, however the subcommand ends.

use std::{process::ExitCode, time::Duration};

use chrono::Utc;
use secrecy::{ExposeSecret as _, SecretString};
use server::{
    analysis_provider::chat::ChatError,
    auth::accounts::AccountError,
    db::{Address, Database, DbError, Locked, Owner, StartError, Tls},
    deletion::{
        blobs::SweepError,
        mirror,
        restore::{self, RestoreError},
    },
    postgres::{self, Embedded, PostgresError},
    rate_limit::RedisAddress,
    vault::{
        blobs::{BlobError, Blobs},
        keyring::{self, KeySource, Keyring, KeyringError},
        keys::{Vault, VaultError},
        rotation,
        start::{self, OpenError},
    },
};

use speech::transcribe::EngineError;

use crate::{exit, settings::Place, signals::Signals};

/// The account that runs the private cluster when the program is started as root; Debian's package makes it.
const ACCOUNT: &str = "postgres";

/// Connections of a subcommand: one that works and one that looks.
pub(crate) const CONNECTIONS: u32 = 2;

/// How long blocking work may hold up the end: hashing a password takes 0.4 s.
const END: Duration = Duration::from_secs(2);

/// An open installation.
pub(crate) struct Installation {
    pub(crate) database: Database,
    pub(crate) vault: Vault,
    pub(crate) blobs: Blobs,
    /// Where notices of the database are heard: not behind a pooler.
    pub(crate) notices: Address,
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
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Redis(#[from] RedisAddress),
    #[error(transparent)]
    Analyst(#[from] ChatError),
    #[error("the first owner cannot be made: {0}")]
    FirstOwner(#[from] AccountError),
    #[error("{setting}: {address} cannot be listened on: {source}")]
    Listen { setting: &'static str, address: std::net::SocketAddr, source: std::io::Error },
    #[error("first.owner is no e-mail address")]
    NoAddress,
    #[error("no service runs on this data directory, and database.url names no database")]
    NotRunning,
    #[error("{0}")]
    Tampered(String),
    #[error("no threads or signals: {0}")]
    Runtime(std::io::Error),
    #[error("interrupted; what was begun is undone or can be repeated")]
    Interrupted,
}

impl StateError {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Keyring(error)
            | Self::Vault(VaultError::Keyring(error))
            | Self::Open(OpenError::Vault(VaultError::Keyring(error))) => exit::keyring(error),
            Self::Tampered(_) | Self::Restore(RestoreError::Receipts(_) | RestoreError::Behind) => exit::TAMPERED,
            Self::Objects(_)
            | Self::Sweep(SweepError::Blobs(_))
            | Self::Restore(RestoreError::Sweep(SweepError::Blobs(_))) => exit::OBJECTS,
            Self::Vault(VaultError::Broken(_)) | Self::Open(OpenError::Vault(VaultError::Broken(_))) => exit::TAMPERED,
            Self::Redis(_) | Self::NoAddress => exit::CONFIGURATION,
            Self::Listen { .. } => exit::LISTEN,
            Self::Runtime(_) | Self::Engine(_) | Self::Analyst(_) => exit::FAILED,
            Self::Interrupted => exit::INTERRUPTED,
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
    /// Change something, or serve: the schema is brought up to the program, and the database has to be current.
    Change,
    /// Bring a restored database up to its receipts.
    Restore,
}

/// Opens the installation, does `work` with it unless somebody interrupts, and closes it.
pub(crate) fn with(
    place: &Place,
    purpose: Purpose,
    work: impl AsyncFnOnce(&Installation) -> Result<(), StateError>,
) -> ExitCode {
    until_asked(place, (purpose, CONNECTIONS), async |installation, signals| {
        tokio::select! {
            done = work(&installation) => done,
            () = signals.asked() => Err(StateError::Interrupted),
        }
    })
}

/// Opens the installation, does `work` with it, which ends when `Signals` ask for it, and closes it.
pub(crate) fn until_asked(
    place: &Place,
    how: (Purpose, u32),
    work: impl AsyncFnOnce(Installation, &Signals) -> Result<(), StateError>,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(StateError::Runtime(error), exit::FAILED),
    };
    let done = runtime.block_on(session(place, how, work));
    runtime.shutdown_timeout(END);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, error.code()),
    }
}

/// An installation that another program runs.
pub(crate) struct Attached {
    pub(crate) installation: Installation,
    /// The way into the database without the key that signs contexts.
    pub(crate) uncontexted: Locked,
    /// The owner of the schema, where there is a way in.
    pub(crate) owner: Option<Owner>,
}

/// Opens an installation that another program runs, beside it: nothing is started, migrated or made.
pub(crate) async fn attach(place: &Place) -> Result<Attached, StateError> {
    let configured = &place.config.database;
    let parse = |url: &SecretString| Address::parse(url.expose_secret(), configured.tls);
    let private = postgres::running(&place.data_dir.join("postgres")).filter(|_| configured.url.is_none());
    let (address, owner_address) = match (&private, &configured.url) {
        (Some((address, owner_address)), _) => (address.clone(), Some(owner_address.clone())),
        (None, Some(url)) => (parse(url)?, configured.owner_url.as_ref().map(parse).transpose()?),
        (None, None) => return Err(StateError::NotRunning),
    };
    let source = place.keys()?;
    let ring = keyring::load(&source).await?;
    let owner = match owner_address {
        Some(address) => Some(Owner::connect(&address).await?),
        None => None,
    };
    let uncontexted = Locked::connect(&address, 1).await?;
    let installation = open(place, (Purpose::Look, CONNECTIONS), (ring, source), private).await?;
    Ok(Attached { installation, uncontexted, owner })
}

async fn session(
    place: &Place,
    (purpose, connections): (Purpose, u32),
    work: impl AsyncFnOnce(Installation, &Signals) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let signals = Signals::take().map_err(StateError::Runtime)?;
    let source = place.keys()?;
    let ring = keyring::load(&source).await?;
    let directory = place.data_dir.join("postgres");
    let mut cluster = match &place.config.database.url {
        Some(_) => None,
        // Dropped half-way it is told to stop, and a start after that waits for its end.
        None => Some(tokio::select! {
            started = Embedded::start(&directory, ACCOUNT) => started?,
            () = signals.asked() => return Err(StateError::Interrupted),
        }),
    };
    let private = cluster.as_ref().map(|cluster| (cluster.address(), cluster.owner_address()));
    let session = async {
        let installation = tokio::select! {
            opened = open(place, (purpose, connections), (ring, source), private) => opened?,
            () = signals.asked() => return Err(StateError::Interrupted),
        };
        let database = installation.database.clone();
        let done = work(installation, &signals).await;
        database.close().await;
        done
    };
    // Without its database it can do nothing, and whoever runs the program starts it again, which recovers.
    let done = tokio::select! {
        done = session => done,
        error = ended(&mut cluster) => Err(error.into()),
    };
    match cluster {
        // What went wrong first is what somebody wants to know.
        Some(cluster) => done.and(cluster.stop().await.map_err(Into::into)),
        None => done,
    }
}

/// Waits for the end of the program's own PostgreSQL; for ever where it has none.
async fn ended(cluster: &mut Option<Embedded>) -> PostgresError {
    match cluster {
        Some(cluster) => cluster.ended().await,
        None => std::future::pending().await,
    }
}

async fn open(
    place: &Place,
    (purpose, connections): (Purpose, u32),
    (ring, source): (Keyring, KeySource),
    private: Option<(Address, Address)>,
) -> Result<Installation, StateError> {
    let configured = &place.config.database;
    if configured.tls == Tls::Optional {
        exit::line("warning: database.tls is optional: nothing proves who answers as the database");
    }
    let parse = |url: &SecretString| Address::parse(url.expose_secret(), configured.tls);
    let (address, owner_address) = match (private, &configured.url) {
        (Some((address, owner_address)), _) => (address, Some(owner_address)),
        (None, Some(url)) => (parse(url)?, configured.owner_url.as_ref().map(parse).transpose()?),
        // The caller starts a cluster where no address is configured.
        (None, None) => return Err(StartError::Address.into()),
    };
    let mut owner = match owner_address.filter(|_| purpose != Purpose::Look) {
        Some(address) => Some(Owner::connect(&address).await?),
        None => None,
    };
    if let Some(owner) = &mut owner {
        owner.migrate().await?;
    }
    let locked = Locked::connect(&address, connections).await?;
    let (database, vault) = start::open_with(locked, ring, source, owner.as_mut()).await?;
    if let Some(owner) = owner {
        owner.close().await?;
    }
    let blobs = match &place.config.objects {
        Some(bucket) => Blobs::s3(bucket, [])?,
        None => Blobs::local(&place.data_dir.join("objects"))?,
    };
    if purpose == Purpose::Change {
        restore::require_current(&database, &blobs).await?;
    }
    for state in rotation::list(&database, &vault).await? {
        if let Some(warning) = state.warning(Utc::now()) {
            exit::line(format_args!("warning: {warning}"));
        }
    }
    let notices = configured.listen_url.as_ref().map(parse).transpose()?.unwrap_or(address);
    Ok(Installation { database, vault, blobs, notices })
}

impl Installation {
    /// Copies what was put on record out of the database: after an act, so that nobody can take its event back unseen.
    pub(crate) async fn copy_logs(&self) -> Result<(), StateError> {
        mirror::catch_up(&self.database, &self.blobs, &self.vault).await?;
        Ok(())
    }
}
