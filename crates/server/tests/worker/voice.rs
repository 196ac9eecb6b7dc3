//! Voice profiles over HTTP and in the pipeline, with the models of CI: a sample is checked, sealed and forgotten; its owner is known again
//! in a call, and nobody else is; what is withdrawn is gone.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header::AUTHORIZATION},
};
use serde_json::{Value, json};
use server::{
    app::App,
    artifacts::{self, Artifact},
    auth::{
        accounts::{self, NewPerson},
        person::EmailAddress,
        tokens::TokenRole,
    },
    db::{Role as ServerRole, Scope},
    decoder::Decoder,
    vault::{
        content::{self, Stored},
        seal::{Field, RecordKind},
    },
    voice_profiles::Maker,
};
use speech::{
    metrics::parse_rttm,
    transcribe::{Device, Engine, EngineOptions, ModelPaths},
    transcript::{LabelSource, Role, Transcript},
    voiceprint::Enroller,
};
use uuid::Uuid;

use crate::{
    client::{Answer, Service},
    studio::{Played, Working, decoder, upload, worker},
};

pub(crate) const PATH: &str = "/api/users/me/voice-profile";
const STATUS: &str = "/api/users/me/voice-profile/status";
const ON: &[(&str, &str)] = &[("voice_profiles.enabled", "true")];

/// Samples a second.
const RATE: usize = 16_000;

fn data(name: &str) -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.data");
    let path = std::env::var_os("SUBROSA_TEST_DATA").map_or_else(default, PathBuf::from).join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask models`", path.display());
    path
}

pub(crate) fn paths() -> ModelPaths {
    ModelPaths {
        whisper: data("models/whisper-tiny.en"),
        whisper_name: "tiny.en".to_owned(),
        vad: data("models/silero-vad/silero_vad_16k_sequence.onnx"),
        segmentation: data("models/pyannote-segmentation-3.0/segmentation-3.0.onnx"),
        embedding: data("models/ge2e/ge2e.onnx"),
        embedding_name: "ge2e".to_owned(),
    }
}

/// The models that hear calls, loaded once.
pub(crate) static ENGINE: LazyLock<Arc<Engine>> =
    LazyLock::new(|| Arc::new(Engine::load(&paths(), &EngineOptions { threads: 2, device: Device::Cpu }).unwrap()));

/// The samples of the real call, 30 s, and what of it each of its two speakers says alone.
pub(crate) static CALL: LazyLock<(Vec<f32>, [Vec<f32>; 2])> = LazyLock::new(|| {
    let bytes = std::fs::read(data("samples/sample.wav")).unwrap();
    let start = bytes.windows(4).position(|window| window == b"data").unwrap() + 8;
    let (samples, _) = bytes[start..].as_chunks::<2>();
    let call: Vec<f32> = samples.iter().map(|sample| f32::from(i16::from_le_bytes(*sample)) / 32_768.0).collect();
    let turns = parse_rttm(&std::fs::read_to_string(data("samples/sample.rttm")).unwrap()).unwrap();
    let at = |seconds: f64| ((seconds * RATE as f64) as usize).min(call.len());
    let alone = [0, 1].map(|speaker| {
        let own = turns.iter().filter(|turn| turn.speaker == speaker).flat_map(|turn| at(turn.start)..at(turn.end));
        let others =
            |i: usize| turns.iter().any(|turn| turn.speaker != speaker && (at(turn.start)..at(turn.end)).contains(&i));
        own.filter(|i| !others(*i)).map(|i| call[i]).collect::<Vec<f32>>()
    });
    (call, alone)
});

/// Twenty seconds of one of the two: ten, twice.
pub(crate) fn sample(speaker: usize) -> Vec<f32> {
    CALL.1[speaker].iter().cycle().take(20 * RATE).copied().collect()
}

/// A file of one channel.
pub(crate) fn wav(samples: &[f32]) -> Vec<u8> {
    file(&[samples])
}

/// A file of channels of the same length, 16 bit at 16 kHz.
fn file(channels: &[&[f32]]) -> Vec<u8> {
    let (count, frames) = (channels.len() as u32, channels[0].len());
    let bytes = frames as u32 * count * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((bytes + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend((count as u16).to_le_bytes());
    file.extend((RATE as u32).to_le_bytes());
    file.extend((RATE as u32 * count * 2).to_le_bytes());
    file.extend((count as u16 * 2).to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend(bytes.to_le_bytes());
    let samples = (0..frames).flat_map(|frame| channels.iter().map(move |channel| channel[frame]));
    file.extend(samples.flat_map(|x| ((x.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes()));
    file
}

/// A service where voice profiles are on, with its models.
async fn service() -> Service {
    service_with(decoder()).await
}

/// One that decodes samples in that way.
pub(crate) async fn service_with(decoder: Decoder) -> Service {
    let service = Service::set(ON).await;
    let ModelPaths { vad, segmentation, embedding, embedding_name: model, .. } = paths();
    let enroller = Enroller::load(&vad, &segmentation, &embedding).unwrap();
    service.app.voice_profiles.provide(Maker { enroller, model, decoder });
    service
}

/// Sends a form.
pub(crate) async fn send(service: &Service, token: &str, key: Option<&str>, fields: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let file = if *name == "file" { "; filename=\"me.wav\"" } else { "" };
        body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes());
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let request = Request::builder().method(Method::POST).uri(PATH).header(AUTHORIZATION, format!("Bearer {token}"));
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
    service.send(request.body(Body::from(body)).unwrap()).await
}

pub(crate) async fn enrol(service: &Service, token: &str, file: &[u8]) -> Answer {
    send(service, token, None, &[("file", file), ("consentVersion", b"3")]).await
}

pub(crate) async fn exists(service: &Service, token: &str) -> bool {
    let status = service.call(Method::GET, STATUS, Some(token)).await;
    assert_eq!(status.status, StatusCode::OK, "{:?}", status.json());
    status.json()["exists"].as_bool().unwrap()
}

/// One number that no guard hides.
pub(crate) async fn count(service: &Service, query: &'static str) -> i64 {
    let mut superuser = service.installation.postgres.superuser().await;
    sqlx::query_scalar(query).fetch_one(&mut superuser).await.unwrap()
}

pub(crate) const PROFILES: &str = "SELECT count(*) FROM tenant.voice_profiles";
pub(crate) const KEYS: &str = "SELECT count(*) FROM tenant.record_keys WHERE kind = 3";

/// A recording through the pipeline: its transcript, and what became of the stage.
async fn processed(app: &App, scope: Scope, recording: Vec<u8>) -> (Transcript, Value) {
    let call = upload((&app.database, &app.vault, &app.blobs), scope, recording).await;
    let mut with_models = worker(app.clone(), Arc::new(Played::default()));
    with_models.recogniser = Some(Arc::clone(&*ENGINE) as _);
    let working = Working::start(with_models);
    let transcript = ended(app, scope, call).await;
    working.stop().await;
    let mut tx = app.database.read(&scope).await.unwrap();
    let stage = "SELECT jsonb_build_object('outcome', outcome, 'error', error_code) FROM tenant.processing_events
                 WHERE call_id = $1 AND stage = 6";
    (transcript, sqlx::query_scalar(stage).bind(call).fetch_one(tx.conn()).await.unwrap())
}

/// Waits until a call is completed.
pub(crate) async fn ended(app: &App, scope: Scope, call: Uuid) -> Transcript {
    let mut changed = app.changes.watch();
    loop {
        changed.mark_unchanged();
        let mut tx = app.database.read(&scope).await.unwrap();
        let status: i16 = sqlx::query_scalar("SELECT status FROM tenant.calls WHERE id = $1")
            .bind(call)
            .fetch_one(tx.conn())
            .await
            .unwrap();
        assert_ne!(status, 5, "the call failed");
        if status == 4 {
            let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
            let json = artifacts::get(&mut tx, (call, Artifact::NormalizedTranscript), &key).await.unwrap().unwrap();
            let diarization = artifacts::get(&mut tx, (call, Artifact::Diarization), &key).await.unwrap().unwrap();
            assert!(!String::from_utf8_lossy(&diarization).contains("voice"), "scores are of the run alone");
            return serde_json::from_slice(&json).unwrap();
        }
        tx.rollback().await.unwrap();
        changed.changed().await.unwrap();
    }
}

pub(crate) fn is_known_by_voice(transcript: &Transcript) -> bool {
    transcript.speakers.iter().any(|speaker| speaker.label_source == LabelSource::VoiceEmbedding)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_known_again_by_their_voice_in_a_real_call() {
    let service = service().await;
    let (sheila, diane) = (service.installation.tenant().await, service.installation.tenant().await);
    let (first, second) = (service.token(&sheila, TokenRole::Owner), service.token(&diane, TokenRole::Owner));
    let made = enrol(&service, &first, &wav(&sample(1))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    let fields: Vec<String> = made.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["consentVersion", "createdAt", "exists", "model", "provider"], "and not what it holds");
    assert_eq!((&made.json()["consentVersion"], &made.json()["model"]), (&json!(3), &json!("ge2e")));
    assert_eq!(enrol(&service, &second, &wav(&sample(0))).await.status, StatusCode::CREATED);

    let (transcript, stage) = processed(&service.app, sheila, wav(&CALL.0)).await;
    assert_eq!(stage, json!({"outcome": 2, "error": null}));
    let speaker = |who: &str| transcript.speakers.iter().find(|speaker| speaker.speaker_id == who).unwrap();
    assert_eq!((speaker("spk_2").role, speaker("spk_2").label_source), (Role::User, LabelSource::VoiceEmbedding));
    let score = speaker("spk_2").voice_match_score.unwrap();
    assert!((0.75..=1.0).contains(&score), "{score}");
    assert_eq!(speaker("spk_1").role, Role::Contact, "by elimination");
    let told = &transcript.speaker_resolution;
    assert_eq!((told.voice_embedding_enabled, told.voice_profile_used), (true, true));
    assert_eq!(told.voice_match_status.as_deref(), Some("MATCHED"));

    let (transcript, _) = processed(&service.app, diane, wav(&CALL.0)).await;
    let user = transcript.speakers.iter().find(|speaker| speaker.role == Role::User).unwrap();
    assert_eq!((user.speaker_id.as_str(), user.label_source), ("spk_1", LabelSource::VoiceEmbedding));

    // Diane alone is not Sheila.
    let (transcript, stage) = processed(&service.app, sheila, wav(&sample(0))).await;
    assert_eq!(stage, json!({"outcome": 2, "error": null}));
    assert!(!is_known_by_voice(&transcript));
    assert_eq!(transcript.speaker_resolution.voice_match_status.as_deref(), Some("NO_MATCH"));

    // A voiceprint of another model, or one that somebody moved here, says nothing, and fails no call.
    for code in ["voice_profile_of_other_model", "voice_profile_damaged"] {
        match code {
            "voice_profile_damaged" => exchange(&service).await,
            _ => make_of_another_model(&service, &sheila).await,
        }
        let (transcript, stage) = processed(&service.app, sheila, wav(&sample(1))).await;
        assert_eq!(stage, json!({"outcome": 3, "error": code}));
        assert_eq!(transcript.speaker_resolution.voice_match_status.as_deref(), Some("FAILED"));
        assert!(!is_known_by_voice(&transcript));
    }

    // What is gone is not used any more.
    assert_eq!(service.call(Method::DELETE, PATH, Some(&first)).await.status, StatusCode::NO_CONTENT);
    let (transcript, stage) = processed(&service.app, sheila, wav(&sample(1))).await;
    assert_eq!(stage, json!({"outcome": 4, "error": null}), "skipped");
    assert!(!transcript.speaker_resolution.voice_embedding_enabled && !is_known_by_voice(&transcript));
}

/// Gives each of two profiles the other's seal.
async fn exchange(service: &Service) {
    let mut superuser = service.installation.postgres.superuser().await;
    let exchange =
        "UPDATE tenant.voice_profiles a SET sealed = b.sealed FROM tenant.voice_profiles b WHERE a.id <> b.id";
    sqlx::raw_sql(exchange).execute(&mut superuser).await.unwrap();
}

/// Seals a user's voiceprint again, as if another network had made it.
async fn make_of_another_model(service: &Service, scope: &Scope) {
    let mut tx = service.app.database.write(scope).await.unwrap();
    let own = "SELECT id, sealed FROM tenant.voice_profiles";
    let (profile, sealed): (Uuid, Vec<u8>) = sqlx::query_as(own).fetch_one(tx.conn()).await.unwrap();
    let field = || Field::new("voice_profiles", "sealed", profile);
    let key = service.app.vault.record_key(&mut tx, RecordKind::VoiceProfile, profile).await.unwrap();
    let mut blob = content::open(&Stored { key: &key, field: field(), sealed: &sealed }).unwrap();
    // The digest of the network follows eight bytes that say what this is.
    blob[8] ^= 1;
    let sealed = content::seal(&mut tx, &key, &field(), &blob).await.unwrap();
    tx.commit().await.unwrap();
    let mut superuser = service.installation.postgres.superuser().await;
    let put = sqlx::query("UPDATE tenant.voice_profiles SET sealed = $1 WHERE id = $2").bind(sealed).bind(profile);
    put.execute(&mut superuser).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_known_again_in_a_call_with_a_party_a_channel() {
    let service = service().await;
    let user = service.installation.tenant().await;
    let made = enrol(&service, &service.token(&user, TokenRole::Owner), &wav(&sample(1))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    // One speaks, and then the other, each in a channel of their own.
    let [other, own] = &CALL.1;
    let silence = |of: &[f32]| vec![0.0; of.len()];
    let (here, there) = ([silence(other), own.clone()].concat(), [other.clone(), silence(own)].concat());
    let (transcript, stage) = processed(&service.app, user, file(&[&here, &there])).await;
    assert_eq!(stage, json!({"outcome": 2, "error": null}));
    let found = transcript.speakers.iter().find(|speaker| speaker.role == Role::User).unwrap();
    assert_eq!((found.source_speaker_id.as_str(), found.label_source), ("CHANNEL_0", LabelSource::VoiceEmbedding));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_clear_sample_of_one_voice_is_refused_with_the_reason_and_nothing_of_it_is_kept() {
    let service = service().await;
    let token = service.token(&service.installation.tenant().await, TokenRole::Owner);
    let good = sample(1);
    let mut noise = 1u32;
    let mut noisy = good.clone();
    for x in &mut noisy {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *x += (noise >> 16) as f32 / 65_536.0 * 0.2 - 0.1;
    }
    let loud: Vec<f32> = good.iter().map(|x| x * 60.0).collect();
    let long: Vec<f32> = good.iter().cycle().take(46 * RATE).copied().collect();
    let refused: [(&str, Vec<u8>); 8] = [
        ("audio_too_short", wav(&good[..14 * RATE])),
        ("audio_too_long", wav(&long)),
        ("audio_too_little_speech", wav(&vec![0.0; 20 * RATE])),
        ("audio_several_speakers", wav(&CALL.0)),
        ("audio_clipped", wav(&loud)),
        ("audio_too_noisy", wav(&noisy)),
        ("audio_undecodable", b"no audio at all".to_vec()),
        ("payload_too_large", vec![0; 10_000_001]),
    ];
    for (code, file) in refused {
        assert_eq!(enrol(&service, &token, &file).await.code(), code);
    }
    let file = wav(&good);
    let forms: [&[(&str, &[u8])]; 5] = [
        &[("file", &file)],
        &[("consentVersion", b"1")],
        &[("file", &file), ("consentVersion", b"0")],
        &[("file", &file), ("consentVersion", b"70000")],
        &[("file", &file), ("consentVersion", b"1"), ("note", b"")],
    ];
    for form in forms {
        assert_eq!(send(&service, &token, None, form).await.code(), "validation_failed");
    }
    assert!(!exists(&service, &token).await);
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.consents").await, 0, "no consent without a profile");
    assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (0, 0));
    assert!(service.app.blobs.tenants().await.unwrap().is_empty(), "no object was stored");
}

async fn member(service: &Service, owner: &Scope) -> Scope {
    let email = EmailAddress::parse("dana@example.org").unwrap();
    let person = NewPerson { email, display_name: None, password: "seven quiet herons wade".into() };
    let user = accounts::create_user(&service.app, owner, ServerRole::Member, &person).await.unwrap();
    Scope::authenticated(owner.tenant(), user, ServerRole::Member)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_is_its_users_alone_and_goes_with_the_consent_the_user_or_a_word() {
    let service = service().await;
    let scope = service.installation.tenant().await;
    let member = member(&service, &scope).await;
    let stranger = service.installation.tenant().await;
    let [owner, own, other] = [(&scope, TokenRole::Owner), (&member, TokenRole::Member), (&stranger, TokenRole::Owner)]
        .map(|(scope, role)| service.token(scope, role));
    let file = wav(&sample(1));
    let fields: [(&str, &[u8]); 2] = [("file", &file), ("consentVersion", b"1")];
    let first = send(&service, &own, Some("k1"), &fields).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.json());
    let again = send(&service, &own, Some("k1"), &fields).await;
    assert_eq!((again.status, again.headers.contains_key("idempotency-replayed")), (StatusCode::CREATED, true));
    assert_eq!(again.body, first.body);
    let another = [fields[0], ("consentVersion", &b"2"[..])];
    assert_eq!(send(&service, &own, Some("k1"), &another).await.code(), "idempotency_conflict");
    assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (1, 1));

    // Nobody else has it, or sees its row: not who owns the tenant either.
    for token in [&owner, &other] {
        assert!(!exists(&service, token).await);
        assert_eq!(service.call(Method::DELETE, PATH, Some(token)).await.code(), "not_found");
    }
    for scope in [&scope, &stranger] {
        let mut tx = service.app.database.read(scope).await.unwrap();
        assert_eq!(sqlx::query_scalar::<_, i64>(PROFILES).fetch_one(tx.conn()).await.unwrap(), 0);
    }
    let put = "INSERT INTO tenant.voice_profiles SELECT $1, gen_random_uuid(), $2, 'other', '', now(), 'ge2e', 1";
    let mut tx = service.app.database.write(&scope).await.unwrap();
    let put = sqlx::query(put).bind(member.tenant()).bind(member.user()).execute(tx.conn()).await;
    assert!(put.is_err(), "an owner put a voice in a member's place");
    drop(tx);

    // Withdrawn: gone, with a receipt.
    let no = json!({"kind": "VOICE_PROFILE", "version": 1, "given": false});
    let withdrawn = service.send_json(Method::PATCH, "/api/users/me/consent", Some(&own), &no).await;
    let receipt = withdrawn.headers["deletion-receipt"].to_str().unwrap().to_owned();
    let receipt = service.call(Method::GET, &format!("/api/deletions/{receipt}"), Some(&own)).await.json();
    assert_eq!(
        (&receipt["class"], &receipt["rowsRemoved"], &receipt["keysDestroyed"]),
        (&json!("VOICE_PROFILE"), &json!(1), &json!(1)),
        "{receipt}"
    );
    assert!(!exists(&service, &own).await);
    assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (0, 0));
    assert_eq!(send(&service, &own, Some("k1"), &fields).await.code(), "not_found", "the answer went with the profile");
    assert_eq!(service.call(Method::DELETE, PATH, Some(&own)).await.code(), "not_found");

    // A new sample takes the place of the old one; a word deletes it and withdraws the consent.
    for _ in 0..2 {
        assert_eq!(send(&service, &own, None, &fields).await.status, StatusCode::CREATED);
        assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (1, 1));
    }
    let deleted = service.call(Method::DELETE, PATH, Some(&own)).await;
    assert_eq!((deleted.status, deleted.headers.contains_key("deletion-receipt")), (StatusCode::NO_CONTENT, true));
    assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (0, 0));
    let in_force = "SELECT count(*) FROM tenant.consents WHERE withdrawn_at IS NULL";
    assert_eq!(count(&service, in_force).await, 0);

    // Who manages the tenant removes the member, and with them the profile that nobody else sees.
    assert_eq!(send(&service, &own, None, &fields).await.status, StatusCode::CREATED);
    let path = format!("/api/tenant/members/{}", member.user());
    assert_eq!(service.call(Method::DELETE, &path, Some(&owner)).await.status, StatusCode::NO_CONTENT);
    assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (0, 0));
    assert_eq!(count(&service, "SELECT count(*) FROM tenant.audit_events WHERE action = 70").await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_voice_profiles_are_off_there_are_none() {
    let service = Service::new().await;
    let token = service.token(&service.installation.tenant().await, TokenRole::Owner);
    for token in [Some(token.as_str()), None] {
        for (method, path) in [(Method::POST, PATH), (Method::DELETE, PATH), (Method::GET, STATUS)] {
            let answer = service.call(method, path, token).await;
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "feature_not_available"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_machine_and_an_auditor_have_no_voice() {
    let service = service().await;
    let scope = service.installation.tenant().await;
    let auditor = service.token(&scope, TokenRole::Auditor);
    assert_eq!(enrol(&service, &auditor, &wav(&sample(1))).await.code(), "forbidden");
    assert_eq!(service.call(Method::GET, STATUS, Some(&auditor)).await.code(), "forbidden");
    let owner = service.token(&scope, TokenRole::Owner);
    let wanted = json!({"name": "import", "scopes": ["account:read", "calls:read", "calls:write"]});
    let made = service.send_json(Method::POST, "/api/tenant/api-keys", Some(&owner), &wanted).await.json();
    let key = made["token"].as_str().unwrap();
    assert_eq!(enrol(&service, key, &wav(&sample(1))).await.code(), "forbidden");
    assert_eq!(service.call(Method::DELETE, PATH, Some(key)).await.code(), "forbidden");
}
