//! The address book.

use std::{collections::BTreeSet, pin::pin};

use axum::http::Method;
use serde_json::{Value, json};
use server::{auth::tokens::TokenRole, vault::seal::RecordKind};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    client::{Answer, Service},
    people::{Person, shape, until_it_waits},
};

const CONTACTS: &str = "/api/contacts";

/// Adds a contact; gives its address.
pub(crate) async fn add(person: &Person<'_>, details: &Value) -> String {
    let answer = person.json(Method::POST, CONTACTS, details).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    format!("{CONTACTS}/{}", answer.json()["contactId"].as_str().unwrap())
}

async fn with_key(person: &Person<'_>, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    person.send(method, path, &headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_contact_is_added_read_and_replaced() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let ann = add(
        &person,
        &json!({"name": " Ann Heron ", "phoneNumbers": ["+49 30 901820"], "email": "Ann@example.org",
        "organization": "Heron Ltd", "notes": "prefers mornings"}),
    )
    .await;
    let shown = person.get(&ann).await.json();
    assert_eq!((&shown["name"], &shown["phoneNumbers"]), (&json!("Ann Heron"), &json!(["+49 30 901820"])));
    assert_eq!((&shown["email"], &shown["notes"]), (&json!("Ann@example.org"), &json!("prefers mornings")));
    let changed = person.json(Method::PUT, &ann, &json!({"name": "Ann Crane"})).await.json();
    assert_eq!((&changed["name"], &changed["phoneNumbers"]), (&json!("Ann Crane"), &json!([])));
    assert!(changed.get("email").is_none() && changed.get("notes").is_none());
    assert_eq!(person.get(&ann).await.json(), changed);
}

#[tokio::test]
async fn a_contact_of_somebody_else_is_answered_like_one_that_never_was() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let member = owner.member().await;
    let ann = add(&owner, &json!({"name": "Ann", "email": "ann@example.org"})).await;
    let call = member.upload(1, "of the member").await;
    for other in [&member, &Person::new(&service).await] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let nobody = format!("{CONTACTS}/{}", Uuid::now_v7());
            let theirs = other.json(method.clone(), &ann, &json!({"name": "mine"})).await;
            let nobodys = other.json(method.clone(), &nobody, &json!({"name": "mine"})).await;
            assert_eq!(shape(&theirs), shape(&nobodys), "{method}");
            assert_eq!(theirs.code(), "not_found");
        }
        assert_eq!(other.get(CONTACTS).await.json(), json!({"items": []}));
        // Nor is it told by what may not be had twice.
        add(other, &json!({"name": "Ann", "email": "ann@example.org"})).await;
        let own = other.get(CONTACTS).await.json()["items"][0]["contactId"].clone();
        other.send(Method::DELETE, &format!("{CONTACTS}/{}", own.as_str().unwrap()), &[], b"").await;
    }
    let link = json!({"contactId": ann.rsplit('/').next()});
    let refused = member.json(Method::PATCH, &format!("/api/calls/{call}/contact"), &link).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["details"]["field"]), (400, &json!("contactId")));
    // Who owns the tenant sees it all, and may not hang one user's call on another's contact either.
    let refused = owner.json(Method::PATCH, &format!("/api/calls/{call}/contact"), &link).await;
    assert_eq!(refused.status, 400);
    assert_eq!(owner.get(&ann).await.json()["name"], "Ann");
    let auditor =
        Person { service: &service, scope: member.scope, token: service.token(&member.scope, TokenRole::Auditor) };
    assert_eq!(auditor.json(Method::POST, CONTACTS, &json!({"name": "x"})).await.code(), "forbidden");
    assert_eq!(auditor.get(CONTACTS).await.json(), json!({"items": []}));
}

#[tokio::test]
async fn what_cannot_be_a_contact_is_refused_with_the_field_that_is_wrong() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    for (wrong, field) in [
        (json!({}), "name"),
        (json!({"name": "  ", "notes": "nobody"}), "name"),
        (json!({"name": "x".repeat(501)}), "name"),
        (json!({"phoneNumbers": ["none"]}), "phoneNumbers"),
        (json!({"phoneNumbers": ["1".repeat(65)]}), "phoneNumbers"),
        (json!({"phoneNumbers": vec!["1"; 21]}), "phoneNumbers"),
        (json!({"email": "nobody"}), "email"),
        (json!({"name": "x", "organization": "x".repeat(501)}), "organization"),
        (json!({"name": "x", "notes": "x".repeat(20_001)}), "notes"),
    ] {
        let refused = person.json(Method::POST, CONTACTS, &wrong).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "validation_failed"), "{wrong}");
        assert_eq!(refused.json()["error"]["details"]["field"], field, "{wrong}");
    }
    for wrong in [json!({"name": "x", "age": 3}), json!([]), json!({"phoneNumbers": "1"})] {
        assert_eq!(person.json(Method::POST, CONTACTS, &wrong).await.code(), "validation_failed", "{wrong}");
    }
    for wrong in ["limit=0", "limit=201", "cursor=x"] {
        assert_eq!(person.get(&format!("{CONTACTS}?{wrong}")).await.code(), "validation_failed", "{wrong}");
    }
}

#[tokio::test]
async fn a_number_and_an_address_belong_to_one_contact_however_they_are_written() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let ann =
        add(&person, &json!({"name": "Ann", "phoneNumbers": ["+49 30 901820"], "email": "ann@example.org"})).await;
    let bob = add(&person, &json!({"name": "Ann"})).await;
    for twice in [
        json!({"name": "Bob", "phoneNumbers": ["+1 212 555 0199", "0049 (30) 90 18 20"]}),
        json!({"name": "Bob", "email": "ANN@example.org"}),
    ] {
        for (method, path) in [(Method::POST, CONTACTS), (Method::PUT, &bob)] {
            let refused = person.json(method, path, &twice).await;
            assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "conflict"), "{twice}");
            assert_eq!(refused.json()["error"]["details"]["contactId"], *ann.rsplit('/').next().unwrap());
        }
    }
    // Its own number is not another's.
    let same = json!({"name": "Anna", "phoneNumbers": ["0049 30 901820"], "email": "ann@example.org"});
    assert_eq!(person.json(Method::PUT, &ann, &same).await.status, 200);
    person.json(Method::PUT, &ann, &json!({"name": "Anna"})).await;
    assert_eq!(person.json(Method::PUT, &bob, &same).await.status, 200, "it was given back");
}

#[tokio::test]
async fn pages_show_every_contact_once_the_latest_first() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let mut added = Vec::new();
    for n in 0..7 {
        added.push(add(&person, &json!({"name": format!("contact {n}")})).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.get(&format!("{CONTACTS}?limit=3{cursor}")).await.json();
        let ids = page["items"].as_array().unwrap().iter().map(|contact| contact["contactId"].as_str().unwrap());
        seen.extend(ids.map(|id| format!("{CONTACTS}/{id}")));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    added.reverse();
    assert_eq!(seen, added);
}

#[tokio::test]
async fn nothing_of_a_contact_is_in_clear_and_no_full_number_stays_where_none_belongs() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let details = json!({"name": "+1 212 555 0199", "phoneNumbers": ["+1 212 555 0199"], "email": "canary@example.org",
        "notes": "canary: mobile is +1 212 555 0147"});
    let shown = person.get(&add(&person, &details).await).await.json();
    assert_eq!(
        (&shown["name"], &shown["notes"]),
        (&json!("Contact ending 0199"), &json!("canary: mobile is [phone number]"))
    );
    assert_eq!(shown["phoneNumbers"], details["phoneNumbers"]);
    let mut superuser = service.installation.postgres.superuser().await;
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT c::text FROM tenant.contacts c UNION ALL SELECT t::text FROM tenant.contact_tokens t",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert!(rows.len() > 3);
    for clear in ["canary", "0199", "2125550199", "Contact"] {
        let coded: String = clear.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(rows.iter().all(|row| !row.contains(clear) && !row.contains(&coded)), "{clear}");
    }
}

#[tokio::test]
async fn a_deleted_contact_is_unreadable_at_once_and_leaves_a_receipt_and_its_calls() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let details = json!({"name": "Ann Heron", "phoneNumbers": ["+49 30 901820"], "notes": "a secret of Ann's"});
    let added = with_key(&person, Method::POST, CONTACTS, "k1", &details).await;
    let id = added.json()["contactId"].as_str().unwrap().to_owned();
    let ann = format!("{CONTACTS}/{id}");
    let again = with_key(&person, Method::POST, CONTACTS, "k1", &details).await;
    assert_eq!((again.json(), again.headers.contains_key("idempotency-replayed")), (added.json(), true));
    let changed = json!({"name": "Ann Heron", "notes": "another secret"});
    assert_eq!(with_key(&person, Method::PUT, &ann, "k2", &changed).await.status, 200);
    let call = person.upload(1, "stays").await;
    person.json(Method::PATCH, &format!("/api/calls/{call}/contact"), &json!({"contactId": id})).await;

    let gone = person.send(Method::DELETE, &ann, &[], b"").await;
    assert_eq!(gone.status, 204);
    let receipt = gone.headers["deletion-receipt"].to_str().unwrap();
    let receipt = person.get(&format!("/api/deletions/{receipt}")).await.json();
    assert_eq!((&receipt["class"], &receipt["subjectId"]), (&json!("CONTACT"), &json!(id)));
    assert_eq!(receipt["keysDestroyed"], 1);
    assert_eq!(person.get(&ann).await.code(), "not_found");
    assert_eq!(person.send(Method::DELETE, &ann, &[], b"").await.code(), "not_found");
    let detail = person.get(&format!("/api/calls/{call}")).await.json();
    assert_eq!((&detail["title"], detail.get("contactId")), (&json!("stays"), None));
    // The answers that were kept to be given again went with its key.
    for (method, path, key, body) in [(Method::POST, CONTACTS, "k1", &details), (Method::PUT, &ann, "k2", &changed)] {
        let again = with_key(&person, method, path, key, body).await;
        assert_eq!(again.status, 404);
        assert!(!String::from_utf8(again.body).unwrap().contains("secret"));
    }
    let mut superuser = service.installation.postgres.superuser().await;
    for table in ["record_keys WHERE kind = 2", "contacts", "contact_tokens"] {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM tenant.{table}"));
        assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut superuser).await.unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn who_deletes_a_contact_has_it_before_its_tokens_as_who_changes_it_does() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let member = owner.member().await;
    let ann = add(&owner, &json!({"name": "Ann"})).await;
    add(&member, &json!({"name": "Bob"})).await;
    let mut holder = service.installation.postgres.superuser().await;
    for path in [ann, format!("/api/tenant/members/{}", member.scope.user())] {
        sqlx::raw_sql("BEGIN; SELECT FROM tenant.contacts FOR UPDATE").execute(&mut holder).await.unwrap();
        let mut deletion = pin!(owner.send(Method::DELETE, &path, &[], b""));
        until_it_waits(&service, deletion.as_mut()).await;
        let tokens = "SELECT FROM tenant.contact_tokens FOR UPDATE NOWAIT; COMMIT";
        sqlx::raw_sql(tokens).execute(&mut holder).await.expect("the tokens are free");
        assert_eq!(deletion.await.status, 204, "{path}");
    }
}

#[tokio::test]
async fn whoever_leaves_takes_the_address_book_along() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let member = owner.member().await;
    let kept = add(&owner, &json!({"name": "the owner's", "phoneNumbers": ["+49 30 901820"]})).await;
    add(&member, &json!({"name": "the member's", "phoneNumbers": ["+49 30 901820"]})).await;
    let path = format!("/api/tenant/members/{}", member.scope.user());
    assert_eq!(owner.send(Method::DELETE, &path, &[], b"").await.status, 204);
    let mut superuser = service.installation.postgres.superuser().await;
    for table in [format!("record_keys WHERE kind = {}", RecordKind::Contact as i16), "contacts".into()] {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM tenant.{table}"));
        assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut superuser).await.unwrap(), 1, "{table}");
    }
    let left: BTreeSet<Uuid> = sqlx::query_scalar("SELECT owner_id FROM tenant.contact_tokens")
        .fetch_all(&mut superuser)
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(left, BTreeSet::from([owner.scope.user()]));
    assert_eq!(owner.get(&kept).await.status, 200);
}

#[tokio::test]
async fn who_was_refused_a_change_or_a_deletion_may_ask_again_at_once() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    add(&person, &json!({"name": "Ann", "email": "ann@example.org"})).await;
    let bob = add(&person, &json!({"name": "Bob"})).await;
    let nobody = format!("{CONTACTS}/{}", Uuid::now_v7());
    let taken = json!({"name": "Bob", "email": "ann@example.org"});
    for _ in 0..20 {
        assert_eq!(person.send(Method::DELETE, &nobody, &[], b"").await.status, 404);
        assert_eq!(person.json(Method::PUT, &bob, &taken).await.status, 409);
    }
}
