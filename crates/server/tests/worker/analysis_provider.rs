//! What becomes of a call whose analysis is asked of an endpoint, by the answers that endpoints give.

use std::sync::Arc;

use insight::{analysis::document::Analysis, facts::Facts};
use serde_json::{Value, json};
use server::{
    analysis_provider::{Allowed, Asked, Engine, chat::Usage},
    artifacts::{self, Artifact},
    vault::seal::RecordKind,
};
use speech::transcript::{QualityWarning, Transcript};

use crate::{
    endpoint::{Endpoint, Play, completion, engine},
    studio::{Played, Studio, Working, wav},
};

/// What is said in every call here.
const SAID: &str = "we agreed on the repair of the roof for nine hundred dollars";

fn transcript() -> Transcript {
    serde_json::from_value(json!({
        "schemaVersion": 2, "language": "en", "durationSeconds": 9.0, "cleanText": "", "speakerResolution": {},
        "speakers": [{"speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_0", "label": "Speaker 1", "displayName": null, "role": "UNKNOWN",
            "confidence": null, "labelSource": "DIARIZATION", "voiceMatchScore": null}],
        "pipeline": speech::transcript::Pipeline::default(),
        "segments": [{
            "id": "seg_0001", "speaker": "Speaker 1", "speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_0", "role": "UNKNOWN",
            "startSeconds": 0.0, "endSeconds": 9.0, "text": SAID, "alignmentConfidence": 1.0, "words": [],
        }],
    }))
    .unwrap()
}

/// An answer of which everything stands.
fn grounded() -> Value {
    json!({
        "callType": "sales", "oneLineSummary": "The repair of the roof for $900.",
        "decisions": [{"text": "Agreed on the repair of the roof.", "ownerSpeaker": null, "dueDate": null, "sourceSegmentIds": ["seg_0001"]}],
    })
}

async fn ask(engine: &Engine, allowed: &Allowed) -> Option<Asked> {
    engine.ask(&transcript(), &Facts::default(), allowed).await
}

/// What comes of asking an endpoint on this machine that does this.
async fn asked(plays: Vec<Play>, settings: &[(&str, &str)]) -> (Result<Analysis, &'static str>, Usage, Endpoint) {
    let endpoint = Endpoint::playing(plays).await;
    let Asked { answer, usage } = ask(&endpoint.engine(settings), &Allowed::default()).await.unwrap();
    (answer, usage, endpoint)
}

#[tokio::test]
async fn an_endpoint_is_asked_as_openai_documents_it_and_its_tokens_are_counted() {
    let (answer, usage, endpoint) = asked(vec![Play::Says(grounded())], &[("key", "canary-key")]).await;
    let analysis = answer.unwrap();
    assert_eq!(analysis.one_line_summary.as_deref(), Some("The repair of the roof for $900."));
    assert_eq!(usage, Usage { prompt: 700, answer: 30 });
    let [request] = &endpoint.seen()[..] else { panic!("one request") };
    assert!(request.head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("authorization: bearer canary-key\r\n"));
    assert!(request.head.contains("content-type: application/json\r\n"));
    let body = &request.body;
    assert_eq!(
        (&body["model"], &body["max_tokens"], &body["temperature"]),
        (&json!("played"), &json!(4096), &json!(0))
    );
    assert_eq!((&body["messages"][0]["role"], &body["messages"][1]["role"]), (&json!("system"), &json!("user")));
    assert!(body["messages"][1]["content"].as_str().unwrap().contains(SAID));
    let format = &body["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
    assert_eq!(format["json_schema"]["schema"]["additionalProperties"], false);
    let shown = format!("{:?}", endpoint.engine(&[("key", "canary-key")]));
    assert!(!shown.contains("canary"), "{shown}");

    let (_, _, endpoint) = asked(vec![Play::Says(grounded())], &[]).await;
    assert!(!endpoint.seen()[0].head.contains("authorization"));
}

#[tokio::test]
async fn each_call_has_a_fence_of_its_own() {
    let endpoint = Endpoint::playing(vec![Play::Says(grounded())]).await;
    let engine = endpoint.engine(&[]);
    for _ in 0..2 {
        ask(&engine, &Allowed::default()).await;
    }
    let marker = |body: &Value| {
        let text = body["messages"][1]["content"].as_str().unwrap().to_owned();
        text.lines()
            .find(|line| line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .unwrap()
            .to_owned()
    };
    let seen = endpoint.seen();
    assert_ne!(marker(&seen[0].body), marker(&seen[1].body));
}

#[tokio::test]
async fn a_server_that_knows_no_schema_is_asked_for_an_object_and_told_the_schema() {
    let (answer, _, endpoint) = asked(vec![Play::Status(400, ""), Play::Says(grounded())], &[]).await;
    assert!(answer.is_ok());
    let seen = endpoint.seen();
    let body = &seen[1].body;
    assert_eq!((seen.len(), &body["response_format"]), (2, &json!({"type": "json_object"})));
    assert!(body["messages"][0]["content"].as_str().unwrap().contains("additionalProperties"));
    assert_eq!(
        (&body["max_completion_tokens"], &body["temperature"], &body["max_tokens"]),
        (&json!(4096), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_once_more() {
    for passing in [Play::Status(503, ""), Play::Status(429, "retry-after: 0\r\n"), Play::Status(500, ""), Play::Breaks]
    {
        let (answer, _, endpoint) = asked(vec![passing.clone(), Play::Says(grounded())], &[]).await;
        assert!(answer.is_ok());
        assert_eq!(endpoint.seen().len(), 2);
        let (answer, _, endpoint) = asked(vec![passing], &[]).await;
        assert!(matches!(answer.err(), Some("provider_failed" | "provider_unreachable")));
        assert_eq!(endpoint.seen().len(), 2, "and not a third time");
    }
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again_and_says_what_it_is() {
    let body = |body: Value| Play::Body(body.to_string());
    let with = |finish: &str| body(completion(&json!(grounded().to_string()), finish));
    let mut refusal = completion(&Value::Null, "stop");
    refusal["choices"][0]["message"]["refusal"] = json!("I cannot help with that.");
    for (play, code) in [
        (Play::Status(401, ""), "provider_refused"),
        (Play::Status(403, ""), "provider_refused"),
        (Play::Status(302, "location: http://127.0.0.1:9/v1/chat/completions\r\n"), "provider_refused"),
        (Play::Status(307, "location: http://127.0.0.1:9/v1/chat/completions\r\n"), "provider_refused"),
        (Play::Body("<html>It works!</html>".to_owned()), "answer_malformed"),
        (Play::Body(format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))), "answer_malformed"),
        (body(json!({"choices": []})), "answer_malformed"),
        (body(completion(&Value::Null, "stop")), "answer_malformed"),
        (body(completion(&json!("Sure! Here is what I think."), "stop")), "answer_malformed"),
        (body(completion(&json!("{\"oneLineSummary\": \"The repair"), "stop")), "answer_malformed"),
        (with("length"), "answer_truncated"),
        (with("content_filter"), "answer_declined"),
        (body(refusal), "answer_declined"),
        (Play::Says(json!({"oneLineSummary": "Mallory sold the house."})), "answer_ungrounded"),
        (Play::Floods, "answer_too_large"),
    ] {
        let (answer, _, endpoint) = asked(vec![play], &[]).await;
        assert_eq!(answer.err(), Some(code));
        assert_eq!(endpoint.seen().len(), 1, "{code}");
    }
    let (answer, usage, _) = asked(vec![with("length")], &[]).await;
    assert!(answer.is_err());
    assert_eq!(usage.answer, 30, "a useless answer costs tokens all the same");
    let (answer, ..) = asked(vec![Play::Waits], &[("time", "200ms")]).await;
    assert_eq!(answer.err(), Some("provider_too_slow"));
}

#[tokio::test]
async fn an_endpoint_elsewhere_is_asked_only_where_the_tenant_allows_its_kind_and_its_region() {
    let all = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
    // A name that nobody has (RFC 6761).
    let away = engine(&[("url", "https://llm.invalid/v1"), ("remote", "true"), ("region", "eu-west")]);
    for (providers, regions) in [
        (all(&[]), all(&[])),
        (all(&["openai-compatible"]), all(&[])),
        (all(&[]), all(&["eu-west"])),
        (all(&["openai-compatible"]), all(&["us-east", "eu"])),
        (all(&["lemonfox"]), all(&["eu-west"])),
    ] {
        assert!(ask(&away, &Allowed { providers, regions }).await.is_none());
    }
    let allowed = Allowed { providers: all(&["openai-compatible"]), regions: all(&["eu-west"]) };
    assert_eq!(ask(&away, &allowed).await.unwrap().answer.err(), Some("provider_unreachable"));
    assert!(ask(&Engine::Local, &allowed).await.is_none());
}

const EVENTS: &str = "SELECT string_agg(outcome || ' ' || coalesce(provider, '') || ' ' || coalesce(error_code, ''), ', ' ORDER BY created_at, id)
                      FROM tenant.processing_events WHERE stage = 9";

/// The stored analysis of a call that was worked on with this engine, and the events of that stage.
async fn worked(studio: &Studio, analyst: Engine) -> (Analysis, String) {
    let scope = studio.installation.tenant().await;
    let call = studio.upload(scope, wav(1)).await;
    let mut worker = studio.worker(Arc::new(Played { says: SAID, ..Played::default() }));
    worker.analyst = analyst;
    let working = Working::start(worker);
    studio.until("SELECT status FROM tenant.calls", "4").await;
    working.stop().await;
    let mut tx = studio.app.database.read(&scope).await.unwrap();
    let key = studio.app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    let stored = artifacts::get(&mut tx, (call, Artifact::Analysis), &key).await.unwrap().unwrap();
    (serde_json::from_slice(&stored).unwrap(), studio.ask(EVENTS).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stores_what_the_model_says_and_counts_its_tokens() {
    let (studio, endpoint) = (Studio::new().await, Endpoint::playing(vec![Play::Says(grounded())]).await);
    let (analysis, events) = worked(&studio, endpoint.engine(&[])).await;
    assert_eq!(analysis.one_line_summary.as_deref(), Some("The repair of the roof for $900."));
    assert!(analysis.quality_warnings.is_empty());
    assert_eq!(events, "1  , 2 openai-compatible ");
    let metrics = studio.app.operation.metrics.text(server::telemetry::observed::observe(&studio.app).await);
    assert!(metrics.contains("subrosa_analysis_tokens_total{kind=\"Prompt\"} 700"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_model_fails_the_local_engine_analyses_and_the_analysis_says_so() {
    let (studio, endpoint) = (Studio::new().await, Endpoint::playing(vec![Play::Status(500, "")]).await);
    let (analysis, events) = worked(&studio, endpoint.engine(&[])).await;
    assert!(analysis.decisions[0].text.contains("we agreed"), "quoted, as rules do");
    assert_eq!(analysis.quality_warnings, [QualityWarning::AnalysisFallback]);
    assert_eq!(events, "1  , 3 openai-compatible provider_failed, 2 local ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_allowed_nobody_keeps_its_transcripts_here() {
    let studio = Studio::new().await;
    let away = engine(&[("url", "https://llm.invalid/v1"), ("remote", "true"), ("region", "local")]);
    let (analysis, events) = worked(&studio, away).await;
    assert_eq!((analysis.quality_warnings.len(), events.as_str()), (0, "1  , 2 local "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_waits_for_no_model() {
    let (studio, endpoint) = (Studio::new().await, Endpoint::playing(vec![Play::Waits]).await);
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let mut worker = studio.worker(Arc::new(Played { says: SAID, ..Played::default() }));
    worker.analyst = endpoint.engine(&[("time", "24h")]);
    let working = Working::start(worker);
    studio.until("SELECT count(*) FROM tenant.processing_events WHERE stage = 9", "1").await;
    working.stop().await;
    assert_eq!(
        studio.ask("SELECT (state, attempts) FROM tenant.jobs").await,
        "(1,0)",
        "and the call is tried again, uncounted"
    );
}
