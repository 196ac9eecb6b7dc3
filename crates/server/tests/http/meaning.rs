//! Calls are found by what they say in other words, and by words that were typed wrong, of which the database knows neither.

use std::{path::PathBuf, time::Instant};

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use server::{
    db::Scope,
    search::{model::Look, remembered},
};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::{
    client::Service,
    people::Person,
    search::{call, count, found, ids, search, upkeep},
};

/// A service whose model is where `cargo xtask models` puts it.
async fn service() -> Service {
    let service = Service::new().await;
    install(&service);
    service
}

fn install(service: &Service) {
    let data = PathBuf::from(std::env::var_os("SUBROSA_DATA_DIR").unwrap_or_else(|| "../../.data".into()));
    service.app.search.model.look_in(move || Look::Here(data.join("models/all-minilm-l6-v2")));
}

async fn hits(person: &Person<'_>, query: &str) -> Value {
    let answer = search(person, query).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

const REFUND: &[&str] = &["You took the money twice from my card.", "It takes five days until you have it back."];
const PARCEL: &[&str] = &["I ordered a grinder and nothing has turned up.", "The courier lost it in Leipzig."];

#[tokio::test]
async fn a_call_is_found_by_what_it_says_in_other_words_and_shows_where() {
    let service = service().await;
    let person = Person::new(&service).await;
    let refund = call(&person, "A", ("en", REFUND)).await;
    let parcel = call(&person, "B", ("en", PARCEL)).await;
    let page = hits(&person, "customer charged double").await;
    assert_eq!(ids(&page), [refund.as_str()]);
    let hit = &page["items"][0];
    assert_eq!(hit["matched"], "MEANING");
    let snippet = &hit["snippets"][0];
    assert_eq!((&snippet["field"], &snippet["segmentId"]), (&json!("TRANSCRIPT"), &json!("seg_0000")));
    assert_eq!((&snippet["startSeconds"], &snippet["highlights"]), (&json!(0.0), &json!([])));
    assert!(snippet["text"].as_str().unwrap().starts_with("You took the money twice from my card."), "{snippet}");
    // Words and meaning, words alone.
    assert_eq!(hits(&person, "courier lost parcel").await["items"][0]["callId"], json!(parcel));
    assert_eq!(hits(&person, "courier lost").await["items"][0]["matched"], "BOTH");
    let words = &hits(&person, "\"nothing has\"").await["items"][0];
    assert_eq!(words["matched"], "WORDS");
    // One scale for all, or a cursor would lead astray where the next page finds something by meaning.
    assert!((words["score"].as_f64().unwrap() - 1.0 / 61.0).abs() < 1e-9, "{words}");
    assert!(found(&person, "medieval falconry").await.is_empty());
}

#[tokio::test]
async fn phrases_and_what_a_minus_names_hold_for_meaning_as_well() {
    let service = service().await;
    let person = Person::new(&service).await;
    let said = |city: &str| format!("I ordered a grinder and nothing has turned up. The courier lost it in {city}.");
    let (leipzig, bremen) = (said("Leipzig"), said("Bremen"));
    let leipzig = call(&person, "A", ("en", &[&leipzig])).await;
    let bremen = call(&person, "B", ("en", &[&bremen])).await;
    let asked = "shipment never arrived";
    assert_eq!(found(&person, asked).await.len(), 2);
    assert_eq!(found(&person, &format!("{asked} -leipzig")).await, [bremen.as_str()]);
    assert_eq!(found(&person, &format!("{asked} -\"lost it in Bremen\"")).await, [leipzig.as_str()]);
    assert_eq!(found(&person, &format!("{asked} \"in bremen\"")).await, [bremen]);
    assert!(found(&person, "\"shipment never arrived\"").await.is_empty());
    assert!(found(&person, &format!("{asked} -grinder")).await.is_empty());
}

#[tokio::test]
async fn without_the_model_words_are_found_and_once_it_is_there_upkeep_makes_up_for_it() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let refund = call(&person, "A", ("en", REFUND)).await;
    assert!(found(&person, "customer charged double").await.is_empty());
    assert_eq!(hits(&person, "money").await["items"][0]["matched"], "WORDS");
    install(&service);
    upkeep(&person).await;
    assert_eq!(found(&person, "customer charged double").await, [refund.as_str()]);
    // What an older program, or another model, left.
    for state in [0, 1] {
        person
            .sql(format!(
                "UPDATE tenant.calls SET search_memory = {state}; DELETE FROM tenant.artifacts WHERE kind = 11"
            ))
            .await;
        assert!(found(&person, "customer charged double").await.is_empty());
        upkeep(&person).await;
        assert_eq!(found(&person, "customer charged double").await, [refund.as_str()]);
    }
}

#[tokio::test]
async fn what_was_corrected_means_nothing_from_then_on_and_what_it_says_instead_is_found_after_upkeep() {
    let service = service().await;
    let person = Person::new(&service).await;
    let call = call(&person, "-", ("en", &["You took the money twice from my card."])).await;
    let asked = "customer charged double";
    assert_eq!(found(&person, asked).await, [call.as_str()]);
    let corrected = json!({"text": "The cat has not eaten for two days."});
    let path = format!("/api/calls/{call}/segments/seg_0000");
    assert_eq!(person.json(Method::PATCH, &path, &corrected).await.status, 200);
    assert!(found(&person, asked).await.is_empty());
    upkeep(&person).await;
    assert!(found(&person, asked).await.is_empty());
    assert_eq!(found(&person, "sick pet").await, [call.as_str()]);
    // Neither is a word of it suggested any more.
    assert!(found(&person, "mony").await.is_empty());
}

#[tokio::test]
async fn a_deleted_call_is_gone_from_words_meaning_suggestions_and_memory() {
    let service = service().await;
    let person = Person::new(&service).await;
    let gone = call(&person, "A", ("en", REFUND)).await;
    let stays = call(&person, "B", ("en", PARCEL)).await;
    assert_eq!(found(&person, "customer charged double").await, [gone.as_str()]);
    assert_eq!(service.app.search.memories.calls(), 2);
    assert_eq!(person.send(Method::DELETE, &format!("/api/calls/{gone}"), &[], b"").await.status, 204);
    // At once, and not when somebody searches.
    assert_eq!(service.app.search.memories.calls(), 1);
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.artifacts WHERE kind = 11").await, 1);
    for asked in ["customer charged double", "money", "mony"] {
        assert!(found(&person, asked).await.is_empty(), "{asked}");
    }
    assert_eq!(service.app.search.memories.calls(), 1);
    assert_eq!(found(&person, "shipment never arrived").await, [stays]);
}

#[tokio::test]
async fn a_call_that_is_deleted_while_it_is_embedded_leaves_nothing_behind_and_holds_nothing_up() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let gone = call(&person, "A", ("en", REFUND)).await;
    let stays = call(&person, "B", ("en", PARCEL)).await;
    install(&service);
    let mut holder = service.installation.postgres.superuser().await;
    let mut other = service.installation.postgres.superuser().await;
    // It is read and embedded, and no further.
    let lock = format!("BEGIN; SELECT FROM tenant.calls WHERE id = '{gone}' FOR UPDATE");
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut holder).await.unwrap();
    let deletion = async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query(waits).fetch_optional(&mut other).await.unwrap().is_none() {}
        let delete = format!("DELETE FROM tenant.calls WHERE id = '{gone}'; COMMIT");
        sqlx::raw_sql(AssertSqlSafe(delete)).execute(&mut holder).await.unwrap();
    };
    tokio::join!(upkeep(&person), deletion);
    holder.close().await.unwrap();
    other.close().await.unwrap();
    assert!(found(&person, "customer charged double").await.is_empty());
    assert_eq!(found(&person, "shipment never arrived").await, [stays]);
    let left = "SELECT count(*) FROM tenant.artifacts a WHERE kind = 11";
    assert_eq!((count(&service, left).await, service.app.search.memories.calls()), (1, 1));
}

#[tokio::test]
async fn what_was_tampered_with_of_one_call_holds_up_neither_searches_nor_its_correction() {
    let service = service().await;
    let person = Person::new(&service).await;
    let broken = call(&person, "A", ("en", REFUND)).await;
    let whole = call(&person, "B", ("en", PARCEL)).await;
    let tamper = "SET sealed = overlay(sealed PLACING '\\x00000000'::bytea FROM octet_length(sealed) - 3)";
    let memory = format!("UPDATE tenant.artifacts {tamper} WHERE kind = 11 AND call_id = '{broken}'");
    person.sql(memory).await;
    assert_eq!(found(&person, "shipment never arrived").await, [whole.as_str()]);
    assert!(found(&person, "customer charged double").await.is_empty());
    // What it says now is remembered anew.
    let corrected = json!({"text": "You took the money twice from my account."});
    let path = format!("/api/calls/{broken}/segments/seg_0000");
    assert_eq!(person.json(Method::PATCH, &path, &corrected).await.status, 200);
    upkeep(&person).await;
    assert_eq!(found(&person, "customer charged double").await, [broken.as_str()]);
    // Its key; the memory is another one by now, and so is opened again.
    person.sql(format!("UPDATE tenant.record_keys {tamper} WHERE record_id = '{broken}'")).await;
    person.sql("UPDATE tenant.artifacts SET updated_at = updated_at + interval '1 s' WHERE kind = 11".to_owned()).await;
    assert_eq!(found(&person, "shipment never arrived").await, [whole]);
}

#[tokio::test]
async fn upkeep_embeds_some_calls_of_a_tenant_and_then_those_of_others() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    for _ in 0..11 {
        call(&person, "-", ("en", &["You took the money twice."])).await;
    }
    install(&service);
    let turn = async |after| remembered::catch_up(&service.app, &person.scope, after).await.unwrap();
    let place = turn(remembered::Place::default()).await.unwrap();
    let left = "SELECT count(*) FROM tenant.calls WHERE search_memory < 2";
    assert_eq!(count(&service, left).await, 1);
    assert_eq!((turn(place).await, count(&service, left).await), (None, 0));
}

#[tokio::test]
async fn a_member_learns_nothing_of_others_calls_by_meaning_or_by_a_suggestion() {
    let service = service().await;
    let (owner, stranger) = (Person::new(&service).await, Person::new(&service).await);
    let member = owner.member().await;
    let owners = call(&owner, "A", ("en", REFUND)).await;
    call(&stranger, "B", ("en", REFUND)).await;
    let members = call(&member, "C", ("en", PARCEL)).await;
    // Whoever searched before, and whatever is in memory by then.
    for _ in 0..2 {
        assert_eq!(found(&owner, "customer charged double").await, [owners.as_str()]);
        assert!(found(&member, "customer charged double").await.is_empty());
        for typed in ["mony", "twise"] {
            let page = hits(&member, typed).await;
            assert!(ids(&page).is_empty() && page.get("corrected").is_none(), "{page}");
        }
        assert_eq!(found(&member, "shipment never arrived").await, [members.as_str()]);
        assert_eq!(hits(&member, "courrier").await["corrected"], json!([{"from": "courrier", "to": "courier"}]));
        // The member's look leaves what it does not see where it is.
        assert_eq!(hits(&owner, "twise").await["corrected"], json!([{"from": "twise", "to": "twice"}]));
    }
}

#[tokio::test]
async fn a_word_that_was_typed_wrong_is_taken_for_the_nearest_one_and_said_to_be() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let trombone = call(&person, "-", ("en", &["A trombone was sold in the harbour."])).await;
    let boat = call(&person, "-", ("de", &["Das Boot lag im Hafen."])).await;
    let page = hits(&person, "tronbome Harbuor").await;
    assert_eq!(ids(&page), [trombone.as_str()]);
    let corrected = json!([{"from": "tronbome", "to": "trombone"}, {"from": "Harbuor", "to": "harbour"}]);
    assert_eq!(page["corrected"], corrected);
    assert_eq!(page["items"][0]["snippets"][0]["text"], "A trombone was sold in the harbour.");
    assert_eq!(ids(&hits(&person, "hafem").await), [boat.as_str()]);
    // What is right stays, quotations and what is left out are meant as they are, and two letters of a short word are another word.
    assert!(hits(&person, "trombones").await.get("corrected").is_none());
    // Neither is a query corrected of which next to nothing is known.
    for typed in ["\"tronbome\"", "hafem -boot", "buut", "trombone -harbour xq", "tronbome harbuor trombne harbor"] {
        assert!(found(&person, typed).await.is_empty(), "{typed}");
    }
}

#[tokio::test]
async fn a_search_by_meaning_is_narrowed_like_a_list_and_comes_in_pages() {
    let service = service().await;
    let person = Person::new(&service).await;
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(call(&person, "-", ("en", REFUND)).await);
    }
    person.sql(format!("UPDATE tenant.calls SET created_at = '2026-01-01' WHERE id = '{}'", calls[3])).await;
    let asked = "/api/calls/search?q=customer%20charged%20double";
    let narrowed = async |rest: &str| ids(&person.get(&format!("{asked}{rest}")).await.json());
    assert_eq!(narrowed("&to=2026-02-01T00:00:00Z").await, [calls[3].clone()]);
    assert!(narrowed("&status=FAILED").await.is_empty());
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.get(&format!("{asked}&limit=2{cursor}")).await.json();
        walked.extend(ids(&page));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, narrowed("").await);
    assert_eq!(walked.len(), 5);
}

#[tokio::test]
async fn what_is_remembered_holds_no_word_in_the_database() {
    let service = service().await;
    let person = Person::new(&service).await;
    call(&person, "Brass", ("en", &["A trombone and one more trombone was sold."])).await;
    let mut superuser = service.installation.postgres.superuser().await;
    let rows = "SELECT a::text FROM tenant.artifacts a WHERE kind = 11 UNION ALL SELECT c::text FROM tenant.calls c";
    let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    assert_eq!(rows.len(), 2);
    let hex = |word: &str| word.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let words = ["trombone", "brass", "sold", "more"];
    assert!(rows.iter().all(|row| words.iter().all(|word| !row.contains(word) && !row.contains(&hex(word)))));
}

#[derive(Deserialize)]
struct Labelled {
    calls: Vec<Invented>,
    queries: Vec<Asked>,
    unanswered: Vec<String>,
}

#[derive(Deserialize)]
struct Invented {
    name: String,
    said: Vec<String>,
}

#[derive(Deserialize)]
struct Asked {
    asked: String,
    answer: String,
}

/// How many of the queries have their answer among the first ten.
async fn answered(person: &Person<'_>, labelled: &Labelled, calls: &[String], meant: bool) -> usize {
    let mut right = 0;
    for one in &labelled.queries {
        let at = labelled.calls.iter().position(|call| call.name == one.answer).unwrap();
        let page = hits(person, &one.asked).await;
        let hits = page["items"].as_array().unwrap();
        right +=
            usize::from(hits.iter().any(|hit| hit["callId"] == calls[at] && (!meant || hit["matched"] != "WORDS")));
    }
    right
}

#[tokio::test]
async fn paraphrases_find_what_words_do_not_and_nonsense_finds_little() {
    let labelled: Labelled = serde_json::from_str(include_str!("meaning.json")).unwrap();
    let service = Service::set(&[("rates.read", "1000000/1s")]).await;
    let person = Person::new(&service).await;
    let mut calls = Vec::new();
    for one in &labelled.calls {
        let said: Vec<&str> = one.said.iter().map(String::as_str).collect();
        calls.push(call(&person, "-", ("en", &said)).await);
    }
    let words = answered(&person, &labelled, &calls, false).await;
    install(&service);
    let began = Instant::now();
    upkeep(&person).await;
    let took = began.elapsed();
    let meaning = answered(&person, &labelled, &calls, true).await;
    let merged = answered(&person, &labelled, &calls, false).await;
    let mut nonsense = 0;
    for asked in &labelled.unanswered {
        nonsense += usize::from(!found(&person, asked).await.is_empty());
    }
    let all = labelled.queries.len();
    println!("of {all} paraphrases, among the first ten: words {words}, meaning {meaning}, merged {merged}");
    println!("of {} queries about nothing, answered: {nonsense}; embedded in {took:?}", labelled.unanswered.len());
    assert!(words * 4 < all && merged * 10 >= all * 7 && merged >= meaning, "{words} {meaning} {merged} of {all}");
    assert!(nonsense <= 2, "{nonsense}");
}

/// The statements that list what is remembered, of the calls of all and of those of one person.
const ALL: &str = include_str!("../../src/search/memories.sql");
const OWN: &str = include_str!("../../src/search/memories_own.sql");

#[tokio::test]
async fn the_planner_lists_what_is_remembered_by_its_index_under_row_level_security() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let member = person.member().await;
    let (tenant, user, own) = (person.scope.tenant(), person.scope.user(), member.scope.user());
    person
        .sql(format!(
            "INSERT INTO tenant.calls (tenant_id, id, owner_id)
               SELECT '{tenant}', gen_random_uuid(), CASE WHEN n % 100 = 0 THEN '{own}' ELSE '{user}' END::uuid FROM generate_series(1, 2000) n;
             INSERT INTO tenant.artifacts (tenant_id, call_id, owner_id, kind, parts)
               SELECT '{tenant}', c.id, c.owner_id, n, 0 FROM tenant.calls c, generate_series(2, 11) n;
             ANALYZE tenant.artifacts"
        ))
        .await;
    let plan = plan(&service, &person.scope, ALL).await;
    assert!(plan.contains("using artifacts_memories on") && !plan.contains("Sort"), "{plan}");
    let plan = self::plan(&service, &member.scope, OWN).await;
    assert!(plan.contains("using artifacts_memories_own on") && !plan.contains("Sort"), "{plan}");
}

async fn plan(service: &Service, scope: &Scope, statement: &'static str) -> String {
    let mut tx = service.app.database.read(scope).await.unwrap();
    let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN {statement}"))).bind(scope.tenant()).bind(100i64);
    let explained = if statement.contains("$3") { explained.bind(scope.user()) } else { explained };
    let lines = explained.fetch_all(tx.conn()).await.unwrap();
    lines.iter().map(|line| line.get::<String, _>(0) + "\n").collect()
}
