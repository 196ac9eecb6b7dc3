//! Analyses: how calls get theirs, what becomes of one that gets none, and asking for another.

use std::{collections::BTreeSet, time::Duration};

use axum::http::Method;
use serde_json::{Value, json};
use server::{
    analysis_provider::Engine,
    artifacts::{self, Artifact},
    db::{TenantTx, Write},
    decoder::Decoder,
    redaction::endings,
    search::index,
    transcripts::store,
    vault::{keys::Vault, seal::RecordKind},
    worker::{Timing, Worker, sweep},
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{client::Service, people::Person, transcripts::document};

/// The end of the number that was said in the last segment.
const ENDING: &str = "0199";

/// A call between David, whose call it is, and somebody without a name.
fn said() -> Value {
    let said = [
        ("1", "Hello, thank you for calling about the new contract."),
        ("2", "Yes, we decided to sign the contract for twelve hundred dollars. That is wonderful news."),
        ("1", "I will send you the revised contract by Friday."),
        ("2", "Perfect. When will the delivery arrive?"),
        ("1", "I am not sure. I will call you back tomorrow at [phone number]."),
    ];
    let mut transcript = document();
    let segments = (1..).zip(said).map(|(n, (speaker, text))| {
        let start = f64::from(n) * 5.0;
        json!({"id": format!("seg_{n:04}"), "speaker": format!("Speaker {speaker}"), "speakerId": format!("spk_{speaker}"),
            "sourceSpeakerId": format!("CHANNEL_{speaker}"), "role": "UNKNOWN", "startSeconds": start, "endSeconds": start + 4.0,
            "text": text, "language": "en", "alignmentConfidence": 1.0, "words": []})
    });
    transcript["segments"] = segments.collect();
    transcript["durationSeconds"] = json!(30.0);
    transcript["speakers"][0]["role"] = json!("USER");
    transcript["speakers"][1]["role"] = json!("CONTACT");
    transcript
}

/// A call of which a worker has left the transcript when it died: its job waits for the next one.
pub(crate) async fn redacted(person: &Person<'_>, seed: u8) -> String {
    redacted_of(person, seed, said()).await
}

/// The same of another transcript.
async fn redacted_of(person: &Person<'_>, seed: u8, said: Value) -> String {
    let metadata =
        json!({"recordedAt": "2026-03-10T22:30:00-08:00", "language": "en", "direction": "OUTGOING"}).to_string();
    let file = crate::people::recording(seed, 1000);
    let accepted = person.form(&[("metadata", metadata.as_bytes()), ("file", &file)], &[]).await.json();
    let call = accepted["callId"].as_str().unwrap().to_owned();
    let (app, id) = (&person.service.app, call.parse().unwrap());
    let mut tx = app.database.write(&person.scope).await.unwrap();
    store::put(&mut tx, &app.vault, id, &serde_json::from_value(said).unwrap()).await.unwrap();
    heard(&mut tx, &app.vault, id).await;
    let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await.unwrap();
    let said = [("seg_0005".to_owned(), ENDING.to_owned())].into();
    endings::put(&mut tx, &key, id, &said).await.unwrap();
    tx.commit().await.unwrap();
    person.sql(format!("UPDATE tenant.calls SET status = 3 WHERE id = '{call}'")).await;
    call
}

/// Stores the transcript of a call once more as what recognition gave, as a worker does.
pub(crate) async fn heard(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) {
    let said = store::json(tx, vault, call).await.unwrap().unwrap();
    let key = vault.record_key(tx, RecordKind::Call, call).await.unwrap();
    artifacts::put(tx, (call, Artifact::RawTranscript), (&key, None), &said).await.unwrap();
}

/// Looks before a test gives up; each takes a fraction of a millisecond, and work on a busy machine seconds.
const PATIENCE: u32 = 200_000;

/// Has a worker at work until something is so. It has no models and nothing to decode with.
pub(crate) async fn work_until(service: &Service, is_so: &str) {
    let timing = Timing { poll: Duration::from_millis(10), ..Timing::default() };
    let decoder = Decoder::new("/nonexistent", [] as [&str; 0]);
    let worker = Worker {
        app: service.app.clone(),
        recogniser: None,
        decoder,
        analyst: Engine::Local,
        region: "local".to_owned(),
        capacity: 1,
        timing,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let working = tokio::spawn(worker.run(async { drop(stopped.await) }));
    let mut superuser = service.installation.postgres.superuser().await;
    let mut looks = 0;
    while !sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(format!("SELECT {is_so}")))
        .fetch_one(&mut superuser)
        .await
        .unwrap()
    {
        looks += 1;
        assert!(looks < PATIENCE, "never so: {is_so}");
    }
    stop.send(()).unwrap();
    working.await.unwrap();
}

/// All jobs have come to an end.
pub(crate) const DONE: &str = "NOT EXISTS (SELECT FROM tenant.jobs WHERE state IN (1, 2))";

/// A call that is analysed and completed.
pub(crate) async fn analysed(person: &Person<'_>, seed: u8) -> String {
    analysed_of(person, seed, said()).await
}

/// The same of another transcript.
pub(crate) async fn analysed_of(person: &Person<'_>, seed: u8, said: Value) -> String {
    let call = redacted_of(person, seed, said).await;
    work_until(person.service, DONE).await;
    call
}

pub(crate) async fn analysis(person: &Person<'_>, call: &str) -> Value {
    person.get(&format!("/api/calls/{call}/analysis")).await.json()
}

/// Every segment that a document cites.
fn cited(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "sourceSegmentIds" {
                    found.extend(value.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
                }
                cited(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| cited(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_call_whose_worker_died_behind_redaction_is_analysed_by_another_and_cites_what_was_said() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = redacted(&person, 1).await;
    let early = person.get(&format!("/api/calls/{call}/analysis")).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (422, "call_not_completed"));
    work_until(&service, DONE).await;

    let shown = person.get(&format!("/api/calls/{call}")).await.json();
    let found = analysis(&person, &call).await;
    assert_eq!((&shown["status"], &shown["title"]), (&json!("COMPLETED"), &found["suggestedTitle"]));
    assert_eq!(shown["summary"], found["executiveSummary"]);
    assert!(shown["title"].is_string() && shown["summary"].is_string(), "{found}");
    // Where it was recorded, it was still the tenth.
    let due: Vec<&Value> = found["actionItems"].as_array().unwrap().iter().map(|item| &item["dueDate"]).collect();
    assert_eq!(due, ["2026-03-13", "2026-03-11"], "{found}");
    let mut segments = BTreeSet::new();
    cited(&found, &mut segments);
    let all: BTreeSet<String> = (1..=5).map(|n| format!("seg_{n:04}")).collect();
    assert!(!segments.is_empty() && segments.is_subset(&all), "{segments:?}");

    let described: api::analyses::Analysis = serde_json::from_value(found.clone()).unwrap();
    assert_eq!(serde_json::to_value(described).unwrap(), found, "it is what the document says");
}

#[tokio::test]
async fn of_a_number_that_was_said_the_analysis_has_four_digits_and_a_correction_takes_them_back() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let ending = async || analysis(&person, &call).await["actionItems"][1]["intentMetadata"]["phoneEnding"].clone();
    assert_eq!(ending().await, ENDING);
    let path = format!("/api/calls/{call}");
    for (text, left) in [
        ("I will call you back tomorrow at +1 212 555 0142.", json!("0142")),
        ("I will call you back tomorrow.", Value::Null),
    ] {
        person.json(Method::PATCH, &format!("{path}/segments/seg_0005"), &json!({ "text": text })).await;
        assert_eq!(person.send(Method::POST, &format!("{path}/reanalyze"), &[], b"").await.status, 202);
        work_until(&service, DONE).await;
        assert_eq!(ending().await, left);
        let digits = analysis(&person, &call).await.to_string();
        assert!(!digits.contains("555") && !digits.contains("212"), "{digits}");
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_analysed_is_completed_with_its_transcript_and_a_warning() {
    let service = Service::set(&[("debug.call_events", "true")]).await;
    let person = Person::new(&service).await;
    person.sql("ALTER TABLE tenant.artifacts ADD CONSTRAINT broken CHECK (kind <> 5)".to_owned()).await;
    let call = redacted(&person, 1).await;
    for attempt in 1..5 {
        work_until(&service, &format!("EXISTS (SELECT FROM tenant.jobs WHERE state = 1 AND attempts = {attempt})"))
            .await;
        person.sql("UPDATE tenant.jobs SET run_at = now()".to_owned()).await;
    }
    work_until(&service, DONE).await;
    let path = format!("/api/calls/{call}");
    assert_eq!(person.get(&path).await.json()["status"], "COMPLETED");
    assert_eq!(person.get(&format!("{path}/analysis")).await.code(), "call_not_completed");
    let transcript = person.get(&format!("{path}/transcript")).await.json();
    assert_eq!(transcript["pipeline"]["warnings"], json!(["low_snr", "analysis_failed"]));
    let events = person.get(&format!("/api/debug/calls/{call}/events")).await.json();
    let analysed = |event: &&Value| event["stage"] == "ANALYZED";
    let last = events["items"].as_array().unwrap().iter().rfind(analysed).unwrap().clone();
    assert_eq!((&last["outcome"], &last["errorCode"]), (&json!("FAILED"), &json!("database_failed")));

    // Once it can be, it is asked for, and the warning goes.
    person.sql("ALTER TABLE tenant.artifacts DROP CONSTRAINT broken".to_owned()).await;
    person.send(Method::POST, &format!("{path}/reanalyze"), &[], b"").await;
    work_until(&service, DONE).await;
    assert_eq!(analysis(&person, &call).await["qualityWarnings"], json!(["low_snr"]));
    let transcript = person.get(&format!("{path}/transcript")).await.json();
    assert_eq!(transcript["pipeline"]["warnings"], json!(["low_snr"]));
}

/// The warnings of the transcript of a call that is completed.
async fn warnings(person: &Person<'_>, call: &str) -> Value {
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.json()["status"], "COMPLETED");
    person.get(&format!("/api/calls/{call}/transcript")).await.json()["pipeline"]["warnings"].clone()
}

#[tokio::test]
async fn a_transcript_that_ends_its_workers_or_waits_for_them_too_long_is_served_without_an_analysis() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (deadly, old) = (redacted(&person, 1).await, redacted(&person, 2).await);
    person
        .sql(format!(
            "UPDATE tenant.jobs SET attempts = 5, state = 2, lease_until = now(), lease_token = gen_random_uuid()
               WHERE call_id = '{deadly}';
             UPDATE tenant.jobs SET run_at = now() + interval '1 day' WHERE call_id = '{old}';
             UPDATE tenant.artifacts SET created_at = now() - interval '25 hours' WHERE call_id = '{old}'"
        ))
        .await;
    work_until(&service, &format!("(SELECT status = 4 FROM tenant.calls WHERE id = '{deadly}')")).await;
    assert_eq!(sweep::recordings(&service.app, sweep::MAX_TTL).await.unwrap(), 1);
    for (call, code) in [(deadly, "worker_died"), (old, "audio_expired")] {
        assert_eq!(warnings(&person, &call).await, json!(["low_snr", "analysis_failed"]));
        let last = format!(
            "SELECT error_code FROM tenant.processing_events WHERE call_id = '{call}' AND stage = 9 AND outcome = 3"
        );
        let mut superuser = service.installation.postgres.superuser().await;
        let last: String = sqlx::query_scalar(sqlx::AssertSqlSafe(last)).fetch_one(&mut superuser).await.unwrap();
        assert_eq!(last, code);
    }
}

#[tokio::test]
async fn an_analysis_that_cannot_be_made_again_costs_neither_the_one_that_is_there_nor_the_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let before = analysis(&person, &call).await;
    person.sql("ALTER TABLE tenant.call_metrics ADD CONSTRAINT broken CHECK (speaker < 0) NOT VALID".to_owned()).await;
    person.send(Method::POST, &format!("/api/calls/{call}/reanalyze"), &[], b"").await;
    person.sql("UPDATE tenant.jobs SET attempts = 4 WHERE kind = 3".to_owned()).await;
    work_until(&service, "EXISTS (SELECT FROM tenant.jobs WHERE kind = 3 AND state = 4)").await;
    assert_eq!(analysis(&person, &call).await, before);
    assert_eq!(warnings(&person, &call).await, json!(["low_snr"]));
}

#[tokio::test]
async fn a_call_that_cannot_be_indexed_is_analysed_again_all_the_same_and_indexed_later() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let path = format!("/api/calls/{call}");
    person.json(Method::PATCH, &format!("{path}/speakers/spk_1"), &json!({"displayName": "Dana Reed"})).await;
    person.sql("ALTER TABLE tenant.search_postings ADD CONSTRAINT none CHECK (call_words < 0) NOT VALID".into()).await;
    person.send(Method::POST, &format!("{path}/reanalyze"), &[], b"").await;
    // So that one that fails ends there.
    person.sql("UPDATE tenant.jobs SET attempts = 4 WHERE kind = 3".to_owned()).await;
    work_until(&service, "NOT EXISTS (SELECT FROM tenant.jobs WHERE kind = 3 AND state IN (1, 2))").await;
    assert_eq!(analysis(&person, &call).await["actionItems"][0]["owner"]["displayName"], "Dana Reed");
    let waits = "SELECT search_words IS NULL FROM tenant.calls";
    let mut superuser = service.installation.postgres.superuser().await;
    assert!(sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut superuser).await.unwrap());
    person.sql("ALTER TABLE tenant.search_postings DROP CONSTRAINT none".to_owned()).await;
    index::catch_up(&service.app, &person.scope).await.unwrap();
    assert!(!sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut superuser).await.unwrap());
}

#[tokio::test]
async fn analysing_again_takes_people_at_their_word_and_leaves_what_they_wrote() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let path = format!("/api/calls/{call}");
    person.json(Method::PATCH, &format!("{path}/speakers/spk_1"), &json!({"displayName": "Dana Reed"})).await;
    person.json(Method::PATCH, &path, &json!({"title": "Mine", "summary": "My summary"})).await;
    let before = person.get(&format!("{path}/analysis")).await;
    for _ in 0..2 {
        let accepted = person.send(Method::POST, &format!("{path}/reanalyze"), &[], b"").await;
        assert_eq!((accepted.status.as_u16(), &accepted.json()["status"]), (202, &json!("COMPLETED")));
    }
    let again = "SELECT count(*) FROM tenant.jobs WHERE kind = 3";
    let mut superuser = service.installation.postgres.superuser().await;
    assert_eq!(sqlx::query_scalar::<_, i64>(again).fetch_one(&mut superuser).await.unwrap(), 1, "asked once");
    assert_eq!(analysis(&person, &call).await, before.json(), "readable meanwhile");
    work_until(&service, DONE).await;

    let transcript = person.get(&format!("{path}/transcript")).await.json();
    let speaker = &transcript["speakers"][0];
    assert_eq!([&speaker["displayName"], &speaker["labelSource"]], ["Dana Reed", "MANUAL"]);
    let after = person.get(&format!("{path}/analysis")).await;
    assert_eq!(after.json()["actionItems"][0]["owner"]["displayName"], "Dana Reed");
    let etag = |answer: &crate::client::Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    assert_ne!(etag(&after), etag(&before));
    let current = person.send(Method::GET, &format!("{path}/analysis"), &[("if-none-match", &etag(&after))], b"").await;
    assert_eq!(current.status, 304);
    let shown = person.get(&path).await.json();
    assert_eq!([&shown["title"], &shown["summary"], &shown["status"]], ["Mine", "My summary", "COMPLETED"]);
    // What a person takes back makes room for what was found.
    let cleared = person.json(Method::PATCH, &path, &json!({"title": "", "summary": ""})).await.json();
    assert_eq!(cleared["title"], after.json()["suggestedTitle"]);
}

#[tokio::test]
async fn a_digest_is_in_the_language_of_its_call() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let mut german = said();
    let texts = [
        "Hallo, hier ist Weber.",
        "Können Sie mir bitte bis Freitag das Angebot schicken?",
        "Ja, gerne, das mache ich.",
    ];
    german["language"] = json!("de");
    german["segments"].as_array_mut().unwrap().truncate(texts.len());
    for (segment, text) in german["segments"].as_array_mut().unwrap().iter_mut().zip(texts) {
        (segment["language"], segment["text"]) = (json!("de"), json!(text));
    }
    let call = analysed_of(&person, 1, german).await;
    let digest = person.get(&format!("/api/calls/{call}/digest?format=markdown")).await;
    let text = String::from_utf8(digest.body).unwrap();
    assert_eq!(text, "## Termine\n\n- 2026-03-13: bis Freitag\n");
}

#[tokio::test]
async fn a_digest_says_what_a_person_says_of_the_call_first_and_has_a_form_for_every_use() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = analysed(&person, 1).await;
    let path = format!("/api/calls/{call}");
    person.json(Method::PATCH, &path, &json!({"title": "<b>Mine</b>"})).await;
    for (format, kind, title) in [
        ("text", "text/plain; charset=utf-8", "<b>Mine</b>\n"),
        ("plain", "text/plain; charset=utf-8", "<b>Mine</b>\n"),
        ("whatsapp", "text/plain; charset=utf-8", "*<b>Mine</b>*\n"),
        ("email", "text/html; charset=utf-8", "<h1>&lt;b&gt;Mine&lt;/b&gt;</h1>\n"),
        ("html", "text/html; charset=utf-8", "<h1>&lt;b&gt;Mine&lt;/b&gt;</h1>\n"),
        ("markdown", "text/markdown; charset=utf-8", "# \\<b\\>Mine\\</b\\>\n"),
    ] {
        let digest = person.get(&format!("{path}/digest?format={format}")).await;
        let text = String::from_utf8(digest.body).unwrap();
        assert_eq!(digest.headers["content-type"], kind);
        assert!(text.starts_with(title) && text.contains("Action items"), "{format}: {text}");
    }
    assert_eq!(person.get(&format!("{path}/digest?format=fax")).await.code(), "validation_failed");
    let waiting = person.upload(9, "waits").await;
    assert_eq!(person.get(&format!("/api/calls/{waiting}/digest")).await.code(), "call_not_completed");
    let early = person.send(Method::POST, &format!("/api/calls/{waiting}/reanalyze"), &[], b"").await;
    assert_eq!(early.code(), "call_not_completed");
}

#[tokio::test]
async fn an_analysis_is_for_who_may_read_the_call_and_goes_with_it() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let call = analysed(&owner, 1).await;
    let (member, stranger) = (owner.member().await, Person::new(&service).await);
    for other in [&member, &stranger] {
        for (method, of) in [(Method::GET, "analysis"), (Method::GET, "digest"), (Method::POST, "reanalyze")] {
            let answer = other.send(method, &format!("/api/calls/{call}/{of}"), &[], b"").await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "call_not_found"), "{of}");
        }
    }
    let id: Uuid = call.parse().unwrap();
    let left = "SELECT (SELECT count(*) FROM tenant.call_metrics WHERE call_id = $1)
                  + (SELECT count(*) FROM tenant.artifacts WHERE call_id = $1)";
    let mut superuser = service.installation.postgres.superuser().await;
    assert!(sqlx::query_scalar::<_, i64>(left).bind(id).fetch_one(&mut superuser).await.unwrap() > 3);
    assert_eq!(owner.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await.status, 204);
    assert_eq!(sqlx::query_scalar::<_, i64>(left).bind(id).fetch_one(&mut superuser).await.unwrap(), 0);
}
