//! What a correction of the transcript leaves of the tasks that people ticked off, edited, or added.

use axum::http::Method;
use serde_json::{Value, json};
use server::vault::{
    content::{self, Stored},
    seal::{Field, RecordKind},
};
use uuid::Uuid;

use crate::{
    actions::{add, items, path, set_status, titles},
    analyses::{DONE, analysed, work_until},
    client::Service,
    made::{correct, name, told},
    people::Person,
};

#[tokio::test]
async fn what_a_person_wrote_stays_when_the_words_that_it_was_found_by_are_corrected() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = items(&person, &call).await;
    let contract = before.iter().find(|item| item["title"].as_str().unwrap().contains("revised contract")).unwrap();
    let mine = json!({"title": "Ask the lawyer", "description": "on Monday", "intent": "task"});
    assert_eq!(person.json(Method::PUT, &path(contract), &mine).await.status, 200);
    let added = add(&person, &call, &json!({"title": "Mine alone", "sourceSegmentIds": ["seg_0003"]})).await;
    correct(&person, &call, "seg_0003", "The weather is nice here.").await;
    let after = items(&person, &call).await;
    assert!(titles(&after).contains(&"Ask the lawyer") && titles(&after).contains(&"Mine alone"), "{after:?}");
    assert!(after.iter().any(|item| item["actionItemId"] == added["actionItemId"]));
    // What it was found by has no words any more, and is still where it was.
    work_until(&service, DONE).await;
    person.send(Method::POST, &format!("/api/calls/{call}/reanalyze"), &[], b"").await;
    work_until(&service, DONE).await;
    assert!(titles(&items(&person, &call).await).contains(&"Ask the lawyer"));
}

/// The item of the segment that speaks of a revised contract.
pub(crate) async fn contract(person: &Person<'_>, call: &str) -> Value {
    let found = items(person, call).await;
    found.into_iter().find(|item| item["title"].as_str().unwrap().contains("revised contract")).unwrap()
}

#[tokio::test]
async fn what_a_person_said_of_an_item_stays_when_its_title_is_still_the_engine_s() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let item = contract(&person, &call).await;
    let mine = json!({"title": item["title"], "intent": item["intent"], "dueDate": "2026-12-24", "priority": "low", "description": "ask Ann"});
    assert_eq!(person.json(Method::PUT, &path(&item), &mine).await.status, 200);
    let is_mine = |item: &Value| {
        (&item["dueDate"], &item["priority"], &item["description"])
            == (&json!("2026-12-24"), &json!("low"), &json!("ask Ann"))
    };
    correct(&person, &call, "seg_0003", "I will send to you the revised contract by Friday.").await;
    assert!(is_mine(&contract(&person, &call).await));
    // The task is no more, and what the person said of it is still theirs.
    correct(&person, &call, "seg_0003", "The weather is nice here.").await;
    assert!(items(&person, &call).await.iter().any(is_mine));
    assert!(!told(&person, &call).await.contains("revised"));
}

#[tokio::test]
async fn no_text_of_an_edited_item_repeats_what_a_correction_took_away() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let item = contract(&person, &call).await;
    let metadata = json!({"title": "the revised contract", "subject": "revised contract", "location": "Room 4",
        "bodyPreview": "I will send you the revised contract by Friday", "notes": "the revised contract by Friday",
        "attendees": [{"name": "the revised contract"}, {"name": "Ann"}]});
    let mine = json!({"title": "Ask the lawyer", "intent": "task", "intentMetadata": metadata});
    assert_eq!(person.json(Method::PUT, &path(&item), &mine).await.status, 200);
    assert!(told(&person, &call).await.contains("revised"));
    correct(&person, &call, "seg_0003", "The weather is nice here.").await;
    assert!(!told(&person, &call).await.contains("revised"));
    let left = items(&person, &call).await;
    let left = left.iter().find(|item| item["title"] == "Ask the lawyer").unwrap();
    assert_eq!(
        (&left["intentMetadata"]["location"], &left["intentMetadata"]["attendees"][0]["name"]),
        (&json!("Room 4"), &json!("Ann"))
    );
}

#[tokio::test]
async fn the_day_that_a_person_gave_an_item_stays_where_its_words_are_still_said() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = items(&person, &call).await;
    let contract = before.iter().find(|item| item["title"].as_str().unwrap().contains("revised contract")).unwrap();
    let dated = json!({"title": contract["title"], "dueDate": "2026-04-01", "intent": "task"});
    assert_eq!(person.json(Method::PUT, &path(contract), &dated).await.status, 200);
    correct(&person, &call, "seg_0003", "I will send you the revised contract by Friday, dear.").await;
    let after = items(&person, &call).await;
    let kept = after.iter().find(|item| item["actionItemId"] == contract["actionItemId"]).unwrap();
    assert_eq!(kept["dueDate"], json!("2026-04-01"));
    assert!(kept["title"].as_str().unwrap().contains("revised contract"));
}

/// A call in which two tasks of one kind are found in the third segment: the chairs, then the door.
async fn two_tasks(person: &Person<'_>) -> (String, Vec<Value>) {
    let call = analysed(person, 1).await;
    correct(person, &call, "seg_0003", "I will order twelve blue chairs. I will paint the wooden door.").await;
    let mut found = items(person, &call).await;
    found.retain(|item| item["sourceSegmentIds"] == json!(["seg_0003"]));
    assert_eq!(titles(&found).len(), 2, "{found:?}");
    (call, found)
}

#[tokio::test]
async fn a_task_that_was_ticked_off_goes_with_its_words_and_stands_for_no_other_of_its_segment() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (call, found) = two_tasks(&person).await;
    assert!(found[1]["title"].as_str().unwrap().contains("door"), "{found:?}");
    set_status(&person, &found[1], "DONE").await;
    correct(&person, &call, "seg_0003", "I will order twelve blue chairs.").await;
    let after = items(&person, &call).await;
    let chairs: Vec<_> = after.iter().filter(|item| item["title"].as_str().unwrap().contains("chairs")).collect();
    assert_eq!(chairs.len(), 1, "{after:?}");
    assert_eq!((&chairs[0]["actionItemId"], &chairs[0]["status"]), (&found[0]["actionItemId"], &json!("OPEN")));
    assert!(!told(&person, &call).await.contains("door"));
}

#[tokio::test]
async fn a_task_that_was_ticked_off_stays_so_in_its_new_words_beside_one_that_a_person_added() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let sent = contract(&person, &call).await;
    set_status(&person, &sent, "DONE").await;
    let mine = json!({"title": "Send you twelve blue chairs", "intent": sent["intent"],
        "ownerSpeakerId": "spk_1", "sourceSegmentIds": ["seg_0003"]});
    let mine = add(&person, &call, &mine).await;
    correct(&person, &call, "seg_0003", "I will send you twelve blue chairs.").await;
    let after = items(&person, &call).await;
    let now = after.iter().find(|item| item["actionItemId"] == sent["actionItemId"]).expect("it is done still");
    assert_eq!(now["status"], "DONE");
    assert!(now["title"].as_str().unwrap().contains("blue chairs"), "{now}");
    assert!(after.contains(&mine) && !told(&person, &call).await.contains("revised"));
    // Of what a person added, only what its owner is called follows.
    name(&person, &call, "spk_1", "Ines Moor").await;
    let after = items(&person, &call).await;
    let mine = after.iter().find(|item| item["actionItemId"] == mine["actionItemId"]).unwrap();
    assert_eq!(
        (&mine["owner"]["displayName"], &mine["title"]),
        (&json!("Ines Moor"), &json!("Send you twelve blue chairs"))
    );
}

/// Leaves an item as a program before this one stored it: without what the engine said of it, and whether it was edited.
async fn of_an_older_program(person: &Person<'_>, call: &str, item: &Value) {
    let (app, id) = (&person.service.app, item["actionItemId"].as_str().unwrap().parse::<Uuid>().unwrap());
    let mut superuser = person.service.installation.postgres.superuser().await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed::bytea FROM tenant.action_items WHERE id = $1")
        .bind(id)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let key = app.vault.record_key(&mut tx, RecordKind::Call, call.parse().unwrap()).await.unwrap();
    let field = Field::new("action_items", "sealed", id);
    let plain = content::open(&Stored { key: &key, field: field.clone(), sealed: &sealed }).unwrap();
    let mut document: Value = serde_json::from_slice(&plain).unwrap();
    document.as_object_mut().unwrap().remove("edited");
    document["found"].as_object_mut().unwrap().remove("texts").unwrap();
    let sealed = content::seal(&mut tx, &key, &field, document.to_string().as_bytes()).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query("UPDATE tenant.action_items SET sealed = $2 WHERE id = $1")
        .bind(id)
        .bind(sealed)
        .execute(&mut superuser)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_a_person_said_of_an_item_to_an_older_program_stays() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let item = contract(&person, &call).await;
    let mine = json!({"title": item["title"], "intent": item["intent"], "dueDate": "2026-12-24", "description": "ask Ann",
        "intentMetadata": {"notes": "the revised contract by Friday"}});
    assert_eq!(person.json(Method::PUT, &path(&item), &mine).await.status, 200);
    of_an_older_program(&person, &call, &item).await;
    let is_mine = |item: &Value| (&item["dueDate"], &item["description"]) == (&json!("2026-12-24"), &json!("ask Ann"));
    // The second time as much as the first.
    for said in ["I will send to you the revised contract by Friday.", "The weather is nice here.", "Nothing."] {
        correct(&person, &call, "seg_0003", said).await;
        let after = items(&person, &call).await;
        assert!(after.iter().any(is_mine), "{after:?}");
    }
    assert!(!told(&person, &call).await.contains("revised"));
}
