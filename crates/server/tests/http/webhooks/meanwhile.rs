//! What becomes of an endpoint and its messages when something else happens meanwhile.

use std::sync::Arc;

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::json;
use server::{
    deletion::{mirror, restore},
    webhooks::deliver::due,
};
use sqlx::Row as _;
use tokio::sync::Notify;

use super::{HOOKS, OPEN, add, change, delete_call, deliveries, owner_of, post, status};
use crate::{
    client::Service,
    kit,
    receiver::{Play, Receiver},
};

#[tokio::test]
async fn an_answer_to_what_was_sent_before_a_change_says_nothing_of_the_endpoint() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    for (code, outcome) in [(410, "GONE"), (503, "REFUSED")] {
        let answer = Arc::new(Notify::new());
        let mut receiver = Receiver::playing(vec![Play::Late(code, answer.clone())]).await;
        let (hook, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
        post(&person, &hook, "test").await;
        let app = service.app.clone();
        let sending = tokio::spawn(async move { due(&app).await });
        receiver.next().await;
        let elsewhere = Receiver::new().await;
        assert_eq!(change(&person, &hook, json!({"url": elsewhere.url()})).await.status, 200);
        answer.notify_one();
        sending.await.unwrap();
        let shown = person.get(&format!("{HOOKS}/{hook}")).await.json();
        assert_eq!((&shown["status"], shown.get("failingSince")), (&json!("ENABLED"), None), "{code}");
        let delivery = &deliveries(&person, &hook).await[0];
        assert_eq!((&delivery["state"], &delivery["outcome"]), (&json!("QUEUED"), &json!(outcome)));
    }
}

#[tokio::test]
async fn what_cannot_be_opened_here_is_no_fault_of_the_endpoint_and_no_attempt() {
    let service = Service::set(&OPEN).await;
    let mut person = owner_of(&service).await;
    let (mut receiver, other) = (Receiver::new().await, Receiver::new().await);
    let (hook, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
    add(&person, &other.url(), &["call.failed"]).await;
    post(&person, &hook, "test").await;
    let swap = "UPDATE tenant.webhook_endpoints one SET sealed = other.sealed FROM tenant.webhook_endpoints other
       WHERE other.tenant_id = one.tenant_id AND other.id <> one.id";
    person.sql(swap.to_owned()).await;
    for _ in 0..10 {
        due(&service.app).await;
        service.app.clock.advance(TimeDelta::minutes(2));
    }
    person.sql(swap.to_owned()).await;
    person.renew();
    let delivery = &deliveries(&person, &hook).await[0];
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("QUEUED"), &json!(0)));
    assert!(receiver.seen().is_empty());
    due(&service.app).await;
    receiver.next().await;
    let shown = person.get(&format!("{HOOKS}/{hook}")).await.json();
    assert_eq!((&shown["status"], shown.get("failingSince")), (&json!("ENABLED"), None));
    assert_eq!(deliveries(&person, &hook).await[0]["attempts"], 1);
}

#[tokio::test]
async fn endpoints_calls_and_their_tenant_are_deleted_at_once_and_all_are_gone() {
    let service = Service::set(&OPEN).await;
    let mut person = owner_of(&service).await;
    for seed in 0..12 {
        let (hook, _) = add(&person, "http://127.0.0.1:9/", &["call.deleted", "contact.deleted"]).await;
        add(&person, "http://127.0.0.1:9/", &["call.deleted"]).await;
        let (hook, call) = (format!("{HOOKS}/{hook}"), format!("/api/calls/{}", person.upload(seed, "gone").await));
        let contact = person.json(Method::POST, "/api/contacts", &json!({"name": "Quokka"})).await.json();
        let contact = format!("/api/contacts/{}", contact["contactId"].as_str().unwrap());
        let last = person.upload(seed + 100, "gone with its tenant").await;
        let last = format!("/api/calls/{last}");
        let gone = async |path: &str| person.send(Method::DELETE, path, &[], b"").await.status.as_u16();
        let deleted = tokio::join!(gone(&hook), gone(&call), gone(&contact), due(&service.app));
        assert_eq!((deleted.0, deleted.1, deleted.2), (204, 204, 204));
        let tenant = json!({"tenantId": person.scope.tenant()});
        let deleted = tokio::join!(person.json(Method::DELETE, "/api/tenant", &tenant), gone(&last));
        assert_eq!(deleted.0.status, 204, "{}", String::from_utf8_lossy(&deleted.0.body));
        assert!([204, 401, 403, 404].contains(&deleted.1), "{}", deleted.1);
        person = owner_of(&service).await;
    }
}

#[tokio::test]
async fn a_restored_backup_tells_nothing_to_endpoints_that_were_removed_or_changed_and_again_what_is_deleted_again() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let mut hooks = Vec::new();
    for _ in 0..4 {
        hooks.push(add(&person, "http://127.0.0.1:9/", &["call.deleted"]).await.0);
    }
    let [kept, removed, changed, renewed] = &hooks[..] else { panic!("four") };
    let call = person.upload(1, "gone").await;
    let backup = service.installation.postgres.copy().await;
    assert_eq!(person.send(Method::DELETE, &format!("{HOOKS}/{removed}"), &[], b"").await.status, 204);
    assert_eq!(change(&person, changed, json!({"url": "http://127.0.0.1:10/"})).await.status, 200);
    assert_eq!(post(&person, renewed, "secret").await.status, 200);
    delete_call(&person, &call).await;
    assert_eq!(status(&person, renewed).await, "ENABLED");
    let kit::Installation { database, vault, keys, .. } = &service.installation;
    let blobs = &service.app.blobs;
    mirror::catch_up(database, blobs, vault).await.unwrap();

    let (database, vault) = kit::open(&backup, keys).await.unwrap();
    restore::check(&database, blobs, &vault).await.unwrap();
    let mut superuser = backup.superuser().await;
    let rows = sqlx::query(
        "SELECT e.id::text, e.state, (SELECT count(*) FROM tenant.webhook_deliveries d WHERE d.endpoint_id = e.id)
         FROM tenant.webhook_endpoints e ORDER BY e.id",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let rows: Vec<(String, i16, i64)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(rows, [(kept.clone(), 1, 1), (changed.clone(), 2, 0), (renewed.clone(), 2, 0)]);
}
