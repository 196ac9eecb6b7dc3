//! What is made of a call follows what people correct in it, write about it, and call those whom it is with: the analysis, its digest, its
//! action items, and what it is found by.

use axum::http::Method;
use insight::{
    analysis::{document::Analysis, task::document::ActionItem},
    talk,
};
use serde_json::{Value, json};
use server::{
    artifacts::{self, Artifact},
    search::index,
    transcripts::store,
    vault::seal::RecordKind,
};

use crate::{
    actions::{add, items, path, renew, set_status},
    analyses::{DONE, analysed, analysis, heard, work_until},
    client::Service,
    contacts,
    people::Person,
    search::found,
    transcripts::transcribed,
};

pub(crate) async fn correct(person: &Person<'_>, call: &str, segment: &str, text: &str) {
    let path = format!("/api/calls/{call}/segments/{segment}");
    let answer = person.json(Method::PATCH, &path, &json!({ "text": text })).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

pub(crate) async fn name(person: &Person<'_>, call: &str, speaker: &str, name: &str) {
    let path = format!("/api/calls/{call}/speakers/{speaker}");
    assert_eq!(person.json(Method::PATCH, &path, &json!({ "displayName": name })).await.status, 200);
}

async fn digest(person: &Person<'_>, call: &str) -> String {
    String::from_utf8(person.get(&format!("/api/calls/{call}/digest?format=text")).await.body).unwrap()
}

/// Everything that is told of a call, but for its transcript.
pub(crate) async fn told(person: &Person<'_>, call: &str) -> String {
    let mut told = digest(person, call).await;
    for part in ["", "/analysis", "/action-items"] {
        told += &String::from_utf8(person.get(&format!("/api/calls/{call}{part}")).await.body).unwrap();
    }
    told + &String::from_utf8(person.get("/api/calls").await.body).unwrap()
}

/// Lets a language model have made the analysis of a call, which says more than was quoted.
pub(crate) async fn made_by_model(person: &Person<'_>, call: &str, change: impl FnOnce(&mut Value)) {
    let (app, id) = (&person.service.app, call.parse().unwrap());
    let mut stored = analysis(person, call).await;
    stored["engine"] = json!("llm");
    change(&mut stored);
    let made: Analysis = serde_json::from_value(stored.clone()).unwrap();
    renew(person, call, &made.action_items).await;
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await.unwrap();
    artifacts::put(&mut tx, (id, Artifact::Analysis), (&key, None), stored.to_string().as_bytes()).await.unwrap();
    index::renew(&mut tx, &app.vault, id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_a_correction_took_away_is_in_nothing_that_was_made_of_the_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = items(&person, &call).await;
    let contract = before.iter().find(|item| item["title"].as_str().unwrap().contains("revised contract")).unwrap();
    // Ticked off, which keeps it through every analysis.
    assert_eq!(set_status(&person, contract, "DONE").await.status, 200);
    assert!(told(&person, &call).await.contains("revised"));
    assert_eq!(found(&person, "revised").await, [call.as_str()]);
    let decisions = analysis(&person, &call).await["decisions"].clone();
    correct(&person, &call, "seg_0003", "The weather is nice here.").await;
    let after = told(&person, &call).await;
    assert!(!after.contains("revised") && !after.contains("2026-03-13"), "{after}");
    assert!(found(&person, "revised").await.is_empty());
    let now = analysis(&person, &call).await;
    assert!(now.get("stale").is_none() && now["engine"] == "local", "{now}");
    // What rests on other words is still there, and so is the end of a number that was said elsewhere.
    assert!(after.contains("call you back") || after.contains("Call"), "{after}");
    assert_eq!(now["decisions"], decisions);
}

#[tokio::test]
async fn who_is_called_otherwise_is_called_so_in_everything_that_was_made_of_the_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    name(&person, &call, "spk_1", "Dana Reed").await;
    let done = items(&person, &call).await.remove(0);
    set_status(&person, &done, "DONE").await;
    assert!(digest(&person, &call).await.contains("Dana Reed"));
    name(&person, &call, "spk_1", "Ines Moor").await;
    let told = told(&person, &call).await;
    assert!(told.contains("Ines Moor") && !told.contains("Dana"), "{told}");
    assert!(found(&person, "dana").await.is_empty());
}

#[tokio::test]
async fn numbers_of_a_call_are_those_of_the_corrected_transcript() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    correct(&person, &call, "seg_0001", "Hello.").await;
    let mut tx = service.app.database.read(&person.scope).await.unwrap();
    let stored = store::get(&mut tx, &service.app.vault, call.parse().unwrap()).await.unwrap().unwrap();
    let words = talk::measure(&stored).words.unwrap();
    let mut superuser = service.installation.postgres.superuser().await;
    let counted: i32 = sqlx::query_scalar("SELECT words FROM tenant.call_metrics WHERE speaker = 0")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(usize::try_from(counted).unwrap(), words);
}

#[tokio::test]
async fn a_model_s_analysis_is_stale_behind_a_correction_and_says_nothing_of_what_went() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    made_by_model(&person, &call, |made| {
        made["executiveSummary"] = json!("They signed. A revised paper goes out.");
        made["conversationOutcome"] = json!("The parties parted as friends.");
        made["risks"] = json!([
            {"text": "The paper may be late.", "sourceSegmentIds": ["seg_0003"]},
            {"text": "The delivery is open.", "sourceSegmentIds": ["seg_0004"]},
            {"text": "Revisions cost time.", "sourceSegmentIds": ["seg_0004"]},
        ]);
    })
    .await;
    assert_eq!(found(&person, "parted friends").await, [call.as_str()]);
    assert_eq!(found(&person, "\"revised paper\"").await, [call.as_str()]);
    correct(&person, &call, "seg_0003", "The weather is nice here.").await;
    let now = analysis(&person, &call).await;
    assert_eq!((&now["stale"], &now["engine"]), (&json!(true), &json!("llm")), "{now}");
    let told = told(&person, &call).await;
    assert!(!told.contains("revised") && !told.contains("Revisions") && !told.contains("may be late"), "{told}");
    // What rests on other words is the model's still.
    assert_eq!(now["conversationOutcome"], "The parties parted as friends.");
    assert_eq!(now["risks"], json!([{"text": "The delivery is open.", "sourceSegmentIds": ["seg_0004"]}]));
    assert!(found(&person, "revised").await.is_empty() && found(&person, "friends").await.len() == 1);
    person.send(Method::POST, &format!("/api/calls/{call}/reanalyze"), &[], b"").await;
    work_until(&service, DONE).await;
    assert!(analysis(&person, &call).await.get("stale").is_none());
}

#[tokio::test]
async fn a_legal_hold_keeps_the_analysis_as_it_was() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = analysis(&person, &call).await;
    person.sql("UPDATE tenant.calls SET legal_hold = true".to_owned()).await;
    correct(&person, &call, "seg_0003", "The weather is nice here.").await;
    assert_eq!(analysis(&person, &call).await, before);
}

#[tokio::test]
async fn a_digest_has_the_action_items_as_people_left_them() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    made_digestible(&person, &call).await;
    let found = items(&person, &call).await;
    let edited = json!({"title": "Book <the> small table", "dueDate": "2026-12-24", "intent": "task"});
    person.json(Method::PUT, &path(&found[0]), &edited).await;
    set_status(&person, &found[1], "DONE").await;
    set_status(&person, &found[2], "DISMISSED").await;
    person.send(Method::DELETE, &path(&found[3]), &[], b"").await;
    add(&person, &call, &json!({"title": "Buy flowers"})).await;
    let text = digest(&person, &call).await;
    let (_, tasks) = text.split_once("Action items\n").unwrap();
    let tasks = tasks.split_once("\n\n").map_or(tasks, |(tasks, _)| tasks);
    assert_eq!(
        tasks.trim_end().lines().collect::<Vec<_>>(),
        ["- Book <the> small table (by 2026-12-24)", "- Send the offer (done)", "- Buy flowers"]
    );
    let html = person.get(&format!("/api/calls/{call}/digest?format=html")).await.body;
    assert!(String::from_utf8(html).unwrap().contains("<li>Book &lt;the&gt; small table"));
    for item in items(&person, &call).await {
        person.send(Method::DELETE, &path(&item), &[], b"").await;
    }
    assert!(!digest(&person, &call).await.contains("Action items"));
}

/// Gives a call an analysis with four tasks.
async fn made_digestible(person: &Person<'_>, call: &str) {
    let task = |title: &str, segment: &str| ActionItem {
        title: title.to_owned(),
        source_segment_ids: vec![segment.to_owned()],
        ..ActionItem::default()
    };
    let action_items = ["Book a table", "Send the offer", "Order chairs", "Paint the door"];
    let action_items = (1..).zip(action_items).map(|(n, title)| task(title, &format!("seg_{n:04}"))).collect();
    let made = Analysis { schema_version: 3, action_items, key_points: vec!["Hello.".into()], ..Analysis::default() };
    renew(person, call, &made.action_items).await;
    let (app, id) = (&person.service.app, call.parse().unwrap());
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await.unwrap();
    let json = serde_json::to_vec(&made).unwrap();
    artifacts::put(&mut tx, (id, Artifact::Analysis), (&key, None), &json).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_call_is_found_by_its_action_items_until_they_go() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    let item = add(&person, &call, &json!({"title": "Order a trombone", "description": "in brass"})).await;
    let hit = person.get("/api/calls/search?q=trombone").await.json()["items"][0].clone();
    assert_eq!((&hit["callId"], &hit["snippets"][0]["field"]), (&json!(call), &json!("ACTION_ITEM")));
    assert_eq!(found(&person, "\"in brass\"").await, [call.as_str()]);
    set_status(&person, &item, "DISMISSED").await;
    assert!(found(&person, "trombone").await.is_empty());
    set_status(&person, &item, "OPEN").await;
    assert_eq!(found(&person, "trombone").await, [call.as_str()]);
    person.json(Method::PUT, &path(&item), &json!({"title": "Order a harp"})).await;
    assert!(found(&person, "trombone").await.is_empty() && found(&person, "brass").await.is_empty());
    assert_eq!(found(&person, "harps").await, [call.as_str()]);
    assert_eq!(person.send(Method::DELETE, &path(&item), &[], b"").await.status, 204);
    assert!(found(&person, "harp").await.is_empty());
    // One that was found goes like one that was added.
    renew(&person, &call, &[ActionItem { title: "Tune the bassoon".into(), ..ActionItem::default() }]).await;
    index_of(&person, &call).await;
    assert_eq!(found(&person, "bassoon").await, [call.as_str()]);
    let bassoon = items(&person, &call).await.remove(0);
    person.send(Method::DELETE, &path(&bassoon), &[], b"").await;
    assert!(found(&person, "bassoon").await.is_empty());
}

async fn index_of(person: &Person<'_>, call: &str) {
    let mut tx = person.service.app.database.write(&person.scope).await.unwrap();
    index::renew(&mut tx, &person.service.app.vault, call.parse().unwrap()).await.unwrap();
    tx.commit().await.unwrap();
}

/// The id of a contact that is added.
pub(crate) async fn contact(person: &Person<'_>, details: &Value) -> String {
    contacts::add(person, details).await.rsplit('/').next().unwrap().to_owned()
}

/// A call with a contact by whose name rules have named a speaker.
pub(crate) async fn called(person: &Person<'_>, contact: &str) -> String {
    let call = analysed(person, 1).await;
    let link = json!({ "contactId": contact });
    assert_eq!(person.json(Method::PATCH, &format!("/api/calls/{call}/contact"), &link).await.status, 200);
    let (app, id) = (&person.service.app, call.parse().unwrap());
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let mut said = store::get(&mut tx, &app.vault, id).await.unwrap().unwrap();
    said.speakers[1].display_name = Some("Ravi Patel".to_owned());
    said.speakers[1].label = "Ravi Patel".to_owned();
    store::put(&mut tx, &app.vault, id, &said).await.unwrap();
    heard(&mut tx, &app.vault, id).await;
    tx.commit().await.unwrap();
    index_of(person, &call).await;
    call
}

pub(crate) async fn speakers(person: &Person<'_>, call: &str) -> Vec<String> {
    let transcript = person.get(&format!("/api/calls/{call}/transcript")).await.json();
    let names = transcript["speakers"].as_array().unwrap().iter();
    names.map(|one| one["displayName"].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn calls_follow_what_their_contact_is_called_and_are_not_found_by_what_it_was() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let details = json!({"name": "Ravi Patel", "email": "ravi@example.org", "organization": "Acme Tools"});
    let contact = contact(&person, &details).await;
    let call = called(&person, &contact).await;
    name(&person, &call, "spk_1", "Ravi Patel").await;
    for word in ["patel", "ravi"] {
        assert_eq!(found(&person, word).await, [call.as_str()], "{word}");
    }
    let renamed = json!({"name": "Ravi Shah", "email": "ravi@example.org", "organization": "Bolt Tools"});
    let answer = person.json(Method::PUT, &format!("/api/contacts/{contact}"), &renamed).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    // At once, before anything is indexed anew.
    assert!(found(&person, "patel").await.is_empty());
    assert_eq!(person.get("/api/calls").await.json()["items"][0]["contactName"], "Ravi Shah");
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert_eq!(found(&person, "shah").await, [call.as_str()]);
    // The one whom a person named so keeps that name, and is found by it.
    assert_eq!(speakers(&person, &call).await, ["Ravi Patel", "Ravi Shah"]);
    assert_eq!(found(&person, "patel").await, [call.as_str()]);
    name(&person, &call, "spk_1", "").await;
    assert!(found(&person, "patel").await.is_empty());

    let gone = person.send(Method::DELETE, &format!("/api/contacts/{contact}"), &[], b"").await;
    assert_eq!(gone.status, 204);
    assert!(found(&person, "shah").await.is_empty());
    assert!(person.get(&format!("/api/calls/{call}")).await.json().get("contactName").is_none_or(Value::is_null));
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert!(found(&person, "shah").await.is_empty() && found(&person, "ravi").await.is_empty());
    assert_eq!(speakers(&person, &call).await, ["-", "-"]);
    assert!(!told(&person, &call).await.contains("Shah"));
}

#[tokio::test]
async fn a_call_that_was_called_otherwise_by_its_recorder_keeps_that_name() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let contact = contact(&person, &json!({"name": "Maria Rossi", "phoneNumbers": ["+39 06 698 1234"]})).await;
    let metadata = json!({"contactName": "Mum", "phoneNumber": "+39 06 698 1234"}).to_string();
    let file = crate::people::recording(7, 1000);
    let accepted = person.form(&[("metadata", metadata.as_bytes()), ("file", &file)], &[]).await.json();
    let path = format!("/api/calls/{}", accepted["callId"].as_str().unwrap());
    let shown = person.get(&path).await.json();
    assert_eq!((&shown["contactId"], &shown["contactName"]), (&json!(contact), &json!("Mum")));
    let renamed = json!({"name": "Maria Verdi", "phoneNumbers": ["+39 06 698 1234"]});
    assert_eq!(person.json(Method::PUT, &format!("/api/contacts/{contact}"), &renamed).await.status, 200);
    assert_eq!(person.get(&path).await.json()["contactName"], "Mum");
}
