//! `subrosa verify`: proves the rules of the privacy contract on an installation that runs, by a call full of canaries and by probes. Its
//! one invariant: what it made is deleted again, what it started is ended, however it ends; and it claims nothing that it did not look at.
//!
//! A run makes a tenant of its own, visits every operation as everybody ([`mod@visit`], [`operations`]), searches every medium for what it
//! wrote ([`media`], [`process`], [`exposition`]), asks the database ([`proofs`]), and deletes the call and the tenant.

mod canaries;
mod client;
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
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use server::{
    app::{App, Parts},
    auth::{Auth, accounts::AccountError},
    clock::Clock,
    db::{DbError, Owner},
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
use report::Report;
use service::Service;
use tenant::Tenant;
use visit::Visit;

/// By how much clocks of file systems lag behind (a tick of the kernel, and a second of those that keep no fractions).
const SLACK: Duration = Duration::from_secs(2);

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
    /// Processes of the service.
    Processes,
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

/// Why nothing could be verified.
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
    let report = match verified {
        Ok(report) => report,
        Err(error) => return exit::report(&error, error.code()),
    };
    let text = if args.json { format!("{:#}\n", report.json()) } else { report.text() };
    // Nobody reads it; the code says it all the same.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::from(report.code())
}

async fn verify(args: &Args, place: &Place, arguments: &[OsString]) -> Result<Report, VerifyError> {
    let signals = Signals::take().map_err(StateError::Runtime)?;
    let mut service = match &args.url {
        None => Service::start(arguments).await.map_err(VerifyError::Service)?,
        Some(url) => {
            Client::new(url).send(Ask::new(Method::GET, "/api/health")).await?;
            Service::that_runs(url, args, place)
        }
    };
    let (canaries, mut report) = (Canaries::new(), Report::default());
    let since = SystemTime::now() - SLACK;
    let verified = match Media::new(args, place, &canaries, since) {
        Ok(media) => {
            with_tenants(&media, place, (&service, &signals), &mut report).await.map(|request| (media, request))
        }
        Err(error) => Err(error),
    };
    let ended = service.end().await.map_err(VerifyError::Service);
    let (media, request) = verified?;
    ended?;
    // When nothing is written to them any more.
    media.logs(&mut report, &service, &request)?;
    media.traces(&mut report, &service);
    media.error_reports(&mut report, &service);
    Ok(report)
}

/// Makes tenants, has the service visited, and deletes the tenants. Gives the id of a request, which the log has to have.
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
    proofs::database(report, &uncontexted).await?;
    proofs::clocks(report, &app).await?;
    let (tenant, stranger) = (Tenant::new(&app, media.canaries).await?, Tenant::stranger(&app).await?);
    let visited = tokio::select! {
        visited = visit(media, service, (&app, &mut owner), (&tenant, &stranger), report) => visited,
        () = signals.asked() => Err(StateError::Interrupted.into()),
    };
    for tenant in [tenant, stranger] {
        tenant.remove(&app).await?;
    }
    app.database.close().await;
    visited
}

async fn visit(
    media: &Media<'_>,
    service: &Service,
    (app, owner): (&App, &mut Option<Owner>),
    (tenant, stranger): (&Tenant, &Tenant),
    report: &mut Report,
) -> Result<String, VerifyError> {
    let (watch, patience) = (media.watch(service), *media.args.patience);
    let mut visit = Visit::begin(Client::new(&service.url), media.canaries, patience).await?;
    visit.make(&operations::SIGN_IN).await?;
    visit.make(&operations::HALF).await?;
    media.half(report, app, tenant.id, visit.id("upload")).await?;
    visit.make(&operations::WHOLE).await?;
    visit.make(&operations::ACCOUNT).await?;
    visit.ask_wrongly().await?;
    let Some(call) = visit.id("call") else { return Err(VerifyError::NoCall(visit.unsuccessful.join(", "))) };
    let end = proofs::end_of_pipeline(&mut visit, patience).await?;
    visit.has_worker = end.is_some();
    tenant.tell(app, call, media.canaries).await?;
    visit.make(&operations::CONTENT).await?;
    if visit.has_worker {
        visit.make(&operations::KEPT).await?;
    }
    visit.make(&operations::EXPORTS).await?;
    proofs::strangers(report, &mut visit, &media.search, stranger).await?;
    proofs::sealed(report, app, tenant).await?;
    media.stored(report, app, (owner, call)).await?;
    media.metrics(report, service, &visit.paths()).await;
    proofs::recording_is_gone(report, app, (tenant, call), (end, patience)).await?;
    visit.make(&operations::DELETION).await?;
    proofs::deletion(report, app, (tenant, call), (&mut visit, patience)).await?;
    visit.make(&operations::SIGN_OUT).await?;
    media.processes(report, service, watch);
    proofs::coverage(report, &visit);
    Ok(visit.request)
}
