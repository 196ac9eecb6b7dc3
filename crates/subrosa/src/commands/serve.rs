//! `subrosa serve`: the service. Its one invariant: no port is opened before keys, database and receipts were found right.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use secrecy::ExposeSecret as _;
use server::{
    analysis_provider,
    app::{App, Parts},
    auth::{Auth, first, person::EmailAddress},
    background,
    clock::Clock,
    db::{Address, Listener},
    decoder::Decoder,
    router,
    serve::{self, Ending},
    telemetry,
    voice_profiles::Maker,
    worker::{Timing, Worker},
};
use speech::{
    transcribe::{Device, Engine, EngineOptions},
    voiceprint::Enroller,
};
use tokio::net::TcpListener;

use crate::{
    exit,
    installation::{self, Installation, Purpose, StateError},
    models,
    settings::{self, Place},
    signals::Signals,
};

/// Options of `subrosa serve`; everything else is in the configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the API listens, as --set http.listen=… says it.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

/// Runs `subrosa serve`.
pub(crate) fn run(args: Args, mut settings: settings::Args, data_dir: &Path) -> ExitCode {
    if let Some(listen) = args.listen {
        settings.set("http.listen", listen);
    }
    let place = match Place::read(&settings, data_dir) {
        Ok(place) => place,
        Err(faults) => return exit::faults(&faults),
    };
    match place.make_first_key() {
        Ok(None) => {}
        Ok(Some(path)) => say(format_args!(
            "made {}: without this key nothing that is stored can ever be read. Back it up, apart from the data.",
            path.display()
        )),
        Err(error) => return exit::report(&error, exit::keyring(&error)),
    }
    let telemetry = match telemetry::start(&place.config) {
        Ok(telemetry) => telemetry,
        Err(error) => return exit::report(error, exit::FAILED),
    };
    let code = installation::until_asked(
        &place,
        (Purpose::Change, place.config.database.connections),
        async |installation, signals| {
            tokio::select! {
                prepared = prepare(&place, installation) => {
                    let (app, worker, address) = prepared?;
                    answer(app, (worker, address), signals).await
                }
                () = signals.asked() => Err(StateError::Interrupted),
            }
        },
    );
    telemetry.finish();
    code
}

/// The service before it listens.
async fn prepare(place: &Place, installation: Installation) -> Result<(App, Option<Worker>, Address), StateError> {
    let Installation { database, vault, blobs, notices } = installation;
    let (auth, config) = (Auth::new(&vault), place.config.clone());
    let app = App::new(Parts { database, vault, blobs, clock: Clock::default(), auth, config })?;
    let email = EmailAddress::parse(place.config.first_owner.expose_secret()).ok_or(StateError::NoAddress)?;
    if let Some(password) = first::owner(&app, email).await? {
        let (email, password) = (place.config.first_owner.expose_secret(), password.expose_secret());
        say(format_args!("made the first tenant. Its owner signs in as {email} with {password} (shown this once)."));
    }
    let data_dir = place.data_dir.clone();
    app.search.model.look_in(move || models::meaning(&data_dir));
    let worker = worker(place, &app).await?;
    if place.config.voice_profiles.enabled {
        hear_voices(place, &app).await?;
    }
    Ok((app, worker, notices))
}

/// The worker of this process, with its models in memory. Without them the API is served all the same, and calls wait.
async fn worker(place: &Place, app: &App) -> Result<Option<Worker>, StateError> {
    let settings = place.config.worker.clone();
    if !settings.enabled {
        return Ok(None);
    }
    let paths = match models::resolve(&place.data_dir, &settings.model) {
        Ok(paths) => paths,
        Err(error) => {
            exit::line(format_args!("warning: uploads will wait, because no transcripts can be made here: {error}"));
            return Ok(None);
        }
    };
    if let Some(note) = models::note(&paths) {
        exit::line(note);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if settings.threads == 0 { cores } else { settings.threads as usize };
    let options = EngineOptions { threads, device: Device::Cpu };
    let engine = tokio::task::spawn_blocking(move || Engine::load(&paths, &options)).await;
    let engine = engine.map_err(|error| StateError::Runtime(error.into()))??;
    Ok(Some(Worker {
        app: app.clone(),
        recogniser: Some(Arc::new(engine)),
        decoder: Decoder::this_program(),
        analyst: analysis_provider::Engine::of(&place.config.analysis)?,
        region: settings.region,
        capacity: settings.calls as usize,
        timing: Timing::default(),
    }))
}

/// Lets voice profiles be made here, by the models that tell speakers apart. Without them everything else is served all the same.
async fn hear_voices(place: &Place, app: &App) -> Result<(), StateError> {
    let paths = match models::resolve(&place.data_dir, &place.config.worker.model) {
        Ok(paths) => paths,
        Err(error) => {
            exit::line(format_args!("warning: no voice profiles can be made here: {error}"));
            return Ok(());
        }
    };
    let load = move || {
        let enroller = Enroller::load(&paths.vad, &paths.segmentation, &paths.embedding);
        enroller.map(|enroller| Maker { enroller, model: paths.embedding_name, decoder: Decoder::this_program() })
    };
    let made = tokio::task::spawn_blocking(load).await.map_err(|error| StateError::Runtime(error.into()))?;
    match made {
        Ok(maker) => app.voice_profiles.provide(maker),
        Err(error) => exit::line(format_args!("warning: no voice profiles can be made here: {error}")),
    }
    Ok(())
}

/// Serves until somebody asks to stop. That is the way to end it, and no failure.
async fn answer(app: App, (worker, address): (Option<Worker>, Address), signals: &Signals) -> Result<(), StateError> {
    let config = &app.operation.config;
    let listener_of_work = Listener::connect(&address).await?;
    let listener = listen("http.listen", config.http.listen).await?;
    let metrics = match config.metrics {
        Some(address) => Some(listen("metrics.listen", address).await?),
        None => None,
    };
    let address = listener.local_addr().map_or(config.http.listen, |bound| bound);
    let url = config.http.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    say(format_args!("listening on {address}: the API is at {url}/api, its description at {url}/docs"));
    if let Some(address) = metrics.as_ref().and_then(|listener| listener.local_addr().ok()) {
        say(format_args!("metrics are at http://{address}/metrics"));
    }

    let stop = async || {
        signals.asked().await;
        app.operation.stop();
    };
    let watched = async {
        match metrics {
            Some(listener) => serve::serve(listener, serve::metrics(app.clone()), &config.limits, stop()).await,
            None => Ending::Finished,
        }
    };
    let served = serve::serve(listener, router::service(app.clone()), &config.limits, stop());
    let (ending, _, ()) = tokio::join!(served, watched, background::run(&app, worker, Some(listener_of_work)));
    let how = match ending {
        Ending::Finished => "every request was answered",
        Ending::CutOff => "requests that took longer than limits.shutdown_time were cut off",
    };
    exit::line(format_args!("stopped: {how}"));
    Ok(())
}

async fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, StateError> {
    TcpListener::bind(address).await.map_err(|source| StateError::Listen { setting, address, source })
}

/// For whoever started it, on standard output: the log, on standard error, may be kept elsewhere.
fn say(line: std::fmt::Arguments<'_>) {
    // Nobody reads it.
    let _ = writeln!(io::stdout(), "subrosa: {line}");
}
