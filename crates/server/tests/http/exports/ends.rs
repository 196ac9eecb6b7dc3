//! How exports end: by the clock, with a call, with their user, with a builder that dies.

use std::{future::poll_fn, pin::Pin, task::Poll};

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    deletion::{self, blobs},
    exports, retention,
    vault::seal::RecordKind,
};

use super::{ann, ask, ask_about, bob, build, count, download, files, hours_pass, state, sweep, with};
use crate::{
    client::Service,
    people::{Person, recording},
};

const KEYS: &str = "SELECT count(*) FROM tenant.exports WHERE sealed_key IS NOT NULL";
const SHARES: &str = "SELECT count(*) FROM tenant.export_calls";

/// Parts of objects that are in the folder of a user, besides those of calls.
async fn parts(person: &Person<'_>) -> u64 {
    // Removing tells how many there were.
    person.service.app.blobs.remove_record(person.scope.tenant(), person.scope.user()).await.unwrap()
}

/// Goes on with some work until it waits for the so manieth time; says whether it ended before.
async fn poll_times(mut work: Pin<&mut impl Future>, times: usize) -> bool {
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        work.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn a_day_after_it_was_asked_for_an_export_is_over_its_key_gone_and_then_its_bytes() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    ann.upload(1, "a call").await;
    let export = ask(&ann).await;
    build(&service).await;
    hours_pass(&ann, 23).await;
    sweep(&service, &ann).await;
    assert!(!files(&download(&ann, &export).await).is_empty());
    hours_pass(&ann, 1).await;
    // Before the sweeper comes as well as after.
    assert_eq!(
        (state(&ann, &export).await.0.as_str(), download(&ann, &export).await.status.as_u16()),
        ("EXPIRED", 404)
    );
    assert_eq!((count(&service, KEYS).await, count(&service, SHARES).await), (1, 1));
    sweep(&service, &ann).await;
    assert_eq!((count(&service, KEYS).await, count(&service, SHARES).await), (0, 0));
    assert_eq!(
        (state(&ann, &export).await.0.as_str(), download(&ann, &export).await.status.as_u16()),
        ("EXPIRED", 404)
    );
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.audit_events WHERE action = 62").await, 1);
    blobs::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert_eq!(parts(&ann).await, 0);
    hours_pass(&ann, 24 * 30).await;
    sweep(&service, &ann).await;
    assert_eq!(ann.get(&export).await.status, 404);
}

#[tokio::test]
async fn no_export_can_be_made_to_last_longer_than_a_day() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    ask(&ann).await;
    let mut superuser = service.installation.postgres.superuser().await;
    let longer = sqlx::query("UPDATE tenant.exports SET expires_at = expires_at + interval '1 second'");
    assert!(longer.execute(&mut superuser).await.is_err());
}

#[tokio::test]
async fn a_call_that_is_deleted_takes_the_key_of_every_export_that_holds_it_along() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let file = recording(1, 1000);
    let metadata = with(None, Some("Carl"));
    let bobs = bob.form(&[("metadata", metadata.as_bytes()), ("file", &file)], &[]).await.json();
    bob.upload(2, "another call").await;
    ann.upload(3, "a call of Ann's").await;
    let (own, bobs_own) = (ask(&ann).await, ask(&bob).await);
    build(&service).await;
    let subject = ask_about(&ann, &json!({"contactName": "Carl"})).await;
    build(&service).await;
    for (who, export) in [(&ann, &own), (&bob, &bobs_own), (&ann, &subject)] {
        assert_eq!(download(who, export).await.status, 200);
    }
    // By somebody who does not see the export about the data subject.
    let gone = bob.send(Method::DELETE, &format!("/api/calls/{}", bobs["callId"].as_str().unwrap()), &[], b"").await;
    assert_eq!(gone.status, 204);
    let broken = ("EXPIRED".to_owned(), Value::from("call_deleted"));
    for (who, export) in [(&bob, &bobs_own), (&ann, &subject)] {
        assert_eq!((state(who, export).await, download(who, export).await.status.as_u16()), (broken.clone(), 404));
    }
    assert_eq!(download(&ann, &own).await.status, 200);
    sweep(&service, &ann).await;
    assert_eq!(count(&service, KEYS).await, 1);
    assert_eq!(state(&bob, &bobs_own).await, broken);
}

#[tokio::test]
async fn who_is_deleted_leaves_no_export_behind_and_takes_those_with_their_calls_along() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let file = recording(1, 1000);
    bob.form(&[("metadata", with(None, Some("Carl")).as_bytes()), ("file", &file)], &[]).await;
    ask(&bob).await;
    let subject = ask_about(&ann, &json!({"contactName": "Carl"})).await;
    build(&service).await;
    assert_eq!(bob.send(Method::DELETE, "/api/users/me", &[], b"").await.status, 204);
    assert_eq!(state(&ann, &subject).await.0, "EXPIRED");
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.exports").await, 1);
    blobs::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert_eq!(parts(&bob).await, 0);

    let own = ask(&ann).await;
    build(&service).await;
    assert_eq!(download(&ann, &own).await.status, 200);
    let mut tx = service.app.database.write_long(&ann.scope).await.unwrap();
    let (signer, tenant) = (service.app.vault.signer(), ann.scope.tenant());
    deletion::delete(&mut tx, signer, RecordKind::Tenant, tenant).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.exports").await, 0);
    blobs::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert_eq!(parts(&ann).await, 0);
}

#[tokio::test]
async fn a_builder_that_dies_anywhere_is_followed_by_one_that_ends() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    for seed in 0..3 {
        ann.upload(seed, "a call").await;
    }
    let export = ask(&ann).await;
    let forget = "UPDATE tenant.exports SET attempts = 0, lease_until = now() - interval '1 second'";
    let mut deaths = 0;
    for polls in (1..400).step_by(7) {
        let mut work = Box::pin(exports::work(&service.app));
        // Dropped where it waits for the so manieth time.
        let ended = poll_times(work.as_mut(), polls).await;
        drop(work);
        if state(&ann, &export).await.0 == "READY" {
            break;
        }
        assert!(!ended, "a builder that was alone did not end it");
        deaths += 1;
        ann.sql(forget.to_owned()).await;
    }
    build(&service).await;
    let files = files(&download(&ann, &export).await);
    let calls = files.keys().filter(|name| name.ends_with("/call.json")).count();
    assert_eq!((calls, count(&service, SHARES).await), (3, 3), "after {deaths} deaths");
    assert!(deaths > 3, "{deaths}");
    // What the dead left in the store goes with the end of the export.
    hours_pass(&ann, 24).await;
    ann.sql("UPDATE tenant.blob_deletions SET run_at = now()".to_owned()).await;
    sweep(&service, &ann).await;
    blobs::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert_eq!(parts(&ann).await, 0);
}

#[tokio::test]
async fn a_call_that_is_deleted_while_an_export_is_built_is_in_no_archive_that_opens() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    ann.upload(0, "stays").await;
    for (seed, polls) in (1_u8..).zip((1..150).step_by(12)) {
        let call = ann.upload(seed, "goes").await;
        ann.sql("DELETE FROM tenant.exports".to_owned()).await;
        let export = ask(&ann).await;
        let mut work = Box::pin(exports::work(&service.app));
        let ended = poll_times(work.as_mut(), polls).await;
        let path = format!("/api/calls/{call}");
        let delete = ann.send(Method::DELETE, &path, &[], b"");
        let gone = if ended { delete.await } else { tokio::join!(work, delete).1 };
        assert_eq!(gone.status, 204);
        // It may have to be begun again.
        ann.sql("UPDATE tenant.exports SET lease_until = now() WHERE state = 1".to_owned()).await;
        build(&service).await;
        let answer = download(&ann, &export).await;
        if answer.status == 404 {
            assert_eq!(state(&ann, &export).await, ("EXPIRED".to_owned(), Value::from("call_deleted")), "{polls}");
        } else {
            assert!(!files(&answer).keys().any(|name| name.contains(&call)), "{polls}");
        }
    }
}

#[tokio::test]
async fn an_export_whose_builders_all_died_fails() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let export = ask(&ann).await;
    ann.sql("UPDATE tenant.exports SET attempts = 3".to_owned()).await;
    build(&service).await;
    assert_eq!(state(&ann, &export).await, ("FAILED".to_owned(), Value::from("build_failed")));
}

#[tokio::test]
async fn an_export_that_is_being_built_is_left_to_its_builder_and_one_that_cannot_be_built_fails() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let call = ann.upload(1, "a call").await;
    let export = ask(&ann).await;
    let lease = "lease_token = gen_random_uuid(), lease_until = now() + interval '1 minute'";
    ann.sql(format!("UPDATE tenant.exports SET attempts = 1, {lease}")).await;
    assert_eq!(exports::work(&service.app).await.unwrap(), 0);
    // Somebody put another content in its place.
    ann.sql(format!(
        "UPDATE tenant.calls SET sealed = (SELECT sealed FROM tenant.tenants LIMIT 1) WHERE id = '{call}'"
    ))
    .await;
    for _ in 2..=3 {
        assert_eq!(state(&ann, &export).await.0, "PENDING");
        ann.sql("UPDATE tenant.exports SET lease_until = now()".to_owned()).await;
        assert_eq!(exports::work(&service.app).await.unwrap(), 1);
    }
    assert_eq!(state(&ann, &export).await, ("FAILED".to_owned(), Value::from("build_failed")));
    assert_eq!(download(&ann, &export).await.status, 404);
    assert_eq!((parts(&ann).await, count(&service, KEYS).await), (0, 0));
}

#[tokio::test]
async fn who_does_not_own_the_tenant_any_more_gets_nothing_about_a_data_subject() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let export = ask_about(&ann, &json!({"contactName": "Carl"})).await;
    ann.sql(format!("UPDATE tenant.memberships SET role = 2 WHERE user_id = '{}'", ann.scope.user())).await;
    build(&service).await;
    ann.sql(format!("UPDATE tenant.memberships SET role = 1 WHERE user_id = '{}'", ann.scope.user())).await;
    service.app.auth.liveness.forget();
    assert_eq!(state(&ann, &export).await, ("FAILED".to_owned(), Value::from("not_an_owner")));
}

/// Goes on with some work until so many calls have their share of an export.
async fn poll_until_shared(service: &Service, mut work: Pin<&mut impl Future>, shares: i64) {
    while count(service, SHARES).await < shares {
        assert!(!poll_times(work.as_mut(), 1).await, "it ended before");
    }
}

#[tokio::test]
async fn deletions_while_an_archive_is_built_begin_it_again_and_do_not_count() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let mut calls = Vec::new();
    for seed in 0..7 {
        calls.push(ann.upload(seed, "a call").await);
    }
    let export = ask(&ann).await;
    // More often than there are attempts, each time one that is in the archive already.
    for _ in 0..5 {
        let mut work = Box::pin(exports::work(&service.app));
        poll_until_shared(&service, work.as_mut(), 1).await;
        let path = format!("/api/calls/{}", calls.pop().unwrap());
        assert_eq!(ann.send(Method::DELETE, &path, &[], b"").await.status, 204);
        work.await.unwrap();
        assert_eq!(state(&ann, &export).await.0, "PENDING");
        assert_eq!(parts(&ann).await, 0, "what was built is gone");
        // The next one begins at once, and with no share.
        ann.sql("DELETE FROM tenant.export_calls; UPDATE tenant.exports SET lease_until = now()".to_owned()).await;
    }
    build(&service).await;
    let files = files(&download(&ann, &export).await);
    let folders: Vec<&str> = files.keys().filter_map(|name| name.strip_suffix("/call.json")).collect();
    assert_eq!(folders, calls.iter().map(|call| format!("calls/{call}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_retention_deletes_while_an_archive_is_built_is_left_out_and_the_rest_is_built() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let (oldest, newest) = (ann.upload(0, "goes").await, ann.upload(1, "stays").await);
    let export = ask(&ann).await;
    let mut work = Box::pin(exports::work(&service.app));
    poll_until_shared(&service, work.as_mut(), 1).await;
    // A day too many has gone by.
    ann.sql(format!("UPDATE tenant.calls SET created_at = created_at - interval '91 days' WHERE id = '{oldest}'"))
        .await;
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 1);
    work.await.unwrap();
    assert_eq!(state(&ann, &export).await.0, "READY");
    let files = files(&download(&ann, &export).await);
    assert!(files.contains_key(&format!("calls/{newest}/call.json")));
    assert!(!files.keys().any(|name| name.contains(&oldest)));
    assert!(!String::from_utf8_lossy(&files["index.html"]).contains(&oldest));
}
