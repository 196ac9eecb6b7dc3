//! Action items: what analysis finds, and what people make of it.

use std::pin::pin;

use axum::http::Method;
use insight::analysis::task::document::{ActionItem, Intent, IntentMetadata, Owner};
use serde_json::{Value, json};
use server::{
    action_items,
    db::{Role, Scope},
    vault::seal::RecordKind,
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    analyses::{DONE, analysed, work_until},
    client::{Answer, Service},
    people::{Person, shape, until_it_waits},
    transcripts::transcribed,
};

/// A task as analysis finds it.
fn task(title: &str, segments: &[&str]) -> ActionItem {
    let source_segment_ids = segments.iter().map(|id| (*id).to_owned()).collect();
    ActionItem { title: title.to_owned(), source_segment_ids, intent: Intent::Task, ..ActionItem::default() }
}

/// What a worker does with what an analysis has found.
pub(crate) async fn renew(person: &Person<'_>, call: &str, found: &[ActionItem]) {
    let (app, call) = (&person.service.app, call.parse().unwrap());
    let scope = Scope::authenticated(person.scope.tenant(), person.scope.user(), Role::Worker);
    let mut tx = app.database.write(&scope).await.unwrap();
    let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    action_items::renew(&mut tx, &key, call, found).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) async fn items(person: &Person<'_>, call: &str) -> Vec<Value> {
    let answer = person.get(&format!("/api/calls/{call}/action-items")).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["items"].as_array().unwrap().clone()
}

pub(crate) fn titles(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["title"].as_str().unwrap()).collect()
}

/// Adds an item to a call.
pub(crate) async fn add(person: &Person<'_>, call: &str, details: &Value) -> Value {
    let answer = person.json(Method::POST, &format!("/api/calls/{call}/action-items"), details).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

pub(crate) fn path(item: &Value) -> String {
    format!("/api/action-items/{}", item["actionItemId"].as_str().unwrap())
}

pub(crate) async fn set_status(person: &Person<'_>, item: &Value, status: &str) -> Answer {
    let path = format!("/api/actions/{}", item["actionItemId"].as_str().unwrap());
    person.json(Method::PATCH, &path, &json!({ "status": status })).await
}

#[tokio::test]
async fn what_analysis_finds_is_shown_whole_and_with_its_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (call, bare) = (person.upload(1, "an offer").await, person.upload(2, "nothing").await);
    let owner = Owner { speaker_id: "spk_1".into(), label: "Speaker 1".into(), ..Owner::default() };
    let metadata = IntentMetadata {
        phone_ending: Some("0199".into()),
        contact_name: Some("Ann".into()),
        proposed_at: Some("2026-12-19T09:15:00+01:00".parse().unwrap()),
        ..IntentMetadata::default()
    };
    let call_ann = ActionItem {
        owner: Some(owner),
        due_date: Some("2026-12-19".parse().unwrap()),
        intent: Intent::Call,
        intent_metadata: metadata,
        ..task("Call Ann back", &["seg_0001"])
    };
    renew(&person, &call, &[call_ann, task("Send the offer", &["seg_0002"])]).await;
    let shown = items(&person, &call).await;
    assert_eq!(titles(&shown), ["Call Ann back", "Send the offer"]);
    let first = &shown[0];
    assert_eq!((&first["dueDate"], &first["owner"]["speakerId"]), (&json!("2026-12-19"), &json!("spk_1")));
    assert_eq!((&first["status"], &first["source"], &first["intent"]), (&json!("OPEN"), &json!("AI"), &json!("call")));
    assert_eq!(
        (&first["intentMetadata"]["phoneEnding"], &first["sourceSegmentIds"]),
        (&json!("0199"), &json!(["seg_0001"]))
    );
    assert_eq!(first["intentMetadata"]["proposedAt"], "2026-12-19T08:15:00Z");
    assert_eq!((&shown[1]["owner"], &shown[1]["dueDate"]), (&json!(null), &json!(null)));
    let listed = person.get("/api/calls").await.json()["items"].clone();
    assert_eq!((&listed[0]["callId"], &listed[0]["actionItemCount"]), (&json!(bare), &json!(0)));
    assert!(listed[0].get("firstActionTitle").is_none());
    assert_eq!((&listed[1]["firstActionTitle"], &listed[1]["actionItemCount"]), (&json!("Call Ann back"), &json!(2)));
    set_status(&person, first, "DISMISSED").await;
    let detail = person.get(&format!("/api/calls/{call}")).await.json();
    assert_eq!((&detail["firstActionTitle"], &detail["actionItemCount"]), (&json!("Send the offer"), &json!(1)));
}

#[tokio::test]
async fn an_analysis_replaces_what_nobody_touched_and_keeps_its_ids() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "an offer").await;
    renew(&person, &call, &[task("Send the offer", &["seg_0001"]), task("Order chairs", &["seg_0005"])]).await;
    let before = items(&person, &call).await;
    renew(&person, &call, &[task("Book a table", &["seg_0009"]), task("Send Ann the offer", &["seg_0001"])]).await;
    let after = items(&person, &call).await;
    assert_eq!(titles(&after), ["Book a table", "Send Ann the offer"]);
    assert_eq!(after[1]["actionItemId"], before[0]["actionItemId"]);
    let same = items(&person, &call).await;
    renew(&person, &call, &[task("Book a table", &["seg_0009"]), task("Send Ann the offer", &["seg_0001"])]).await;
    assert_eq!(items(&person, &call).await, same, "what is found again as it is is not written");
    renew(&person, &call, &[]).await;
    assert!(items(&person, &call).await.is_empty());
}

#[tokio::test]
async fn what_a_person_changed_dismissed_removed_or_added_outlives_every_analysis() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "an offer").await;
    let words = ["Send the offer", "Order chairs", "Book a table", "Paint the door", "Close the books"];
    let found: Vec<ActionItem> = words.iter().map(|title| task(title, &["seg_0001"])).collect();
    renew(&person, &call, &found).await;
    let before = items(&person, &call).await;
    assert_eq!(set_status(&person, &before[0], "DONE").await.json()["status"], "DONE");
    let edited = json!({"title": "Order twelve blue stools", "dueDate": "2026-12-01", "priority": "high"});
    let edited = person.json(Method::PUT, &path(&before[1]), &edited).await.json();
    assert_eq!((&edited["source"], &edited["sourceSegmentIds"]), (&json!("AI"), &json!(["seg_0001"])));
    assert_eq!(person.send(Method::DELETE, &path(&before[2]), &[], b"").await.status, 204);
    set_status(&person, &before[3], "DISMISSED").await;
    let added = add(&person, &call, &json!({"title": "Ring the bell"})).await;
    assert_eq!((&added["source"], &added["status"]), (&json!("MANUAL"), &json!("OPEN")));
    for again in [
        found.clone(),
        vec![],
        found.into_iter().rev().collect(),
        vec![task("Book the table", &["seg_0001", "seg_0002"]), task("Please send the offer", &["seg_0001"])],
    ] {
        renew(&person, &call, &again).await;
        let mut after = items(&person, &call).await;
        after.retain(|item| item["title"] != "Close the books");
        let statuses: Vec<&Value> = after.iter().map(|item| &item["status"]).collect();
        assert_eq!(titles(&after), ["Send the offer", "Order twelve blue stools", "Paint the door", "Ring the bell"]);
        assert_eq!(statuses, ["DONE", "OPEN", "DISMISSED", "OPEN"]);
        assert_eq!(after[1], edited);
    }
    let gone = &path(&before[2]);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(person.json(method, gone, &json!({"title": "x"})).await.code(), "not_found");
    }
    assert_eq!(set_status(&person, &before[2], "OPEN").await.code(), "not_found");
}

#[tokio::test]
async fn edits_and_removals_survive_when_the_call_is_analysed_again() {
    let service = Service::set(&[("debug.call_events", "true")]).await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = items(&person, &call).await;
    let due: Vec<&Value> = before.iter().map(|item| &item["dueDate"]).collect();
    assert_eq!(due, ["2026-03-13", "2026-03-11"]);
    assert_eq!(before[1]["intentMetadata"]["phoneEnding"], "0199");
    let edited = json!({"title": "Send Ann the contract, signed", "status": "IN_PROGRESS", "dueDate": "2026-03-12"});
    let edited = person.json(Method::PUT, &path(&before[0]), &edited).await.json();
    person.send(Method::DELETE, &path(&before[1]), &[], b"").await;
    let added = add(&person, &call, &json!({"title": "Ring the bell"})).await;
    let again = async || {
        let accepted = person.send(Method::POST, &format!("/api/calls/{call}/reanalyze"), &[], b"").await;
        assert_eq!(accepted.status, 202);
        work_until(&service, DONE).await;
        let events = person.get(&format!("/api/debug/calls/{call}/events")).await.json();
        let extracted = |event: &&Value| event["stage"] == "ACTION_ITEMS_EXTRACTED";
        events["items"].as_array().unwrap().iter().rfind(extracted).unwrap().clone()
    };
    assert_eq!(again().await["outcome"], "COMPLETED");
    assert_eq!(items(&person, &call).await, [edited, added]);
    // What cannot be read stays where it is, and the call gets its analysis all the same.
    person.sql("UPDATE tenant.action_items SET sealed = (SELECT sealed FROM tenant.calls LIMIT 1)".to_owned()).await;
    let failed = again().await;
    assert_eq!((&failed["outcome"], &failed["errorCode"]), (&json!("FAILED"), &json!("content_damaged")));
    assert_eq!(person.get(&format!("/api/calls/{call}/analysis")).await.status, 200);
}

#[tokio::test]
async fn who_edits_an_item_while_an_analysis_replaces_it_keeps_what_it_was_found_by_last() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "an offer").await;
    renew(&person, &call, &[task("Send the offer", &["seg_0001"])]).await;
    let path = path(&items(&person, &call).await[0]);
    let scope = Scope::authenticated(person.scope.tenant(), person.scope.user(), Role::Worker);
    let mut tx = service.app.database.write(&scope).await.unwrap();
    let key = service.app.vault.record_key(&mut tx, RecordKind::Call, call.parse().unwrap()).await.unwrap();
    let again = [task("Send the offer", &["seg_0001", "seg_0002"])];
    action_items::renew(&mut tx, &key, call.parse().unwrap(), &again).await.unwrap();
    let edited = json!({"title": "Send Ann the offer"});
    let mut edit = pin!(person.json(Method::PUT, &path, &edited));
    until_it_waits(&service, edit.as_mut()).await;
    tx.commit().await.unwrap();
    assert_eq!(edit.await.json()["sourceSegmentIds"], json!(["seg_0001", "seg_0002"]));
}

#[tokio::test]
async fn what_follows_from_a_call_under_legal_hold_is_replaced_or_removed_by_nobody() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = items(&person, &call).await;
    let etag = async || person.get(&format!("/api/calls/{call}/analysis")).await.headers["etag"].clone();
    let (analysis, reanalyze) = (etag().await, format!("/api/calls/{call}/reanalyze"));
    // What waits to be analysed again when the hold is set is not, either.
    assert_eq!(person.send(Method::POST, &reanalyze, &[], b"").await.status, 202);
    let hold = json!({"held": true, "reason": "a dispute"});
    assert_eq!(person.json(Method::PUT, &format!("/api/calls/{call}/legal-hold"), &hold).await.status, 200);
    let item = path(&before[0]);
    for (method, path) in [(Method::PUT, &item), (Method::DELETE, &item), (Method::POST, &reanalyze)] {
        let refused = person.json(method, path, &json!({"title": "nothing"})).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "legal_hold"), "{path}");
    }
    work_until(&service, DONE).await;
    assert_eq!((items(&person, &call).await, etag().await), (before, analysis));
}

#[tokio::test]
async fn an_action_item_of_somebody_else_is_answered_like_one_that_never_was() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let call = owner.upload(1, "private").await;
    let item = add(&owner, &call, &json!({"title": "private"})).await;
    let id = item["actionItemId"].as_str().unwrap();
    for other in [owner.member().await, Person::new(&service).await] {
        for (method, path, body) in [
            (Method::PATCH, "/api/actions/", json!({"status": "DONE"})),
            (Method::PUT, "/api/action-items/", json!({"title": "mine"})),
            (Method::DELETE, "/api/action-items/", json!(null)),
        ] {
            let theirs = other.json(method.clone(), &format!("{path}{id}"), &body).await;
            let nobodys = other.json(method.clone(), &format!("{path}{}", Uuid::now_v7()), &body).await;
            assert_eq!(shape(&theirs), shape(&nobodys), "{method} {path}");
            assert_eq!(theirs.code(), "not_found");
        }
        for method in [Method::GET, Method::POST] {
            let path = format!("/api/calls/{call}/action-items");
            assert_eq!(other.json(method, &path, &json!({"title": "mine"})).await.code(), "call_not_found");
        }
        assert_eq!(other.get("/api/actions").await.json(), json!({"items": []}));
    }
    assert_eq!(items(&owner, &call).await, [item]);
}

#[tokio::test]
async fn what_cannot_be_said_of_an_action_item_is_refused_with_the_field_that_is_wrong() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    let item =
        add(&person, &call, &json!({"title": "Greet", "ownerSpeakerId": "spk_2", "sourceSegmentIds": ["seg_0002"]}))
            .await;
    assert_eq!(item["owner"], json!({"speakerId": "spk_2", "label": "Speaker 2", "role": "UNKNOWN"}));
    let metadata = |of: Value| json!({"title": "x", "intentMetadata": of});
    for (wrong, field) in [
        (json!({"title": " "}), "title"),
        (json!({"title": "x".repeat(501)}), "title"),
        (json!({"title": "x", "description": "x".repeat(20_001)}), "description"),
        (json!({"title": "x", "ownerSpeakerId": "spk_9"}), "ownerSpeakerId"),
        (json!({"title": "x", "sourceSegmentIds": ["seg_0001", "seg_0009"]}), "sourceSegmentIds"),
        (json!({"title": "x", "sourceSegmentIds": vec!["seg_0001"; 101]}), "sourceSegmentIds"),
        (json!({"title": "x", "dueDate": "-0001-01-01"}), "dueDate"),
        (metadata(json!({"phoneEnding": "12125550199"})), "intentMetadata"),
        (metadata(json!({"phoneEnding": "٠١٩٩"})), "intentMetadata"),
        (metadata(json!({"toName": "x".repeat(501)})), "intentMetadata"),
        (metadata(json!({"attendees": vec![json!({"name": "x"}); 51]})), "intentMetadata"),
    ] {
        for (method, path) in [(Method::POST, format!("/api/calls/{call}/action-items")), (Method::PUT, path(&item))] {
            let refused = person.json(method, &path, &wrong).await;
            assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "validation_failed"), "{wrong}");
            assert_eq!(refused.json()["error"]["details"]["field"], field, "{wrong}");
        }
    }
    for wrong in
        [json!({}), json!({"title": "x", "dueDate": "soon"}), json!({"title": "x", "status": "LATER"}), json!([])]
    {
        assert_eq!(person.json(Method::PUT, &path(&item), &wrong).await.code(), "validation_failed", "{wrong}");
    }
    assert_eq!(set_status(&person, &item, "LATER").await.code(), "validation_failed");
    for wrong in ["limit=0", "limit=201", "cursor=x", "status=LATER"] {
        assert_eq!(person.get(&format!("/api/actions?{wrong}")).await.code(), "validation_failed", "{wrong}");
    }
    assert_eq!(items(&person, &call).await, [item]);
}

#[tokio::test]
async fn no_full_number_stays_in_what_people_type_and_what_else_goes_the_tenant_says() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "an offer").await;
    let typed = json!({"title": "Call +1 212 555 0199", "description": "or ann@example.org",
        "intent": "call", "intentMetadata": {"contactName": "+1 212 555 0199", "phoneEnding": "0199",
        "handle": "+1 (212) 555-0199", "notes": "not +1 212 555 0147", "toEmail": "ann@example.org",
        "attendees": [{"name": "+1 212 555 0147"}]}});
    let item = add(&person, &call, &typed).await;
    let metadata = &item["intentMetadata"];
    assert_eq!((&item["title"], &item["description"]), (&json!("Call [phone number]"), &json!("or ann@example.org")));
    assert_eq!((&metadata["contactName"], &metadata["phoneEnding"]), (&json!("Contact ending 0199"), &json!("0199")));
    assert_eq!((&metadata["handle"], &metadata["notes"]), (&json!("[phone number]"), &json!("not [phone number]")));
    assert_eq!(metadata["attendees"], json!([{"name": "Contact ending 0147"}]));
    let policy = json!({"redactionPolicy": ["EMAIL_ADDRESS"]});
    assert_eq!(person.json(Method::PATCH, "/api/tenant", &policy).await.status, 200);
    let item = person.json(Method::PUT, &path(&item), &typed).await.json();
    assert_eq!(
        (&item["description"], &item["intentMetadata"]["toEmail"]),
        (&json!("or [e-mail address]"), &json!("[e-mail address]"))
    );
}

#[tokio::test]
async fn pages_show_every_item_once_the_latest_first_and_as_far_as_they_are() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let mut added = Vec::new();
    for seed in 0..3 {
        let call = person.upload(seed, "a call").await;
        // Those that are found together are of the same time.
        let found: Vec<ActionItem> =
            (0..3).map(|n| task(&format!("task {seed} {n}"), &[&format!("seg_{n}")])).collect();
        renew(&person, &call, &found).await;
        added.splice(0..0, items(&person, &call).await);
    }
    let walk = async |query: &str| {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = person.get(&format!("/api/actions?limit=2{query}{cursor}")).await.json();
            seen.extend(page["items"].as_array().unwrap().clone());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return seen,
            }
        }
    };
    assert_eq!(walk("").await, added);
    set_status(&person, &added[4], "IN_PROGRESS").await;
    assert_eq!(titles(&walk("&status=IN_PROGRESS").await), ["task 1 1"]);
    assert_eq!(walk("&status=OPEN").await.len(), 8);
}

#[tokio::test]
async fn action_items_go_with_their_call_and_nothing_of_them_is_in_clear() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "a call").await;
    renew(&person, &call, &[task("canary found", &["seg_0001"]), task("canary removed", &["seg_0002"])]).await;
    let found = items(&person, &call).await;
    person.send(Method::DELETE, &path(&found[1]), &[], b"").await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
    let body = br#"{"title": "canary typed", "dueDate": "2026-12-19"}"#;
    assert_eq!(person.send(Method::PUT, &path(&found[0]), &headers, body).await.status, 200);
    let mut superuser = service.installation.postgres.superuser().await;
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT a::text FROM tenant.action_items a").fetch_all(&mut superuser).await.unwrap();
    assert_eq!(rows.len(), 2);
    let coded: String = "canary".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(rows.iter().all(|row| !row.contains("canary") && !row.contains(&coded)));

    let hold = format!("/api/calls/{call}/legal-hold");
    person.json(Method::PUT, &hold, &json!({"held": true, "reason": "a dispute"})).await;
    assert_eq!(person.send(Method::DELETE, &path(&found[0]), &[], b"").await.code(), "legal_hold");
    person.json(Method::PUT, &hold, &json!({"held": false, "reason": "settled"})).await;
    assert_eq!(person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await.status, 204);
    let count = AssertSqlSafe("SELECT count(*) FROM tenant.action_items".to_owned());
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut superuser).await.unwrap(), 0);
    let again = person.send(Method::PUT, &path(&found[0]), &headers, body).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (404, "not_found"), "nor is it in a kept answer");
    assert_eq!(person.get("/api/actions").await.json(), json!({"items": []}));
}

#[tokio::test]
async fn people_add_so_many_items_to_a_call_and_no_more() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "a call").await;
    let first = add(&person, &call, &json!({"title": "first"})).await;
    person
        .sql(format!(
            "INSERT INTO tenant.action_items (tenant_id, id, call_id, owner_id, sealed, source, is_removed)
               SELECT tenant_id, gen_random_uuid(), call_id, owner_id, sealed, 2, true FROM tenant.action_items, generate_series(1, 199)
               WHERE id = '{}'",
            first["actionItemId"].as_str().unwrap()
        ))
        .await;
    let refused =
        person.json(Method::POST, &format!("/api/calls/{call}/action-items"), &json!({"title": "one more"})).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "conflict"));
}
