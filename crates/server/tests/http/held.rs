//! What is taken out of a transcript is in no copy of it, and what a legal hold keeps goes when that is lifted.

use axum::http::Method;
use serde_json::json;

use crate::{
    actions::{add, items, set_status},
    analyses::{analysed, analysis},
    client::Service,
    corrected_tasks::contract,
    exports::{ann, archive},
    made::{contact, correct, made_by_model, name, speakers, told},
    people::Person,
    renamed::{forget, hold, ravi},
    search::found,
};

const WEATHER: &str = "The weather is nice here.";

#[tokio::test]
async fn what_a_person_took_out_of_a_transcript_is_in_no_archive() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let call = analysed(&ann, 1).await;
    let before = archive(&ann).await;
    assert!(before.contains("revised") && before.contains("/raw-transcript.json"));
    correct(&ann, &call, "seg_0003", WEATHER).await;
    let after = archive(&ann).await;
    assert!(!after.contains("revised") && !after.contains("/raw-transcript.json"));
}

#[tokio::test]
async fn the_name_of_a_contact_that_was_deleted_is_in_no_archive() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let (contact, call) = ravi(&ann).await;
    assert!(archive(&ann).await.contains("Patel"));
    forget(&ann, &contact).await;
    // Any change of the call has its transcript follow, and so does upkeep.
    let item = items(&ann, &call).await.remove(0);
    assert_eq!(set_status(&ann, &item, "DISMISSED").await.status, 200);
    assert_eq!(speakers(&ann, &call).await, ["-", "-"]);
    assert!(!archive(&ann).await.contains("Patel"));
}

#[tokio::test]
async fn what_was_corrected_under_a_legal_hold_is_found_by_nobody_and_goes_from_everything_when_that_is_lifted() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let call = analysed(&ann, 1).await;
    let before = analysis(&ann, &call).await;
    assert_eq!(set_status(&ann, &contract(&ann, &call).await, "DONE").await.status, 200);
    hold(&ann, &call, true).await;
    correct(&ann, &call, "seg_0003", WEATHER).await;
    correct(&ann, &call, "seg_0003", "The weather is fine here.").await;
    assert_eq!(analysis(&ann, &call).await, before);
    assert!(archive(&ann).await.contains("revised"), "a hold keeps what was heard");
    assert!(found(&ann, "revised").await.is_empty() && found(&ann, "fine").await.len() == 1);
    add(&ann, &call, &json!({"title": "Ask a lawyer"})).await;
    assert_eq!(found(&ann, "lawyer").await, [call.as_str()]);

    hold(&ann, &call, false).await;
    let now = analysis(&ann, &call).await;
    assert!(now.get("stale").is_none() && now["engine"] == "local", "{now}");
    let (told, archive) = (told(&ann, &call).await, archive(&ann).await);
    assert!(!told.contains("revised") && !archive.contains("revised"), "{told}");
    assert!(told.contains("Ask a lawyer") && !archive.contains("/raw-transcript.json"), "{told}");
    assert!(found(&ann, "revised").await.is_empty() && found(&ann, "lawyer").await.len() == 1);
}

#[tokio::test]
async fn a_model_s_analysis_loses_what_was_corrected_under_a_legal_hold_when_that_is_lifted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    made_by_model(&person, &call, |made| {
        made["suggestedTitle"] = json!("A revised paper");
        made["executiveSummary"] = json!("They signed. A revised paper goes out.");
        made["conversationOutcome"] = json!("The parties parted as friends.");
        made["risks"] = json!([{"text": "The paper may be late.", "sourceSegmentIds": ["seg_0003"]}]);
    })
    .await;
    // What went before the hold was set is in nothing that the hold finds.
    correct(&person, &call, "seg_0005", "I will write.").await;
    hold(&person, &call, true).await;
    correct(&person, &call, "seg_0003", WEATHER).await;
    assert!(told(&person, &call).await.contains("may be late"));
    for word in ["revised", "\"may be late\"", "paper"] {
        assert!(found(&person, word).await.is_empty(), "{word}");
    }
    hold(&person, &call, false).await;
    let (now, told) = (analysis(&person, &call).await, told(&person, &call).await);
    assert_eq!((&now["stale"], &now["engine"]), (&json!(true), &json!("llm")), "{now}");
    assert!(!told.contains("revised") && !told.contains("may be late"), "{told}");
    assert_eq!(now["conversationOutcome"], "The parties parted as friends.");
    assert!(found(&person, "revised").await.is_empty() && found(&person, "friends").await == [call.as_str()]);
}

#[tokio::test]
async fn who_was_called_otherwise_under_a_legal_hold_is_called_so_in_everything_when_that_is_lifted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    name(&person, &call, "spk_1", "Dana Reed").await;
    hold(&person, &call, true).await;
    name(&person, &call, "spk_1", "Ines Moor").await;
    assert!(told(&person, &call).await.contains("Dana"));
    assert!(found(&person, "dana").await.is_empty() && found(&person, "moor").await == [call.as_str()]);
    hold(&person, &call, false).await;
    let told = told(&person, &call).await;
    assert!(told.contains("Ines Moor") && !told.contains("Dana"), "{told}");
}

#[tokio::test]
async fn a_legal_hold_under_which_nothing_was_corrected_leaves_the_call_as_it_was() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    let call = analysed(&ann, 1).await;
    let path = format!("/api/calls/{call}/analysis");
    let etag = async || ann.get(&path).await.headers["etag"].clone();
    let before = (etag().await, items(&ann, &call).await, analysis(&ann, &call).await);
    for is_held in [true, false] {
        hold(&ann, &call, is_held).await;
    }
    assert_eq!((etag().await, items(&ann, &call).await, analysis(&ann, &call).await), before);
    assert!(archive(&ann).await.contains("/raw-transcript.json"));
}

#[tokio::test]
async fn a_legal_hold_on_a_damaged_call_is_lifted_all_the_same() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    hold(&person, &call, true).await;
    correct(&person, &call, "seg_0003", WEATHER).await;
    let last = "octet_length(sealed) - 1";
    let damage = format!("set_byte(sealed, {last}, get_byte(sealed, {last}) # 1)");
    person.sql(format!("UPDATE tenant.artifacts SET sealed = {damage} WHERE kind IN (3, 5)")).await;
    hold(&person, &call, false).await;
    assert!(found(&person, "revised").await.is_empty());
    assert_eq!(person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await.status, 204);
}

#[tokio::test]
async fn of_a_call_with_a_damaged_task_nothing_follows_half_when_the_hold_is_lifted() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let mine = add(&person, &call, &json!({"title": "Mine alone"})).await;
    hold(&person, &call, true).await;
    correct(&person, &call, "seg_0003", WEATHER).await;
    let last = "octet_length(sealed) - 1";
    let damage = format!("set_byte(sealed, {last}, get_byte(sealed, {last}) # 1)");
    let one = "SELECT id FROM tenant.action_items WHERE source = 1 ORDER BY position DESC LIMIT 1";
    person.sql(format!("UPDATE tenant.action_items SET sealed = {damage} WHERE id = ({one})")).await;
    hold(&person, &call, false).await;
    // What a person added is there, and nothing says the words that were taken out; neither does it when it is indexed again.
    let left = items(&person, &call).await;
    assert_eq!(left.iter().map(|item| &item["actionItemId"]).collect::<Vec<_>>(), [&mine["actionItemId"]]);
    set_status(&person, &left[0], "DISMISSED").await;
    assert!(found(&person, "revised").await.is_empty());
    assert_eq!(person.get(&format!("/api/calls/{call}/analysis")).await.code(), "call_not_completed");
    let shown = person.get(&format!("/api/calls/{call}")).await.json().to_string();
    assert!(!shown.contains("revised"), "{shown}");
}

#[tokio::test]
async fn nobody_links_a_call_under_legal_hold_to_somebody_else() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (_, call) = ravi(&person).await;
    let other = contact(&person, &json!({"name": "Ines Moor"})).await;
    hold(&person, &call, true).await;
    let path = format!("/api/calls/{call}/contact");
    for link in [json!({ "contactId": other }), json!({ "contactId": null })] {
        let refused = person.json(Method::PATCH, &path, &link).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "legal_hold"), "{link}");
    }
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.json()["contactName"], "Ravi Patel");
    assert_eq!(found(&person, "patel").await, [call.as_str()]);
    hold(&person, &call, false).await;
    assert_eq!(person.json(Method::PATCH, &path, &json!({ "contactId": other })).await.status, 200);
    assert!(found(&person, "patel").await.is_empty() && found(&person, "moor").await.len() == 1);
}
