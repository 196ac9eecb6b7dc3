//! Changes that are asked for twice.

use axum::http::Method;
use chrono::TimeDelta;

use crate::{
    client::{Answer, Service},
    people::{Person, recording},
};

impl Person<'_> {
    async fn with_key(&self, method: Method, path: &str, key: &str, body: &str) -> Answer {
        self.send(method, path, &[("idempotency-key", key), ("content-type", "application/json")], body.as_bytes())
            .await
    }
}

#[tokio::test]
async fn a_change_that_is_asked_for_again_is_answered_as_before_and_not_made_again() {
    let service = Service::new().await;
    let mut person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let first = person.with_key(Method::PATCH, &path, "k1", r#"{"title": "one"}"#).await;
    person.with_key(Method::PATCH, &path, "k2", r#"{"title": "two"}"#).await;
    let again = person.with_key(Method::PATCH, &path, "k1", r#"{"title": "one"}"#).await;
    assert_eq!((again.json(), &again.headers["idempotency-replayed"]), (first.json(), &"true".parse().unwrap()));
    assert_eq!(person.get(&path).await.json()["title"], "two");
    let other = person.with_key(Method::PATCH, &path, "k1", r#"{"title": "three"}"#).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (409, "idempotency_conflict"));
    // A key is its user's own, and is kept for a day.
    let member = person.member().await;
    assert_eq!(member.with_key(Method::PATCH, &path, "k1", r#"{"title": "one"}"#).await.code(), "call_not_found");
    service.app.clock.advance(TimeDelta::hours(24));
    person.renew();
    assert_eq!(person.with_key(Method::PATCH, &path, "k1", r#"{"title": "three"}"#).await.json()["title"], "three");
    for wrong in ["", "with space", &"x".repeat(256)] {
        assert_eq!(person.with_key(Method::PATCH, &path, wrong, "{}").await.code(), "validation_failed", "{wrong}");
    }
}

#[tokio::test]
async fn a_deletion_that_is_asked_for_again_gives_the_same_receipt() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let first = person.with_key(Method::DELETE, &path, "k", "").await;
    let again = person.with_key(Method::DELETE, &path, "k", "").await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (204, 204));
    assert_eq!(first.headers["deletion-receipt"], again.headers["deletion-receipt"]);
    assert_eq!(person.with_key(Method::DELETE, &path, "another", "").await.code(), "call_not_found");
}

#[tokio::test]
async fn of_many_requests_with_one_key_at_once_one_is_served() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let requests = (0..5).map(|_| person.with_key(Method::DELETE, &path, "k", ""));
    let answers = futures::future::join_all(requests).await;
    let served =
        answers.iter().filter(|answer| answer.status == 204 && !answer.headers.contains_key("idempotency-replayed"));
    assert_eq!(served.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 204) {
        assert_eq!(answer.code(), "idempotency_conflict");
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn an_upload_with_a_key_is_answered_as_before_or_refused_when_it_is_another_one() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let key = [("idempotency-key", "k")];
    let first = person.form(&[("file", &recording(1, 1000))], &key).await;
    let again = person.form(&[("file", &recording(1, 1000))], &key).await;
    assert_eq!((first.json(), again.status.as_u16()), (again.json(), 202));
    assert!(again.headers.contains_key("idempotency-replayed"));
    for other in [&[("file", &recording(2, 1000)[..])][..], &[("file", &recording(1, 1000)[..]), ("title", b"other")]] {
        assert_eq!(person.form(other, &key).await.code(), "idempotency_conflict");
    }
    assert_eq!(person.get("/api/calls").await.json()["items"].as_array().unwrap().len(), 1);
}
