//! What was taken out, as kinds, places and times; and that nothing of it comes out of what people write or read beside a transcript.

use std::io::{Cursor, Read as _};

use axum::http::Method;
use serde_json::{Value, json};

use crate::{client::Service, people::Person, transcripts::transcribed};

const NUMBER: &str = "+1 212 555 0199";

/// Corrects a segment and gives what is found afterwards.
async fn correct(person: &Person<'_>, call: &str, segment: &str, text: &str) -> Value {
    let path = format!("/api/calls/{call}");
    let corrected = person.json(Method::PATCH, &format!("{path}/segments/{segment}"), &json!({ "text": text })).await;
    assert_eq!(corrected.status, 200);
    person.get(&format!("{path}/redactions")).await.json()
}

#[tokio::test]
async fn findings_say_what_was_taken_out_where_and_when_and_follow_corrections() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let waiting = person.upload(2, "waits").await;
    let early = person.get(&format!("/api/calls/{waiting}/redactions")).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (422, "call_not_completed"));
    let call = transcribed(&person).await;
    person.json(Method::PATCH, "/api/tenant", &json!({"redactionPolicy": ["EMAIL_ADDRESS"]})).await;
    let found = correct(&person, &call, "seg_0002", &format!("{NUMBER} or ada@example.org or {NUMBER}")).await;
    let at = |kind: &str| json!({"kind": kind, "segmentId": "seg_0002", "startMs": 3000, "endMs": 5000, "silentFromMs": 0, "silentToMs": 15_250});
    assert_eq!(
        found,
        json!({"callId": call,
            "counts": [{"kind": "PHONE_NUMBER", "count": 2}, {"kind": "EMAIL_ADDRESS", "count": 1}],
            "findings": [at("PHONE_NUMBER"), at("EMAIL_ADDRESS"), at("PHONE_NUMBER")]})
    );
    // What a person takes back is found no more.
    assert_eq!(correct(&person, &call, "seg_0002", "Never mind.").await["findings"], json!([]));
}

#[tokio::test]
async fn findings_hold_nothing_of_what_was_found_and_are_sealed() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    correct(&person, &call, "seg_0001", NUMBER).await;
    let answer = person.get(&format!("/api/calls/{call}/redactions")).await;
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("PHONE_NUMBER") && !text.contains("555") && !text.contains("0199"), "{text}");
    let mut superuser = service.installation.postgres.superuser().await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed::bytea FROM tenant.artifacts WHERE kind = 7")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert!(!sealed.windows(5).any(|bytes| bytes == b"PHONE"));
}

/// All parts of an archive.
fn unzipped(bytes: Vec<u8>) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    for index in 0..archive.len() {
        archive.by_index(index).unwrap().read_to_string(&mut text).unwrap();
    }
    text
}

#[tokio::test]
async fn a_number_that_people_type_comes_out_of_no_field_list_search_or_export() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    let path = format!("/api/calls/{call}");
    let said = format!("Call {NUMBER} back");
    let changed =
        person.json(Method::PATCH, &path, &json!({"title": said, "summary": said, "notes": said})).await.json();
    for field in ["title", "summary", "notes"] {
        assert_eq!(changed[field], "Call [phone number] back", "{field}");
    }
    correct(&person, &call, "seg_0001", &said).await;
    person.json(Method::PATCH, &format!("{path}/speakers/spk_1"), &json!({ "displayName": NUMBER })).await;
    let mut paths = vec![path.clone(), "/api/calls".to_owned(), "/api/calls?q=back".to_owned()];
    for format in ["json", "txt", "srt", "vtt", "md", "docx", "rttm"] {
        paths.push(format!("{path}/transcript?format={format}"));
    }
    for path in paths {
        let answer = person.get(&path).await;
        let text = if path.ends_with("docx") { unzipped(answer.body) } else { String::from_utf8(answer.body).unwrap() };
        assert!(path.ends_with("rttm") || text.contains("back"), "{path}: nothing is said there");
        let name = answer.headers.get("content-disposition").map(|name| name.to_str().unwrap().to_owned());
        assert!(answer.status.is_success(), "{path}");
        assert!(!text.contains("555") && !name.unwrap_or_default().contains("555"), "{path}: {text}");
    }
    assert_eq!(person.get("/api/calls?q=555").await.json()["items"], json!([]));
}

#[tokio::test]
async fn what_comes_with_a_recording_is_redacted_by_the_policy_of_its_tenant() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    person.json(Method::PATCH, "/api/tenant", &json!({"redactionPolicy": ["EMAIL_ADDRESS"]})).await;
    let title = format!("{NUMBER}, ada@example.org");
    let metadata =
        json!({"title": title, "contactName": NUMBER, "phoneNumber": NUMBER, "organization": format!("Acme {NUMBER}")})
            .to_string();
    let file = crate::people::recording(7, 1000);
    let accepted = person.form(&[("metadata", metadata.as_bytes()), ("file", &file)], &[]).await.json();
    let call = person.get(&format!("/api/calls/{}", accepted["callId"].as_str().unwrap())).await.json();
    assert_eq!(call["title"], "[phone number], [e-mail address]");
    assert_eq!(call["contactName"], "Contact ending 0199");
    assert_eq!(call["organization"], "Acme [phone number]");
    assert_eq!(call["phoneNumber"], NUMBER, "the number to call back is a field of its own");
}

#[tokio::test]
async fn findings_are_for_who_may_read_the_call() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    let call = transcribed(&owner).await;
    correct(&owner, &call, "seg_0001", NUMBER).await;
    let (member, stranger) = (owner.member().await, Person::new(&service).await);
    for other in [&member, &stranger] {
        assert_eq!(other.get(&format!("/api/calls/{call}/redactions")).await.code(), "call_not_found");
    }
}
