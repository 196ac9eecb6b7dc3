//! `subrosa serve` as a child process. Its one invariant: what a test started is gone when the test ends, the PostgreSQL of a program
//! that was killed included.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

use crate::client::Client;

/// Far more than anything takes here on a busy machine; only what hangs takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks at something that nobody tells.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until something is so; what never becomes so fails the test.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let looks = async {
        while !is_so().await {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, looks).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// What every program of these tests is told: free ports, the smallest model, a log of what goes wrong only, and rates at which nobody is
/// turned away, since that has tests of its own.
const SETTINGS: [&str; 9] = [
    "http.listen=127.0.0.1:0",
    "metrics.listen=127.0.0.1:0",
    "worker.model=tiny.en",
    "log.level=warn",
    "rates.public=1000000/1m",
    "rates.read=1000000/1m",
    "rates.write=1000000/1m",
    "rates.upload=1000000/1m",
    "rates.sign_in=1000000/1m",
];

/// Says that a test did not look at something, past the tests' own capture of what is printed, which shows nothing of a test that passes.
pub(crate) fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Nothing is left to do where standard error is closed.
    let _ = writeln!(std::io::stderr(), "skipped in {test}: {why}");
}

/// The models and samples of `make models`; without them these tests have nothing to run.
pub(crate) fn models() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.data");
    let data = std::env::var_os("SUBROSA_DATA_DIR").map_or_else(default, PathBuf::from);
    if !data.join("models").is_dir() {
        skipped(&format!("no models in {}; `cargo xtask models` fetches them", data.display()));
        return None;
    }
    data.canonicalize().ok()
}

/// The binary.
pub(crate) fn program() -> OsString {
    std::env::var_os("SUBROSA_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_subrosa").into())
}

/// An installation: a data directory, and what its programs are told.
pub(crate) struct Place {
    /// Of the log, and of the data unless they are elsewhere.
    directory: TempDir,
    data: PathBuf,
    /// Where its PostgreSQL listens.
    socket: PathBuf,
    settings: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    /// A bare one, with models; `None` where they were not fetched.
    pub(crate) fn new() -> Option<Self> {
        let directory = TempDir::with_prefix("subrosa-").unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        Self::of(directory, data)
    }

    /// One whose data are on a disk of their own.
    pub(crate) fn on(data: &Path) -> Option<Self> {
        Self::of(TempDir::with_prefix("subrosa-").unwrap(), data.to_owned())
    }

    fn of(directory: TempDir, data: PathBuf) -> Option<Self> {
        let models = models()?;
        for path in [directory.path(), &data] {
            // PostgreSQL's own account has to get through it.
            fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
        }
        std::os::unix::fs::symlink(models.join("models"), data.join("models")).unwrap();
        let socket = data.join("postgres/socket");
        Some(Self { directory, data, socket, settings: SETTINGS.map(str::to_owned).to_vec(), variables: Vec::new() })
    }

    /// With one more setting.
    pub(crate) fn set(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    /// With one more variable of the environment.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.variables.push((name, value));
        self
    }

    /// With a PostgreSQL that listens there.
    pub(crate) fn at(mut self, socket: &Path) -> Self {
        self.socket = socket.to_owned();
        self
    }

    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What its programs say.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// What its programs logged as errors, and what they logged last.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let (lines, last) = (log.lines().count(), 10);
        let told = log.lines().enumerate().filter(|(at, line)| at + last >= lines || line.contains("ERROR"));
        told.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    /// Runs statements in the database of a program that runs, as its superuser.
    pub(crate) fn psql(&self) -> impl Fn(&str) + use<> {
        let socket = self.socket.clone();
        move |statements| {
            let mut command = std::process::Command::new("psql");
            command.args([
                "--quiet",
                "--no-psqlrc",
                "--set=ON_ERROR_STOP=1",
                "--username=postgres",
                "--dbname=subrosa",
            ]);
            let mut child = command.arg("--host").arg(&socket).stdin(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }

    /// The same at once.
    pub(crate) fn sql(&self, statements: &str) {
        self.psql()(statements);
    }

    /// The program with a subcommand and what it is told.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        self.command_with(&[], subcommand)
    }

    /// The same with what setpriv(1) takes from it.
    pub(crate) fn command_with(&self, privileges: &[&str], subcommand: &str) -> Command {
        // A test that is killed takes the program with it.
        let mut command = Command::new("setpriv");
        command.args(privileges).args(["--pdeathsig", "TERM"]).arg(program()).arg(subcommand);
        for name in [
            "SUBROSA_KEYS",
            "SUBROSA_KEYS_FILE",
            "SUBROSA_KEYS_COMMAND",
            "SUBROSA_MODEL",
            "SUBROSA_TEST_PROGRAM",
            "SUBROSA_AUDIO",
        ] {
            command.env_remove(name);
        }
        command.env_remove("DATABASE_URL").env_remove("DATABASE_OWNER_URL").env("SUBROSA_DATA_DIR", self.data());
        command.args(self.settings.iter().map(|setting| format!("--set={setting}")));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the program, which does not listen yet.
    pub(crate) fn spawn(&self) -> Starting {
        let mut command = self.command("serve");
        let log = File::options().append(true).create(true).open(self.log()).unwrap();
        command.stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Starting { child, lines }
    }

    /// Starts the program and waits until it listens.
    pub(crate) async fn start(&self) -> Program {
        let mut starting = self.spawn();
        match timeout(PATIENCE, starting.listens()).await {
            Ok(Some(heard)) => Program { starting, heard },
            _ => panic!("it does not start: {}", self.last_words()),
        }
    }

    /// Ends the PostgreSQL of a killed program.
    fn end_postgres(&self) {
        let Some(server) = postmaster(&self.data().join("postgres")) else { return };
        let deadline = Instant::now() + PATIENCE;
        while kill(server, Signal::SIGQUIT).is_ok() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.last_words());
        }
        self.end_postgres();
    }
}

/// The server of a private cluster in this directory, where one was left.
pub(crate) fn postmaster(directory: &Path) -> Option<Pid> {
    let file = fs::read_to_string(directory.join("cluster/postmaster.pid")).ok()?;
    file.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// A program that was started.
pub(crate) struct Starting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a program says of itself before it serves.
pub(crate) struct Heard {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    /// Of the first owner, who is made once.
    owner: Option<(String, String)>,
}

impl Starting {
    /// Waits until it listens; `None` when it ended before.
    pub(crate) async fn listens(&mut self) -> Option<Heard> {
        let (mut address, mut owner) = (None, None);
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(rest) = line.split("signs in as ").nth(1) {
                let mut words = rest.split(' ');
                owner = Some((words.next()?.to_owned(), words.nth(1)?.to_owned()));
            } else if let Some(rest) = line.split("listening on ").nth(1) {
                address = rest.split(": ").next()?.parse().ok();
            } else if let Some(rest) = line.split("metrics are at http://").nth(1) {
                let metrics = rest.trim_end_matches("/metrics").parse().ok()?;
                return Some(Heard { address: address?, metrics, owner });
            }
        }
        None
    }

    /// Ends it as the kernel does when there is no memory left. Its PostgreSQL lives on.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for it to end by itself, within the patience of the tests; gives its exit status.
    pub(crate) async fn end(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.expect("it hangs").unwrap().code()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().unwrap();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }
}

/// A program that listens.
pub(crate) struct Program {
    pub(crate) starting: Starting,
    pub(crate) heard: Heard,
}

impl Program {
    /// An API key of the first owner, in the program that has just made them.
    pub(crate) async fn key(&self) -> String {
        let (email, password) = self.heard.owner.as_ref().expect("the owner was made before");
        Client::sign_in(self.heard.address, email, password).await
    }

    pub(crate) fn client(&self, key: &str) -> Client {
        Client::new(self.heard.address, key)
    }

    pub(crate) async fn kill(self) {
        self.starting.kill().await;
    }

    /// Asks it to end, as a service manager does, and makes sure that it ends well.
    pub(crate) async fn stop(mut self) {
        self.starting.signal(Signal::SIGTERM);
        assert_eq!(self.starting.end().await, Some(0));
    }

    /// What a line of its `/proc/PID/status` says, in MiB.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    }

    /// Files and sockets that it has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.starting.child.id().unwrap()))
    }
}
