//! Playing recordings that are kept, as a player, a colleague and a stranger see it.

use axum::http::Method;
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use futures::stream;
use serde_json::json;
use server::{
    audio::{Media, store},
    auth::tokens::TokenRole,
    deletion::blobs::expect_upload,
    vault::{blobs::parts_of, seal::RecordKind},
};
use uuid::Uuid;

use crate::{
    client::{Answer, Service},
    people::{Person, recording},
    transcripts::give_transcript,
};

/// Bytes of the recording as it came, and of what is played by default: more than one part of an object, and not a whole number of them.
const ORIGINAL: usize = 9_500_001;
pub(crate) const SAMPLES: usize = 5_000_000;

/// Samples that are never zero.
pub(crate) fn samples() -> Vec<u8> {
    (0..SAMPLES as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8 | 1).collect()
}

/// Turns audio retention on or off.
pub(crate) async fn keeps(person: &Person<'_>, on: bool) {
    let changed = person.json(Method::PATCH, "/api/tenant", &json!({ "audioRetention": on })).await.json();
    assert_eq!(changed["audioRetention"], on);
}

/// A call of one channel whose recordings are kept, as the worker keeps them.
pub(crate) async fn kept(person: &Person<'_>) -> String {
    kept_with(person, "{}", samples()).await
}

/// The same with metadata, and these samples to play.
pub(crate) async fn kept_with(person: &Person<'_>, metadata: &str, samples: Vec<u8>) -> String {
    let file = recording(7, ORIGINAL);
    let fields = [("metadata", metadata.as_bytes()), ("file", &file[..])];
    let call = person.form(&fields, &[]).await.json()["callId"].as_str().unwrap().to_owned();
    let id: Uuid = call.parse().unwrap();
    let app = &person.service.app;
    let mut tx = app.database.write(&person.scope).await.unwrap();
    let deadline = Utc::now() + TimeDelta::hours(1);
    let upload = expect_upload(&mut tx, RecordKind::Call, (id, Uuid::now_v7()), deadline).await.unwrap();
    let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await.unwrap();
    let place = upload.place();
    let bytes = app.blobs.write(&key, place, stream::iter([Ok(Bytes::from(samples))])).await.unwrap();
    upload.end(&mut tx).await.unwrap();
    store::keep(&mut tx, Media::Wave, (place, bytes, parts_of(bytes))).await.unwrap();
    tx.commit().await.unwrap();
    give_transcript(person, &call).await;
    call
}

async fn ask(person: &Person<'_>, path: &str, headers: &[(&str, &str)]) -> Answer {
    person.send(Method::GET, path, headers, b"").await
}

/// Numbers that look random and are the same in every run (xorshift).
fn random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % below as u64).unwrap()
}

#[tokio::test]
async fn any_range_of_either_recording_is_byte_for_byte_what_the_whole_has_there() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    keeps(&person, true).await;
    let path = format!("/api/calls/{}/audio", kept(&person).await);
    let stats = person.get("/api/users/me/stats").await.json();
    assert_eq!(stats["keptAudioBytes"], ORIGINAL + SAMPLES);
    let original = format!("{path}?redacted=false");
    let played = person.get(&path).await;
    assert!(played.body[44..] == samples() && played.body.starts_with(b"RIFF"));
    let came = person.get(&original).await;
    assert!(came.body == recording(7, ORIGINAL));
    let mut state = 7;
    for round in 0..60 {
        for (path, whole) in [(&path, &played.body), (&original, &came.body)] {
            // Short ones around the borders of header, chunks and parts, and long ones anywhere.
            let border = [0, 44, 65_536, 65_580, 4_194_304, 4_194_348, whole.len()][round % 7];
            let long = if round % 3 == 0 { 5_000_000 } else { 100 };
            let first = if round % 2 == 0 {
                border.saturating_sub(random(&mut state, 50))
            } else {
                random(&mut state, whole.len())
            };
            let first = first.min(whole.len() - 1);
            let last = (first + random(&mut state, long)).min(whole.len() - 1);
            let answer = ask(&person, path, &[("range", &format!("bytes={first}-{last}"))]).await;
            assert_eq!(answer.status, 206);
            assert_eq!(answer.headers["content-range"], format!("bytes {first}-{last}/{}", whole.len()));
            assert_eq!(answer.headers["content-length"], (last - first + 1).to_string());
            assert!(answer.body == whole[first..=last], "bytes {first} to {last} of {path}");
        }
    }
}

#[tokio::test]
async fn a_player_learns_what_it_needs_and_nobody_on_the_way_keeps_it() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    keeps(&person, true).await;
    let call = kept(&person).await;
    let path = format!("/api/calls/{call}/audio");
    let head = person.send(Method::HEAD, &path, &[("range", "bytes=0-0")], b"").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let length = (SAMPLES + 44).to_string();
    for (name, value) in [
        ("accept-ranges", "bytes"),
        ("content-type", "audio/wav"),
        ("content-length", &length),
        ("content-disposition", &format!("attachment; filename=\"{call}.wav\"")),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(head.headers[name], value, "{name}");
    }
    let etag = head.headers["etag"].to_str().unwrap();
    let beyond = ask(&person, &path, &[("range", &format!("bytes={length}-"))]).await;
    assert_eq!((beyond.status.as_u16(), beyond.code().as_str()), (416, "range_not_satisfiable"));
    assert_eq!(beyond.headers["content-range"], format!("bytes */{length}"));
    for (tag, status) in [(etag, 206), ("\"another\"", 200)] {
        let answer = ask(&person, &path, &[("range", "bytes=0-3"), ("if-range", tag)]).await;
        assert_eq!(answer.status, status, "{tag}");
    }
    assert_eq!(person.get(&format!("{path}?redacted=perhaps")).await.code(), "validation_failed");
}

#[tokio::test]
async fn a_number_that_a_person_takes_out_afterwards_is_silent_as_well() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    keeps(&person, true).await;
    let call = kept(&person).await;
    let path = format!("/api/calls/{call}/audio");
    let before = person.get(&path).await;
    // The segment is from 3 s to 5 s and has no words afterwards; its channel says nothing else for ten seconds on both sides.
    let text = json!({"text": "It is +1 212 555 0199."});
    assert_eq!(person.json(Method::PATCH, &format!("/api/calls/{call}/segments/seg_0002"), &text).await.status, 200);
    let after = person.get(&path).await;
    assert_ne!(before.headers["etag"], after.headers["etag"]);
    let (from, to) = (44, 44 + 15_250 * 32);
    assert!(after.body[from..to].iter().all(|byte| *byte == 0));
    assert!(after.body[..from] == before.body[..from] && after.body[to..] == before.body[to..]);
    let inside = ask(&person, &path, &[("range", &format!("bytes={}-{}", from + 1, to + 2))]).await;
    assert!(inside.body == after.body[from + 1..to + 3]);
    let original = person.get(&format!("{path}?redacted=false")).await;
    assert!(original.body == recording(7, ORIGINAL));
}

#[tokio::test]
async fn a_play_is_one_event_of_the_audit_log_however_many_ranges_it_is() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    keeps(&person, true).await;
    let call = kept(&person).await;
    let path = format!("/api/calls/{call}/audio");
    let audited = async || {
        let mut superuser = service.installation.postgres.superuser().await;
        let query = "SELECT coalesce(string_agg(action::text, ' ' ORDER BY sequence), '') FROM tenant.audit_events WHERE subject_id = $1";
        sqlx::query_scalar::<_, String>(query)
            .bind(call.parse::<Uuid>().unwrap())
            .fetch_one(&mut superuser)
            .await
            .unwrap()
    };
    person.send(Method::HEAD, &path, &[], b"").await;
    ask(&person, &path, &[("range", "bytes=99999999-")]).await;
    assert_eq!(audited().await, "", "nothing was heard yet");
    let range = |first: usize| format!("bytes={first}-{}", first + 9);
    let ranges: Vec<String> = (0..5).map(range).collect();
    futures::future::join_all(ranges.iter().map(async |range| {
        assert_eq!(ask(&person, &path, &[("range", range)]).await.status, 206);
    }))
    .await;
    assert_eq!(audited().await, "43");
    person.get(&format!("{path}?redacted=false")).await;
    person.get(&path).await;
    assert_eq!(audited().await, "43 44");
    // As if eleven minutes went by.
    person
        .sql("UPDATE tenant.audit_events SET at = at - interval '11 minutes' WHERE action IN (43, 44)".to_owned())
        .await;
    person.get(&path).await;
    assert_eq!(audited().await, "43 44 43");
}

#[tokio::test]
async fn the_original_is_for_the_owner_of_the_call_and_who_manages_the_tenant() {
    let service = Service::new().await;
    let owner = Person::new(&service).await;
    keeps(&owner, true).await;
    let (member, other) = (owner.member().await, owner.member().await);
    let path = format!("/api/calls/{}/audio", kept(&member).await);
    let original = format!("{path}?redacted=false");
    assert_eq!(member.get(&original).await.status, 200);
    assert_eq!(owner.get(&original).await.status, 200);
    for path in [&path, &original] {
        assert_eq!(other.get(path).await.code(), "call_not_found");
        assert_eq!(Person::new(&service).await.get(path).await.code(), "call_not_found");
    }
    let colleague = Person { token: service.token(&other.scope, TokenRole::Colleague), ..other };
    assert_eq!(colleague.get(&path).await.status, 200, "where calls are shared");
    assert_eq!(colleague.get(&original).await.code(), "forbidden");
    // Under which names of API keys are sealed.
    let mut tx = service.app.database.write(&owner.scope).await.unwrap();
    service.app.vault.create_record_key(&mut tx, RecordKind::Tenant, owner.scope.tenant()).await.unwrap();
    tx.commit().await.unwrap();
    let key = json!({"name": "key", "scopes": ["calls:read"]});
    let key = owner.json(Method::POST, "/api/tenant/api-keys", &key).await.json();
    let key = Person { token: key["token"].as_str().unwrap().to_owned(), ..owner };
    assert_eq!(key.get(&path).await.status, 200);
    assert_eq!(key.get(&original).await.code(), "forbidden");
}

#[tokio::test]
async fn there_is_nothing_to_play_where_nothing_is_kept() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let call = person.upload(1, "temporary").await;
    let path = format!("/api/calls/{call}/audio");
    assert_eq!(
        (person.get(&path).await.status.as_u16(), person.get(&path).await.code().as_str()),
        (404, "feature_not_available")
    );
    keeps(&person, true).await;
    assert_eq!(person.get(&path).await.code(), "not_found");
    let path = format!("/api/calls/{}/audio", kept(&person).await);
    keeps(&person, false).await;
    assert_eq!(person.get(&path).await.code(), "feature_not_available", "at once, whenever the bytes go");
    let mut superuser = service.installation.postgres.superuser().await;
    let turned = sqlx::query_scalar::<_, String>(
        "SELECT string_agg(action::text, ' ' ORDER BY sequence) FROM tenant.audit_events WHERE action IN (40, 41)",
    );
    assert_eq!(turned.fetch_one(&mut superuser).await.unwrap(), "40 41");
}

#[tokio::test]
async fn a_call_that_is_deleted_takes_its_recordings_with_it() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    keeps(&person, true).await;
    let call = kept(&person).await;
    let deleted = person.send(Method::DELETE, &format!("/api/calls/{call}"), &[], b"").await;
    let receipt = deleted.headers["deletion-receipt"].to_str().unwrap();
    assert_eq!(person.get(&format!("/api/deletions/{receipt}")).await.json()["blobsRemoved"], 2);
    assert_eq!(person.get(&format!("/api/calls/{call}/audio")).await.code(), "call_not_found");
    let swept = server::deletion::blobs::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert_eq!(swept.parts, 3 + 2);
}

#[tokio::test]
async fn what_two_managers_want_at_once_is_in_the_audit_log_as_it_came_to_be() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let (mut holder, mut observer) =
        (service.installation.postgres.superuser().await, service.installation.postgres.superuser().await);
    sqlx::raw_sql("BEGIN; SELECT FROM tenant.tenants FOR NO KEY UPDATE").execute(&mut holder).await.unwrap();
    let patch = async |on: bool| {
        let answer = person.json(Method::PATCH, "/api/tenant", &json!({ "audioRetention": on })).await;
        assert_eq!(answer.status, 200);
    };
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // The one begins to wait behind the other: who comes first gets the row first.
    let (mut on, mut off) = (std::pin::pin!(patch(true)), std::pin::pin!(patch(false)));
    for expected in 1..=2 {
        loop {
            tokio::select! {
                () = &mut on => panic!("it does not wait"),
                () = &mut off, if expected == 2 => panic!("it does not wait"),
                count = sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut observer) => {
                    if count.unwrap() == expected { break }
                }
            }
        }
    }
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    tokio::join!(on, off);
    let actions = "SELECT array_agg(action ORDER BY sequence) FROM tenant.audit_events WHERE action IN (40, 41)";
    let actions: Vec<i16> = sqlx::query_scalar(actions).fetch_one(&mut observer).await.unwrap();
    assert_eq!(person.get("/api/tenant").await.json()["audioRetention"], false);
    assert_eq!(actions, [40, 41], "turned on, and turned off");
}
