//! The service that is verified: one that runs, or one that is started for it. Its one invariant: what was started is ended before the
//! program ends.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use ureq::http::Uri;

use super::{
    Args, VerifyError,
    collector::{ANYWHERE, Collector},
    process,
};
use crate::settings::Place;

/// How long a start may take: a cluster is made, or recovers, and models are loaded.
const START: Duration = Duration::from_secs(600);

/// How long the end may take, with its PostgreSQL.
const END: Duration = Duration::from_secs(120);

/// What a service of a verification is told besides its configuration: everything is logged, measured, traced and turned on.
const SETTINGS: [&str; 7] = [
    "http.listen=127.0.0.1:0",
    "http.public_url=",
    "metrics.listen=127.0.0.1:0",
    "log.level=trace",
    "log.format=json",
    "traces.per_mille=1000",
    "debug.call_events=true",
];

/// The service that is verified.
pub(super) struct Service {
    pub(super) url: String,
    /// Where its metrics are.
    pub(super) metrics: Option<String>,
    /// Where it logs.
    pub(super) logs: Vec<PathBuf>,
    pub(super) processes: Vec<u32>,
    /// What it sends of its requests, where it sends it here.
    pub(super) spans: Option<Collector>,
    /// The same of its faults.
    pub(super) reports: Option<Collector>,
    pub(super) started: Option<Started>,
}

/// One that was started.
pub(super) struct Started {
    child: Child,
    /// Of the log.
    _directory: TempDir,
}

impl Service {
    /// Starts the service on ports of this machine; `arguments` are those of the configuration.
    pub(super) async fn start(arguments: &[std::ffi::OsString]) -> io::Result<Self> {
        let (directory, spans, reports) =
            (TempDir::with_prefix("subrosa-verify-")?, Collector::start(ANYWHERE)?, Collector::start(ANYWHERE)?);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700))?;
        let log = directory.path().join("log");
        let file = File::options().append(true).create_new(true).mode(0o600).open(&log)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg("serve").args(arguments);
        command.args(SETTINGS.map(|setting| format!("--set={setting}")));
        command.arg(format!("--set=traces.endpoint=http://{}", spans.address()));
        command.arg(format!("--set=errors.dsn=http://verify@{}/1", reports.address()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).kill_on_drop(true);
        // Ctrl-C is for this program alone, which still wants to delete what it made.
        command.process_group(0);
        let mut child = command.spawn()?;
        let id = child.id().unwrap_or_default();
        let said = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut lines = BufReader::new(said).lines();
        let (mut url, mut metrics) = (None, None);
        let heard = async {
            while let Some(line) = lines.next_line().await? {
                // The first owner's password, where this is the first start, is for whoever started it.
                if line.contains(" signs in as ") || line.contains("Back it up") {
                    println(&line);
                } else if let Some(rest) = line.split("listening on ").nth(1) {
                    url = rest.split(": ").next().and_then(|address| address.parse().ok());
                } else if let Some(rest) = line.split("metrics are at ").nth(1) {
                    metrics = Some(rest.to_owned());
                    break;
                }
            }
            io::Result::Ok(())
        };
        timeout(START, heard).await.map_err(io::Error::other).flatten()?;
        let Some(address): Option<SocketAddr> = url else {
            let log = fs::read_to_string(&log).unwrap_or_default();
            return Err(io::Error::other(log.lines().last().unwrap_or("it ended").to_owned()));
        };
        Ok(Self {
            url: format!("http://{address}"),
            metrics,
            logs: vec![log],
            processes: vec![id],
            spans: Some(spans),
            reports: Some(reports),
            started: Some(Started { child, _directory: directory }),
        })
    }

    /// One that runs, as the command line and the configuration tell of it.
    pub(super) fn that_runs(url: &str, args: &Args, place: &Place) -> Result<Self, VerifyError> {
        let configured = || place.config.metrics.map(|address| format!("http://{address}/metrics"));
        let uri = url.parse::<Uri>().ok();
        let port = uri.as_ref().filter(|uri| uri.host().is_some_and(is_loopback)).and_then(Uri::port_u16);
        let processes = match (&args.pid[..], port) {
            ([], Some(port)) => process::listener(port).into_iter().collect(),
            (named, _) => named.to_vec(),
        };
        let collector = |at: Option<SocketAddr>, option| {
            let taken =
                |at| Collector::start(at).map_err(|error| VerifyError::Search(format!("{option} {at}: {error}")));
            at.map(taken).transpose()
        };
        Ok(Self {
            url: url.to_owned(),
            metrics: args.metrics_url.clone().or_else(configured),
            logs: args.log_file.iter().map(|log| log.canonicalize().unwrap_or_else(|_| log.clone())).collect(),
            processes,
            spans: collector(args.collect_traces, "--collect-traces")?,
            reports: collector(args.collect_reports, "--collect-reports")?,
            started: None,
        })
    }

    /// Ends what was started, and waits for its last words; its collectors stay.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        let Some(started) = &mut self.started else { return Ok(()) };
        if let Some(id) = started.child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        timeout(END, started.child.wait()).await.map_err(io::Error::other).flatten().map(drop)
    }
}

/// Whether a host is this machine for certain: what listens on the same port of another one is none of its processes.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn println(line: &str) {
    use io::Write as _;
    // On standard error, since a report is on standard output; nothing sensible is left to do when it is closed.
    let _ = writeln!(io::stderr(), "{line}");
}
