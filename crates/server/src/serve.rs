//! Listening, answering, ending.
//!
//! Invariant: memory is bounded whatever clients do: so many connections, so large headers, so long until they are there. Told to
//! stop, it accepts nothing more, finishes what it answers within a limit, and cuts off what is left.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router, extract::ConnectInfo, http::header::CONTENT_TYPE, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    app::App,
    config::Limits,
    telemetry::observed,
    telemetry::{fault::Fault, log},
};

/// Headers of a request. Browsers send some 30.
const MAX_HEADERS: usize = 100;

/// Between two tries to accept when the process is out of files.
const BREATH: Duration = Duration::from_millis(100);

/// The media type of what Prometheus reads (OpenMetrics 1.0).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every request was answered.
    Finished,
    /// Some were cut off.
    CutOff,
}

/// Answers on a listener until `stop`, then for at most `limits.shutdown_time`.
pub async fn serve(listener: TcpListener, service: Router, limits: &Limits, stop: impl Future<Output = ()>) -> Ending {
    let server = server(limits);
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    let ending = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer, place) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        // Answers are written whole; waiting for more to send would only add to their time. A socket that cannot be told is closed.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let service = TowerToHyperService::new(service.clone().layer(Extension(ConnectInfo(peer))));
        let connection = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
        connections.spawn(answer(connection, ending.subscribe(), place));
    }
    drop(listener);
    ending.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.shutdown_time, finished).await.is_ok() {
        return Ending::Finished;
    }
    connections.shutdown().await;
    Ending::CutOff
}

/// Answers on one connection until the client or the program ends it.
async fn answer(
    connection: http1::UpgradeableConnection<TokioIo<TcpStream>, TowerToHyperService<Router>>,
    mut ending: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    let mut connection = std::pin::pin!(connection);
    // A client that broke off or spoke no HTTP is no fault of ours.
    tokio::select! {
        _ = &mut connection => {}
        () = async { drop(ending.wait_for(|is_ending| *is_ending).await) } => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(place);
}

/// HTTP/1.1 alone: whatever ends TLS in front speaks it, and hyper-util 0.1 tells the versions apart without a time-out.
fn server(limits: &Limits) -> http1::Builder {
    let headers = usize::try_from(limits.headers).unwrap_or(usize::MAX);
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.header_time).max_headers(MAX_HEADERS);
    // What hyper takes at the least.
    server.max_buf_size(headers.max(8 * 1024));
    server
}

/// The next connection, once there is a place for it; until then it waits in the queue of the system.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // Nobody closes it.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            // The one connection is gone; without files left, all wait.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                log::error!(fault = Fault::from(error.kind()), "no connection can be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What Prometheus reads, for a listener of its own.
pub fn metrics(app: App) -> Router {
    let text = async move || {
        let observed = observed::observe(&app).await;
        ([(CONTENT_TYPE, OPENMETRICS)], app.operation.metrics.text(observed))
    };
    Router::new().route("/metrics", get(text))
}
