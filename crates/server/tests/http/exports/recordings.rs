//! Recordings in an archive, and what was taken out.

use axum::http::Method;
use serde_json::{Value, json};
use server::audio::unwanted;

use super::{ann, ask, ask_about, build, count, download, files, json_of, state, with};
use crate::{
    audio::{SAMPLES, keeps, kept, kept_with, samples},
    client::Service,
    people::recording,
};

#[tokio::test]
async fn an_archive_holds_the_recording_without_what_was_taken_out_and_says_what_that_was() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    keeps(&ann, true).await;
    let call = kept(&ann).await;
    let path = format!("/api/calls/{call}");
    let text = json!({"text": "It is +1 212 555 0199."});
    assert_eq!(ann.json(Method::PATCH, &format!("{path}/segments/seg_0002"), &text).await.status, 200);
    let export = ask(&ann).await;
    build(&service).await;
    let files = files(&download(&ann, &export).await);

    let played = ann.get(&format!("{path}/audio")).await.body;
    let exported = &files[&format!("calls/{call}/recording.wav")];
    assert!(*exported == played && exported.len() == SAMPLES + 44);
    assert!(exported[44..44 + 15_250 * 32].iter().all(|byte| *byte == 0), "the number is silent");
    let taken_out = json_of(&files, &format!("calls/{call}/redactions.json"));
    assert_eq!(taken_out, ann.get(&format!("{path}/redactions")).await.json()["findings"]);
    assert_eq!((taken_out.as_array().unwrap().len(), &taken_out[0]["kind"]), (1, &json!("PHONE_NUMBER")));
    let index = String::from_utf8_lossy(&files["index.html"]);
    for name in ["transcript.txt", "recording.wav", "redactions.json", "call.json"] {
        assert!(index.contains(&format!("href=\"calls/{call}/{name}\"")), "{name}: {index}");
    }
    let original = recording(7, 1000);
    for (name, content) in &files {
        assert!(!String::from_utf8_lossy(content).contains("555 0199"), "{name}");
        assert!(!content.windows(500).any(|bytes| bytes == &original[100..600]), "{name} is what was uploaded");
    }
}

#[tokio::test]
async fn a_data_subject_gets_the_recording_that_is_played_as_well() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    keeps(&ann, true).await;
    let call = kept_with(&ann, &with(None, Some("Carl")), samples()[..100_000].to_vec()).await;
    let export = ask_about(&ann, &json!({"contactName": "Carl"})).await;
    build(&service).await;
    let files = files(&download(&ann, &export).await);
    assert!(files[&format!("calls/{call}/recording.wav")][44..] == samples()[..100_000]);
}

#[tokio::test]
async fn a_recording_that_is_kept_no_more_is_in_no_archive_that_opens() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    keeps(&ann, true).await;
    let call = kept(&ann).await;
    let before = ask(&ann).await;
    build(&service).await;
    assert_eq!(download(&ann, &before).await.status, 200);
    keeps(&ann, false).await;
    let after = ask(&ann).await;
    build(&service).await;
    let recording = format!("calls/{call}/recording.wav");
    let without = files(&download(&ann, &after).await);
    assert!(!without.contains_key(&recording));
    assert!(!String::from_utf8_lossy(&without["index.html"]).contains(&recording));
    assert_eq!(unwanted::remove(&service.app).await.unwrap(), 1);
    let broken = ("EXPIRED".to_owned(), Value::from("call_deleted"));
    assert_eq!((state(&ann, &before).await, download(&ann, &before).await.status.as_u16()), (broken, 404));
}

#[tokio::test]
async fn recordings_that_no_archive_holds_are_refused_before_any_is_read() {
    let service = Service::new().await;
    let ann = ann(&service).await;
    keeps(&ann, true).await;
    kept(&ann).await;
    ann.sql(format!("UPDATE tenant.artifacts SET bytes = {} WHERE kind = 8", (64_u64 << 30) + 1)).await;
    let export = ask(&ann).await;
    build(&service).await;
    assert_eq!(state(&ann, &export).await, ("FAILED".to_owned(), Value::from("too_large")));
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.export_calls").await, 0);
}
