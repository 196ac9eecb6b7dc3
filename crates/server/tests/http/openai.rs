//! What OpenAI's clients may ask of the service, and for how long. Their real clients are in `tests/service`.

use axum::http::Method;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::{
    client::{Answer, Service},
    people::{BOUNDARY, Person, form, recording},
};

const PATH: &str = "/v1/audio/transcriptions";

fn kind() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

async fn transcribe(person: &Person<'_>, fields: &[(&str, &[u8])]) -> Answer {
    person.send(Method::POST, PATH, &[("content-type", &kind())], &form(fields)).await
}

#[tokio::test]
async fn wishes_that_are_kept_with_a_call_are_short() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (recording, long) = (recording(1, 1000), "x".repeat(4097));
    for (field, values) in [
        ("prompt", vec![long.clone()]),
        ("keywords", vec!["x".repeat(2049); 2]),
        ("keywords", vec![String::new(); 101]),
    ] {
        let mut fields: Vec<(&str, &[u8])> = vec![("model", b"whisper-1"), ("file", &recording)];
        fields.extend(values.iter().map(|value| (field, value.as_bytes())));
        let refused = transcribe(&person, &fields).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{field}"
        );
    }
    assert_eq!(person.get("/api/calls").await.json()["items"], json!([]), "what is refused leaves no call");
}

#[tokio::test]
async fn who_signed_out_waits_for_no_transcript() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let recording = recording(1, 1000);
    let body = form(&[("model", b"whisper-1"), ("stream", b"true"), ("file", &recording)]);
    let request = person.request(Method::POST, PATH, &[("content-type", &kind())]);
    let answer = service.open(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(person.send(Method::POST, "/api/auth/logout-all", &[], b"").await.status, 204);
    let stream = answer.into_body().collect().await.unwrap().to_bytes();
    let told = String::from_utf8_lossy(&stream);
    assert!(told.contains("\"error\"") && !told.contains("transcript.text"), "{told}");
}

#[tokio::test]
async fn what_waits_for_a_transcript_ends_when_the_service_stops() {
    let service = Service::set(&[("rates.read", "1000000/1m")]).await;
    let person = Person::new(&service).await;
    let recording = recording(1, 1000);
    let fields: [(&str, &[u8]); 2] = [("model", b"whisper-1"), ("file", &recording)];
    let (answer, ()) = tokio::join!(transcribe(&person, &fields), async {
        while person.get("/api/calls").await.json()["items"].as_array().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        service.app.operation.stop();
    });
    assert_eq!((answer.status.as_u16(), answer.headers.contains_key("retry-after")), (503, true));
}
