//! The files of the cluster: its lock, its directories, its settings.
//!
//! Invariant: `cluster/` is complete or absent. `initdb` works in `cluster.new/`, which becomes `cluster/` by one rename.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use super::{
    LOOK, PostgresError, SUPERUSER,
    account::{self, Account, can_reach, drop_privileges, hand_over},
    binaries::Binaries,
};

/// `sun_path` holds 108 bytes, the last of them 0.
const SOCKET_PATH: usize = 107;

/// For how long the lock of a program that is gone is waited for: a child that it was just making holds a copy from `fork` to `exec`,
/// which takes milliseconds, and more on a busy machine.
const LOCK_LEFT: Duration = Duration::from_secs(5);

/// What the server calls its socket.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// Nothing in the directory is a link.
const NO_FOLLOW: i32 = OFlag::O_NOFOLLOW.bits();

fn data(directory: &Path) -> PathBuf {
    directory.join("cluster")
}

/// Takes the directory for this program until the file is closed.
pub(super) async fn claim(directory: &Path, account: Option<Account>) -> Result<File, PostgresError> {
    if let Some(above) = directory.parent() {
        fs::create_dir_all(above).map_err(|error| PostgresError::File(above.to_owned(), error))?;
    }
    account::claim(directory, account)?;
    can_reach(&directory.canonicalize().map_err(|error| PostgresError::File(directory.to_owned(), error))?, account)?;
    let path = directory.join("lock");
    let failed = |error| PostgresError::File(path.clone(), error);
    let file = OpenOptions::new().create(true).append(true).custom_flags(NO_FOLLOW).open(&path).map_err(failed)?;
    let deadline = Instant::now() + LOCK_LEFT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOOK).await,
            Err(TryLockError::WouldBlock) => return Err(PostgresError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

/// The major version that made the cluster, if there is one.
pub(super) fn major(directory: &Path) -> Result<Option<u32>, PostgresError> {
    let path = data(directory).join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(version) => version.trim().parse().map(Some).map_err(|_| {
            PostgresError::File(path, io::Error::new(io::ErrorKind::InvalidData, "not a version of PostgreSQL"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PostgresError::File(path, error)),
    }
}

/// Ends a server that outlived the program that started it, and waits for processes that outlived their server: they hold its
/// shared memory, and a server does not start beside it. The lock is ours, so nobody else's server can be in this directory. Asked to
/// end, they have `most`; told to, as long again.
pub(super) async fn end_orphan(directory: &Path, most: Duration) -> Result<(), PostgresError> {
    let Ok(data) = data(directory).canonicalize() else { return Ok(()) };
    let postmaster = fs::read_to_string(data.join("postmaster.pid")).ok();
    let postmaster = postmaster.and_then(|file| file.lines().next().and_then(|line| line.trim().parse::<i32>().ok()));
    let deadline = Instant::now() + most;
    loop {
        let left = processes_in(&data);
        if left.is_empty() {
            return Ok(());
        }
        // In order while there is time: the server ends its processes, and they end themselves without it.
        if Instant::now() > deadline + most {
            return Err(PostgresError::Orphan(left));
        }
        let (targets, signal) = match postmaster.filter(|id| left.contains(id)) {
            _ if Instant::now() > deadline => (left, Signal::SIGQUIT),
            Some(server) => (vec![server], Signal::SIGINT),
            None => (Vec::new(), Signal::SIGINT),
        };
        for id in targets {
            // It may have ended in between, which is what was wanted.
            let _ = kill(Pid::from_raw(id), signal);
        }
        sleep(LOOK).await;
    }
}

/// Processes of PostgreSQL whose working directory is the cluster's: the server and all that it started. Others, an operator's shell
/// perhaps, are none of ours.
pub(super) fn processes_in(data: &Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter(|id| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|at| at == data) && is_postgres(*id)).collect()
}

/// Whether a process runs PostgreSQL; one that was updated meanwhile runs `postgres (deleted)`.
fn is_postgres(id: i32) -> bool {
    let program = fs::read_link(format!("/proc/{id}/exe")).unwrap_or_default();
    program
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().split(|byte| *byte == b' ').next() == Some(b"postgres"))
}

/// Makes the cluster: checksums, UTF-8, one superuser, logins by the account of this program's process alone.
pub(super) async fn create_once(
    directory: &Path,
    binaries: &Binaries,
    account: Option<Account>,
) -> Result<(), PostgresError> {
    if data(directory).exists() {
        return Ok(());
    }
    let new = directory.join("cluster.new");
    hand_over(&new, account)?;
    let mut command = Command::new(binaries.initdb());
    command.arg("--pgdata").arg(&new).args(["--username", SUPERUSER, "--data-checksums", "--encoding=UTF8"]);
    command.args(["--locale=C", "--auth=peer", "--no-instructions"]).current_dir(directory).env_clear();
    command.kill_on_drop(true);
    drop_privileges(&mut command, account);
    let output = command.output().await.map_err(|error| PostgresError::Spawn(binaries.initdb(), error))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(PostgresError::Initdb(words));
    }
    account::write(&new.join("pg_hba.conf"), "local all all peer map=subrosa\n", account)?;
    account::write(&new.join("pg_ident.conf"), &logins(), account)?;
    fs::rename(&new, data(directory)).map_err(|error| PostgresError::File(new, error))?;
    // The rename is what makes the cluster exist.
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| PostgresError::File(directory.to_owned(), error))
}

/// The account that runs the program may be any of the roles, and no other account may.
fn logins() -> String {
    let user = User::from_uid(Uid::effective()).ok().flatten();
    let user = user.map_or_else(|| Uid::effective().to_string(), |user| user.name);
    [SUPERUSER, "subrosa_owner", "subrosa_app"].iter().fold(String::new(), |mut lines, role| {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "subrosa \"{user}\" {role}");
        lines
    })
}

/// The directory of the socket: 0700, so that nobody but the account and root can connect.
pub(super) fn socket(directory: &Path, account: Option<Account>) -> Result<PathBuf, PostgresError> {
    let socket = directory.join("socket");
    hand_over(&socket, account)?;
    let socket = socket.canonicalize().map_err(|error| PostgresError::File(socket, error))?;
    let length = socket.as_os_str().len() + 1 + SOCKET_NAME.len();
    if length > SOCKET_PATH { Err(PostgresError::TooLong(length - SOCKET_PATH)) } else { Ok(socket) }
}

/// How the server runs. Its log holds no statement and no parameter, and is bounded: a file a weekday, 10 MB at most each.
pub(super) fn settings(directory: &Path, socket: &Path) -> Vec<std::ffi::OsString> {
    let mut arguments = vec!["-D".into(), data(directory).into_os_string()];
    let mut socket_directory = std::ffi::OsString::from("unix_socket_directories=");
    socket_directory.push(socket);
    arguments.extend(["-c".into(), socket_directory]);
    for setting in [
        "listen_addresses=",
        "port=5432",
        "logging_collector=on",
        "log_directory=log",
        "log_filename=postgresql-%a.log",
        "log_rotation_age=1d",
        "log_rotation_size=10MB",
        "log_truncate_on_rotation=on",
        "log_file_mode=0600",
        "log_statement=none",
        "log_parameter_max_length=0",
        "log_parameter_max_length_on_error=0",
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
        "shared_preload_libraries=",
        "session_preload_libraries=",
    ] {
        arguments.extend(["-c".into(), setting.into()]);
    }
    arguments
}

/// Where a server complains before its own log is open.
pub(super) fn start_log(directory: &Path) -> Result<File, PostgresError> {
    let path = directory.join("start.log");
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600).custom_flags(NO_FOLLOW);
    options.open(&path).map_err(|error| PostgresError::File(path, error))
}

/// What a server said before it ended.
pub(super) fn last_words(directory: &Path) -> String {
    let words = fs::read_to_string(directory.join("start.log")).unwrap_or_default();
    words.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("; ")
}
