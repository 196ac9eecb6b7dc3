//! Data subjects: found in the calls of a tenant, whoever made them and however their number was written.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::{ann, ask_about, bob, build, count, download, files, json_of, state, with};
use crate::{
    client::Service,
    people::{Person, recording},
};

/// Uploads a call with somebody; gives its id.
async fn call(person: &Person<'_>, seed: u8, metadata: &str) -> String {
    let file = recording(seed, 1000);
    let answer = person.form(&[("metadata", metadata.as_bytes()), ("file", &file)], &[]).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["callId"].as_str().unwrap().to_owned()
}

/// The calls that an export about somebody holds.
async fn found(person: &Person<'_>, subject: &Value) -> BTreeSet<String> {
    let export = ask_about(person, subject).await;
    build(person.service).await;
    assert_eq!(state(person, &export).await.0, "READY");
    let files = files(&download(person, &export).await);
    assert!(!files.contains_key("profile.json"), "an archive about a data subject holds calls");
    let folders = files.keys().filter_map(|name| name.strip_prefix("calls/")?.strip_suffix("/call.json"));
    let calls: BTreeSet<String> = folders.map(str::to_owned).collect();
    for call in &calls {
        assert_eq!(json_of(&files, &format!("calls/{call}/call.json"))["callId"], **call);
    }
    calls
}

#[tokio::test]
async fn a_data_subject_is_found_in_the_calls_of_all_members_however_the_number_was_written() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let stranger = Person::new(&service).await;
    let mut with_carl = BTreeSet::new();
    for (seed, (person, number)) in [
        (&ann, "+49 30 901820"),
        (&bob, "0049-30-901820"),
        (&bob, "(030) 90 18 20"),
        (&ann, "+49 (30) 90 18 20 ext. 7"),
    ]
    .into_iter()
    .enumerate()
    {
        with_carl.insert(call(person, u8::try_from(seed).unwrap(), &with(Some(number), None)).await);
    }
    call(&ann, 10, &with(Some("+49 30 901821"), None)).await;
    call(&bob, 11, &with(None, Some("Carl"))).await;
    call(&stranger, 12, &with(Some("+49 30 901820"), None)).await;
    assert_eq!(found(&ann, &json!({"phoneNumber": "+49 30 901820"})).await, with_carl);
    assert_eq!(found(&ann, &json!({"phoneNumber": "+49 30 901899"})).await, BTreeSet::new());
}

#[tokio::test]
async fn a_data_subject_is_found_by_the_contact_that_calls_are_linked_to_with_what_is_noted_of_them() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let carl = json!({"name": "Carl Heron", "phoneNumbers": ["+49 30 901820"], "notes": "met in May"});
    let carl = bob.json(Method::POST, "/api/contacts", &carl).await.json();
    let linked = json!({"contactName": "the boss", "contactId": carl["contactId"]}).to_string();
    let linked = call(&bob, 1, &linked).await;
    call(&bob, 2, &with(None, Some("somebody else"))).await;
    for subject in [json!({"contactName": "Heron, Carl"}), json!({"phoneNumber": "0049 30 901820"})] {
        assert_eq!(found(&ann, &subject).await, BTreeSet::from([linked.clone()]), "{subject}");
    }
    let export = ask_about(&ann, &json!({"contactName": "carl heron"})).await;
    build(&service).await;
    let contacts = json_of(&files(&download(&ann, &export).await), "contacts.json");
    assert_eq!((contacts.as_array().unwrap().len(), &contacts[0]["notes"]), (1, &json!("met in May")));
}

#[tokio::test]
async fn a_data_subject_is_found_by_name_also_in_calls_that_an_older_program_took_in() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let bob = bob(&ann).await;
    let new = call(&ann, 1, &with(None, Some("Carl Heron"))).await;
    let old = call(&bob, 2, &with(None, Some("  HERON, Carl "))).await;
    call(&bob, 3, &with(None, Some("Carla Heron"))).await;
    ann.sql(format!(
        "UPDATE tenant.calls SET is_indexed = false, name_token = NULL, phone_token = NULL WHERE id = '{old}'"
    ))
    .await;
    assert_eq!(found(&ann, &json!({"contactName": "carl heron"})).await, BTreeSet::from([new, old]));
}

#[tokio::test]
async fn a_data_subject_whom_the_call_names_by_number_is_found_by_it_whatever_is_changed_afterwards() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let named = call(&ann, 1, &with(None, Some("030 / 901820"))).await;
    let old = call(&ann, 2, &with(None, Some("+49 30 901820"))).await;
    call(&ann, 3, &with(None, Some("+49 30 901829"))).await;
    let path = format!("/api/calls/{named}");
    let shown = ann.json(Method::PATCH, &path, &json!({"title": "another title"})).await.json();
    assert_eq!(shown["contactName"], "Contact ending 1820");
    assert!(shown["phoneNumber"].is_null(), "the number itself is not kept");
    assert_eq!(found(&ann, &json!({"phoneNumber": "+49 30 901820"})).await, BTreeSet::from([named, old]));
}

#[tokio::test]
async fn who_lost_an_export_writes_no_more_tokens_for_it() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    call(&ann, 1, &with(None, Some("Carl"))).await;
    ann.sql("UPDATE tenant.calls SET is_indexed = false, name_token = NULL".to_owned()).await;
    let export = ask_about(&ann, &json!({"contactName": "Carl"})).await;
    let (mut holder, mut observer) =
        (service.installation.postgres.superuser().await, service.installation.postgres.superuser().await);
    sqlx::raw_sql("BEGIN; SELECT FROM tenant.calls FOR UPDATE").execute(&mut holder).await.unwrap();
    let lose = async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query(waits).fetch_optional(&mut observer).await.unwrap().is_none() {}
        // As if the lease had ended, and another program had begun.
        let lose = "UPDATE tenant.exports SET lease_token = gen_random_uuid(), lease_until = now() + interval '1 hour'";
        sqlx::raw_sql(lose).execute(&mut observer).await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    };
    tokio::join!(build(&service), lose);
    assert_eq!(state(&ann, &export).await.0, "PENDING");
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.calls WHERE is_indexed").await, 0);
}
