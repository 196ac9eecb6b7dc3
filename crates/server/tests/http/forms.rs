//! Recordings in forms.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStore, memory::InMemory};
use serde_json::json;
use server::{
    recordings,
    vault::{blobs::Blobs, seal::RecordKind},
};

use crate::{
    client::Service,
    people::{BOUNDARY, Person, closing, opening, recording},
};

/// Names and values of a form.
type Fields<'a> = &'a [(&'a str, &'a [u8])];

async fn objects(store: &InMemory) -> usize {
    store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn a_recording_becomes_a_queued_call_with_what_was_said_of_it_in_any_order_of_fields() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let metadata = json!({"title": "Offer", "contactName": "Ana", "phoneNumber": "+351 910 000 000", "direction": "INCOMING",
        "recordedAt": "2026-01-02T03:04:05Z", "durationSeconds": 12.5, "language": "pt", "channels": 2});
    let metadata = metadata.to_string();
    for (seed, metadata_first) in [(1, true), (2, false)] {
        let plain = recording(seed, 5 << 20);
        let mut fields = [("metadata", metadata.as_bytes()), ("file", &plain[..])];
        if !metadata_first {
            fields.reverse();
        }
        let answer = person.form(&fields, &[]).await;
        assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::ACCEPTED, &json!("QUEUED")));
        let id = answer.json()["callId"].as_str().unwrap().to_owned();
        let call = person.get(&format!("/api/calls/{id}")).await.json();
        for (name, value) in [
            ("title", json!("Offer")),
            ("contactName", json!("Ana")),
            ("durationSeconds", json!(12.5)),
            ("direction", json!("INCOMING")),
            ("recordedAt", json!("2026-01-02T03:04:05Z")),
            ("channels", json!(2)),
        ] {
            assert_eq!(call[name], value, "{name}");
        }
        // What lies in the store opens to what was sent.
        let mut tx = service.app.database.read(&person.scope).await.unwrap();
        let call = id.parse().unwrap();
        let key = service.app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
        let (place, length) = recordings::find(&mut tx, call).await.unwrap().unwrap();
        let mut reader = service.app.blobs.read(&key, place, length, 0..u64::MAX).await.unwrap();
        let mut stored = Vec::new();
        while let Some(block) = reader.next().await.unwrap() {
            stored.extend(block);
        }
        assert!(stored == plain);
    }
}

#[tokio::test]
async fn what_is_no_recording_is_refused_and_leaves_nothing() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[("limits.upload_body", "10 KiB")]).await;
    let person = Person::new(&service).await;
    let (wav, large) = (recording(1, 1000), recording(1, 20_000));
    let forms: [(Fields<'_>, u16, &str); 9] = [
        (&[("file", b"")], 422, "audio_empty"),
        (&[("file", b"%PDF-1.7 not a recording")], 415, "unsupported_media_type"),
        (&[("file", &large)], 413, "payload_too_large"),
        (&[("title", b"no file")], 400, "validation_failed"),
        (&[("file", &wav), ("file", &wav)], 400, "validation_failed"),
        (&[("file", &wav), ("other", b"1")], 400, "validation_failed"),
        (&[("file", &wav), ("metadata", b"{\"title\": 1}")], 400, "validation_failed"),
        (&[("file", &wav), ("metadata", b"{\"channels\": 0}")], 400, "validation_failed"),
        (
            &[("file", &wav), ("metadata", b"{\"contactId\": \"01890000-0000-7000-8000-000000000000\"}")],
            400,
            "validation_failed",
        ),
    ];
    for (fields, status, code) in forms {
        let answer = person.form(fields, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code));
    }
    let answer = person.json(Method::POST, "/api/calls/analyze", &json!({})).await;
    assert_eq!(answer.code(), "unsupported_media_type");
    until_empty(&store).await;
    assert_eq!(person.get("/api/calls").await.json(), json!({"items": []}));
}

#[tokio::test]
async fn what_stands_around_the_fields_of_a_form_is_not_held_without_an_end() {
    let service = Service::set(&[("limits.upload_body", "4 MiB")]).await;
    let person = Person::new(&service).await;
    let headers = opening("file").replace("\r\n\r\n", "\r\nX-Filler: ");
    for (path, start) in
        ["/api/calls/analyze", "/v1/audio/transcriptions"].map(|path| [(path, ""), (path, &*headers)]).concat()
    {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let filler = stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Bytes::from_static(&[b'x'; 16 << 10])
        });
        let body = stream::iter([Bytes::from(start.to_owned())]).chain(filler).map(Ok::<_, std::io::Error>);
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = person.request(Method::POST, path, &[("content-type", &kind)]);
        let answer = service.send(request.body(Body::from_stream(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent < 10, "{path}: {sent} pieces of 16 KiB were taken");
    }
}

#[tokio::test]
async fn a_recording_that_comes_as_fast_as_it_is_taken_is_no_frame_of_the_form() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let title = format!("\r\n{}An offer\r\n{}", opening("title"), closing());
    let mut sent = vec![Bytes::from(opening("file"))];
    sent.extend(recording(3, 4 << 20).chunks(16 << 10).map(Bytes::copy_from_slice));
    sent.push(Bytes::from(title));
    let answer = service.send(person.streamed(stream::iter(sent).map(Ok))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&answer.body));
}

/// Blobs are removed beside the answer.
async fn until_empty(store: &InMemory) {
    until(store, 0).await;
}

async fn until(store: &InMemory, most: usize) {
    let removed = async {
        while objects(store).await > most {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), removed).await.unwrap();
}

#[tokio::test]
async fn metadata_that_is_no_object_is_refused_by_name_in_a_form_and_in_a_header() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let wav = recording(1, 1000);
    // The first would be all fields of the object in their order.
    let list = r#"["Offer",null,null,null,null,"UNKNOWN",null,null,null,null]"#;
    for metadata in [list, "[]", "null", "1", "\"Offer\"", "", "{\"title\": \"Offer\"} {}"] {
        let answer = person.form(&[("file", &wav), ("metadata", metadata.as_bytes())], &[]).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "validation_failed"), "{metadata}");
        let error = &answer.json()["error"];
        assert_eq!(error["details"]["field"], "metadata");
        assert!(error["message"].as_str().unwrap().contains("a JSON object"), "{error}");
        let header = format!("metadata {}", STANDARD.encode(metadata));
        let headers = [("tus-resumable", "1.0.0"), ("upload-length", "1000"), ("upload-metadata", &*header)];
        let answer = person.send(Method::POST, "/api/uploads", &headers, b"").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "validation_failed"), "{metadata}");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains("a JSON object"), "{metadata}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let person = Person::new(&service).await;
    let start = || vec![Ok(Bytes::from(opening("file"))), Ok(Bytes::from(recording(1, 9 << 20)))];
    // The connection breaks, which the handler sees.
    let broken = start().into_iter().chain([Err(std::io::ErrorKind::ConnectionReset.into())]);
    assert_eq!(service.send(person.streamed(stream::iter(broken))).await.code(), "validation_failed");
    until_empty(&store).await;
    // The connection breaks, and the handler with it.
    let request = person.streamed(stream::iter(start()).chain(stream::pending()));
    let mut handling = Box::pin(service.send(request));
    while objects(&store).await < 2 {
        assert!(futures::poll!(&mut handling).is_pending());
        tokio::task::yield_now().await;
    }
    drop(handling);
    until_empty(&store).await;
    assert_eq!(person.get("/api/calls").await.json(), json!({"items": []}));
}

#[tokio::test]
async fn a_recording_that_a_user_sends_again_within_a_day_is_the_same_call() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let mut person = Person::new(&service).await;
    let first = person.upload(1, "first").await;
    assert_eq!(person.upload(1, "again").await, first);
    assert_ne!(person.upload(2, "another").await, first);
    assert_ne!(person.member().await.upload(1, "somebody else's").await, first);
    until(&store, 3).await;
    service.app.clock.advance(TimeDelta::hours(25));
    person.renew();
    assert_ne!(person.upload(1, "the next day").await, first);
}

#[tokio::test]
async fn a_recording_that_arrives_twice_at_once_is_one_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let calls = futures::future::join_all((0..5).map(|_| person.upload(1, "title"))).await;
    assert!(calls.iter().all(|call| *call == calls[0]));
}

#[tokio::test]
async fn a_recording_may_be_as_long_as_the_limit_says_whatever_the_form_adds() {
    let service = Service::set(&[("limits.upload_body", "64 KiB")]).await;
    let person = Person::new(&service).await;
    assert_eq!(person.form(&[("file", &recording(1, 64 << 10))], &[]).await.status, StatusCode::ACCEPTED);
    // One byte more, with a length and without.
    let long = recording(2, (64 << 10) + 1);
    let told = person.form(&[("file", &long)], &[]).await;
    let pieces = [opening("file").into_bytes(), long, format!("\r\n{}", crate::people::closing()).into_bytes()];
    let untold = service.send(person.streamed(stream::iter(pieces.map(|piece| Ok(Bytes::from(piece)))))).await;
    for refused in [told, untold] {
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
        assert_eq!(refused.json()["error"]["details"]["maxBytes"], 64 << 10);
    }
}
