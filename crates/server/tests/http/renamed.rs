//! Calls whose contact is renamed or deleted: by whatever way, the name is gone in the end, and a legal hold keeps it for as long.

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    calls::store,
    deletion::{mirror, restore},
    search::index,
};
use uuid::Uuid;

use crate::{
    actions::{items, set_status},
    client::Service,
    kit::open,
    made::{called, contact, speakers, told},
    people::Person,
    search::found,
};

pub(crate) async fn ravi(person: &Person<'_>) -> (String, String) {
    let contact = contact(person, &json!({"name": "Ravi Patel", "organization": "Acme Tools"})).await;
    let call = called(person, &contact).await;
    (contact, call)
}

pub(crate) async fn forget(person: &Person<'_>, contact: &str) {
    let answer = person.send(Method::DELETE, &format!("/api/contacts/{contact}"), &[], b"").await;
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

pub(crate) async fn hold(person: &Person<'_>, call: &str, is_held: bool) {
    let hold = json!({"held": is_held, "reason": "a dispute"});
    assert_eq!(person.json(Method::PUT, &format!("/api/calls/{call}/legal-hold"), &hold).await.status, 200);
}

#[tokio::test]
async fn whoever_changes_a_call_before_upkeep_comes_by_brings_back_no_name() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (contact, call) = ravi(&person).await;
    assert_eq!(speakers(&person, &call).await, ["-", "Ravi Patel"]);
    forget(&person, &contact).await;
    let item = items(&person, &call).await.remove(0);
    assert_eq!(set_status(&person, &item, "DISMISSED").await.status, 200);
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert_eq!(speakers(&person, &call).await, ["-", "-"]);
    assert!(found(&person, "patel").await.is_empty());
    assert!(!told(&person, &call).await.contains("Patel"));
}

#[tokio::test]
async fn a_link_to_another_contact_takes_the_old_name_from_transcript_and_index() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (_, call) = ravi(&person).await;
    let other = contact(&person, &json!({"name": "Ines Moor"})).await;
    let link = json!({ "contactId": other });
    assert_eq!(person.json(Method::PATCH, &format!("/api/calls/{call}/contact"), &link).await.status, 200);
    assert_eq!(speakers(&person, &call).await, ["-", "Ines Moor"]);
    assert!(found(&person, "patel").await.is_empty() && found(&person, "moor").await.len() == 1);
}

#[tokio::test]
async fn a_call_under_legal_hold_keeps_its_names_until_the_hold_is_lifted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (contact, call) = ravi(&person).await;
    hold(&person, &call, true).await;
    let renamed = json!({"name": "Ravi Shah", "organization": "Acme Tools"});
    assert_eq!(person.json(Method::PUT, &format!("/api/contacts/{contact}"), &renamed).await.status, 200);
    forget(&person, &contact).await;
    index::catch_up(&service.app, &person.scope).await.unwrap();
    let shown = person.get(&format!("/api/calls/{call}")).await.json();
    assert_eq!(shown["contactName"], "Ravi Patel");
    assert_eq!(speakers(&person, &call).await, ["-", "Ravi Patel"]);
    assert_eq!(found(&person, "patel").await, [call.as_str()]);

    hold(&person, &call, false).await;
    assert!(found(&person, "patel").await.is_empty());
    index::catch_up(&service.app, &person.scope).await.unwrap();
    let shown = person.get(&format!("/api/calls/{call}")).await.json();
    assert!(
        shown.get("contactName").is_none_or(Value::is_null) && shown.get("organization").is_none_or(Value::is_null)
    );
    assert_eq!(speakers(&person, &call).await, ["-", "-"]);
    assert!(found(&person, "patel").await.is_empty());
}

/// Changes the last byte of what is sealed in a row.
async fn damage(person: &Person<'_>, table: &str, id: &str) {
    let last = "octet_length(sealed) - 1";
    let set = format!("set_byte(sealed, {last}, get_byte(sealed, {last}) # 1)");
    person.sql(format!("UPDATE tenant.{table} SET sealed = {set} WHERE id = '{id}'")).await;
}

#[tokio::test]
async fn neither_a_damaged_call_nor_its_own_damage_keeps_a_contact_from_being_deleted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (contact, call) = ravi(&person).await;
    let metadata = json!({ "contactId": contact }).to_string();
    let file = crate::people::recording(9, 1000);
    let other = person.form(&[("metadata", metadata.as_bytes()), ("file", &file)], &[]).await.json();
    let other = format!("/api/calls/{}", other["callId"].as_str().unwrap());
    assert_eq!(person.get(&other).await.json()["contactName"], "Ravi Patel");
    damage(&person, "calls", &call).await;
    forget(&person, &contact).await;
    assert!(person.get(&other).await.json().get("contactName").is_none_or(Value::is_null));
    let damaged = self::contact(&person, &json!({"name": "Ines Moor"})).await;
    damage(&person, "contacts", &damaged).await;
    forget(&person, &damaged).await;
}

#[tokio::test]
async fn a_restored_backup_forgets_the_name_of_a_deleted_contact_again() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (contact, call) = ravi(&person).await;
    let installation = &service.installation;
    let backup = installation.postgres.copy().await;
    forget(&person, &contact).await;
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();

    let (database, vault) = open(&backup, &installation.keys).await.unwrap();
    let id: Uuid = call.parse().unwrap();
    let named = async || {
        let mut tx = database.read(&person.scope).await.unwrap();
        let row = store::get(&mut tx, id).await.unwrap();
        store::open(&mut tx, &vault, &row).await.unwrap().contact_name
    };
    assert_eq!(named().await.as_deref(), Some("Ravi Patel"));
    restore::check(&database, &installation.blobs, &vault).await.unwrap();
    assert_eq!(named().await, None);
}
