//! Workers that die, stop, or lose what they had.

use std::sync::{Arc, atomic::Ordering};

use server::db::{Listener, Notice};

use crate::studio::{Played, Studio, Working, wav};

const STATUS: &str = "SELECT status FROM tenant.calls";

fn endless() -> Arc<Played> {
    Arc::new(Played { never_ends: true, ..Played::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_workers_call_is_taken_over_when_its_lease_ends() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let mut slow = studio.worker(endless());
    // It reports nothing by itself, so that the lease stays as it is set below.
    slow.timing.heartbeat = slow.timing.lease;
    slow.timing.progress = slow.timing.lease;
    let dead = Working::start(slow);
    studio.until(STATUS, "2").await;
    dead.kill().await;
    let working = Working::start(studio.worker(Arc::default()));
    studio.sql("UPDATE tenant.jobs SET lease_until = now()").await;
    studio.until(STATUS, "4").await;
    working.stop().await;
    assert_eq!(studio.ask("SELECT attempts FROM tenant.jobs").await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_somebody_else_has_ends_its_work_and_writes_nothing() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let models = endless();
    let first = Working::start(studio.worker(Arc::clone(&models)));
    studio.until("SELECT progress FROM tenant.jobs", "50").await;
    studio.sql("UPDATE tenant.jobs SET lease_token = gen_random_uuid(), lease_until = now() + interval '1 hour'").await;
    // The thread ends by itself: it was told that the lease is lost. A stop waits for it.
    first.stop().await;
    assert_eq!(models.asked.load(Ordering::Relaxed), 1);
    assert_eq!(studio.ask("SELECT (state, attempts) FROM tenant.jobs").await, "(2,1)", "it is the other's");
    assert_eq!(studio.ask(STATUS).await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_hands_its_calls_back_and_no_attempt_is_counted() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let stopped = Working::start(studio.worker(endless()));
    studio.until("SELECT progress FROM tenant.jobs", "50").await;
    stopped.stop().await;
    assert_eq!(studio.ask("SELECT (state, attempts) FROM tenant.jobs").await, "(1,0)");
    let working = Working::start(studio.worker(Arc::default()));
    studio.until(STATUS, "4").await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_ends_every_worker_that_takes_it_ends_as_failed() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    studio
        .sql("UPDATE tenant.jobs SET attempts = 5, state = 2, lease_until = now(), lease_token = gen_random_uuid()")
        .await;
    let models = Arc::new(Played::default());
    let working = Working::start(studio.worker(Arc::clone(&models)));
    studio.until("SELECT error_code FROM tenant.calls", "worker_died").await;
    working.stop().await;
    assert_eq!(models.asked.load(Ordering::Relaxed), 0);
    assert_eq!(studio.ask("SELECT state FROM tenant.jobs").await, "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_call_ends_its_work() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    let working = Working::start(studio.worker(endless()));
    studio.until("SELECT progress FROM tenant.jobs", "50").await;
    studio.sql("DELETE FROM tenant.calls").await;
    working.stop().await;
    assert_eq!(studio.ask("SELECT count(*) FROM tenant.jobs").await, "0");
}

#[tokio::test]
async fn whoever_listens_hears_of_work_at_once_and_of_nothing_else_about_it() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let mut listener = Listener::connect(&studio.installation.postgres.address("subrosa_app")).await.unwrap();
    studio.upload(scope, wav(1)).await;
    assert_eq!(listener.next().await.unwrap(), Notice::Jobs);
}

#[tokio::test]
async fn who_stops_listening_has_left_the_database_before_it_may_go_away() {
    let studio = Studio::new().await;
    let listeners =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^(UN)?LISTEN'";
    let listener = Listener::connect(&studio.installation.postgres.address("subrosa_app")).await.unwrap();
    assert_eq!(studio.ask(listeners).await, "1");
    listener.close().await;
    assert_eq!(studio.ask(listeners).await, "0");
}
