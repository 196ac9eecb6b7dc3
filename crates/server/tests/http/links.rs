//! Which contact a call is with.

use std::pin::pin;

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Answer, Service},
    contacts::add,
    people::{Person, recording, until_it_waits},
};

async fn try_upload(person: &Person<'_>, seed: u8, metadata: &Value) -> Answer {
    let file = recording(seed, 1000);
    person.form(&[("metadata", metadata.to_string().as_bytes()), ("file", &file)], &[]).await
}

/// Uploads a call; gives what is said of it.
async fn upload(person: &Person<'_>, seed: u8, metadata: &Value) -> Value {
    let answer = try_upload(person, seed, metadata).await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    person.get(&format!("/api/calls/{}", answer.json()["callId"].as_str().unwrap())).await.json()
}

fn id(path: &str) -> Value {
    json!(path.rsplit('/').next().unwrap())
}

async fn contacts(person: &Person<'_>) -> Vec<Value> {
    person.get("/api/contacts").await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_call_is_linked_by_its_number_however_it_is_written_and_by_a_name_that_one_contact_has() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let ann = add(
        &person,
        &json!({"name": "Ann Heron", "phoneNumbers": ["+49 30 901820", "+1 212 555 0199"],
        "organization": "Heron Ltd"}),
    )
    .await;
    let carl = add(&person, &json!({"name": "Carl", "phoneNumbers": ["040 123456"]})).await;
    let emil = add(&person, &json!({"name": "Emil"})).await;
    // The same digits in another country, where a number that does not say its country is nobody's.
    add(&person, &json!({"name": "Dora", "phoneNumbers": ["+43 40 123457"]})).await;
    add(&person, &json!({"name": "Dorian", "phoneNumbers": ["+49 40 123457"]})).await;
    for (seed, (said, contact, name)) in [
        (json!({"phoneNumber": "0049 (30) 90 18 20"}), Some(&ann), Some("Ann Heron")),
        (json!({"phoneNumber": "030/901820"}), Some(&ann), Some("Ann Heron")),
        (json!({"phoneNumber": "(212) 555-0199"}), Some(&ann), Some("Ann Heron")),
        (json!({"phoneNumber": "+49 40 123456"}), Some(&carl), Some("Carl")),
        // Ann's number and Carl's name: a person chooses.
        (json!({"phoneNumber": "+49 30 901820", "contactName": "Carl"}), None, Some("Carl")),
        (json!({"phoneNumber": "+49 30 901820", "contactName": "Annie H."}), Some(&ann), Some("Annie H.")),
        (json!({"phoneNumber": "+49 30 901899", "contactName": "heron, ANN"}), Some(&ann), Some("heron, ANN")),
        (json!({"contactName": "carl"}), Some(&carl), Some("carl")),
        // There is more than one Carl.
        (json!({"phoneNumber": "+49 30 901899", "contactName": "Carl"}), None, Some("Carl")),
        (json!({"phoneNumber": "+49 30 901899", "contactName": "Emil"}), Some(&emil), Some("Emil")),
        (json!({"phoneNumber": "040 123457"}), None, None),
        (json!({"phoneNumber": "+49 30 901899"}), None, None),
        (json!({"contactId": id(&carl), "phoneNumber": "+49 30 901820"}), Some(&carl), Some("Carl")),
    ]
    .into_iter()
    .enumerate()
    {
        let call = upload(&person, u8::try_from(seed).unwrap(), &said).await;
        assert_eq!(call.get("contactId"), contact.map(|contact| id(contact)).as_ref(), "{said}");
        assert_eq!(call["contactName"].as_str(), name, "{said}");
        assert_eq!(call["organization"].as_str(), (contact == Some(&ann)).then_some("Heron Ltd"), "{said}");
    }
    assert_eq!(contacts(&person).await.len(), 5, "nobody was added");
    let calls = person.get(&format!("/api/calls?contactId={}", id(&carl).as_str().unwrap())).await.json();
    assert_eq!(calls["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_name_that_nobody_has_becomes_a_contact_once() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let said = json!({"contactName": "Ann Heron", "phoneNumber": "+49 30 901820",
        "organization": "Heron Ltd, mobile +1 212 555 0147"});
    let first = upload(&person, 1, &said).await;
    let found = contacts(&person).await;
    assert_eq!((found.len(), &found[0]["contactId"]), (1, &first["contactId"]));
    assert_eq!((&found[0]["name"], &found[0]["phoneNumbers"]), (&json!("Ann Heron"), &json!(["+49 30 901820"])));
    let organization = json!("Heron Ltd, mobile [phone number]");
    assert_eq!((&found[0]["organization"], &first["organization"]), (&organization, &organization));
    assert_eq!(upload(&person, 2, &json!({"phoneNumber": "030 901820"})).await["contactId"], first["contactId"]);
    // A recording that is sent again is the call that it was, whatever is said of it now.
    assert_eq!(upload(&person, 1, &json!({"contactName": "Carl"})).await["callId"], first["callId"]);
    // What a telephone shows of whom it does not know is no name.
    let unknown =
        upload(&person, 3, &json!({"contactName": "+1 212 555 0147", "phoneNumber": "+1 212 555 0147"})).await;
    assert_eq!((unknown.get("contactId"), &unknown["contactName"]), (None, &json!("Contact ending 0147")));
    assert_eq!(contacts(&person).await.len(), 1);
    // Nor is one of two chosen.
    add(&person, &json!({"name": "Ann Heron"})).await;
    let two = upload(&person, 4, &json!({"contactName": "Ann Heron"})).await;
    assert_eq!((two.get("contactId"), contacts(&person).await.len()), (None, 2));
    // Contacts of others are nobody's here.
    let member = person.member().await;
    let theirs = upload(&member, 5, &said).await;
    assert_ne!(theirs["contactId"], first["contactId"]);
    assert_eq!(contacts(&member).await.len(), 1);
}

#[tokio::test]
async fn calls_that_arrive_together_add_a_contact_once() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let said = json!({"contactName": "Ann Heron", "phoneNumber": "+49 30 901820"});
    let uploads = (1..7).map(|seed| try_upload(&person, seed, &said));
    for answer in futures::future::join_all(uploads).await {
        assert_eq!(answer.status, 202);
    }
    let found = contacts(&person).await;
    assert_eq!(found.len(), 1);
    let calls = person.get(&format!("/api/calls?contactId={}", found[0]["contactId"].as_str().unwrap())).await.json();
    assert_eq!(calls["items"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_call_whose_contact_is_deleted_while_it_comes_is_with_nobody() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    add(&person, &json!({"name": "Ann", "phoneNumbers": ["+49 30 901820"]})).await;
    let mut holder = service.installation.postgres.superuser().await;
    sqlx::raw_sql("BEGIN; DELETE FROM tenant.contacts").execute(&mut holder).await.unwrap();
    let said = json!({"phoneNumber": "+49 30 901820"});
    let mut answer = pin!(try_upload(&person, 1, &said));
    until_it_waits(&service, answer.as_mut()).await;
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    let answer = answer.await;
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    let call = person.get(&format!("/api/calls/{}", answer.json()["callId"].as_str().unwrap())).await.json();
    assert_eq!((call.get("contactId"), call.get("contactName")), (None, None));
}

#[tokio::test]
async fn a_contact_that_is_not_there_or_anothers_is_refused_and_nothing_is_left_of_the_upload() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let theirs = add(&person.member().await, &json!({"name": "Ann"})).await;
    for contact in [id(&theirs), json!(Uuid::now_v7())] {
        let refused = try_upload(&person, 1, &json!({"contactId": contact})).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "validation_failed"));
        assert_eq!(refused.json()["error"]["details"]["field"], "contactId");
    }
    assert_eq!(person.get("/api/calls").await.json(), json!({"items": []}));
}

#[tokio::test]
async fn a_call_is_called_by_the_contact_it_is_linked_to_and_not_after_it_is_unlinked() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let ann = add(&person, &json!({"name": "Ann", "organization": "Heron Ltd"})).await;
    let carl = add(&person, &json!({"name": "Carl"})).await;
    let nameless = add(&person, &json!({"phoneNumbers": ["+49 30 901820"]})).await;
    let call = upload(&person, 1, &json!({"contactName": "Ann"})).await;
    assert_eq!(call["contactId"], id(&ann));
    let path = format!("/api/calls/{}/contact", call["callId"].as_str().unwrap());
    assert_eq!(call["organization"], "Heron Ltd");
    for (contact, name, organization) in [
        (id(&carl), Some("Carl"), None),
        (json!(null), None, None),
        (id(&ann), Some("Ann"), Some("Heron Ltd")),
        // No name is better than another's.
        (id(&nameless), None, None),
        (json!(null), None, None),
    ] {
        let linked = person.json(Method::PATCH, &path, &json!({"contactId": contact})).await;
        assert_eq!(linked.status, 200);
        let linked = linked.json();
        assert_eq!(
            (linked.get("contactId"), linked["contactName"].as_str(), linked["organization"].as_str()),
            (Some(&contact).filter(|id| !id.is_null()), name, organization)
        );
    }
    for wrong in [json!({}), json!({"contactId": "x"}), json!({"contactId": Uuid::now_v7()})] {
        assert_eq!(person.json(Method::PATCH, &path, &wrong).await.code(), "validation_failed", "{wrong}");
    }
}
