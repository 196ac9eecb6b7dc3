//! Attempts to tell an endpoint: those that fail, those that must not be made, and who makes them.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::json;
use server::webhooks::deliver::due;

use super::{HOOKS, OPEN, add, asked, audited, change, delete_call, deliveries, owner_of, post, says_only, status};
use crate::{
    client::Service,
    receiver::{Play, Receiver, says},
};

#[tokio::test]
async fn what_fails_is_told_again_later_under_the_same_id_and_a_redirection_is_not_followed() {
    let service = Service::set(&OPEN).await;
    let mut person = owner_of(&service).await;
    let mut elsewhere = Receiver::new().await;
    let redirect = Play::Status(307, format!("location: {}\r\n", elsewhere.url()));
    let mut receiver = Receiver::playing(vec![says(500), redirect, says(200)]).await;
    let (hook, secret) = add(&person, &receiver.url(), &["call.deleted"]).await;
    delete_call(&person, &person.upload(1, "gone").await).await;
    let (mut ids, mut times, mut bodies) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (status, wait) in [(500, 6), (307, 331), (200, 100_000)] {
        // The second time it is before its time, or after it was accepted.
        due(&service.app).await;
        due(&service.app).await;
        let [message] = &receiver.seen()[..] else { panic!("one message") };
        assert!(message.is_signed(&secret));
        ids.insert(message.header("webhook-id").to_owned());
        times.insert(message.header("webhook-timestamp").to_owned());
        bodies.insert(message.text.clone());
        let delivery = &deliveries(&person, &hook).await[0];
        assert_eq!(delivery["statusCode"], status);
        assert_eq!(delivery["state"], if status == 200 { "DELIVERED" } else { "QUEUED" });
        service.app.clock.advance(TimeDelta::seconds(wait));
        person.renew();
    }
    due(&service.app).await;
    assert!(receiver.seen().is_empty() && elsewhere.seen().is_empty());
    assert_eq!((ids.len(), times.len(), bodies.len()), (1, 3, 1));
    assert!(person.get(&format!("{HOOKS}/{hook}")).await.json().get("failingSince").is_none());
    // Asked for, the same message comes once more.
    let id = ids.first().unwrap();
    assert_eq!(post(&person, &hook, &format!("deliveries/{id}/redeliver")).await.status, 202);
    due(&service.app).await;
    assert_eq!(receiver.next().await.header("webhook-id"), id);
}

#[tokio::test]
async fn who_accepts_nothing_is_given_up_and_after_five_days_told_nothing_any_more() {
    let service = Service::set(&OPEN).await;
    let mut person = owner_of(&service).await;
    let mut receiver = Receiver::playing(vec![says(503)]).await;
    let (hook, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
    delete_call(&person, &person.upload(1, "gone").await).await;
    for _ in 0..20 {
        due(&service.app).await;
        service.app.clock.advance(TimeDelta::hours(16));
        if receiver.seen().is_empty() {
            break;
        }
    }
    person.renew();
    let delivery = &deliveries(&person, &hook).await[0];
    let shown = |name: &str| delivery[name].clone();
    assert_eq!((shown("state"), shown("attempts"), shown("outcome")), (json!("GIVEN_UP"), json!(8), json!("REFUSED")));
    // Of this clock the eighth was 112 hours after the first.
    assert_eq!(status(&person, &hook).await, "ENABLED");
    delete_call(&person, &person.upload(2, "gone as well").await).await;
    // The database's clock stood still.
    let later = "UPDATE tenant.webhook_deliveries SET created_at = created_at + interval '128 hours' WHERE state = 1";
    person.sql(later.to_owned()).await;
    due(&service.app).await;
    assert_eq!((receiver.seen().len(), status(&person, &hook).await.as_str()), (1, "ENABLED"));
    for _ in 0..7 {
        service.app.clock.advance(TimeDelta::hours(16));
        due(&service.app).await;
    }
    person.renew();
    assert_eq!((receiver.seen().len(), status(&person, &hook).await.as_str()), (7, "FAILING"));
    assert_eq!(deliveries(&person, &hook).await[0]["state"], "GIVEN_UP");
    delete_call(&person, &person.upload(3, "told to nobody").await).await;
    due(&service.app).await;
    assert!(receiver.seen().is_empty());
    assert_eq!(audited(&person).await, ["CREATE_WEBHOOK", "DISABLE_WEBHOOK"]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_until_somebody_enables_it() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let mut receiver = Receiver::playing(vec![says(410), says(200)]).await;
    let (hook, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
    assert_eq!(post(&person, &hook, "test").await.status, 202);
    due(&service.app).await;
    assert_eq!((receiver.seen().len(), status(&person, &hook).await.as_str()), (1, "GONE"));
    assert_eq!(deliveries(&person, &hook).await[0]["outcome"], "GONE");
    assert_eq!(post(&person, &hook, "test").await.code(), "conflict");
    delete_call(&person, &person.upload(1, "told to nobody").await).await;
    assert_eq!(change(&person, &hook, json!({"enabled": true})).await.json()["status"], "ENABLED");
    let call = person.upload(2, "told").await;
    let receipt = delete_call(&person, &call).await;
    due(&service.app).await;
    let [message] = &receiver.seen()[..] else { panic!("one message") };
    says_only(message, "call.deleted", &call, &person, Some(&receipt));
    assert_eq!(audited(&person).await, ["CREATE_WEBHOOK", "SEND_WEBHOOK", "DISABLE_WEBHOOK", "CHANGE_WEBHOOK"]);
}

#[tokio::test]
async fn by_default_nothing_but_the_public_internet_is_asked_anything() {
    let service = Service::set(&[("webhooks.allow_http", "true")]).await;
    let person = owner_of(&service).await;
    let mut receiver = Receiver::new().await;
    for url in [receiver.url(), "https://[::1]/".into(), "https://169.254.169.254/".into(), "https://0x7f.1/".into()] {
        let refused = asked(&person, &url, &["call.deleted"]).await;
        assert_eq!((refused.status.as_u16(), refused.json()["error"]["details"]["field"].clone()), (400, json!("url")));
        assert!(!String::from_utf8_lossy(&refused.body).contains(&url));
    }
    // A name is looked up when something is sent, each time anew: whatever it resolved to before.
    let (hook, _) = add(&person, &format!("http://localhost:{}/", receiver.port), &["call.deleted"]).await;
    delete_call(&person, &person.upload(1, "gone").await).await;
    due(&service.app).await;
    assert_eq!(deliveries(&person, &hook).await[0]["outcome"], "ADDRESS_NOT_ALLOWED");
    assert!(receiver.seen().is_empty());

    let strict = Service::new().await;
    let person = owner_of(&strict).await;
    assert_eq!(asked(&person, "http://example.com/", &["call.deleted"]).await.code(), "validation_failed");
    assert_eq!(asked(&person, "https://example.com/", &["call.deleted"]).await.status, 201);
    // 905 characters as typed, and three for each byte as sent.
    let long = format!("https://example.com/{}", "é".repeat(885));
    assert_eq!(asked(&person, &long, &["call.deleted"]).await.code(), "validation_failed");
}

#[tokio::test]
async fn two_processes_send_a_message_once_and_one_that_died_leaves_it_to_the_other() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let mut receiver = Receiver::new().await;
    add(&person, &receiver.url(), &["call.deleted"]).await;
    for seed in 0..12 {
        delete_call(&person, &person.upload(seed, "gone").await).await;
    }
    tokio::join!(due(&service.app), due(&service.app), due(&service.app));
    let seen = receiver.seen();
    let ids: BTreeSet<_> = seen.iter().map(|message| message.header("webhook-id").to_owned()).collect();
    assert_eq!((seen.len(), ids.len()), (12, 12));

    let mut silent = Receiver::playing(vec![Play::Waits, says(200)]).await;
    let (hook, _) = add(&person, &silent.url(), &["call.failed"]).await;
    post(&person, &hook, "test").await;
    let first = tokio::select! {
        () = due(&service.app) => panic!("it answered"),
        message = silent.next() => message.header("webhook-id").to_owned(),
    };
    // Who sends has died.
    due(&service.app).await;
    assert!(silent.seen().is_empty(), "it belongs to somebody");
    person
        .sql("UPDATE tenant.webhook_deliveries SET lease_until = now() WHERE lease_until IS NOT NULL".to_owned())
        .await;
    due(&service.app).await;
    assert_eq!(silent.next().await.header("webhook-id"), first);
}

#[tokio::test]
async fn slow_receivers_of_a_tenant_do_not_stand_before_anothers_and_an_endless_answer_is_an_answer() {
    let service = Service::set(&OPEN).await;
    let (slow, other) = (owner_of(&service).await, owner_of(&service).await);
    let mut silent = Receiver::playing(vec![Play::Waits]).await;
    let (silenced, _) = add(&slow, &silent.url(), &["call.deleted"]).await;
    for number in 0..40 {
        assert_eq!(post(&slow, &silenced, "test").await.status, 202);
        if number == 0 {
            // What the planner takes for one row is many.
            slow.sql("ANALYZE tenant.webhook_deliveries".to_owned()).await;
        }
    }
    let mut beside = Receiver::new().await;
    let (neighbour, _) = add(&slow, &beside.url(), &["call.deleted"]).await;
    post(&slow, &neighbour, "test").await;
    let mut receiver = Receiver::playing(vec![Play::Floods]).await;
    let (hook, _) = add(&other, &receiver.url(), &["call.deleted"]).await;
    post(&other, &hook, "test").await;
    let app = service.app.clone();
    let sending = tokio::spawn(async move { due(&app).await });
    receiver.next().await;
    beside.next().await;
    for _ in 0..4 {
        silent.next().await;
    }
    assert!(silent.seen().is_empty(), "an endpoint has four under way");
    let taken = deliveries(&slow, &silenced).await.iter().filter(|delivery| delivery["attempts"] == 1).count();
    assert_eq!(taken, 4, "a claim takes one");
    while deliveries(&other, &hook).await[0]["state"] != "DELIVERED" {}
    sending.abort();
}

#[tokio::test]
async fn who_accepts_nothing_does_not_stand_before_who_does_however_long_its_messages_wait() {
    let service = Service::set(&OPEN).await;
    let person = owner_of(&service).await;
    let silent = Receiver::playing(vec![Play::Waits]).await;
    let mut dead = Vec::new();
    for _ in 0..8 {
        let (hook, _) = add(&person, &silent.url(), &["call.deleted"]).await;
        assert_eq!(post(&person, &hook, "test").await.status, 202);
        dead.push(hook);
    }
    person.sql("UPDATE tenant.webhook_endpoints SET failing_since = now()".to_owned()).await;
    let mut receiver = Receiver::new().await;
    let (hook, _) = add(&person, &receiver.url(), &["call.deleted"]).await;
    post(&person, &hook, "test").await;
    let app = service.app.clone();
    let sending = tokio::spawn(async move { due(&app).await });
    receiver.next().await;
    for hook in dead {
        assert!(deliveries(&person, &hook).await[0].get("attemptedAt").is_none(), "it went before");
    }
    sending.abort();
}
