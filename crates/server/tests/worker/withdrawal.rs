//! A consent to a voice profile that is withdrawn while something is made of it: the withdrawal is the last word.

use std::{path::Path, process::Command, sync::Arc};

use axum::http::{Method, StatusCode};
use serde_json::json;
use server::{auth::tokens::TokenRole, decoder::Decoder};
use sqlx::Connection as _;

use crate::{
    client::{Answer, Service},
    studio::{Played, Working, decoder, upload, worker},
    voice::{
        CALL, ENGINE, KEYS, PATH, PROFILES, count, ended, enrol, exists, is_known_by_voice, sample, service_with, wav,
    },
};

/// Withdraws the consent to voice profiles.
async fn withdraw(service: &Service, token: &str) -> Answer {
    let no = json!({"kind": "VOICE_PROFILE", "version": 3, "given": false});
    service.send_json(Method::PATCH, "/api/users/me/consent", Some(token), &no).await
}

/// Looks until there are so many.
async fn until(service: &Service, query: &'static str, wanted: i64) {
    while count(service, query).await != wanted {}
}

/// Decodes once somebody writes to a pipe.
fn told_by(pipe: &Path) -> Decoder {
    let this = std::env::current_exe().unwrap();
    let (pipe, this) = (pipe.to_str().unwrap(), this.to_str().unwrap());
    let wait = r#"read -r _ < "$0"; exec "$@""#;
    let process = ["--ignored", "--exact", "decoder::a_process_that_decodes", "--nocapture"];
    Decoder::new("/bin/sh", ["-c", wait, pipe, this].into_iter().chain(process))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_while_a_sample_is_listened_to_is_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("go");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let service = service_with(told_by(&pipe)).await;
    let token = service.token(&service.installation.tenant().await, TokenRole::Owner);
    let file = wav(&sample(1));
    for deletes in [false, true] {
        let withdrawing = async {
            until(&service, "SELECT count(*) FROM tenant.consents WHERE withdrawn_at IS NULL", 1).await;
            assert_eq!(enrol(&service, &token, &file).await.code(), "rate_limited", "one sample of a user at once");
            let answer = match deletes {
                true => service.call(Method::DELETE, PATH, Some(&token)).await,
                false => withdraw(&service, &token).await,
            };
            let wanted = if deletes { StatusCode::NO_CONTENT } else { StatusCode::OK };
            assert_eq!((answer.status, answer.headers.contains_key("deletion-receipt")), (wanted, false));
            let pipe = pipe.clone();
            tokio::task::spawn_blocking(|| std::fs::write(pipe, "\n")).await.unwrap().unwrap();
        };
        let (answer, ()) = tokio::join!(enrol(&service, &token, &file), withdrawing);
        assert_eq!(answer.code(), "conflict");
        assert!(!exists(&service, &token).await);
        assert_eq!((count(&service, PROFILES).await, count(&service, KEYS).await), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_while_a_call_is_redacted_is_the_last_word() {
    let service = service_with(decoder()).await;
    let scope = service.installation.tenant().await;
    let token = service.token(&scope, TokenRole::Owner);
    assert_eq!(enrol(&service, &token, &wav(&sample(1))).await.status, StatusCode::CREATED);
    // The transaction that stores the transcript waits where it says what became of the stage.
    let mut superuser = service.installation.postgres.superuser().await;
    let waits = "CREATE FUNCTION app.waits() RETURNS trigger LANGUAGE plpgsql AS $$
                   BEGIN PERFORM pg_advisory_xact_lock(6); RETURN NEW; END $$;
                 CREATE TRIGGER waits BEFORE INSERT ON tenant.processing_events
                   FOR EACH ROW WHEN (NEW.stage = 6) EXECUTE FUNCTION app.waits();
                 SELECT pg_advisory_lock(6)";
    sqlx::raw_sql(waits).execute(&mut superuser).await.unwrap();
    let app = &service.app;
    let call = upload((&app.database, &app.vault, &app.blobs), scope, wav(&CALL.0)).await;
    let mut with_models = worker(app.clone(), Arc::new(Played::default()));
    with_models.recogniser = Some(Arc::clone(&*ENGINE) as _);
    let working = Working::start(with_models);
    until(&service, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1).await;
    let withdrawn = withdraw(&service, &token).await;
    assert_eq!((withdrawn.status, withdrawn.headers.contains_key("deletion-receipt")), (StatusCode::OK, true));
    superuser.close().await.unwrap();

    until(&service, "SELECT count(*) FROM tenant.jobs WHERE state = 1 AND error_code = 'voice_profile_gone'", 1).await;
    let mut superuser = service.installation.postgres.superuser().await;
    sqlx::raw_sql("UPDATE tenant.jobs SET run_at = now()").execute(&mut superuser).await.unwrap();
    let transcript = ended(app, scope, call).await;
    working.stop().await;
    assert!(!is_known_by_voice(&transcript) && !transcript.speaker_resolution.voice_profile_used);
    assert!(transcript.speakers.iter().all(|speaker| speaker.voice_match_score.is_none()));
}
