//! A conversation through the whole pipeline: whose voice is whose, what is redacted, and what follows from it.

use std::sync::Arc;

use server::{
    artifacts::{self, Artifact},
    auth::{
        accounts::{self, NewPerson},
        person::EmailAddress,
    },
    calls::{CallDocument, store},
    db::{Role, Scope},
    vault::seal::RecordKind,
    worker::Recognise,
};
use speech::{
    align::SpokenWord,
    audio::Blocks,
    diarize::Turn,
    normalize::{self, Provenance},
    transcribe::{Options, TranscribeError, Transcription, Watch},
    transcript::{Transcript, Word},
};
use uuid::Uuid;

use crate::studio::{Played, Studio, Working, wav};

/// Who says what, in turn.
const SAID: [(usize, &str); 4] = [
    (0, "Hello Ravi, thank you for calling about the contract."),
    (1, "Hi. Please send me the signed contract by Friday."),
    (0, "I will send you the signed contract by Friday, Ravi."),
    (1, "Good. Please call me back tomorrow at two one two, five five five, oh one nine nine."),
];

/// Models that hear a conversation in every recording.
struct Dialogue;

impl Recognise for Dialogue {
    fn recognise(
        &self,
        mut recording: Box<dyn Blocks>,
        _: &Options,
        _: Watch<'_>,
    ) -> Result<Transcription, TranscribeError> {
        while recording.next_block()?.is_some() {}
        let (mut words, mut turns) = (Vec::new(), Vec::new());
        for (place, (speaker, text)) in SAID.into_iter().enumerate() {
            let start = place as f64 * 10.0;
            for (nth, text) in text.split_whitespace().enumerate() {
                let start_seconds = start + nth as f64 * 0.4;
                let word =
                    Word { text: text.to_owned(), start_seconds, end_seconds: start_seconds + 0.3, confidence: 0.9 };
                words.push(SpokenWord::new(word, "en".to_owned(), Some(speaker)));
            }
            turns.push(Turn { speaker, start, end: start + 8.0 });
        }
        let provenance = Provenance { whisper: "played".to_owned(), embedding: None, channels: false };
        Ok(Transcription {
            transcript: normalize::transcript(words, 40.0, Vec::new(), &provenance),
            turns,
            voices: None,
        })
    }
}

/// A call with Ravi, through the pipeline: its transcript, and the texts of all its documents.
async fn processed(studio: &Studio, scope: Scope, said: CallDocument) -> (Transcript, String) {
    let call = studio.upload(scope, wav(1)).await;
    let mut tx = studio.app.database.write(&scope).await.unwrap();
    store::put_document(&mut tx, &studio.app.vault, call, &said).await.unwrap();
    tx.commit().await.unwrap();
    studio.sql("UPDATE tenant.calls SET direction = 2, recorded_at = '2026-03-10T09:00:00Z'").await;
    let mut worker = studio.worker(Arc::new(Played::default()));
    worker.recogniser = Some(Arc::new(Dialogue));
    let working = Working::start(worker);
    studio.until(&format!("SELECT status FROM tenant.calls WHERE id = '{call}'"), "4").await;
    working.stop().await;
    documents(studio, scope, call).await
}

async fn documents(studio: &Studio, scope: Scope, call: Uuid) -> (Transcript, String) {
    let mut tx = studio.app.database.read(&scope).await.unwrap();
    let key = studio.app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    let mut all = String::new();
    for artifact in [
        Artifact::RawTranscript,
        Artifact::NormalizedTranscript,
        Artifact::Analysis,
        Artifact::Findings,
        Artifact::PhoneEndings,
    ] {
        let document = artifacts::get(&mut tx, (call, artifact), &key).await.unwrap().unwrap();
        all += std::str::from_utf8(&document).unwrap();
    }
    let json = artifacts::get(&mut tx, (call, Artifact::NormalizedTranscript), &key).await.unwrap().unwrap();
    (serde_json::from_slice(&json).unwrap(), all)
}

fn with_ravi() -> CallDocument {
    CallDocument {
        contact_name: Some("Ravi Sharma".to_owned()),
        phone_number: Some("+1 646 555 0142".to_owned()),
        ..CallDocument::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speakers_get_the_names_that_they_are_greeted_by_before_names_are_taken_out_and_no_number_stays() {
    let studio = Studio::new().await;
    let email = EmailAddress::parse("dana@example.org").unwrap();
    let dana =
        NewPerson { email, display_name: Some("Dana Reed".to_owned()), password: "seven quiet herons wade".into() };
    let (tenant, user) = accounts::create_tenant(&studio.app, "Heron Ltd", &dana).await.unwrap();
    let (transcript, all) = processed(&studio, Scope::authenticated(tenant, user, Role::Owner), with_ravi()).await;
    assert_eq!([0, 1].map(|speaker: usize| transcript.speakers[speaker].label.as_str()), ["Dana Reed", "Ravi Sharma"]);
    assert!(transcript.clean_text.starts_with("Dana Reed: Hello Ravi"));
    assert!(transcript.speaker_resolution.used_user_display_name && transcript.speaker_resolution.used_contact_name);
    assert!(all.contains("\"phoneEnding\":\"0199\"") && all.contains("[phone number]"), "{all}");
    assert!(!all.contains("nine") && !all.contains("646"), "{all}");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.call_metrics").await, "3", "of the call and of each speaker");
    let roles = "SELECT string_agg(role::text, ' ' ORDER BY speaker) FROM tenant.call_metrics WHERE talk_ms > 0 AND speaker > 0";
    assert_eq!(studio.ask(roles).await, "1 2");
    assert_eq!(studio.ask("SELECT duration_ms FROM tenant.call_metrics WHERE speaker = 0").await, "40000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_without_names_in_transcripts_has_none_in_labels_or_analyses_and_knows_the_parties_all_the_same() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    // The last of the kinds that a tenant chooses from: names of people.
    studio.sql("UPDATE tenant.tenants SET redaction = 64").await;
    let (transcript, all) = processed(&studio, scope, with_ravi()).await;
    assert_eq!(transcript.speakers[1].label, "Contact ending 0142");
    assert!(all.contains("\"role\":\"CONTACT\"") && all.contains("[name]"), "{all}");
    assert!(!all.contains("Ravi") && !all.contains("Sharma"), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_without_a_name_goes_by_the_end_of_the_number() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let said = CallDocument { contact_name: None, ..with_ravi() };
    let (transcript, all) = processed(&studio, scope, said).await;
    // Who says hello first was called.
    let labels: Vec<&str> = transcript.speakers.iter().map(|speaker| speaker.label.as_str()).collect();
    assert_eq!(labels, ["Contact ending 0142", "Speaker 2"]);
    assert!(!all.contains("646"), "{all}");
}
