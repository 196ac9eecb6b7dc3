//! Recordings do not outlive a day, and processing events no month.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use server::{
    deletion::{self, DeletionError},
    transcripts,
    vault::{
        blobs::{BlobPlace, Blobs},
        seal::RecordKind,
    },
    worker::sweep,
};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::studio::{CANARY, Played, Studio, Working, wav};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_recording_goes_after_a_day_whatever_state_its_call_is_in_and_not_before() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    for status in [1, 2, 3, 4, 5] {
        let call = studio.upload(scope, wav(1)).await;
        studio.sql(format!("UPDATE tenant.calls SET status = {status} WHERE id = '{call}'")).await;
    }
    let worker = studio.worker(Arc::default());
    studio.sql("UPDATE tenant.artifacts SET created_at = now() - interval '23 hours 59 minutes'").await;
    // Whatever the clock of the program's machine says.
    worker.app.clock.advance(TimeDelta::days(30));
    assert_eq!(sweep::recordings(&worker.app, DAY).await.unwrap(), 0);
    assert!(sweep::oldest_seconds(&studio.app.database).await.unwrap() >= 86_340.0);
    studio.sql("UPDATE tenant.artifacts SET created_at = now() - interval '24 hours'").await;
    worker.app.clock.advance(TimeDelta::days(-60));
    // A setting cannot make it longer.
    assert_eq!(sweep::recordings(&worker.app, 7 * DAY).await.unwrap(), 5);
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts").await, "0");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.blob_deletions").await, "0", "the bytes are gone as well");
    let statuses = "SELECT string_agg(status || ':' || coalesce(error_code, ''), ' ' ORDER BY id) FROM tenant.calls";
    assert_eq!(studio.ask(statuses).await, "5:audio_expired 5:audio_expired 5:audio_expired 4: 5:");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.jobs WHERE state = 4").await, "3");
    assert!(sweep::oldest_seconds(&studio.app.database).await.unwrap() < 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_goes_after_a_day_while_a_worker_listens_to_it_and_while_its_call_is_held_but_not_once_it_is_kept()
{
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    // One is done and kept, one waits under a hold, and one is listened to without end.
    studio.sql("UPDATE tenant.tenants SET audio_retention = true").await;
    let kept = studio.upload(scope, wav(1)).await;
    let working = Working::start(studio.worker(Arc::default()));
    studio.until(&format!("SELECT status FROM tenant.calls WHERE id = '{kept}'"), "4").await;
    working.stop().await;
    let listening = studio.upload(scope, wav(1)).await;
    let working = Working::start(studio.worker(Arc::new(Played { never_ends: true, ..Played::default() })));
    studio.until("SELECT count(*) FROM tenant.jobs WHERE state = 2", "1").await;
    let mut beside = studio.worker(Arc::default());
    beside.capacity = 0;
    let held = studio.upload(scope, wav(2)).await;
    studio.sql(format!("UPDATE tenant.calls SET legal_hold = true WHERE id = '{held}'")).await;
    studio.sql("UPDATE tenant.artifacts SET created_at = now() - interval '25 hours'").await;
    assert_eq!(sweep::recordings(&beside.app, DAY).await.unwrap(), 2);
    let statuses = format!(
        "SELECT string_agg(coalesce(error_code, 'none'), ' ' ORDER BY id) FROM tenant.calls WHERE id IN ('{listening}', '{held}')"
    );
    assert_eq!(studio.ask(&statuses).await, "audio_expired audio_expired");
    // The worker finds its lease lost, and takes nothing back.
    working.stop().await;
    assert_eq!(studio.ask(&statuses).await, "audio_expired audio_expired");
    assert_eq!(
        studio.ask("SELECT string_agg(kind::text, ' ' ORDER BY kind) FROM tenant.artifacts WHERE parts > 0").await,
        "6 8"
    );
    assert_eq!(studio.ask("SELECT count(DISTINCT call_id) FROM tenant.artifacts WHERE parts > 0").await, "1");
}

#[tokio::test]
async fn an_end_that_meets_the_worker_waits_for_it_and_neither_waits_for_ever() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let call = studio.upload(scope, wav(1)).await;
    studio.sql("UPDATE tenant.artifacts SET created_at = now() - interval '25 hours'").await;
    // As a worker does: its job first, and the call when the other one has come.
    let mut worker = studio.installation.postgres.superuser().await;
    let mut working = worker.begin().await.unwrap();
    let holds = format!("SELECT FROM tenant.jobs WHERE call_id = '{call}' FOR UPDATE");
    sqlx::raw_sql(AssertSqlSafe(holds)).execute(&mut *working).await.unwrap();
    let ends = {
        let app = studio.app.clone();
        tokio::spawn(async move { sweep::recordings(&app, DAY).await })
    };
    let deletes = {
        let app = studio.app.clone();
        tokio::spawn(async move {
            let mut tx = app.database.write(&scope).await.unwrap();
            deletion::delete(&mut tx, app.vault.signer(), RecordKind::Call, call).await?;
            tx.commit().await.map_err(DeletionError::from)
        })
    };
    studio.until("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "2").await;
    let writes = format!("UPDATE tenant.calls SET updated_at = now() WHERE id = '{call}'");
    sqlx::raw_sql(AssertSqlSafe(writes)).execute(&mut *working).await.unwrap();
    working.commit().await.unwrap();
    ends.await.unwrap().unwrap();
    deletes.await.unwrap().unwrap();
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.calls").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_until_a_recording_to_keep_is_too_old_costs_the_recording_and_not_the_transcript() {
    let objects = tempfile::tempdir().unwrap();
    let studio = Studio::with(Blobs::local(objects.path()).unwrap()).await;
    let scope = studio.installation.tenant().await;
    studio.sql("UPDATE tenant.tenants SET audio_retention = true").await;
    // The first try ends behind the analysis, and from then on every access to the store fails.
    studio.sql("ALTER TABLE tenant.processing_events ADD CONSTRAINT broken CHECK (stage <> 11)").await;
    let call = studio.upload(scope, wav(1)).await;
    let working = Working::start(studio.worker(Arc::default()));
    studio.until("SELECT (state, attempts) FROM tenant.jobs", "(1,1)").await;
    let (blobs, aside) = (objects.path().join("blobs"), objects.path().join("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    std::os::unix::fs::symlink(&blobs, &blobs).unwrap();
    studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
    studio.until("SELECT (state, postponed, error_code) FROM tenant.jobs", "(1,1,store_failed)").await;
    working.stop().await;
    std::fs::remove_file(&blobs).unwrap();
    std::fs::rename(&aside, &blobs).unwrap();
    studio.sql("ALTER TABLE tenant.processing_events DROP CONSTRAINT broken").await;
    studio.sql("UPDATE tenant.artifacts SET created_at = now() - interval '25 hours' WHERE kind = 1").await;

    assert_eq!(sweep::recordings(&studio.app, DAY).await.unwrap(), 1);
    assert_eq!(studio.ask("SELECT (status, error_code) FROM tenant.calls").await, "(4,)");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.jobs WHERE state IN (1, 2)").await, "0");
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.artifacts WHERE parts > 0").await, "0", "nothing is kept");
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: call };
    assert!(!studio.app.blobs.is_there(place).await.unwrap(), "the bytes are gone as well");
    let mut tx = studio.app.database.read(&scope).await.unwrap();
    let transcript = transcripts::store::get(&mut tx, &studio.app.vault, call).await.unwrap().unwrap();
    assert!(transcript.segments[0].text.contains(CANARY));
}

#[tokio::test]
async fn a_processing_event_goes_after_thirty_days_in_every_tenant_and_not_before() {
    let studio = Studio::new().await;
    for _ in 0..2 {
        let scope = studio.installation.tenant().await;
        let call = studio.upload(scope, wav(1)).await;
        let (tenant, user) = (scope.tenant(), scope.user());
        // More than are removed at once.
        studio
            .sql(format!(
                "INSERT INTO tenant.processing_events (tenant_id, id, call_id, owner_id, stage, outcome, created_at)
                   SELECT '{tenant}', gen_random_uuid(), '{call}', '{user}', 1, 1, now() - days * interval '1 day' - age
                   FROM generate_series(0, 29) days, (VALUES (interval '0'), (interval '23 hours')) ages (age),
                     generate_series(1, 100)"
            ))
            .await;
    }
    let events = "SELECT count(*) FROM tenant.processing_events";
    assert_eq!(sweep::processing_events(&studio.app.database).await.unwrap(), 0);
    assert_eq!(studio.ask(events).await, "12000");
    // As if a day went by, and then 29 more.
    let later = |days| format!("UPDATE tenant.processing_events SET created_at = created_at - interval '{days} days'");
    studio.sql(later(1)).await;
    assert_eq!(sweep::processing_events(&studio.app.database).await.unwrap(), 400);
    studio.sql(later(29)).await;
    assert_eq!(sweep::processing_events(&studio.app.database).await.unwrap(), 11_600);
    assert_eq!(studio.ask(events).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recording_that_cannot_be_removed_does_not_keep_the_others() {
    let studio = Studio::new().await;
    let (bad, good) = (studio.installation.tenant().await, studio.installation.tenant().await);
    let call = studio.upload(bad, wav(1)).await;
    studio.upload(good, wav(1)).await;
    studio
        .sql(format!(
            "UPDATE tenant.artifacts SET created_at = now() - interval '25 hours';
             UPDATE tenant.artifacts SET created_at = now() - interval '26 hours' WHERE call_id = '{call}';
             ALTER TABLE tenant.calls ADD CONSTRAINT broken CHECK (id <> '{call}' OR status < 5)"
        ))
        .await;
    assert!(sweep::recordings(&studio.app, DAY).await.is_err());
    assert_eq!(studio.ask("SELECT call_id FROM tenant.artifacts").await, call.to_string());
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.blob_deletions").await, "0", "the bytes are gone as well");
}
