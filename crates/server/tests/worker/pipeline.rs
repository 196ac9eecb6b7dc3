//! What becomes of a recording, as its owner sees it.

use std::sync::{Arc, atomic::Ordering};

use api::redactions::FindingKind;
use server::{
    artifacts::{self, Artifact},
    calls::{CallDocument, Recognition, store},
    queue::{self, MAX_ATTEMPTS},
    redaction::findings,
    search::index,
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        key::Key,
        seal::RecordKind,
    },
    worker::sweep,
};
use speech::transcript::Transcript;

use crate::studio::{CANARY, Played, Studio, Working, wav};

const STATUS: &str = "SELECT status FROM tenant.calls";

/// An endpoint that is told everything: what is left for it is looked at, and not sent.
const ENDPOINT: &str = "INSERT INTO tenant.webhook_endpoints (tenant_id, id, events, sealed)
  SELECT tenant_id, id, 127, crypto.pgp_sym_encrypt_bytea('x', 'key', 'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0')
  FROM tenant.calls";

/// What endpoints are told, and whether it is of the call that there is.
const TOLD: &str =
    "SELECT string_agg(event || ':' || (subject_id = c.id), ' ') FROM tenant.webhook_deliveries, tenant.calls c";

/// Stage and outcome of each event, in order.
const EVENTS: &str =
    "SELECT string_agg(stage || ':' || outcome, ' ' ORDER BY created_at, id) FROM tenant.processing_events";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_becomes_a_transcript_and_nothing_else_of_it_is_left() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let call = studio.upload(scope, wav(2)).await;
    studio.sql(ENDPOINT).await;
    let working = Working::start(studio.worker(Arc::default()));
    studio.until(STATUS, "4").await;
    working.stop().await;
    assert_eq!(studio.ask(TOLD).await, "1:true", "it was told once that the call is completed");

    let mut tx = studio.app.database.read(&scope).await.unwrap();
    let key = studio.app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    let stored = artifacts::get(&mut tx, (call, Artifact::NormalizedTranscript), &key).await.unwrap().unwrap();
    let transcript: Transcript = serde_json::from_slice(&stored).unwrap();
    assert!(transcript.clean_text.contains(CANARY));
    assert_eq!(transcript.call_id, Some(call.to_string()));
    assert!(transcript.created_at.is_some_and(|at| at.ends_with('Z')));
    for artifact in [Artifact::Diarization, Artifact::RawTranscript] {
        assert!(artifacts::get(&mut tx, (call, artifact), &key).await.unwrap().is_some());
    }
    drop(tx);
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.run_keys").await, "0", "the run's key died");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE kind = 1").await, "0");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.blob_deletions").await, "0");
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: call };
    let key = Key::copy_of(&[0; 32]);
    assert!(matches!(studio.app.blobs.read(&key, place, 1, 0..1).await, Err(BlobError::Missing(_))));
    assert_eq!(studio.ask("SELECT (language, channels, duration_ms) FROM tenant.calls").await, "(en,2,1000)");
    assert_eq!(studio.ask("SELECT (state, attempts, progress) FROM tenant.jobs").await, "(3,1,100)");
    assert_eq!(studio.ask(EVENTS).await, "1:1 2:1 3:1 1:2 2:2 3:2 4:2 5:2 6:4 7:2 8:2 9:1 9:2 10:2 11:2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_cannot_be_indexed_is_completed_all_the_same_and_indexed_later() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(2)).await;
    studio.sql("ALTER TABLE tenant.search_postings ADD CONSTRAINT none CHECK (call_words < 0)").await;
    let working = Working::start(studio.worker(Arc::default()));
    studio.until(STATUS, "4").await;
    working.stop().await;
    assert!(studio.ask(EVENTS).await.ends_with("11:3"));
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.search_postings").await, "0");
    studio.sql("ALTER TABLE tenant.search_postings DROP CONSTRAINT none").await;
    index::catch_up(&studio.app, &scope).await.unwrap();
    assert_ne!(studio.ask("SELECT count(*) FROM tenant.search_postings").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_recording_fails_once_with_a_code_that_says_so() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    for (bytes, code) in [
        (b"this is a letter and no recording, whatever its name says".to_vec(), "audio_not_audio"),
        (Vec::new(), "audio_empty"),
        (wav(1)[..44].to_vec(), "audio_empty"),
    ] {
        studio.upload(scope, bytes).await;
        studio.sql(ENDPOINT).await;
        let working = Working::start(studio.worker(Arc::default()));
        studio.until(STATUS, "5").await;
        working.stop().await;
        assert_eq!(studio.ask(TOLD).await, "2:true", "it was told once that the call failed");
        assert_eq!(studio.ask("SELECT error_code FROM tenant.calls").await, code);
        assert_eq!(studio.ask("SELECT (state, attempts, error_code) FROM tenant.jobs").await, format!("(4,1,{code})"));
        assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts").await, "0", "its recording is gone");
        studio.sql("DELETE FROM tenant.calls; DELETE FROM tenant.webhook_endpoints").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_models_a_call_fails_and_says_why() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let mut worker = studio.worker(Arc::default());
    worker.recogniser = None;
    let working = Working::start(worker);
    studio.until("SELECT error_code FROM tenant.calls", "model_missing").await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_every_time_ends_as_failed_after_five_attempts() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let models = Arc::new(Played { fails: true, ..Played::default() });
    let working = Working::start(studio.worker(Arc::clone(&models)));
    for attempt in 1..5 {
        studio.until("SELECT (state, attempts) FROM tenant.jobs", &format!("(1,{attempt})")).await;
        studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
    }
    studio.until(STATUS, "5").await;
    working.stop().await;
    assert_eq!(models.asked.load(Ordering::Relaxed), 5);
    assert_eq!(studio.ask("SELECT (state, error_code) FROM tenant.jobs").await, "(4,recognition_failed)");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_room_costs_a_call_time_and_no_attempt() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    // 53100: what PostgreSQL says when a disk is full.
    studio
        .sql(
            "CREATE FUNCTION app.no_room() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$;
             CREATE TRIGGER no_room BEFORE INSERT ON tenant.artifacts EXECUTE FUNCTION app.no_room()",
        )
        .await;
    let working = Working::start(studio.worker(Arc::default()));
    for _ in 0..=queue::MAX_ATTEMPTS {
        studio.until("SELECT (state, attempts, error_code) FROM tenant.jobs", "(1,0,database_failed)").await;
        studio.sql("UPDATE tenant.jobs SET error_code = NULL, run_at = now()").await;
    }
    // One after the other: a worker that has the job may wait for the table.
    studio.sql("DROP TRIGGER no_room ON tenant.artifacts").await;
    studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
    studio.until("SELECT status FROM tenant.calls", "4").await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_attempt_goes_on_after_the_last_stage_that_was_committed() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    // The database refuses the stage after recognition.
    studio.sql("ALTER TABLE tenant.processing_events ADD CONSTRAINT broken CHECK (stage <> 6)").await;
    let models = Arc::new(Played::default());
    let working = Working::start(studio.worker(Arc::clone(&models)));
    studio.until("SELECT (state, attempts) FROM tenant.jobs", "(1,1)").await;
    assert_eq!(
        studio.ask("SELECT count(*) FROM tenant.run_keys").await,
        "1",
        "what is not redacted is under a run's key"
    );
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE run_id IS NULL AND kind <> 1").await, "0");
    studio
        .sql("ALTER TABLE tenant.processing_events DROP CONSTRAINT broken; UPDATE tenant.jobs SET run_at = now()")
        .await;
    studio.until(STATUS, "4").await;
    working.stop().await;
    assert_eq!(models.asked.load(Ordering::Relaxed), 1, "nothing is recognised twice");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.run_keys").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_stays_in_any_document_and_what_else_goes_the_tenant_says() {
    const SAID: &str = "call me at two one two, five five five, oh one nine nine or at ada at example dot org";
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let working = Working::start(studio.worker(Arc::new(Played { says: SAID, ..Played::default() })));
    for (policy, address) in [(0, true), (1, false)] {
        studio.sql(format!("UPDATE tenant.tenants SET redaction = {policy}")).await;
        let call = studio.upload(scope, wav(policy + 1)).await;
        studio.until(&format!("SELECT status FROM tenant.calls WHERE id = '{call}'"), "4").await;
        let mut tx = studio.app.database.read(&scope).await.unwrap();
        let key = studio.app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
        for artifact in [Artifact::RawTranscript, Artifact::NormalizedTranscript] {
            let stored = artifacts::get(&mut tx, (call, artifact), &key).await.unwrap().unwrap();
            let text = std::str::from_utf8(&stored).unwrap();
            assert!(text.contains(CANARY) && text.contains("[phone number]"), "{text}");
            assert!(!text.contains("five") && !text.contains("nine"), "{text}");
            assert_eq!((text.contains("example"), text.contains("[e-mail address]")), (address, !address), "{text}");
        }
        // The words of a finding are one word then, from the start of the first (the fourth that is "said", 10 ms each) to the end of the
        // last.
        let found = findings::get(&mut tx, &studio.app.vault, call).await.unwrap().unwrap();
        assert_eq!((found[0].kind, found[0].segment_id.as_str()), (FindingKind::PhoneNumber, "seg_0001"));
        assert_eq!((found[0].word, found[0].start_ms, found[0].end_ms), (Some(4), 140, 240));
        assert_eq!(found.get(1).map(|finding| finding.kind), (!address).then_some(FindingKind::EmailAddress));
    }
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_asked_of_recognition_is_forgotten_with_what_was_heard_and_when_nothing_was() {
    for is_heard in [true, false] {
        let studio = Studio::new().await;
        let scope = studio.installation.tenant().await;
        let call = studio.upload(scope, wav(1)).await;
        let prompt = "Ada's number is +1 212 555 0199.";
        let asked = Recognition { prompt: Some(prompt.to_owned()), ..Recognition::default() };
        let said = CallDocument { title: Some("kept".to_owned()), recognition: Some(asked), ..CallDocument::default() };
        let mut tx = studio.app.database.write(&scope).await.unwrap();
        store::put_document(&mut tx, &studio.app.vault, call, &said).await.unwrap();
        tx.commit().await.unwrap();
        if is_heard {
            let working = Working::start(studio.worker(Arc::default()));
            studio.until(STATUS, "4").await;
            working.stop().await;
        } else {
            studio.sql("UPDATE tenant.artifacts SET created_at = now() - interval '25 hours'").await;
            assert_eq!(sweep::recordings(&studio.app, sweep::MAX_TTL).await.unwrap(), 1);
            studio.until(STATUS, "5").await;
        }
        let mut tx = studio.app.database.read(&scope).await.unwrap();
        let row = store::get(&mut tx, call).await.unwrap();
        let said = store::open(&mut tx, &studio.app.vault, &row).await.unwrap();
        assert_eq!((said.title.as_deref(), said.recognition.is_none()), (Some("kept"), true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_object_store_costs_no_attempt_and_no_recording_however_long_it_lasts() {
    let objects = tempfile::tempdir().unwrap();
    let studio = Studio::with(Blobs::local(objects.path()).unwrap()).await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    // A name that leads to itself: every access fails, and not because nothing is there.
    let (blobs, aside) = (objects.path().join("blobs"), objects.path().join("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    std::os::unix::fs::symlink(&blobs, &blobs).unwrap();
    let working = Working::start(studio.worker(Arc::default()));
    for times in 1..=i32::from(MAX_ATTEMPTS) + 1 {
        let job = "SELECT (state, attempts, postponed, error_code) FROM tenant.jobs";
        studio.until(job, &format!("(1,0,{times},store_failed)")).await;
        assert_eq!(studio.ask(STATUS).await, "2", "nobody has given it up");
        assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE kind = 1").await, "1");
        if times <= i32::from(MAX_ATTEMPTS) {
            studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
        }
    }
    std::fs::remove_file(&blobs).unwrap();
    std::fs::rename(&aside, &blobs).unwrap();
    studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
    studio.until(STATUS, "4").await;
    working.stop().await;
    assert_eq!(studio.ask("SELECT attempts FROM tenant.jobs").await, "1");
}
