//! A listener, as clients meet it: silent ones, talkative ones, and the end.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use server::serve::{Ending, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use crate::{client::Service, people::Person};

/// A service on a port.
struct Listening {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Ending>,
    service: Service,
}

async fn listening(settings: &[(&str, &str)], routes: Router<server::app::App>) -> Listening {
    let service = Service::with_routes(settings, routes).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (router, limits) = (service.router(), service.app.operation.config.limits.clone());
    let ended = tokio::spawn(async move { serve(listener, router, &limits, async { drop(stopped.await) }).await });
    Listening { address, stop, ended, service }
}

impl Listening {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// All that a connection gives until it is closed.
async fn rest(mut connection: TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is cut off gives an error at its end.
    let _ = connection.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

/// A route that says when it has begun and ends when it is told.
fn waiting() -> (Router<server::app::App>, Arc<Notify>, Arc<Notify>) {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (Arc::clone(&begun), Arc::clone(&go));
    let wait = async move || {
        begins.notify_one();
        goes.notified().await;
        "done"
    };
    (Router::new().route("/api/wait", get(wait)), begun, go)
}

#[tokio::test]
async fn a_client_that_says_nothing_or_never_ends_its_headers_is_closed() {
    let server = listening(&[("limits.header_time", "50ms")], Router::new()).await;
    assert_eq!(rest(server.connect().await).await, "");
    let mut slow = server.connect().await;
    slow.write_all(b"GET /api/health HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    assert!(!rest(slow).await.contains("200 OK"));
}

#[tokio::test]
async fn headers_that_are_too_many_or_too_large_are_refused() {
    let server = listening(&[("limits.headers", "8 KiB")], Router::new()).await;
    for headers in ["x: y\r\n".repeat(101), format!("x: {}\r\n", "y".repeat(9_000))] {
        let mut client = server.connect().await;
        client.write_all(format!("GET /api/health HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let answer = rest(client).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_more_than_there_are_places_waits_for_one() {
    let server = listening(&[("limits.connections", "1")], Router::new()).await;
    let request = b"GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let first = server.connect().await;
    let mut second = server.connect().await;
    second.write_all(request).await.unwrap();
    drop(first);
    assert!(rest(second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn told_to_stop_it_accepts_nothing_more_and_finishes_what_it_answers() {
    let (routes, begun, go) = waiting();
    let server = listening(&[], routes).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /api/wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    begun.notified().await;
    let idle = server.connect().await;
    server.stop.send(()).unwrap();
    // The idle connection is closed at once, which says that the listener is.
    assert_eq!(rest(idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    go.notify_one();
    let answer = rest(client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert_eq!(server.ended.await.unwrap(), Ending::Finished);
    drop(server.service);
}

#[tokio::test]
async fn what_does_not_end_within_the_limit_is_cut_off() {
    let (routes, begun, _) = waiting();
    let server = listening(&[("limits.shutdown_time", "50ms")], routes).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /api/wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    begun.notified().await;
    server.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), server.ended).await;
    assert_eq!(ended.unwrap().unwrap(), Ending::CutOff);
    assert_eq!(rest(client).await, "");
}

#[tokio::test]
async fn an_open_stream_of_events_does_not_hold_up_the_end() {
    let server = listening(&[], Router::new()).await;
    let person = Person::new(&server.service).await;
    let (call, token) = (person.upload(1, "title").await, &person.token);
    let mut client = server.connect().await;
    let request = format!("GET /api/calls/{call}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("event: status") {
        assert!(client.read_buf(&mut seen).await.unwrap() > 0, "{}", String::from_utf8_lossy(&seen));
    }
    server.service.app.operation.stop();
    server.stop.send(()).unwrap();
    assert_eq!(server.ended.await.unwrap(), Ending::Finished);
}
