//! Uploads over a bad network, as a tus client sees them.

use std::sync::Arc;

use axum::http::Method;
use bytes::Bytes;
use chrono::TimeDelta;
use futures::{TryStreamExt as _, stream};
use object_store::{ObjectStore, memory::InMemory};
use server::{
    calls::tus,
    db::{Role, Scope},
    deletion::blobs as outbox,
    recordings,
    vault::{blobs::Blobs, seal::RecordKind},
};

use crate::{
    client::{Answer, Service},
    people::{Person, recording},
};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

impl Person<'_> {
    /// Begins an upload with the title "Offer"; gives its address.
    async fn begin(&self, length: usize) -> String {
        let length = length.to_string();
        let headers = [TUS, ("upload-length", &*length), ("upload-metadata", "filename Yy53YXY=,title T2ZmZXI=")];
        let answer = self.send(Method::POST, "/api/uploads", &headers, b"").await;
        assert_eq!(answer.status, 201);
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    async fn add(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
        let offset = offset.to_string();
        let headers = [TUS, ("upload-offset", &*offset), ("content-type", "application/offset+octet-stream")];
        self.send(Method::PATCH, upload, &headers, bytes).await
    }

    async fn offset(&self, upload: &str) -> Option<usize> {
        let answer = self.send(Method::HEAD, upload, &[TUS], b"").await;
        (answer.status == 200).then(|| answer.headers["upload-offset"].to_str().unwrap().parse().unwrap())
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_the_connection_broke_and_becomes_the_call_that_a_form_would_have_made() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let person = Person::new(&service).await;
    let plain = recording(7, 9 << 20);
    let upload = person.begin(plain.len()).await;
    assert_eq!(person.offset(&upload).await, Some(0));
    assert_eq!(person.add(&upload, 0, &plain[..1000]).await.status, 204);
    // What came before the connection broke counts.
    let blocks = [
        Ok(Bytes::copy_from_slice(&plain[1000..5_000_000])),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ];
    let headers = [TUS, ("upload-offset", "1000"), ("content-type", "application/offset+octet-stream")];
    let request = person.request(Method::PATCH, &upload, &headers);
    service.send(request.body(axum::body::Body::from_stream(stream::iter(blocks))).unwrap()).await;
    assert_eq!(person.offset(&upload).await, Some(5_000_000));
    let answer = person.add(&upload, 5_000_000, &plain[5_000_000..]).await;
    assert_eq!(answer.status, 204);
    let call = answer.headers["call-id"].to_str().unwrap();
    assert_eq!(person.offset(&upload).await, Some(plain.len()));
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.json()["title"], "Offer");
    let mut tx = service.app.database.read(&person.scope).await.unwrap();
    let key = service.app.vault.record_key(&mut tx, RecordKind::Call, call.parse().unwrap()).await.unwrap();
    let place = recordings::place(person.scope.tenant(), call.parse().unwrap());
    let mut reader = service.app.blobs.read(&key, place, plain.len() as u64, 0..u64::MAX).await.unwrap();
    let mut stored = Vec::new();
    while let Some(block) = reader.next().await.unwrap() {
        stored.extend(block);
    }
    assert!(stored == plain);
    drop(tx);
    // The pieces are gone: three parts are left.
    assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 3);
    // The same recording in a form is the same call.
    let again = person.form(&[("file", &plain)], &[]).await;
    assert_eq!(again.json()["callId"], call);
}

#[tokio::test]
async fn bytes_in_the_wrong_place_too_many_of_them_or_of_another_protocol_are_refused() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let upload = person.begin(1000).await;
    let plain = recording(1, 1000);
    assert_eq!(person.add(&upload, 0, &plain[..400]).await.status, 204);
    for (offset, bytes, status) in [(0, 400, 409), (399, 10, 409), (401, 10, 409), (400, 601, 413)] {
        assert_eq!(person.add(&upload, offset, &vec![0; bytes]).await.status, status);
        assert_eq!(person.offset(&upload).await, Some(400));
    }
    assert_eq!(person.send(Method::HEAD, &upload, &[("tus-resumable", "0.2.2")], b"").await.status, 412);
    assert_eq!(person.send(Method::PATCH, &upload, &[TUS, ("upload-offset", "400")], b"").await.status, 415);
    for (length, status) in [("0", 422), ("2147483649", 413), ("-1", 400), ("many", 400)] {
        assert_eq!(
            person.send(Method::POST, "/api/uploads", &[TUS, ("upload-length", length)], b"").await.status,
            status
        );
    }
    // Whole, and no recording.
    let other = person.begin(100).await;
    assert_eq!(person.add(&other, 0, &[b'a'; 100]).await.status, 415);
    assert_eq!(person.offset(&other).await, None);
}

#[tokio::test]
async fn an_upload_is_its_users_alone_ends_when_told_to_and_after_a_day() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let mut person = Person::new(&service).await;
    let (told, forgotten) = (person.begin(1000).await, person.begin(1000).await);
    for upload in [&told, &forgotten] {
        assert_eq!(person.add(upload, 0, &recording(1, 400)).await.status, 204);
    }
    for other in [&person.member().await, &Person::new(&service).await] {
        assert_eq!(other.offset(&told).await, None);
        assert_eq!(other.add(&told, 400, &[0; 600]).await.status, 404);
        assert_eq!(other.send(Method::DELETE, &told, &[TUS], b"").await.status, 404);
    }
    assert_eq!(person.send(Method::DELETE, &told, &[TUS], b"").await.status, 204);
    assert_eq!(person.offset(&told).await, None);
    assert_eq!(person.offset(&forgotten).await, Some(400));
    service.app.clock.advance(TimeDelta::hours(24));
    person.renew();
    assert_eq!(person.offset(&forgotten).await, None);
    let worker = Scope::authenticated(person.scope.tenant(), person.scope.user(), Role::Worker);
    let mut tx = service.app.database.write(&worker).await.unwrap();
    // As if the database's clock had gone on, too.
    let now = service.app.clock.now();
    assert_eq!(tus::sweep(&mut tx, now).await.unwrap(), 1);
    tx.commit().await.unwrap();
    person.sql("UPDATE tenant.blob_deletions SET run_at = now()".to_owned()).await;
    outbox::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
}
