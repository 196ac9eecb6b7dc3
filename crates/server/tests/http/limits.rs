//! How often, how much, how long: what a client meets that wants more.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{Method, Request, StatusCode},
    routing::{get, post},
};
use futures::{StreamExt as _, stream};
use serde_json::json;
use server::{app::App, auth::tokens::TokenRole, http::extract::Json};
use tokio::sync::{Notify, oneshot};

use crate::{
    client::{Answer, Service},
    people::{Person, closing, opening, recording},
};

/// A request of somebody who comes over a connection from `peer`.
async fn from(service: &Service, peer: &str, forwarded: Option<&str>) -> Answer {
    let mut request = Request::builder().uri("/api/nothing");
    if let Some(forwarded) = forwarded {
        request = request.header("x-forwarded-for", forwarded);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
    service.send(request).await
}

fn echo() -> Router<App> {
    Router::new().route("/api/echo", post(async |Json(value): Json<serde_json::Value>| value.to_string()))
}

#[tokio::test]
async fn a_caller_who_asks_too_often_is_told_when_to_come_again() {
    let service = Service::set(&[("rates.read", "2/1m")]).await;
    let first = from(&service, "192.0.2.7", None).await;
    assert_eq!(first.headers["ratelimit-policy"], "\"read\";q=2;w=60");
    assert_eq!(first.headers["ratelimit"], "\"read\";r=1;t=30");
    from(&service, "192.0.2.7", None).await;
    let refused = from(&service, "192.0.2.7", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    let wait: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(refused.headers["ratelimit"].to_str().unwrap().starts_with("\"read\";r=0;"));
    assert_eq!(from(&service, "192.0.2.8", None).await.status, StatusCode::NOT_FOUND, "another address");
    service.app.clock.advance(chrono::TimeDelta::seconds(30));
    assert_eq!(from(&service, "192.0.2.7", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn users_are_counted_as_themselves_wherever_they_come_from() {
    let service = Service::set(&[("rates.read", "1/1m")]).await;
    let (ann, bob) = (service.installation.tenant().await, service.installation.tenant().await);
    let (ann, bob) = (service.token(&ann, TokenRole::Owner), service.token(&bob, TokenRole::Owner));
    let path = "/api/health/details";
    assert_eq!(service.call(Method::GET, path, Some(&ann)).await.status, StatusCode::OK);
    assert_eq!(service.call(Method::GET, path, Some(&bob)).await.status, StatusCode::OK);
    assert_eq!(service.call(Method::GET, path, Some(&ann)).await.status, StatusCode::TOO_MANY_REQUESTS);
    // A made-up token does not make a new caller of an address.
    assert_eq!(service.call(Method::GET, path, Some("made.up.one")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(service.call(Method::GET, path, Some("made.up.two")).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn an_address_cannot_be_made_up_unless_a_trusted_proxy_writes_it() {
    let alone = Service::set(&[("rates.read", "1/1m")]).await;
    assert_eq!(from(&alone, "192.0.2.7", Some("203.0.113.1")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(from(&alone, "192.0.2.7", Some("203.0.113.2")).await.status, StatusCode::TOO_MANY_REQUESTS);

    let behind = Service::set(&[("rates.read", "1/1m"), ("http.trusted_proxies", "10.0.0.0/8")]).await;
    assert_eq!(from(&behind, "10.0.0.1", Some("203.0.113.1, 192.0.2.7")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(from(&behind, "10.0.0.1", Some("203.0.113.2, 192.0.2.7")).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from(&behind, "10.0.0.1", Some("192.0.2.8")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(from(&behind, "10.0.0.1", Some("2001:db8::1")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(from(&behind, "10.0.0.1", Some("2001:db8::2")).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_body_has_a_limit_whether_it_says_its_length_or_not() {
    let service = Service::with_routes(&[("limits.json_body", "1 KiB")], echo()).await;
    let fits = service.send_json(Method::POST, "/api/echo", None, &json!({ "text": "x".repeat(1000) })).await;
    assert_eq!(fits.status, StatusCode::OK);
    let large = service.send_json(Method::POST, "/api/echo", None, &json!({ "text": "x".repeat(1100) })).await;
    assert_eq!((large.status, large.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
    let pieces = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[b' '; 512])));
    let endless = Request::post("/api/echo").header("content-type", "application/json");
    let endless = service.send(endless.body(Body::from_stream(pieces)).unwrap()).await;
    assert_eq!((endless.status, endless.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
    let text = service.send(Request::post("/api/echo").body(Body::from("1")).unwrap()).await;
    assert_eq!((text.status, text.code().as_str()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
}

#[tokio::test]
async fn a_body_that_pauses_and_a_handler_that_does_not_end_are_given_up() {
    let routes = echo().route("/api/slow", get(std::future::pending::<()>));
    let service =
        Service::with_routes(&[("limits.body_pause", "20ms"), ("limits.request_time", "500ms")], routes).await;
    let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let slow = Request::post("/api/echo").header("content-type", "application/json").body(body).unwrap();
    let slow = service.send(slow).await;
    assert_eq!((slow.status, slow.code().as_str()), (StatusCode::REQUEST_TIMEOUT, "request_timeout"));
    let long = service.call(Method::GET, "/api/slow", None).await;
    assert!(matches!(long.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT), "{}", long.status);
}

#[tokio::test]
async fn more_requests_at_once_than_there_are_places_are_told_to_come_again() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (Arc::clone(&begun), Arc::clone(&go));
    let wait = async move || {
        begins.notify_one();
        goes.notified().await;
    };
    let routes = Router::new().route("/api/wait", get(wait)).route("/api/health", get(async || "ok"));
    let service = Arc::new(Service::with_routes(&[("limits.requests", "1")], routes).await);
    let (answered, first) = oneshot::channel();
    let other = Arc::clone(&service);
    tokio::spawn(async move { answered.send(other.call(Method::GET, "/api/wait", None).await) });
    begun.notified().await;
    let second = service.call(Method::GET, "/api/wait", None).await;
    assert_eq!((second.status, second.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    assert_eq!(second.headers["retry-after"], "1");
    assert_eq!(service.call(Method::GET, "/api/health", None).await.status, StatusCode::OK, "health needs no place");
    go.notify_one();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_answers_in_the_one_shape_of_errors_without_its_message() {
    let routes = Router::new().route("/api/defect", get(async || -> () { panic!("canary") }));
    let service = Service::with_routes(&[], routes).await;
    let answer = service.call(Method::GET, "/api/defect", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    assert_eq!(answer.json()["error"]["requestId"], answer.headers["x-request-id"].to_str().unwrap());
    assert!(!String::from_utf8_lossy(&answer.body).contains("canary"));
}

#[tokio::test]
async fn keys_that_are_none_are_looked_up_so_often_and_no_more() {
    let service = Service::set(&[("rates.read", "100000/1m")]).await;
    let guess = async |number: usize| {
        let key = format!("sbr_{number:043}");
        service.call(Method::GET, "/api/calls", Some(&key)).await
    };
    // Two a second are free again, which a slow machine may see.
    let mut looked_up = 0;
    let refused = loop {
        let answer = guess(looked_up).await;
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
        looked_up += 1;
    };
    assert!(looked_up >= 120, "{looked_up}");
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert_eq!(refused.headers["retry-after"], "1");
    service.app.clock.advance(chrono::TimeDelta::seconds(1));
    assert_eq!(guess(looked_up).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn one_caller_does_not_take_every_place_for_uploads_and_has_them_again_when_one_is_answered() {
    let service = Service::set(&[("limits.uploads_each", "1")]).await;
    let (ann, bob) = (Person::new(&service).await, Person::new(&service).await);
    let (begins, begun) = oneshot::channel();
    let (goes_on, rest) = oneshot::channel::<Bytes>();
    // The first piece is asked for once the upload has its place.
    let start = async move {
        begins.send(()).unwrap();
        Ok(Bytes::from([opening("file").into_bytes(), recording(1, 1000)].concat()))
    };
    let pieces = stream::once(start).chain(stream::once(async { Ok(rest.await.unwrap()) }));
    let first = async {
        let answer = service.send(ann.streamed(pieces)).await;
        (answer, ann.form(&[("file", &recording(3, 1000))], &[]).await)
    };
    let meanwhile = async {
        begun.await.unwrap();
        let refused = ann.form(&[("file", &recording(2, 1000))], &[]).await;
        assert_eq!((refused.code().as_str(), &refused.headers["retry-after"]), ("rate_limited", &"1".parse().unwrap()));
        assert_eq!(bob.form(&[("file", &recording(2, 1000))], &[]).await.status, StatusCode::ACCEPTED);
        goes_on.send(Bytes::from(format!("\r\n{}", closing()))).unwrap();
    };
    let ((first, next), ()) = tokio::join!(first, meanwhile);
    assert_eq!((first.status, next.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
}

#[tokio::test]
async fn a_change_whose_client_went_away_keeps_its_place_until_it_is_made() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (Arc::clone(&begun), Arc::clone(&go));
    let wait = async move || {
        begins.notify_one();
        goes.notified().await;
    };
    let routes = Router::new().route("/api/wait", post(wait));
    let service = Service::with_routes(&[("limits.requests", "1"), ("rates.read", "100000/1m")], routes).await;
    let person = Person::new(&service).await;
    let change = person.send(Method::POST, "/api/wait", &[("idempotency-key", "k")], b"");
    tokio::select! {
        answer = change => panic!("{answer:?}"),
        () = begun.notified() => {}
    }
    let ask = async || person.get("/api/nothing").await.status;
    assert_eq!(ask().await, StatusCode::SERVICE_UNAVAILABLE);
    go.notify_one();
    let free = async { while ask().await == StatusCode::SERVICE_UNAVAILABLE {} };
    tokio::time::timeout(Duration::from_secs(60), free).await.expect("its place is free again");
    assert_eq!(ask().await, StatusCode::NOT_FOUND);
}
