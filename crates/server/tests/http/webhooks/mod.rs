//! Endpoints that are told what ends, as who receives it and as who would like this machine to ask its own network something.

mod attempts;
mod meanwhile;

use std::collections::BTreeSet;

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use server::{
    db::{Role, Scope},
    deletion, retention,
    vault::seal::RecordKind,
    webhooks::{self, deliver::due},
    worker::sweep,
};
use uuid::Uuid;

use crate::{
    client::{Answer, Service},
    operation::metrics,
    people::Person,
    receiver::{Message, Receiver},
    sign_in::owner,
    transcripts::give_transcript,
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

/// The owner of a new tenant, made as tenants are.
async fn owner_of(service: &Service) -> Person<'_> {
    let owner = owner(service, &format!("{}@example.org", Uuid::now_v7().simple())).await;
    let scope = Scope::authenticated(owner.tenant, owner.user, Role::Owner);
    Person { service, scope, token: owner.access }
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
    let mut actions: Vec<_> = actions.filter(|action| action.contains("WEBHOOK")).collect();
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
    let service = Service::set(&[&OPEN[..], &[("voice_profiles.enabled", "true")]].concat()).await;
    let person = owner_of(&service).await;
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
    // Sealed by anybody: it is not opened.
    let profile = Uuid::now_v7();
    person
        .sql(format!(
            "INSERT INTO tenant.voice_profiles (tenant_id, owner_id, id, provider, model, consent_version, sealed)
               SELECT tenant_id, '{}', '{profile}', 'local', 'ge2e', 1, sealed FROM tenant.webhook_endpoints",
            person.scope.user()
        ))
        .await;
    assert_eq!(person.send(Method::DELETE, "/api/users/me/voice-profile", &[], b"").await.status, 204);
    let user = member.scope.user().to_string();
    let removed = person.send(Method::DELETE, &format!("/api/tenant/members/{user}"), &[], b"").await;
    assert_eq!(removed.status, 204);
    due(&service.app).await;
    let told: BTreeSet<(String, String)> = receiver
        .seen()
        .iter()
        .map(|message| (message.body()["type"].to_string(), message.body()["data"]["id"].to_string()))
        .collect();
    let profile = profile.to_string();
    let expected = [
        ("contact.deleted", contact),
        ("call.deleted", &old),
        ("voice_profile.deleted", &profile),
        ("user.deleted", &user),
    ];
    assert_eq!(told, expected.map(|(of, id)| (json!(of).to_string(), json!(id).to_string())).into());

    let listed = deliveries(&person, &hook).await;
    assert_eq!(listed.len(), 5);
    assert!(listed.iter().all(|delivery| delivery["state"] == "DELIVERED" && delivery["statusCode"] == 204));
    assert_eq!(listed[4]["subjectId"], json!(call));
    assert!(listed.iter().all(|delivery| !delivery.to_string().contains("uokka")));
    let metrics = metrics(&service).await;
    assert!(
        metrics.contains("subrosa_webhook_deliveries_total{outcome=\"Accepted\"} 5") && !metrics.contains("wombat")
    );
}

#[tokio::test]
async fn a_call_that_is_completed_or_failed_is_told() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let mut receiver = Receiver::new().await;
    add(&person, &receiver.url(), &["call.completed", "call.failed"]).await;
    let (completed, failed) = (person.upload(1, "quokka").await, person.upload(2, "wallaby").await);
    give_transcript(&person, &completed).await;
    person.sql(format!("UPDATE tenant.calls SET status = 3 WHERE id = '{completed}'")).await;
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
    let (person, stranger) = (owner_of(&service).await, owner_of(&service).await);
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
async fn a_secret_is_shown_once_and_the_one_before_signs_for_a_day() {
    let service = Service::set(&OPEN).await;
    let mut person = owner_of(&service).await;
    let mut receiver = Receiver::new().await;
    let body = json!({"url": receiver.url(), "events": ["call.failed"]}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "made-once")];
    let made = person.send(Method::POST, HOOKS, &headers, body.as_bytes()).await.json();
    let again = person.send(Method::POST, HOOKS, &headers, body.as_bytes()).await.json();
    assert_eq!((&again["webhookId"], again.get("secret")), (&made["webhookId"], None));
    let (hook, old) = (made["webhookId"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(old.starts_with("whsec_"));
    assert!(person.get(&format!("{HOOKS}/{hook}")).await.json().get("secret").is_none());
    assert!(person.get(HOOKS).await.json()["items"][0].get("secret").is_none());

    // Who lost the answer asks again: what receivers have signs all the same.
    post(&person, hook, "secret").await;
    let new = post(&person, hook, "secret").await.json()["secret"].as_str().unwrap().to_owned();
    for (hours, is_old_good) in [(0, true), (25, false)] {
        service.app.clock.advance(TimeDelta::hours(hours));
        person.renew();
        post(&person, hook, "test").await;
        due(&service.app).await;
        let message = receiver.next().await;
        says_only(&message, "ping", hook, &person, None);
        assert_eq!((message.is_signed(&new), message.is_signed(old)), (true, is_old_good));
    }
    for _ in 0..5 {
        assert_eq!(post(&person, hook, "secret").await.status, 200);
    }
    assert_eq!(post(&person, hook, "secret").await.code(), "conflict");
}

#[tokio::test]
async fn a_removed_endpoint_is_told_nothing_and_a_disabled_one_not_later_either() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let mut receiver = Receiver::new().await;
    let (removed, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
    let (disabled, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
    delete_call(&person, &person.upload(1, "gone").await).await;
    assert_eq!(person.send(Method::DELETE, &format!("{HOOKS}/{removed}"), &[], b"").await.status, 204);
    assert_eq!(change(&person, &disabled, json!({"enabled": false})).await.json()["status"], "DISABLED");
    due(&service.app).await;
    assert!(receiver.seen().is_empty());
    assert_eq!(person.get(&format!("{HOOKS}/{removed}/deliveries")).await.status, 404);
    let delivery = &deliveries(&person, &disabled).await[0];
    assert_eq!((&delivery["state"], &delivery["outcome"]), (&json!("GIVEN_UP"), &json!("DISABLED")));
    // As a deletion leaves it that began before and was committed after.
    person.sql("UPDATE tenant.webhook_deliveries SET state = 1, outcome = NULL".to_owned()).await;
    due(&service.app).await;
    assert!(receiver.seen().is_empty());
    let delivery = &deliveries(&person, &disabled).await[0];
    assert_eq!((&delivery["state"], &delivery["outcome"]), (&json!("GIVEN_UP"), &json!("DISABLED")));

    person.sql("UPDATE tenant.webhook_deliveries SET created_at = now() - interval '29 days'".to_owned()).await;
    assert_eq!(webhooks::sweep(&service.app.database).await.unwrap(), 0);
    person.sql("UPDATE tenant.webhook_deliveries SET created_at = now() - interval '30 days'".to_owned()).await;
    assert_eq!(webhooks::sweep(&service.app.database).await.unwrap(), 1);
    let events = ["CREATE_WEBHOOK", "CREATE_WEBHOOK", "DELETE_WEBHOOK", "CHANGE_WEBHOOK"];
    assert_eq!(audited(&person).await, events);
}

#[tokio::test]
async fn a_tenant_that_is_deleted_is_told_of_once_with_its_receipt() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let mut receiver = Receiver::new().await;
    add(&person, &receiver.url(), &["tenant.deleted"]).await;
    let (_, other) = add(&person, &receiver.url(), &["call.deleted"]).await;
    let tenant = person.scope.tenant().to_string();
    let gone = person.json(Method::DELETE, "/api/tenant", &json!({"tenantId": tenant})).await;
    assert_eq!(gone.status, 204, "{}", String::from_utf8_lossy(&gone.body));
    let message = receiver.next().await;
    says_only(&message, "tenant.deleted", &tenant, &person, gone.headers["deletion-receipt"].to_str().ok());
    assert!(!message.is_signed(&other));
    let mut superuser = service.installation.postgres.superuser().await;
    let left =
        "SELECT (SELECT count(*) FROM tenant.webhook_endpoints) + (SELECT count(*) FROM tenant.webhook_deliveries)";
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&mut superuser).await.unwrap(), 0);
}

#[tokio::test]
async fn an_endpoint_is_its_tenants_at_most_ten_and_what_it_is_stays_sealed() {
    let service = Service::set(&OPEN).await;
    let (person, stranger) = (owner_of(&service).await, owner_of(&service).await);
    let url = "https://hooks.example.com/wombat";
    let (hook, _) = add(&person, url, &["call.failed", "call.deleted", "call.failed"]).await;
    let shown = person.get(&format!("{HOOKS}/{hook}")).await.json();
    let events = json!(["call.failed", "call.deleted"]);
    assert_eq!((&shown["url"], &shown["events"], &shown["description"]), (&json!(url), &events, &json!("the archive")));
    let changed = change(&person, &hook, json!({"events": ["call.completed"]})).await.json();
    assert_eq!((&changed["url"], &changed["events"]), (&json!(url), &json!(["call.completed"])));
    assert_eq!(changed["description"], "the archive");
    assert!(change(&person, &hook, json!({"description": ""})).await.json().get("description").is_none());
    let path = format!("{HOOKS}/{hook}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/test")),
        (Method::POST, format!("{path}/secret")),
        (Method::GET, format!("{path}/deliveries")),
    ] {
        assert_eq!(stranger.send(method.clone(), &path, &[], b"").await.status, 404, "{method} {path}");
        assert_eq!(person.member().await.send(method, &path, &[], b"").await.status, 403);
    }
    for body in [
        json!({"url": url, "events": []}),
        json!({"url": url, "events": ["call.read"]}),
        json!({"url": url, "events": ["ping"]}),
        json!({"url": "gopher://example.com/", "events": ["call.failed"]}),
        json!({"url": url, "events": ["call.failed"], "description": "two\nlines"}),
        json!({"url": format!("https://example.com/{}", "a".repeat(2048)), "events": ["call.failed"]}),
    ] {
        assert_eq!(person.json(Method::POST, HOOKS, &body).await.code(), "validation_failed", "{body}");
    }
    for _ in 1..10 {
        add(&person, url, &["call.failed"]).await;
    }
    assert_eq!(asked(&person, url, &["call.failed"]).await.code(), "conflict");
    let mut superuser = service.installation.postgres.superuser().await;
    let found = "SELECT count(*) FROM tenant.webhook_endpoints WHERE position('wombat'::bytea IN sealed::bytea) > 0
       OR position('whsec_'::bytea IN sealed::bytea) > 0";
    assert_eq!(sqlx::query_scalar::<_, i64>(found).fetch_one(&mut superuser).await.unwrap(), 0);
}
