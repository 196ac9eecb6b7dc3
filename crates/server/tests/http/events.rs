//! How a call comes along, as its reader sees it.

use axum::{body::Body, http::Method, response::Response};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use server::vault::blobs::Blobs;
use uuid::Uuid;

use crate::{
    client::Service,
    people::{Person, shape},
};

/// Name, id and data of the events in a text.
fn events(text: &str) -> Vec<(String, Option<String>, Value)> {
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    };
    text.split("\n\n")
        .filter_map(|event| {
            Some((field(event, "event")?, field(event, "id"), serde_json::from_str(&field(event, "data")?).unwrap()))
        })
        .collect()
}

impl Person<'_> {
    async fn stage(&self, call: &str, stage: i16, outcome: i16) -> Uuid {
        let (tenant, user, id) = (self.scope.tenant(), self.scope.user(), Uuid::now_v7());
        self.sql(format!(
            "INSERT INTO tenant.processing_events (tenant_id, id, call_id, owner_id, stage, outcome, provider, duration_ms)
             VALUES ('{tenant}', '{id}', '{call}', '{user}', {stage}, {outcome}, 'local', 5)"
        ))
        .await;
        id
    }

    async fn progress(&self, call: &str, status: i16, percent: i16) {
        self.sql(format!(
            "UPDATE tenant.calls SET status = {status} WHERE id = '{call}';
             UPDATE tenant.jobs SET progress = {percent} WHERE call_id = '{call}'"
        ))
        .await;
    }

    async fn watch(&self, call: &str, last: Option<Uuid>) -> Response {
        let last = last.map(|id| id.to_string());
        let headers: Vec<(&str, &str)> = last.iter().map(|id| ("last-event-id", id.as_str())).collect();
        let request = self.request(Method::GET, &format!("/api/calls/{call}/events"), &headers);
        self.service.open(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_stream_tells_stages_and_status_in_order_as_they_come_and_ends_with_the_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "title").await;
    let response = person.watch(&call, None).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut seen = String::from_utf8(stream.next().await.unwrap().unwrap().to_vec()).unwrap();
    let first = person.stage(&call, 1, 1).await;
    let second = person.stage(&call, 1, 2).await;
    person.progress(&call, 2, 40).await;
    service.app.changes.wake();
    while !seen.contains("\"percent\":40") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    let third = person.stage(&call, 3, 4).await;
    person.progress(&call, 4, 40).await;
    while let Some(block) = stream.next().await {
        seen.push_str(std::str::from_utf8(&block.unwrap()).unwrap());
    }
    let told: Vec<String> = events(&seen)
        .into_iter()
        .map(|(name, id, data)| match name.as_str() {
            "stage" => {
                format!("{} {} {}", data["stage"].as_str().unwrap(), data["outcome"].as_str().unwrap(), id.unwrap())
            }
            _ => format!("{} {}", data["status"].as_str().unwrap(), data["percent"]),
        })
        .collect();
    assert_eq!(
        told,
        [
            "QUEUED 0".to_owned(),
            format!("AUDIO_PREPROCESSED STARTED {first}"),
            format!("AUDIO_PREPROCESSED COMPLETED {second}"),
            "TRANSCRIBING 40".to_owned(),
            format!("TRANSCRIBED SKIPPED {third}"),
            "COMPLETED 100".to_owned(),
        ]
    );
    // Who lost the connection goes on behind the last event that was seen.
    let rest = person.watch(&call, Some(second)).await.into_body().collect().await.unwrap().to_bytes();
    let ids: Vec<_> = events(std::str::from_utf8(&rest).unwrap()).into_iter().filter_map(|(_, id, _)| id).collect();
    assert_eq!(ids, [third.to_string()]);
}

#[tokio::test]
async fn a_stream_ends_when_its_reader_may_not_read_any_more_and_a_user_has_only_some() {
    let service = Service::new().await;
    let mut person = Person::new(&service).await;
    let call = person.upload(1, "title").await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let response = person.watch(&call, None).await;
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    assert_eq!(person.watch(&call, None).await.status(), 429);
    open.truncate(15);
    assert_eq!(person.watch(&call, None).await.status(), 200);
    // The access token may end meanwhile; the session ends, and with it the stream.
    service.app.clock.advance(chrono::TimeDelta::minutes(10));
    let mut first = open.pop().unwrap().into_body().into_data_stream();
    first.next().await.unwrap().unwrap();
    person.renew();
    assert_eq!(person.send(Method::POST, "/api/auth/logout-all", &[], b"").await.status, 204);
    while let Some(message) = first.next().await {
        message.unwrap();
    }
    for response in open {
        response.into_body().collect().await.unwrap();
    }
    let person = Person::new(&service).await;
    let call = person.upload(1, "title").await;
    let mut watching = person.watch(&call, None).await.into_body().into_data_stream();
    watching.next().await.unwrap().unwrap();
    person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await;
    assert!(watching.next().await.is_none());
}

#[tokio::test]
async fn processing_events_are_shown_only_where_an_operator_turned_them_on() {
    let off = Service::new().await;
    let person = Person::new(&off).await;
    let call = person.upload(1, "title").await;
    let nothing = person.get("/api/debug/nothing").await;
    for path in [format!("/api/debug/calls/{call}/events"), format!("/api/debug/calls/{}/events", Uuid::now_v7())] {
        assert_eq!(shape(&person.get(&path).await), shape(&nothing));
        assert_eq!(shape(&off.call(Method::GET, &path, None).await), shape(&nothing));
    }
    let on = Service::with(Blobs::memory(), &[("debug.call_events", "true")]).await;
    let person = Person::new(&on).await;
    let call = person.upload(1, "title").await;
    let event = person.stage(&call, 2, 3).await;
    let path = format!("/api/debug/calls/{call}/events");
    let shown = person.get(&path).await.json();
    assert_eq!(
        (&shown["items"][0]["eventId"], &shown["items"][0]["outcome"]),
        (&event.to_string().into(), &"FAILED".into())
    );
    assert_eq!(person.member().await.get(&path).await.code(), "call_not_found");
    assert_eq!(on.call(Method::GET, &path, None).await.code(), "auth_missing");
}
