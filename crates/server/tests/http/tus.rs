//! Uploads over a bad network, as a tus client sees them.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use axum::{body::Body, http::Method};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::{TryStreamExt as _, channel::mpsc, stream};
use object_store::{ObjectStore, memory::InMemory};
use server::{
    calls::tus,
    db::{Role, Scope},
    deletion::blobs as outbox,
    recordings,
    vault::{blobs::Blobs, seal::RecordKind},
};
use tokio::time::timeout;

use crate::{
    client::{Answer, Service},
    people::{Person, recording},
};

type Sender = mpsc::UnboundedSender<Result<Bytes, std::io::Error>>;

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

/// How long something that nobody waits for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

impl Person<'_> {
    /// Begins an upload with the title "Offer"; gives its address.
    async fn begin(&self, length: usize) -> String {
        let length = length.to_string();
        let headers = [TUS, ("upload-length", &*length), ("upload-metadata", "filename Yy53YXY=,title T2ZmZXI=")];
        let answer = self.send(Method::POST, "/api/uploads", &headers, b"").await;
        assert_eq!(answer.status, 201);
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    async fn add(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
        let offset = offset.to_string();
        let headers = [TUS, ("upload-offset", &*offset), ("content-type", "application/offset+octet-stream")];
        self.send(Method::PATCH, upload, &headers, bytes).await
    }

    /// What lies in the store as the recording of a call, opened.
    async fn stored(&self, call: &str) -> Vec<u8> {
        let (app, call) = (&self.service.app, call.parse().unwrap());
        let mut tx = app.database.read(&self.scope).await.unwrap();
        let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
        let (place, length) = recordings::find(&mut tx, call).await.unwrap().unwrap();
        let mut reader = app.blobs.read(&key, place, length, 0..u64::MAX).await.unwrap();
        let mut stored = Vec::new();
        while let Some(block) = reader.next().await.unwrap() {
            stored.extend(block);
        }
        stored
    }

    /// Begins to add bytes; they come when the sender sends them, and the request ends when it is gone.
    fn begin_to_add(&self, upload: &str, offset: usize) -> (Sender, impl Future<Output = Answer>) {
        let (sender, blocks) = mpsc::unbounded();
        let offset = offset.to_string();
        let headers = [TUS, ("upload-offset", &*offset), ("content-type", "application/offset+octet-stream")];
        let request = self.request(Method::PATCH, upload, &headers);
        (sender, self.service.send(request.body(Body::from_stream(blocks)).unwrap()))
    }

    async fn offset(&self, upload: &str) -> Option<usize> {
        let answer = self.send(Method::HEAD, upload, &[TUS], b"").await;
        (answer.status == 200).then(|| answer.headers["upload-offset"].to_str().unwrap().parse().unwrap())
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_the_connection_broke_and_becomes_the_call_that_a_form_would_have_made() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let person = Person::new(&service).await;
    let plain = recording(7, 9 << 20);
    let upload = person.begin(plain.len()).await;
    assert_eq!(person.offset(&upload).await, Some(0));
    assert_eq!(person.add(&upload, 0, &plain[..1000]).await.status, 204);
    // What came before the connection broke counts.
    let blocks = [
        Ok(Bytes::copy_from_slice(&plain[1000..5_000_000])),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ];
    let headers = [TUS, ("upload-offset", "1000"), ("content-type", "application/offset+octet-stream")];
    let request = person.request(Method::PATCH, &upload, &headers);
    service.send(request.body(Body::from_stream(stream::iter(blocks))).unwrap()).await;
    assert_eq!(person.offset(&upload).await, Some(5_000_000));
    let answer = person.add(&upload, 5_000_000, &plain[5_000_000..]).await;
    assert_eq!(answer.status, 204);
    let call = answer.headers["call-id"].to_str().unwrap();
    assert_eq!(person.offset(&upload).await, Some(plain.len()));
    assert_eq!(person.get(&format!("/api/calls/{call}")).await.json()["title"], "Offer");
    assert!(person.stored(call).await == plain);
    // The pieces are gone: three parts are left.
    assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 3);
    // The same recording in a form is the same call.
    let again = person.form(&[("file", &plain)], &[]).await;
    assert_eq!(again.json()["callId"], call);
}

#[tokio::test]
async fn bytes_in_the_wrong_place_too_many_of_them_or_of_another_protocol_are_refused() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let upload = person.begin(1000).await;
    let plain = recording(1, 1000);
    assert_eq!(person.add(&upload, 0, &plain[..400]).await.status, 204);
    for (offset, bytes, status) in [(0, 400, 409), (399, 10, 409), (401, 10, 409), (400, 601, 413)] {
        assert_eq!(person.add(&upload, offset, &vec![0; bytes]).await.status, status);
        assert_eq!(person.offset(&upload).await, Some(400));
    }
    let other_version = person.send(Method::HEAD, &upload, &[("tus-resumable", "0.2.2")], b"").await;
    assert_eq!(
        (other_version.status.as_u16(), &other_version.headers["tus-version"]),
        (412, &"1.0.0".parse().unwrap())
    );
    for refused in [other_version, service.call(Method::HEAD, &upload, None).await] {
        assert_eq!(refused.headers["tus-resumable"], "1.0.0");
    }
    assert_eq!(person.send(Method::PATCH, &upload, &[TUS, ("upload-offset", "400")], b"").await.status, 415);
    for (length, status) in [("0", 422), ("2147483649", 413), ("-1", 400), ("many", 400)] {
        assert_eq!(
            person.send(Method::POST, "/api/uploads", &[TUS, ("upload-length", length)], b"").await.status,
            status
        );
    }
    // Whole, and no recording.
    let other = person.begin(100).await;
    assert_eq!(person.add(&other, 0, &[b'a'; 100]).await.status, 415);
    assert_eq!(person.offset(&other).await, None);
}

#[tokio::test]
async fn an_upload_is_its_users_alone_ends_when_told_to_and_after_a_day() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let mut person = Person::new(&service).await;
    let (told, forgotten) = (person.begin(1000).await, person.begin(1000).await);
    for upload in [&told, &forgotten] {
        assert_eq!(person.add(upload, 0, &recording(1, 400)).await.status, 204);
    }
    for other in [&person.member().await, &Person::new(&service).await] {
        assert_eq!(other.offset(&told).await, None);
        assert_eq!(other.add(&told, 400, &[0; 600]).await.status, 404);
        assert_eq!(other.send(Method::DELETE, &told, &[TUS], b"").await.status, 404);
    }
    assert_eq!(person.send(Method::DELETE, &told, &[TUS], b"").await.status, 204);
    assert_eq!(person.offset(&told).await, None);
    assert_eq!(person.offset(&forgotten).await, Some(400));
    service.app.clock.advance(TimeDelta::hours(24));
    person.renew();
    assert_eq!(person.offset(&forgotten).await, None);
    let worker = Scope::authenticated(person.scope.tenant(), person.scope.user(), Role::Worker);
    let mut tx = service.app.database.write(&worker).await.unwrap();
    // As if the database's clock had gone on, too.
    let now = service.app.clock.now();
    assert_eq!(tus::sweep(&mut tx, now).await.unwrap(), 1);
    tx.commit().await.unwrap();
    person.sql("UPDATE tenant.blob_deletions SET run_at = now()".to_owned()).await;
    outbox::sweep(&service.app.database, &service.app.blobs).await.unwrap();
    assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
}

#[tokio::test]
async fn of_requests_that_race_for_the_end_one_makes_the_call_and_their_bytes_are_never_mixed() {
    let store = Arc::new(InMemory::new());
    let service = Service::with(Blobs::in_store(store.clone()), &[]).await;
    let person = Person::new(&service).await;
    for round in 0..8 {
        // Of several parts, so that there is something to mix; the ends differ, as no good client's do.
        let start = recording(round, 5 << 20);
        let ends = [vec![b'a'; 6 << 20], vec![b'b'; 6 << 20]];
        let upload = person.begin(11 << 20).await;
        assert_eq!(person.add(&upload, 0, &start).await.status, 204);
        let adding = ends.iter().map(|end| person.add(&upload, start.len(), end));
        let answers = futures::future::join_all(adding).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        let winner = statuses.iter().position(|status| *status == 204).unwrap();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        let call = answers[winner].headers["call-id"].to_str().unwrap();
        assert!(person.stored(call).await == [&start[..], &ends[winner]].concat(), "round {round}");
        // Three parts a recording: nothing is left of who lost.
        assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 3 * (usize::from(round) + 1));
    }
}

#[tokio::test]
async fn while_a_recording_is_put_together_nobody_else_has_the_turn_until_its_server_is_found_dead() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let plain = recording(1, 1000);
    let (upload, ended) = (person.begin(1000).await, person.begin(1000).await);
    for upload in [&upload, &ended] {
        assert_eq!(person.add(upload, 0, &plain[..400]).await.status, 204);
    }
    let joining =
        |until: &str| person.sql(format!("UPDATE tenant.uploads SET joining_until = now() + interval '{until}'"));
    joining("1 minute").await;
    let refused = person.add(&upload, 400, &plain[400..]).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "conflict"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(person.offset(&upload).await, Some(400));
    // Who ends it ends that, too.
    assert_eq!(person.send(Method::DELETE, &ended, &[TUS], b"").await.status, 204);
    joining("0").await;
    let answer = person.add(&upload, 400, &plain[400..]).await;
    assert_eq!(answer.status, 204);
    assert!(person.stored(answer.headers["call-id"].to_str().unwrap()).await == plain);
}

#[tokio::test]
async fn a_request_that_was_overtaken_changes_nothing_whatever_comes_of_it() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    // The first ends with what would be a recording, with what is none, and half-way.
    for (seed, late) in [(1, recording(1, 1000)), (2, vec![b'a'; 1000]), (3, vec![b'a'; 500])] {
        let good = recording(seed + 10, 1000);
        let upload = person.begin(1000).await;
        let (sender, first) = person.begin_to_add(&upload, 0);
        let second = async {
            // It has the turn once its object is expected.
            let is_expected = "SELECT 1 FROM tenant.blob_deletions b JOIN tenant.uploads u ON b.subject_id = u.id WHERE u.became IS NULL";
            let mut superuser = service.installation.postgres.superuser().await;
            while sqlx::query(is_expected).fetch_optional(&mut superuser).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            let answer = person.add(&upload, 0, &good).await;
            sender.unbounded_send(Ok(Bytes::from(late))).unwrap();
            drop(sender);
            answer
        };
        let (first, second) = futures::join!(first, second);
        assert_eq!((first.status.as_u16(), first.code().as_str(), second.status.as_u16()), (409, "conflict", 204));
        let call = second.headers["call-id"].to_str().unwrap();
        assert_eq!(person.get(&format!("/api/calls/{call}")).await.json()["title"], "Offer");
        assert!(person.stored(call).await == good);
    }
}

#[tokio::test]
async fn bytes_that_are_not_those_of_their_checksum_do_not_count() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    let spoken = service.call(Method::OPTIONS, "/api/uploads", None).await;
    assert!(spoken.headers["tus-extension"].to_str().unwrap().split(',').any(|extension| extension == "checksum"));
    assert_eq!(spoken.headers["tus-checksum-algorithm"], "sha1,sha256");
    let plain = recording(1, 1000);
    let upload = person.begin(plain.len()).await;
    let add = async |offset: usize, bytes: &[u8], checksum: &str| {
        let offset = offset.to_string();
        let headers = [
            TUS,
            ("upload-offset", &*offset),
            ("upload-checksum", checksum),
            ("content-type", "application/offset+octet-stream"),
        ];
        person.send(Method::PATCH, &upload, &headers, bytes).await
    };
    let sum =
        |name: &str, algorithm, bytes: &[u8]| format!("{name} {}", STANDARD.encode(digest::digest(algorithm, bytes)));
    let sha1 = |bytes: &[u8]| sum("sha1", &digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    let sha256 = |bytes: &[u8]| sum("sha256", &digest::SHA256, bytes);
    for wrong in ["", "sha1", "sha1 AAAA", "md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha1 not Base64"] {
        let answer = add(0, &plain[..400], wrong).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "validation_failed"), "{wrong}");
    }
    for other in [sha1(&plain[..401]), sha256(&plain[1..401])] {
        let answer = add(0, &plain[..400], &other).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (460, "checksum_mismatch"));
        assert_eq!(person.offset(&upload).await, Some(0));
    }
    assert_eq!(add(0, &plain[..400], &sha1(&plain[..400])).await.status, 204);
    assert_eq!(add(400, &plain[400..], &sha256(&plain[..400])).await.status, 460);
    assert_eq!(person.offset(&upload).await, Some(400));
    let last = add(400, &plain[400..], &sha256(&plain[400..])).await;
    assert_eq!(last.status, 204);
    assert!(person.stored(last.headers["call-id"].to_str().unwrap()).await == plain);
}

#[tokio::test]
async fn uploads_that_are_begun_at_once_are_counted_one_after_the_other() {
    let service = Service::new().await;
    let person = Person::new(&service).await;
    person.begin(1000).await;
    person
        .sql(
            "INSERT INTO tenant.uploads (tenant_id, id, owner_id, sealed, length, expires_at)
               SELECT tenant_id, gen_random_uuid(), owner_id, sealed, length, expires_at
               FROM tenant.uploads, generate_series(1, 97)"
                .to_owned(),
        )
        .await;
    // None is added until all have come as far as they come.
    let (mut holder, mut observer) =
        (service.installation.postgres.superuser().await, service.installation.postgres.superuser().await);
    sqlx::raw_sql("BEGIN; LOCK TABLE tenant.uploads IN SHARE MODE").execute(&mut holder).await.unwrap();
    let begin = || person.send(Method::POST, "/api/uploads", &[TUS, ("upload-length", "1000")], b"");
    let begun = futures::future::join_all([begin(), begin(), begin(), begin()]);
    let go = async {
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut observer).await.unwrap() < 4 {
            tokio::task::yield_now().await;
        }
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    };
    let (answers, ()) = futures::join!(begun, go);
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 429, 429]);
}

#[tokio::test]
async fn bytes_that_come_when_the_time_of_their_request_is_over_are_not_waited_for() {
    // Pauses have no end here: only the time of the whole request has.
    let service = Service::set(&[("limits.upload_time", "3s"), ("limits.body_pause", "1h")]).await;
    let person = Person::new(&service).await;
    let upload = person.begin(1000).await;
    let (sender, request) = person.begin_to_add(&upload, 0);
    sender.unbounded_send(Ok(Bytes::from(recording(1, 400)))).unwrap();
    request.await;
    let given_up = async { while person.offset(&upload).await != Some(400) {} };
    timeout(PATIENCE, given_up).await.expect("what came counts");
    assert!(sender.is_closed(), "nobody reads on");
}

#[tokio::test]
async fn an_upload_whose_client_went_away_is_one_under_way_until_it_has_ended() {
    let service = Service::set(&[("limits.uploads_each", "1")]).await;
    let person = Person::new(&service).await;
    let (left, next) = (person.begin(1000).await, person.begin(1000).await);
    let (sender, request) = person.begin_to_add(&left, 0);
    let mut superuser = service.installation.postgres.superuser().await;
    let goes_on = async {
        // Its object is expected once its bytes are.
        let is_expected = "SELECT 1 FROM tenant.blob_deletions";
        while sqlx::query(is_expected).fetch_optional(&mut superuser).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = request => panic!("{answer:?}"),
        () = goes_on => {}
    }
    let add = || person.add(&next, 0, &[0; 400]);
    assert_eq!(add().await.code(), "rate_limited");
    drop(sender);
    let added = async { while add().await.status == 429 {} };
    timeout(PATIENCE, added).await.expect("its place is free again");
    assert_eq!(person.offset(&next).await, Some(400));
}
