//! `subrosa verify`: proves the rules of the privacy contract on an installation that runs, by a call full of canaries and by probes. Its
//! one invariant: what it made is deleted again, what it started is ended, however it ends; and it claims nothing that it did not look at.
//!
//! A run makes a tenant of its own, visits every operation as everybody ([`mod@visit`], [`operations`]), searches every medium for what it
//! wrote ([`media`], [`process`], [`exposition`]), asks the database ([`proofs`]), and deletes the call and the tenant.

mod canaries;
mod client;
mod cluster;
mod collector;
mod exposition;
mod media;
mod operations;
mod process;
mod proofs;
mod report;
mod service;
mod tenant;
mod visit;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use server::{
    app::{App, Parts},
    auth::{Auth, accounts::AccountError},
    clock::Clock,
    db::{DbError, Locked, Owner},
    deletion::{DeletionError, blobs::SweepError},
    vault::{blobs::BlobError, keys::VaultError},
};
use ureq::http::Method;

use crate::{
    exit,
    installation::{self, Attached, Installation, StateError},
    settings::{self, Place},
    signals::Signals,
};
use canaries::Canaries;
use client::{Ask, Client, Silent};
use media::Media;
use report::{Report, Rule};
use service::Service;
use tenant::Tenant;
use visit::Visit;

/// By how much clocks of file systems lag behind (a tick of the kernel, and a second of those that keep no fractions).
const SLACK: Duration = Duration::from_secs(2);

/// Bytes of a voice's recording: a minute, which no sample is longer than, at 48 kHz in two channels of 16 bits is 11 MiB.
const MOST_VOICE: u64 = 16 << 20;

/// A place that can be left out, where it is searched otherwise or there is none.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Medium {
    /// Files of PostgreSQL: tables, indexes, write-ahead log.
    Cluster,
    /// The log of the service.
    Log,
    /// What Prometheus reads.
    Metrics,
    /// Spans.
    Traces,
    /// Reports of faults.
    Reports,
    /// Processes of the service.
    Processes,
    /// What PostgreSQL's processes have in memory.
    Memory,
    /// Temporary directories of the service's machine, and its data directory.
    Files,
}

/// Options of `subrosa verify`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The service to verify. Without it, one is started on this data directory, with everything logged, and ended again.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where its metrics are [default: metrics.listen of the configuration].
    #[arg(long, value_name = "URL", requires = "url")]
    metrics_url: Option<String>,
    /// A file of its log; may be given several times.
    #[arg(long, value_name = "FILE", requires = "url")]
    log_file: Vec<PathBuf>,
    /// A process of it [default: what listens on the port of the URL, on this machine].
    #[arg(long, value_name = "PID", requires = "url")]
    pid: Vec<u32>,
    /// Where to take its spans, as its traces.endpoint has it.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "url")]
    collect_traces: Option<SocketAddr>,
    /// Where to take its reports of errors, as its errors.dsn has it.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "url")]
    collect_reports: Option<SocketAddr>,
    /// Twenty seconds of one person who speaks, as WAV, to make a voice profile of and delete it; without it that is not visited.
    #[arg(long, value_name = "FILE")]
    voice: Option<PathBuf>,
    /// The data directory of PostgreSQL, where it is not the service's own.
    #[arg(long, value_name = "DIR")]
    cluster: Option<PathBuf>,
    /// A directory of temporary files besides the usual ones; may be given several times.
    #[arg(long, value_name = "DIR")]
    temp: Vec<PathBuf>,
    /// What is not to be looked at; the report says so.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MEDIUM")]
    without: Vec<Medium>,
    /// How long to wait for the pipeline, and for bytes of what was deleted to go.
    #[arg(long, default_value = "3m", value_name = "DURATION")]
    patience: humantime::Duration,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Why nothing could be verified, or not all.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the service does not start: {0}")]
    Service(io::Error),
    #[error(transparent)]
    Silent(#[from] Silent),
    #[error("the database does not answer: {0}")]
    Database(#[from] DbError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the object store does not answer: {0}")]
    Objects(#[from] BlobError),
    #[error("no tenant can be made for the canaries: {0}")]
    Account(#[from] AccountError),
    #[error("the canaries cannot be deleted: {0}")]
    Deletion(#[from] DeletionError),
    #[error("the service takes no recording: {0}")]
    NoCall(String),
    #[error("the bytes of the canaries cannot be removed: {0}")]
    Sweep(#[from] SweepError),
    #[error("the search cannot be prepared: {0}")]
    Search(String),
}

impl VerifyError {
    fn code(&self) -> u8 {
        match self {
            Self::State(error) => error.code(),
            _ => exit::UNPROVEN,
        }
    }
}

/// Runs `subrosa verify`.
pub(crate) fn run(args: &Args, settings: &settings::Args, data_dir: &Path) -> ExitCode {
    let place = match Place::read(settings, data_dir) {
        Ok(place) => place,
        Err(faults) => return exit::faults(&faults),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(StateError::Runtime(error), exit::FAILED),
    };
    let verified = runtime.block_on(verify(args, &place, &settings.arguments(data_dir)));
    runtime.shutdown_timeout(Duration::from_secs(2));
    let (report, stopped) = match verified {
        Ok(verified) => verified,
        Err(error) => return exit::report(&error, error.code()),
    };
    let text = if args.json { format!("{:#}\n", report.json()) } else { report.text() };
    // Nobody reads it; the code says it all the same.
    let _ = io::stdout().write_all(text.as_bytes());
    match stopped {
        None => ExitCode::from(report.code()),
        Some(error) => exit::report(&error, if report.code() == exit::BROKEN { exit::BROKEN } else { error.code() }),
    }
}

/// Gives what was seen, and what stopped the run before its end.
async fn verify(
    args: &Args,
    place: &Place,
    arguments: &[OsString],
) -> Result<(Report, Option<VerifyError>), VerifyError> {
    let signals = Signals::take().map_err(StateError::Runtime)?;
    let voice = args.voice.as_deref().map(voice).transpose()?;
    let canaries = Canaries::new(place.config.analysis.key.clone(), voice);
    let mut service = match &args.url {
        None => Service::start(arguments).await.map_err(VerifyError::Service)?,
        Some(url) => {
            Client::new(url).send(Ask::new(Method::GET, "/api/health")).await?;
            Service::that_runs(url, args, place)?
        }
    };
    let mut report = Report::default();
    let since = SystemTime::now() - SLACK;
    // What it is told is judged once the service has made its directories.
    let media = Media::new(args, place, &canaries, since);
    let visited = match &media {
        Ok(media) => Some(with_tenants(media, place, (&service, &signals), &mut report).await),
        Err(_) => None,
    };
    if let Err(error) = service.end().await {
        report.unproven(Rule::H8, "the log to its end", format!("the service does not end: {error}"));
    }
    let (media, Some(visited)) = (media?, visited) else { return Ok((report, None)) };
    let visited = match visited {
        // It did not begin.
        Err(VerifyError::State(error)) if !matches!(error, StateError::Interrupted) => return Err(error.into()),
        visited => visited,
    };
    // When nothing is written to them any more.
    let logged = media.logs(&mut report, &service, visited.as_deref().unwrap_or_default());
    media.traces(&mut report, &service);
    media.error_reports(&mut report, &service);
    let stopped = visited.and(logged).err();
    if let Some(error) = &stopped {
        report.stopped(&error.to_string());
    }
    Ok((report, stopped))
}

/// What a file has of a voice; one that is longer is cut, and then refused by the service.
fn voice(path: &Path) -> Result<Vec<u8>, VerifyError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_VOICE).read_to_end(&mut bytes));
    read.map_err(|error| VerifyError::Search(format!("--voice {}: {error}", path.display())))?;
    Ok(bytes)
}

/// Makes tenants, has the service visited, and deletes the tenants, however the visit ends. Gives the id of a request, which the log has to
/// have.
async fn with_tenants(
    media: &Media<'_>,
    place: &Place,
    (service, signals): (&Service, &Signals),
    report: &mut Report,
) -> Result<String, VerifyError> {
    let Attached { installation, uncontexted, mut owner } = installation::attach(place).await?;
    let Installation { database, vault, blobs, .. } = installation;
    let (auth, config) = (Auth::new(&vault), place.config.clone());
    let app = App::new(Parts { database, vault, blobs, clock: Clock::default(), auth, config });
    let app = app.map_err(StateError::from)?;
    proofs::clocks(report, &app).await?;
    let (tenant, stranger) = (Tenant::new(&app, media.canaries).await?, Tenant::stranger(&app).await);
    let (visited, stranger) = match stranger {
        Ok(stranger) => {
            let database = Asked { app: &app, uncontexted: &uncontexted, owner: &mut owner };
            let visited = tokio::select! {
                visited = visit(media, service, database, (&tenant, &stranger), report) => visited,
                () = signals.asked() => Err(StateError::Interrupted.into()),
            };
            (visited, Some(stranger))
        }
        Err(error) => (Err(error), None),
    };
    for tenant in [Some(tenant), stranger].into_iter().flatten() {
        if let Err(error) = tenant.remove(&app).await {
            let looked = format!("tenant {} of this run, deleted", tenant.id);
            report.unproven(Rule::H13, looked, format!("IT IS STILL THERE: {error}"));
        }
    }
    // A service that runs does both by itself, in its own store, which may be another one than the configuration's.
    if service.started.is_some()
        && let Err(error) = tenant::clean_up(&app).await
    {
        report.unproven(Rule::H13, "bytes of the tenants of this run", error.to_string());
    }
    app.database.close().await;
    visited
}

/// Who is asked besides the service.
struct Asked<'a> {
    app: &'a App,
    uncontexted: &'a Locked,
    owner: &'a mut Option<Owner>,
}

async fn visit(
    media: &Media<'_>,
    service: &Service,
    Asked { app, uncontexted, owner }: Asked<'_>,
    (tenant, stranger): (&Tenant, &Tenant),
    report: &mut Report,
) -> Result<String, VerifyError> {
    let (watch, patience) = (media.watch(service), *media.args.patience);
    let mut visit =
        Visit::begin(Client::new(&service.url), media.canaries, Arc::clone(&media.search), patience).await?;
    visit.make(&operations::SIGN_IN).await?;
    let can_ask = visit.sign_in(stranger.login()).await?;
    visit.make(&operations::HALF).await?;
    let sees_store = media.half(report, app, service, (tenant.id, visit.id("upload"))).await?;
    visit.make(&operations::WHOLE).await?;
    visit.make(&operations::ACCOUNT).await?;
    visit.ask_wrongly().await?;
    let Some(call) = visit.id("call") else { return Err(VerifyError::NoCall(visit.unsuccessful.join(", "))) };
    let end = proofs::end_of_pipeline(&mut visit, patience).await?;
    visit.has_worker = end.is_some();
    tenant.tell(app, call, media.canaries).await?;
    visit.make(&operations::CONTENT).await?;
    // Now there are rows that could be given away.
    proofs::database(report, uncontexted).await?;
    if visit.has_worker {
        visit.make(&operations::KEPT).await?;
    }
    visit.make(&operations::EXPORTS).await?;
    proofs::strangers(report, &mut visit, can_ask).await?;
    proofs::sealed(report, app, tenant).await?;
    media.stored(report, Asked { app, uncontexted, owner }, service, (call, sees_store)).await?;
    media.metrics(report, service, &visit.paths()).await;
    let store = sees_store.then_some(&app.blobs);
    proofs::recording_is_gone(report, store, (tenant, call), (end, patience)).await?;
    visit.make(&operations::DELETION).await?;
    proofs::deletion(report, (app, store), (tenant, call), (&mut visit, patience)).await?;
    visit.make(&operations::SIGN_OUT).await?;
    media.processes(report, service, watch);
    proofs::others(report, &visit);
    proofs::coverage(report, &visit);
    Ok(visit.request)
}
