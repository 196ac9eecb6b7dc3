//! What the program needs goes away under it while calls are in flight: its database, its Redis.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::sys::signal::{Signal, kill};
use server::postgres::Embedded;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpStream, UnixStream},
    process::{Child, Command},
};

use crate::{
    client::Way,
    fleet::Fleet,
    ledger,
    program::{Place, Program, postmaster, program, until},
    recordings::Recording,
};

/// The account that PostgreSQL runs under where the tests run as root.
const ACCOUNT: &str = "postgres";

/// A PostgreSQL that is none of the program's business.
pub(crate) struct Postgres {
    directory: TempDir,
    server: Option<Embedded>,
}

impl Postgres {
    pub(crate) async fn start() -> Self {
        let directory = TempDir::with_prefix("subrosa-").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let mut postgres = Self { directory, server: None };
        postgres.start_again().await;
        postgres
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("postgres")
    }

    async fn start_again(&mut self) {
        self.server = Some(Embedded::start(&self.path(), ACCOUNT).await.unwrap());
    }

    /// Ends it: sessions are cut off by SIGINT, nothing is written by SIGQUIT (what `pg_ctl -m immediate` sends), and nobody is told
    /// by SIGKILL.
    fn end(&mut self, signal: Signal) {
        kill(postmaster(&self.path()).unwrap(), signal).unwrap();
        self.server = None;
    }

    /// Its files.
    pub(crate) fn files(&self) -> PathBuf {
        self.path().join("cluster")
    }

    /// Lets everybody come to its socket whom it then lets in, and nobody to its files.
    pub(crate) fn open_the_way(&self) {
        for directory in [self.path(), self.path().join("socket")] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).unwrap();
        }
    }

    /// An installation that uses it, for which nobody but its operator makes keys.
    pub(crate) fn behind(&self, place: Place) -> Place {
        let keys = std::process::Command::new(program()).args(["keys", "generate", "k1"]).output().unwrap();
        let place = place.with("SUBROSA_KEYS", String::from_utf8(keys.stdout).unwrap().trim().to_owned());
        let socket = self.server.as_ref().unwrap().socket();
        let place = place.at(socket);
        let socket = socket.display();
        let url = |login| format!("postgres:///subrosa?host={socket}&user={login}&statement-cache-capacity=128");
        place.with("DATABASE_URL", url("subrosa_app")).with("DATABASE_OWNER_URL", url("subrosa_owner"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(server) = postmaster(&self.path()) else { return };
        // Asked again until it is gone; it is this process's child, which tokio waits for.
        while kill(server, Signal::SIGQUIT).is_ok() && Path::new(&format!("/proc/{server}/cwd")).exists() {
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn a_database_that_is_restarted_costs_no_call() {
    let Some(place) = Place::new() else { return };
    let mut postgres = Postgres::start().await;
    let place = postgres.behind(place);
    let program = place.start().await;
    let key = program.key().await;
    let fleet = Fleet::start(8, program.heard.address, &key);
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
        fleet.brings(5).await;
        postgres.end(signal);
        // Somebody is told to come again, and nobody anything worse.
        fleet.is_refused(1).await;
        postgres.start_again().await;
    }
    fleet.brings(5).await;
    let (refused, brought) = (fleet.refused(), fleet.close().await);
    let said = ledger::check(&mut program.client(&key), &brought).await;
    println!("3 restarts of the database, {refused} requests told to wait; {said}");
    program.stop().await;
}

#[tokio::test]
async fn a_program_whose_own_database_dies_ends_and_the_next_one_goes_on() {
    let Some(place) = Place::new() else { return };
    let mut program = place.start().await;
    let key = program.key().await;
    let fleet = Fleet::start(4, program.heard.address, &key);
    fleet.brings(4).await;
    kill(postmaster(&place.data().join("postgres")).unwrap(), Signal::SIGKILL).unwrap();
    // Whoever runs it as a service starts it again, as after any failure.
    assert_eq!(program.starting.end().await, Some(7), "{}", place.last_words());
    assert!(place.last_words().contains("PostgreSQL ended"), "{}", place.last_words());
    fleet.service_is_at(None);
    let program = place.start().await;
    fleet.service_is_at(Some(program.heard.address));
    fleet.brings(4).await;
    let brought = fleet.close().await;
    println!("{}", ledger::check(&mut program.client(&key), &brought).await);
    program.stop().await;
}

/// A Redis on a socket.
struct Redis {
    directory: TempDir,
    child: Child,
}

impl Redis {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let child = Self::spawn(&directory).await;
        Self { directory, child }
    }

    fn socket(directory: &TempDir) -> PathBuf {
        directory.path().join("redis.sock")
    }

    async fn spawn(directory: &TempDir) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(Self::socket(directory));
        let child = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        // The socket is there before it is listened on.
        until("redis-server listens", async || UnixStream::connect(Self::socket(directory)).await.is_ok()).await;
        child
    }
}

#[tokio::test]
async fn a_redis_that_stops_and_starts_is_not_noticed_by_clients() {
    let Some(place) = Place::new() else { return };
    let mut redis = Redis::start().await;
    let place = place.set(format!("redis.url=unix://{}", Redis::socket(&redis.directory).display()));
    let program = place.start().await;
    let key = program.key().await;
    let fleet = Fleet::start(4, program.heard.address, &key);
    let mut client = program.client(&key);
    let mut reads = 0;
    for is_up in [true, false, true, false, true] {
        match is_up {
            true if redis.child.id().is_none() => redis.child = Redis::spawn(&redis.directory).await,
            true => {}
            false => redis.child.kill().await.unwrap(),
        }
        // Requests all the while, until the program itself says how it is.
        while counts_together(&program).await != is_up {
            client.page(None, 20).await.expect("a page, with or without Redis");
            reads += 1;
        }
        let recording = Recording::new(1000 + reads, 1, 0);
        let call = client.upload(&recording, Way::Form).await.expect("an upload, with or without Redis");
        client.detail(call).await.unwrap();
        fleet.brings(1).await;
    }
    let (refused, brought) = (fleet.refused(), fleet.close().await);
    assert_eq!(refused, 0, "somebody was told to come again");
    println!("Redis gone twice: {reads} reads and {} recordings meanwhile", brought.len());
    program.stop().await;
}

/// What the metrics say of Redis.
async fn counts_together(program: &Program) -> bool {
    let mut stream = TcpStream::connect(program.heard.metrics).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find(|line| line.starts_with("subrosa_redis_up ")).expect("a metric of Redis");
    line.ends_with(" 1")
}
