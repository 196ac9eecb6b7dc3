//! Transcripts in every format, and corrections.

use axum::http::Method;
use serde_json::{Value, json};
use server::transcripts::store;

use crate::{client::Service, people::Person};

pub(crate) fn document() -> Value {
    let segment = |id: &str, speaker: &str, text: &str, start: f64| {
        json!({"id": id, "speaker": format!("Speaker {speaker}"), "speakerId": format!("spk_{speaker}"),
            "sourceSpeakerId": format!("CHANNEL_{speaker}"), "role": "UNKNOWN", "startSeconds": start, "endSeconds": start + 2.0,
            "text": text, "alignmentConfidence": 1.0,
            "words": [{"text": text, "startSeconds": start, "endSeconds": start + 2.0, "confidence": 0.5}]})
    };
    let speaker = |n: &str| {
        json!({"speakerId": format!("spk_{n}"), "sourceSpeakerId": format!("CHANNEL_{n}"), "label": format!("Speaker {n}"),
            "displayName": null, "role": "UNKNOWN", "confidence": null, "labelSource": "DIARIZATION", "voiceMatchScore": null})
    };
    json!({"schemaVersion": 2, "language": "en", "durationSeconds": 5.0, "cleanText": "Speaker 1: Hello.\n\nSpeaker 2: Hi.",
        "speakers": [speaker("1"), speaker("2")],
        "segments": [segment("seg_0001", "1", "Hello.", 0.5), segment("seg_0002", "2", "Hi.", 3.0)],
        "speakerResolution": {"strategyVersion": 0, "usedUserDisplayName": false, "usedContactName": false, "usedDirection": false,
            "usedPhoneFallback": false, "voiceEmbeddingEnabled": false, "voiceProfileUsed": false, "voiceMatchStatus": null,
            "totalSpeakerCount": 2, "resolvedSpeakerCount": 0, "warnings": []},
        "pipeline": {"transcriptionProvider": "local", "transcriptionModel": "base", "diarizationProvider": "channels",
            "diarizationModel": null, "alignmentVersion": 1, "normalizationVersion": 1, "status": "COMPLETED", "warnings": ["low_snr"]}})
}

/// A call with a transcript.
pub(crate) async fn transcribed(person: &Person<'_>) -> String {
    let call = person.upload(1, "Offer / to: \"Ana\" ü").await;
    give_transcript(person, &call).await;
    call
}

/// Gives a call its transcript, with which it is completed.
pub(crate) async fn give_transcript(person: &Person<'_>, call: &str) {
    put_transcript(person, call, document()).await;
}

/// The same with another one.
pub(crate) async fn put_transcript(person: &Person<'_>, call: &str, document: Value) {
    let mut tx = person.service.app.database.write(&person.scope).await.unwrap();
    let transcript = serde_json::from_value(document).unwrap();
    store::put(&mut tx, &person.service.app.vault, call.parse().unwrap(), &transcript).await.unwrap();
    tx.commit().await.unwrap();
    person.sql(format!("UPDATE tenant.calls SET status = 4 WHERE id = '{call}'")).await;
}

#[tokio::test]
async fn a_transcript_is_given_in_every_format_once_it_is_there() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let waiting = person.upload(2, "waits").await;
    let early = person.get(&format!("/api/calls/{waiting}/transcript")).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (422, "call_not_completed"));
    let call = transcribed(&person).await;
    let path = format!("/api/calls/{call}/transcript");
    for (format, kind, start) in [
        ("txt", "text/plain; charset=utf-8", &b"[00:00.5] Speaker 1: Hello."[..]),
        ("srt", "application/x-subrip", b"1\n00:00:00,500 --> "),
        ("vtt", "text/vtt; charset=utf-8", b"WEBVTT"),
        ("md", "text/markdown; charset=utf-8", b"# "),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04"),
        ("rttm", "text/plain; charset=utf-8", b"SPEAKER "),
    ] {
        let answer = person.get(&format!("{path}?format={format}")).await;
        assert_eq!(answer.headers["content-type"], kind);
        assert!(answer.body.starts_with(start), "{format}: {}", String::from_utf8_lossy(&answer.body));
        let disposition = answer.headers["content-disposition"].to_str().unwrap();
        assert_eq!(
            disposition,
            format!("attachment; filename=\"{call}.{format}\"; filename*=UTF-8''Offer%20%20to%20Ana%20%C3%BC.{format}")
        );
    }
    assert_eq!(person.get(&format!("{path}?format=exe")).await.code(), "validation_failed");
}

#[tokio::test]
async fn the_document_is_what_the_api_says_it_is_and_not_sent_twice() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}/transcript", transcribed(&person).await);
    let answer = person.get(&path).await;
    assert_eq!(answer.json(), document());
    let described: api::transcripts::Transcript = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(serde_json::to_value(described).unwrap(), document());
    let etag = answer.headers["etag"].to_str().unwrap();
    let again = person.send(Method::GET, &path, &[("if-none-match", etag)], b"").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let other = person.send(Method::GET, &format!("{path}?format=txt"), &[("if-none-match", etag)], b"").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_person_names_speakers_and_corrects_what_was_heard() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = transcribed(&person).await;
    let path = format!("/api/calls/{call}");
    let before = person.get(&format!("{path}/transcript")).await;
    let speaker = person.json(Method::PATCH, &format!("{path}/speakers/spk_2"), &json!({"displayName": " Ana "})).await;
    assert_eq!(speaker.json()["displayName"], "Ana");
    let segment = person.json(Method::PATCH, &format!("{path}/segments/seg_0001"), &json!({"text": "Good day."})).await;
    assert_eq!((&segment.json()["text"], &segment.json()["words"]), (&json!("Good day."), &json!([])));
    let after = person.get(&format!("{path}/transcript")).await;
    assert_eq!(after.json()["cleanText"], "Speaker 1: Good day.\n\nAna: Hi.");
    assert_ne!(after.headers["etag"], before.headers["etag"]);
    person.json(Method::PATCH, &format!("{path}/speakers/spk_2"), &json!({"displayName": ""})).await;
    assert_eq!(person.get(&format!("{path}/transcript")).await.json()["segments"][1]["speaker"], "Speaker 2");
    for (rest, body) in [("speakers/spk_9", json!({"displayName": "x"})), ("segments/seg_9999", json!({"text": "x"}))] {
        assert_eq!(person.json(Method::PATCH, &format!("{path}/{rest}"), &body).await.code(), "not_found");
    }
    let long = "x".repeat(20_001);
    assert_eq!(
        person.json(Method::PATCH, &format!("{path}/segments/seg_0001"), &json!({"text": long})).await.status,
        400
    );
}

#[tokio::test]
async fn what_people_type_into_a_transcript_is_redacted_as_well() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let path = format!("/api/calls/{}", transcribed(&person).await);
    let tenant = person.json(Method::PATCH, "/api/tenant", &json!({"redactionPolicy": ["EMAIL_ADDRESS"]})).await.json();
    assert_eq!(tenant["redactionPolicy"], json!(["EMAIL_ADDRESS"]));
    let text = "Call +1 212 555 0199 or write to ada@example.org";
    let segment = person.json(Method::PATCH, &format!("{path}/segments/seg_0001"), &json!({"text": text})).await.json();
    assert_eq!(segment["text"], "Call [phone number] or write to [e-mail address]");
    let name = json!({"displayName": "+1 (212) 555-0199"});
    let speaker = person.json(Method::PATCH, &format!("{path}/speakers/spk_2"), &name).await.json();
    assert_eq!(speaker["displayName"], "Contact ending 0199");
    let name = json!({"displayName": "Ana, two one two, five five five, oh one nine nine"});
    let speaker = person.json(Method::PATCH, &format!("{path}/speakers/spk_1"), &name).await.json();
    assert_eq!(speaker["displayName"], "Ana, [phone number]");
    let stored = String::from_utf8(person.get(&format!("{path}/transcript")).await.body).unwrap();
    assert!(!stored.contains("555") && !stored.contains("five") && !stored.contains("ada@"), "{stored}");
    let refused = person.json(Method::PATCH, "/api/tenant", &json!({"redactionPolicy": ["EVERYTHING"]})).await;
    assert_eq!(refused.code(), "validation_failed");
}
