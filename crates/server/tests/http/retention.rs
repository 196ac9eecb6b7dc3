//! How long calls are kept, and what keeps one longer.

use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::json;
use server::{background, retention};
use tokio::time::timeout;

use crate::{client::Service, people::Person};

/// Moves the clock of a call: it was made so many days ago.
async fn is_old(person: &Person<'_>, call: &str, days: u32) {
    person
        .sql(format!("UPDATE tenant.calls SET created_at = now() - interval '{days} days' WHERE id = '{call}'"))
        .await;
}

async fn titles(person: &Person<'_>) -> Vec<String> {
    let page = person.get("/api/calls").await.json();
    let mut titles: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|call| call["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

async fn hold(person: &Person<'_>, call: &str, held: bool, reason: &str) -> crate::client::Answer {
    person.json(Method::PUT, &format!("/api/calls/{call}/legal-hold"), &json!({ "held": held, "reason": reason })).await
}

#[tokio::test]
async fn a_call_is_deleted_when_its_tenant_keeps_it_no_longer() {
    let service = Service::new().await;
    let (long, short) = (Person::new(&service).await, Person::new(&service).await);
    for (person, ages) in [(&long, [0, 89, 91]), (&short, [0, 2, 4])] {
        for (seed, age) in ages.into_iter().enumerate() {
            let call = person.upload(u8::try_from(seed).unwrap(), &age.to_string()).await;
            is_old(person, &call, age).await;
        }
    }
    let days = short.json(Method::PATCH, "/api/tenant", &json!({"retentionDays": 3})).await;
    assert_eq!(days.status, 200);
    // The clock of the program's machine says that none is too old, and then that all are.
    service.app.clock.advance(TimeDelta::days(-400));
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 2);
    service.app.clock.advance(TimeDelta::days(800));
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 0);
    service.app.clock.advance(TimeDelta::days(-400));
    assert_eq!(
        (titles(&long).await, titles(&short).await),
        (vec!["0".into(), "89".into()], vec!["0".into(), "2".into()])
    );
}

#[tokio::test]
async fn a_call_under_legal_hold_outlives_its_retention_and_every_deletion_until_the_hold_is_lifted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "evidence").await;
    is_old(&person, &call, 400).await;
    let held = hold(&person, &call, true, "  case of the crane  ").await.json();
    assert_eq!((&held["held"], &held["acts"][0]["reason"]), (&json!(true), &json!("case of the crane")));
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.json()["legalHold"], true);
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 0);
    let refused = person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "legal_hold"));
    let lifted = hold(&person, &call, false, "settled").await.json();
    let reasons: Vec<_> =
        lifted["acts"].as_array().unwrap().iter().map(|act| act["reason"].as_str().unwrap()).collect();
    assert_eq!((&lifted["held"], reasons), (&json!(false), vec!["settled", "case of the crane"]));
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 1);
    assert_eq!(person.get(&format!("/api/calls/{call}/legal-hold")).await.code(), "call_not_found");
}

#[tokio::test]
async fn only_who_manages_the_tenant_holds_a_call_and_only_for_a_reason() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let member = owner.member().await;
    let call = member.upload(1, "theirs").await;
    assert_eq!(hold(&member, &call, true, "mine").await.code(), "forbidden");
    assert_eq!(hold(&owner, &call, true, " \n ").await.code(), "validation_failed");
    assert_eq!(hold(&owner, &call, true, &"x".repeat(20_001)).await.code(), "validation_failed");
    assert_eq!(hold(&Person::new(&service).await, &call, true, "foreign").await.code(), "call_not_found");
    assert_eq!(hold(&owner, &call, true, "theirs").await.status, 200);
    for path in [format!("/api/calls/{call}"), "/api/users/me".to_owned()] {
        let refused = member.send(Method::DELETE, &path, &[], b"").await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "legal_hold"), "{path}");
    }
}

#[tokio::test]
async fn one_call_that_cannot_be_deleted_does_not_keep_the_others() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (bad, good) = (person.upload(1, "bad").await, person.upload(2, "good").await);
    is_old(&person, &bad, 101).await;
    is_old(&person, &good, 100).await;
    person
        .sql(format!(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ASSERT false; END';
             CREATE TRIGGER refuse BEFORE DELETE ON tenant.calls FOR EACH ROW WHEN (OLD.id = '{bad}')
               EXECUTE FUNCTION public.refuse()"
        ))
        .await;
    assert!(retention::enforce(&service.app).await.is_err());
    assert_eq!(titles(&person).await, ["bad"]);
}

#[tokio::test]
async fn a_call_that_its_tenant_keeps_longer_at_the_last_moment_stays() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let calls = [person.upload(1, "first").await, person.upload(2, "second").await];
    is_old(&person, &calls[0], 101).await;
    is_old(&person, &calls[1], 100).await;
    // Both were found to be too old, and the first is about to go.
    let (mut holder, mut observer) =
        (service.installation.postgres.superuser().await, service.installation.postgres.superuser().await);
    sqlx::raw_sql("BEGIN; SELECT FROM tenant.calls FOR UPDATE").execute(&mut holder).await.unwrap();
    let keep = async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query(waits).fetch_optional(&mut observer).await.unwrap().is_none() {}
        let kept = person.json(Method::PATCH, "/api/tenant", &json!({"retentionDays": 365})).await;
        assert_eq!(kept.status, 200);
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    };
    let (deleted, ()) = tokio::join!(retention::enforce(&service.app), keep);
    assert_eq!((deleted.unwrap(), titles(&person).await), (0, vec!["first".into(), "second".into()]));
}

#[tokio::test]
async fn a_round_of_retention_has_an_end_and_the_next_one_goes_on() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (tenant, user) = (person.scope.tenant(), person.scope.user());
    person
        .sql(format!(
            "INSERT INTO tenant.calls (tenant_id, id, owner_id, created_at)
               SELECT '{tenant}', gen_random_uuid(), '{user}', now() - interval '91 days' FROM generate_series(1, 501)"
        ))
        .await;
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 500);
    assert_eq!(retention::enforce(&service.app).await.unwrap(), 1);
}

#[tokio::test]
async fn a_recording_that_is_too_old_goes_before_any_call_that_is() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (heard, old) = (person.upload(1, "heard").await, person.upload(2, "old").await);
    is_old(&person, &old, 91).await;
    // Counts the recordings of the other call that are there when this one goes.
    person
        .sql(format!(
            "UPDATE tenant.artifacts SET created_at = now() - interval '25 hours' WHERE call_id = '{heard}';
             CREATE TABLE public.seen (recordings bigint);
             CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
               $$BEGIN INSERT INTO public.seen SELECT count(*) FROM tenant.artifacts WHERE call_id = '{heard}'; RETURN OLD; END$$;
             CREATE TRIGGER see BEFORE DELETE ON tenant.calls FOR EACH ROW EXECUTE FUNCTION public.see()"
        ))
        .await;
    let mut observer = service.installation.postgres.superuser().await;
    let seen = async {
        loop {
            let seen = sqlx::query_scalar("SELECT recordings FROM public.seen").fetch_optional(&mut observer).await;
            if let Some(recordings) = seen.unwrap() {
                break recordings;
            }
        }
    };
    let recordings: i64 = tokio::select! {
        () = background::run(&service.app, None, None) => panic!("it runs until the program stops"),
        recordings = timeout(Duration::from_secs(60), seen) => recordings.expect("the call is deleted"),
    };
    assert_eq!(recordings, 0);
}
