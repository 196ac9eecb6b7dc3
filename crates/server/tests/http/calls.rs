//! Lists, details and changes of calls.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::Service,
    people::{Person, recording, shape},
};

/// Ids of all pages.
async fn walk(person: &Person<'_>, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.get(&format!("/api/calls?limit=3{query}{cursor}")).await.json();
        ids.extend(page["items"].as_array().unwrap().iter().map(|call| call["callId"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn pages_show_every_call_once_the_newest_first_whatever_comes_and_goes_in_between() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let mut calls = Vec::new();
    for seed in 0..8 {
        calls.push(person.upload(seed, &format!("call {seed}")).await);
    }
    // Times that are equal do not confuse it.
    person
        .sql(format!(
            "UPDATE tenant.calls SET created_at = '2026-01-01' WHERE id IN ('{}', '{}', '{}')",
            calls[0], calls[1], calls[2]
        ))
        .await;
    let all = walk(&person, "").await;
    assert_eq!(all.len(), 8);
    assert_eq!(all[..5], [7, 6, 5, 4, 3].map(|n: usize| calls[n].clone()));
    assert_eq!(all.iter().collect::<BTreeSet<_>>(), calls.iter().collect());
    let first = person.get("/api/calls?limit=3").await.json();
    person.upload(8, "comes").await;
    person.send(Method::DELETE, &format!("/api/calls/{}", calls[5]), &[], b"").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = person.get(&format!("/api/calls?limit=3&cursor={cursor}")).await.json();
    assert_eq!(second["items"][0]["callId"], calls[4]);
}

#[tokio::test]
async fn a_list_is_narrowed_by_status_time_and_words() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let mut calls = Vec::new();
    for (seed, title) in ["Kündigung", "offer for Ana", "OFFER", "other"].into_iter().enumerate() {
        calls.push(person.upload(seed as u8, title).await);
    }
    person
        .sql(format!("UPDATE tenant.calls SET status = 4, created_at = '2026-01-01' WHERE id = '{}'", calls[3]))
        .await;
    assert_eq!(walk(&person, "&q=offer").await, [calls[2].clone(), calls[1].clone()]);
    assert_eq!(walk(&person, "&q=k%C3%BCnd").await, [calls[0].clone()]);
    assert_eq!(walk(&person, "&status=COMPLETED").await, [calls[3].clone()]);
    assert_eq!(walk(&person, "&to=2026-02-01T00:00:00Z").await, [calls[3].clone()]);
    assert_eq!(walk(&person, "&from=2026-02-01T00:00:00Z").await.len(), 3);
    assert!(walk(&person, &format!("&contactId={}", Uuid::now_v7())).await.is_empty());
    for wrong in ["limit=0", "limit=201", "limit=x", "cursor=x", "status=DONE", "from=yesterday"] {
        assert_eq!(person.get(&format!("/api/calls?{wrong}")).await.code(), "validation_failed", "{wrong}");
    }
    let polled =
        person.get(&format!("/api/calls/status?ids={},{},{}", calls[0], calls[3], Uuid::now_v7())).await.json();
    let mut polled: Vec<&Value> = polled["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    polled.sort_by_key(ToString::to_string);
    assert_eq!(polled, ["COMPLETED", "QUEUED"]);
}

#[tokio::test]
async fn what_is_said_of_a_call_is_changed_kept_or_cleared() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}", person.upload(1, "title").await);
    let changed = person.json(Method::PATCH, &path, &json!({"notes": "call back", "summary": "an offer"})).await.json();
    assert_eq!(
        (&changed["title"], &changed["notes"], &changed["summary"]),
        (&json!("title"), &json!("call back"), &json!("an offer"))
    );
    let cleared = person.json(Method::PATCH, &path, &json!({"title": "", "notes": " "})).await.json();
    assert!(cleared.get("title").is_none() && cleared.get("notes").is_none());
    assert_eq!(person.get(&path).await.json(), cleared);
    let long = "x".repeat(501);
    for wrong in [json!({"title": long}), json!({"title": 1}), json!({"status": "COMPLETED"}), json!([])] {
        assert_eq!(person.json(Method::PATCH, &path, &wrong).await.code(), "validation_failed");
    }
    let contact = json!({"contactId": Uuid::now_v7()});
    assert_eq!(person.json(Method::PATCH, &format!("{path}/contact"), &contact).await.code(), "validation_failed");
    assert_eq!(person.json(Method::PATCH, &format!("{path}/contact"), &json!({"contactId": null})).await.status, 200);
}

#[tokio::test]
async fn the_call_of_somebody_else_is_answered_like_one_that_never_was() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let call = owner.upload(1, "private").await;
    for other in [owner.member().await, Person::new(&service).await] {
        for (method, rest, body) in [
            (Method::GET, "", json!(null)),
            (Method::PATCH, "", json!({"title": "mine"})),
            (Method::DELETE, "", json!(null)),
            (Method::PATCH, "/contact", json!({"contactId": null})),
            (Method::GET, "/events", json!(null)),
            (Method::GET, "/transcript", json!(null)),
            (Method::PATCH, "/speakers/spk_1", json!({"displayName": "x"})),
            (Method::PATCH, "/segments/seg_0001", json!({"text": "x"})),
        ] {
            let theirs = other.json(method.clone(), &format!("/api/calls/{call}{rest}"), &body).await;
            let nobodys = other.json(method.clone(), &format!("/api/calls/{}{rest}", Uuid::now_v7()), &body).await;
            assert_eq!(shape(&theirs), shape(&nobodys), "{method} {rest}");
            assert_eq!(theirs.code(), "call_not_found");
        }
        let bulk = other.json(Method::DELETE, "/api/calls", &json!({"callIds": [call]})).await.json();
        assert_eq!(bulk, json!({"deleted": [], "missing": [call], "failed": []}));
        assert_eq!(other.get(&format!("/api/calls/status?ids={call}")).await.json(), json!({"items": []}));
        assert_eq!(other.get("/api/calls").await.json(), json!({"items": []}));
    }
    assert_eq!(owner.get(&format!("/api/calls/{call}")).await.json()["title"], "private");
}

#[tokio::test]
async fn a_time_that_no_database_holds_is_refused() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    for query in ["from=-10000-01-01T00:00:00Z", "to=%2B200000-01-01T00:00:00Z", "from=0000-01-01T00:00:00Z"] {
        let refused = person.get(&format!("/api/calls?{query}")).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "validation_failed"), "{query}");
    }
    let metadata = br#"{"recordedAt": "-10000-01-01T00:00:00Z"}"#;
    let refused = person.form(&[("metadata", metadata), ("file", &recording(1, 1000))], &[]).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "validation_failed"));
}
