//! The program's own PostgreSQL, for those who name none: a private cluster in the data directory.
//!
//! Invariant: one program owns a cluster's directory at a time, and only that program's account can reach the socket in it.

mod account;
mod binaries;
mod cluster;
mod error;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::{
        resource::{Resource, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    process::{Child, Command},
    time,
};

use crate::db::Address;
use account::Account;
use binaries::Binaries;
pub use error::PostgresError;

/// The one database of the cluster.
const DATABASE: &str = "subrosa";

/// The role that `initdb` makes. It makes the other roles and does nothing else.
const SUPERUSER: &str = "postgres";

/// How long a server may take to answer. Recovery after a crash replays at most `max_wal_size` (1 GB), which takes minutes on the
/// slowest disks.
const START_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a server may take to stop: it ends sessions at once and writes out at most `shared_buffers` (128 MiB).
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// How long processes may take to end behind their server, which takes milliseconds.
const LEFT_TIMEOUT: Duration = Duration::from_secs(20);

/// Between two looks at a server that starts or stops; it announces neither.
const LOOK: Duration = Duration::from_millis(20);

/// A cluster that runs.
#[derive(Debug)]
pub struct Embedded {
    child: Child,
    socket: PathBuf,
    /// Where all processes of the server work.
    files: PathBuf,
    /// Held for as long as the program may write to the directory.
    _lock: File,
}

/// The ways in to a cluster that another program runs in this directory: the runtime login's and the schema owner's.
#[must_use]
pub fn running(directory: &Path) -> Option<(Address, Address)> {
    let socket = directory.join("socket").canonicalize().ok()?;
    let address = |login| Address::local(&socket, login, DATABASE);
    Some((address("subrosa_app"), address("subrosa_owner")))
}

/// Where such a cluster has its files.
#[must_use]
pub fn files(directory: &Path) -> PathBuf {
    directory.join("cluster")
}

/// The processes of the server whose files these are, as far as this process may see where others work: without the right to
/// trace them (ptrace(2)), and of a server on another machine, none.
#[must_use]
pub fn processes(files: &Path) -> Vec<u32> {
    let files = files.canonicalize().unwrap_or_else(|_| files.to_owned());
    cluster::processes_in(&files).into_iter().filter_map(|id| id.try_into().ok()).collect()
}

impl Embedded {
    /// Starts the cluster in a directory, making it first if there is none, and recovers it if it crashed. Started as root, it
    /// runs under `account` (Debian's package makes `postgres`), to which it gives the directories
    /// of the data and the socket. From then on neither this process
    /// nor the server leaves a core dump.
    pub async fn start(directory: &Path, account: &str) -> Result<Self, PostgresError> {
        // Inherited by the server: passphrases of fields pass through its memory, and content is in this program's.
        setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(PostgresError::CoreDumps)?;
        let account = Account::for_cluster(account)?;
        let lock = cluster::claim(directory, account).await?;
        let binaries = Binaries::find(cluster::major(directory)?)?;
        cluster::end_orphan(directory, STOP_TIMEOUT).await?;
        cluster::create_once(directory, &binaries, account).await?;
        let socket = cluster::socket(directory, account)?;
        let files = files(directory);
        let files = files.canonicalize().map_err(|error| PostgresError::File(files, error))?;
        let mut command = Command::new(binaries.postgres());
        command.args(cluster::settings(directory, &socket)).current_dir(directory).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(cluster::start_log(directory)?).process_group(0);
        account::drop_privileges(&mut command, account);
        let child = command.spawn().map_err(|error| PostgresError::Spawn(binaries.postgres(), error))?;
        let mut embedded = Self { child, socket, files, _lock: lock };
        embedded.prepare(directory).await?;
        Ok(embedded)
    }

    /// The runtime login's way in.
    pub fn address(&self) -> Address {
        Address::local(&self.socket, "subrosa_app", DATABASE)
    }

    /// The schema owner's way in.
    pub fn owner_address(&self) -> Address {
        Address::local(&self.socket, "subrosa_owner", DATABASE)
    }

    /// The directory of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until the server has ended although nobody stopped it.
    pub async fn ended(&mut self) -> PostgresError {
        // One that cannot be waited for is gone as well.
        let _ = self.child.wait().await;
        PostgresError::Ended
    }

    /// Stops the server: sessions end, what is committed is on the disk, and no process of it is left but one that hangs.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        self.signal(Signal::SIGINT);
        if time::timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            // Nothing is lost: the next start recovers.
            self.signal(Signal::SIGQUIT);
            return Err(PostgresError::Stop);
        }
        // The one that writes the log ends by itself when nobody is left who could say something. What is left behind a server that
        // crashed, the next start ends.
        let left = async {
            while !cluster::processes_in(&self.files).is_empty() {
                time::sleep(LOOK).await;
            }
        };
        let _ = time::timeout(LEFT_TIMEOUT, left).await;
        Ok(())
    }

    /// Waits until the server answers, then makes the database and the roles; doing that again changes nothing.
    async fn prepare(&mut self, directory: &Path) -> Result<(), PostgresError> {
        let mut session = self.answer(directory).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut session)
            .await?;
        if !exists {
            // A database is made outside of any transaction, and the role may be there from a start that was cut off before.
            session.execute(sqlx::raw_sql(include_str!("../../roles.sql"))).await?;
            session.execute("CREATE DATABASE subrosa OWNER subrosa_owner").await?;
        }
        session.close().await?;
        let mut session = self.superuser(DATABASE).connect().await?;
        session.execute(sqlx::raw_sql(include_str!("../../roles.sql"))).await?;
        // So that `subrosa verify` searches pages, and not only the log of what was written to them.
        session.execute("GRANT pg_checkpoint TO subrosa_owner").await?;
        session.close().await?;
        Ok(())
    }

    async fn answer(&mut self, directory: &Path) -> Result<PgConnection, PostgresError> {
        let superuser = self.superuser(SUPERUSER);
        let deadline = time::Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(connection) = superuser.connect().await {
                return Ok(connection);
            }
            if self.child.try_wait().ok().flatten().is_some() {
                return Err(PostgresError::Died(cluster::last_words(directory)));
            }
            if time::Instant::now() > deadline {
                return Err(PostgresError::Silent);
            }
            time::sleep(LOOK).await;
        }
    }

    /// Only this module connects as the superuser, and only to make the database and the roles.
    fn superuser(&self, database: &str) -> PgConnectOptions {
        let options =
            PgConnectOptions::new_without_pgpass().socket(&self.socket).port(5432).ssl_mode(PgSslMode::Disable);
        options.username(SUPERUSER).database(database).disable_statement_logging()
    }

    fn signal(&self, signal: Signal) {
        // A child that was waited for has no id any more, so the signal cannot reach another process.
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself, which is what was wanted.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}
