//! Recordings that a tenant keeps, through the whole pipeline with its real decoder.

use std::sync::Arc;

use server::{
    audio::{
        Rendition,
        store::{self, Found, Kept},
        unwanted,
    },
    db::Scope,
    deletion::blobs,
    vault::{blobs::BlobPlace, seal::RecordKind},
};
use uuid::Uuid;

use crate::studio::{Played, Studio, Working};

/// Said from 0.14 s to 0.24 s, ten milliseconds a word.
const SAID: &str = "call me at two one two, five five five, oh one nine nine please";

/// The last frame that is silent: the end of what was said and a quarter of a second.
const SILENT: usize = (240 + 250) * 16;

/// Two seconds of noise in each channel at 16 kHz, none of it zero, and what it is as WAVE.
fn noise(channels: usize) -> (Vec<i16>, Vec<u8>) {
    let samples: Vec<i16> =
        (1..=32_000u32 * channels as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 17) as i16 | 1).collect();
    let (frame, bytes) = (2 * channels as u16, 2 * samples.len() as u32);
    let mut file = [&b"RIFF"[..], &(bytes + 36).to_le_bytes(), b"WAVEfmt \x10\0\0\0\x01\0"].concat();
    file.extend((channels as u16).to_le_bytes());
    file.extend(16_000u32.to_le_bytes());
    file.extend((16_000 * u32::from(frame)).to_le_bytes());
    file.extend(frame.to_le_bytes());
    file.extend([&b"\x10\0data"[..], &bytes.to_le_bytes()].concat());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    (samples, file)
}

async fn kept(studio: &Studio, scope: Scope, call: Uuid, rendition: Rendition) -> Option<(Kept, Vec<u8>)> {
    let mut tx = studio.app.database.read(&scope).await.unwrap();
    let Found::Kept(kept) = store::find(&mut tx, call, rendition).await.unwrap() else { return None };
    let key = studio.app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    let mut reader = studio.app.blobs.read(&key, kept.place, kept.bytes, 0..u64::MAX).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        bytes.extend(chunk);
    }
    Some((kept, bytes))
}

async fn processed(studio: &Studio, scope: Scope, recording: Vec<u8>) -> Uuid {
    let call = studio.upload(scope, recording).await;
    let working = Working::start(studio.worker(Arc::new(Played { says: SAID, ..Played::default() })));
    studio.until(&format!("SELECT status FROM tenant.calls WHERE id = '{call}'"), "4").await;
    working.stop().await;
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_keeps_recordings_has_the_recording_and_one_that_is_silent_where_a_number_was_said() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.sql("UPDATE tenant.tenants SET audio_retention = true").await;
    for channels in [1, 2] {
        let (samples, file) = noise(channels);
        let call = processed(&studio, scope, file.clone()).await;
        let (_, original) = kept(&studio, scope, call, Rendition::Original).await.unwrap();
        assert!(original == file, "as it came");
        let (_, redacted) = kept(&studio, scope, call, Rendition::Redacted).await.unwrap();
        let played: Vec<i16> = redacted.chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        assert!(played[..SILENT * channels].iter().all(|sample| *sample == 0), "silent in every channel");
        assert!(played[SILENT * channels..] == samples[SILENT * channels..], "nothing else is changed");
    }
    assert_eq!(
        studio.ask("SELECT count(*) FROM tenant.artifacts WHERE kind = 1").await,
        "0",
        "nothing is temporary any more"
    );
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.blob_deletions").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_did_not_ask_keeps_nothing() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let call = processed(&studio, scope, noise(1).1).await;
    studio.sql("UPDATE tenant.tenants SET audio_retention = true").await;
    assert!(kept(&studio, scope, call, Rendition::Original).await.is_none());
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE parts > 0").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_cannot_be_made_silent_is_not_kept_and_costs_no_transcript() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.sql("UPDATE tenant.tenants SET audio_retention = true").await;
    // The last stage waits, and meanwhile the recording is lost.
    studio.sql("ALTER TABLE tenant.processing_events ADD CONSTRAINT broken CHECK (stage <> 11)").await;
    let call = studio.upload(scope, noise(1).1).await;
    let working = Working::start(studio.worker(Arc::default()));
    studio.until("SELECT (state, attempts) FROM tenant.jobs", "(1,1)").await;
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: call };
    assert!(studio.app.blobs.remove(place).await.unwrap() > 0);
    studio
        .sql("ALTER TABLE tenant.processing_events DROP CONSTRAINT broken; UPDATE tenant.jobs SET run_at = now()")
        .await;
    studio.until("SELECT status FROM tenant.calls", "4").await;
    working.stop().await;
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE parts > 0").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_goes_when_the_tenant_keeps_no_more_unless_it_is_held() {
    let studio = Studio::new().await;
    let (scope, other) = (studio.installation.tenant().await, studio.installation.tenant().await);
    studio.sql("UPDATE tenant.tenants SET audio_retention = true").await;
    let call = processed(&studio, scope, noise(1).1).await;
    let held = processed(&studio, scope, noise(1).1).await;
    processed(&studio, other, noise(1).1).await;
    studio.sql(format!("UPDATE tenant.calls SET legal_hold = true WHERE id = '{held}'")).await;
    assert_eq!(unwanted::remove(&studio.app).await.unwrap(), 0);
    let off = format!("UPDATE tenant.tenants SET audio_retention = false WHERE tenant_id = '{}'", scope.tenant());
    studio.sql(off).await;
    assert_eq!(unwanted::remove(&studio.app).await.unwrap(), 1);
    let left = "SELECT string_agg(DISTINCT call_id::text, ' ') FROM tenant.artifacts WHERE parts > 0 AND tenant_id = ";
    assert_eq!(studio.ask(&format!("{left}'{}'", scope.tenant())).await, held.to_string(), "a hold keeps it");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE parts > 0").await, "4", "others keep theirs");
    let audited = format!("SELECT count(*) FROM tenant.audit_events WHERE action = 42 AND subject_id = '{call}'");
    assert_eq!(studio.ask(&audited).await, "1");
    blobs::sweep(&studio.app.database, &studio.app.blobs).await.unwrap();
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.blob_deletions").await, "0", "and so did the bytes");
    studio.sql("UPDATE tenant.calls SET legal_hold = false").await;
    assert_eq!(unwanted::remove(&studio.app).await.unwrap(), 1, "until the hold is lifted");
}
