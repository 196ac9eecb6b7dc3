//! Calls end, receipts remain.

use axum::http::Method;
use serde_json::json;
use server::vault::{
    chain::Hash,
    keys::VaultError,
    receipts::{Counts, Horizon, Receipt},
    seal::RecordKind,
};

use crate::{
    client::Service,
    people::{Person, shape},
};

fn bytes<const N: usize>(hexadecimal: &serde_json::Value) -> [u8; N] {
    let text = hexadecimal.as_str().unwrap();
    std::array::from_fn(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
}

#[tokio::test]
async fn a_deleted_call_has_no_key_any_more_and_its_receipt_verifies() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "gone").await;
    let answer = person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.code(), "call_not_found");
    let mut tx = service.app.database.read(&person.scope).await.unwrap();
    let key = service.app.vault.record_key(&mut tx, RecordKind::Call, call.parse().unwrap()).await;
    assert!(matches!(key, Err(VaultError::Gone(_))));
    drop(tx);
    let path = format!("/api/deletions/{}", answer.headers["deletion-receipt"].to_str().unwrap());
    let shown = person.member().await.get(&path).await.json();
    assert_eq!((&shown["class"], &shown["subjectId"]), (&json!("CALL"), &json!(call)));
    let number = |name: &str| shown[name].as_i64().unwrap();
    let text = |name: &str| shown[name].as_str().unwrap();
    let receipt = Receipt {
        tenant: text("tenantId").parse().unwrap(),
        sequence: number("sequence"),
        id: text("receiptId").parse().unwrap(),
        class: RecordKind::Call,
        subject: text("subjectId").parse().unwrap(),
        counts: Counts { rows: number("rowsRemoved"), blobs: number("blobsRemoved"), keys: number("keysDestroyed") },
        at: text("at").parse().unwrap(),
        previous: Hash(bytes(&shown["previous"])),
        hash: Hash(bytes(&shown["hash"])),
        signing_key: number("signingKey").try_into().unwrap(),
        signature: bytes(&shown["signature"]),
        horizon: Horizon,
    };
    receipt.verify(service.app.vault.public_keys()).unwrap();
    let stranger = Person::new(&service).await;
    let nothing = stranger.get(&format!("/api/deletions/{call}")).await;
    assert_eq!(shape(&stranger.get(&path).await), shape(&nothing));
}

#[tokio::test]
async fn a_deletion_that_the_database_ends_for_the_sake_of_others_is_tried_three_times() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (one, two) = (person.upload(1, "one").await, person.upload(2, "two").await);
    let mut superuser = service.installation.postgres.superuser().await;
    let statements = "CREATE SEQUENCE public.attempts MINVALUE -9 START 1;
         CREATE FUNCTION public.deadlock() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN
           IF nextval('public.attempts') < 3 THEN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END IF; RETURN OLD; END$$;
         CREATE TRIGGER deadlock BEFORE DELETE ON tenant.calls FOR EACH ROW EXECUTE FUNCTION public.deadlock();";
    sqlx::raw_sql(statements).execute(&mut superuser).await.unwrap();
    assert_eq!(person.send(Method::DELETE, &format!("/api/calls/{one}"), &[], b"").await.status, 204);
    sqlx::raw_sql("ALTER SEQUENCE public.attempts RESTART WITH -9").execute(&mut superuser).await.unwrap();
    let two = format!("/api/calls/{two}");
    assert_eq!(person.send(Method::DELETE, &two, &[], b"").await.code(), "unavailable");
    assert_eq!(person.get(&two).await.json()["title"], "two");
}

#[tokio::test]
async fn several_calls_are_deleted_each_on_its_own_and_what_is_held_stays() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (one, two, held) = (person.upload(1, "1").await, person.upload(2, "2").await, person.upload(3, "3").await);
    person.sql(format!("UPDATE tenant.calls SET legal_hold = true WHERE id = '{held}'")).await;
    let answer = person.send(Method::DELETE, &format!("/api/calls/{held}"), &[], b"").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "legal_hold"));
    let none = uuid::Uuid::now_v7();
    let bulk = person.json(Method::DELETE, "/api/calls", &json!({"callIds": [one, none, held, two]})).await;
    assert_eq!(bulk.json(), json!({"deleted": [one, two], "missing": [none], "failed": [held]}));
    assert_eq!(bulk.headers["deletion-receipt"].to_str().unwrap().split(", ").count(), 2);
    assert_eq!(person.get("/api/calls").await.json()["items"].as_array().unwrap().len(), 1);
    let many: Vec<_> = (0..101).map(|_| uuid::Uuid::now_v7()).collect();
    assert_eq!(person.json(Method::DELETE, "/api/calls", &json!({"callIds": many})).await.code(), "validation_failed");
}
