//! Who gets the next job.

use std::{collections::HashSet, time::Duration};

use server::queue::{self, Lease, LeaseError, MAX_ATTEMPTS};
use sqlx::Row as _;
use uuid::Uuid;

use crate::studio::{Studio, wav};

const LEASE: Duration = Duration::from_secs(30);

async fn claim(studio: &Studio) -> Option<Lease> {
    queue::claim(&studio.app.database, "local", Uuid::now_v7(), LEASE).await.unwrap()
}

/// Many calls with a job each, without recordings.
async fn jobs(studio: &Studio, scope: server::db::Scope, count: u32) {
    let (tenant, user) = (scope.tenant(), scope.user());
    studio
        .sql(format!(
            "WITH c AS (INSERT INTO tenant.calls (tenant_id, id, owner_id) SELECT '{tenant}', gen_random_uuid(), '{user}'
               FROM generate_series(1, {count}) RETURNING *)
             INSERT INTO tenant.jobs (tenant_id, id, call_id, owner_id, kind, region)
               SELECT tenant_id, gen_random_uuid(), id, owner_id, 1, 'local' FROM c"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_workers_ever_own_one_call() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    jobs(&studio, scope, 100).await;
    let claims = (0..4).map(|_| async {
        let mut mine = Vec::new();
        while let Some(lease) = claim(&studio).await {
            mine.push(lease.call);
        }
        mine
    });
    let all: Vec<Uuid> = futures::future::join_all(claims).await.concat();
    assert_eq!(all.len(), 100);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 100);
}

#[tokio::test]
async fn a_claim_takes_one_job_where_the_planner_believes_that_there_is_one() {
    let studio = Studio::new().await;
    let (first, scope) = (studio.installation.tenant().await, studio.installation.tenant().await);
    jobs(&studio, first, 50).await;
    studio.sql("ANALYZE tenant.jobs").await;
    jobs(&studio, scope, 40).await;
    claim(&studio).await.unwrap();
    let second = claim(&studio).await.unwrap();
    assert_eq!(second.tenant, scope.tenant(), "it is its turn");
    let mut superuser = studio.installation.postgres.superuser().await;
    let taken = "SELECT count(*) FROM tenant.jobs WHERE state = 2";
    assert_eq!(sqlx::query_scalar::<_, i64>(taken).fetch_one(&mut superuser).await.unwrap(), 2);
}

#[tokio::test]
async fn one_tenants_ten_thousand_jobs_do_not_stand_before_anothers_one_and_cost_no_more_than_one() {
    let studio = Studio::new().await;
    let (busy, other) = (studio.installation.tenant().await, studio.installation.tenant().await);
    jobs(&studio, busy, 10_000).await;
    studio.sql("ANALYZE tenant.jobs").await;
    let first = claim(&studio).await.unwrap();
    assert_eq!(first.tenant, busy.tenant());
    // Done with it: nobody has a job under way, and everything of the busy tenant is older.
    let mut tx = studio.app.database.write(&busy).await.unwrap();
    first.hold(&mut tx, None).await.unwrap();
    first.end(&mut tx, None).await.unwrap();
    tx.commit().await.unwrap();
    jobs(&studio, other, 1).await;

    let mut tx = studio.app.database.system(server::db::Reason::Jobs).await.unwrap();
    let next = sqlx::query("SELECT tenant_id FROM app.job_claim('local', gen_random_uuid(), '30 s')")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(next.get::<Uuid, _>(0), other.tenant(), "the other tenant's turn");
    let read = sqlx::query(
        "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_catalog.pg_stat_xact_user_tables WHERE relname = 'jobs'",
    )
    .fetch_one(tx.conn())
    .await
    .unwrap()
    .get::<i64, _>(0);
    println!("a claim among 10,000 jobs reads {read} rows");
    assert!(read < 50, "a claim reads {read} of 10,000 rows");
    tx.commit().await.unwrap();
    assert_eq!(claim(&studio).await.unwrap().tenant, busy.tenant());
}

#[tokio::test]
async fn whoever_lost_the_lease_writes_nothing_more() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    let call = studio.upload(scope, wav(1)).await;
    let first = claim(&studio).await.unwrap();
    assert!(claim(&studio).await.is_none(), "it is taken");
    studio.sql("UPDATE tenant.jobs SET lease_until = now() - interval '1 s'").await;
    let mut tx = studio.app.database.write(&scope).await.unwrap();
    assert!(matches!(first.hold(&mut tx, None).await, Err(LeaseError::Lost)), "its lease ended");
    drop(tx);
    let second = claim(&studio).await.unwrap();
    assert_eq!((second.call, second.attempt), (call, 2));
    let mut tx = studio.app.database.write(&scope).await.unwrap();
    assert!(matches!(first.hold(&mut tx, None).await, Err(LeaseError::Lost)), "somebody else has it");
    assert!(matches!(first.end(&mut tx, None).await, Err(LeaseError::Lost)));
    assert!(matches!(first.retry(&mut tx, "late").await, Err(LeaseError::Lost)));
    assert!(matches!(first.release(&mut tx).await, Err(LeaseError::Lost)));
    second.hold(&mut tx, Some(40)).await.unwrap();
    second.end(&mut tx, None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(studio.ask("SELECT state FROM tenant.jobs").await, "3");
}

#[tokio::test]
async fn each_failed_attempt_waits_about_twice_as_long_as_the_one_before() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    for attempt in 1..=MAX_ATTEMPTS {
        let lease = claim(&studio).await.unwrap();
        assert_eq!(lease.attempt, attempt);
        let mut tx = studio.app.database.write(&scope).await.unwrap();
        lease.hold(&mut tx, None).await.unwrap();
        lease.retry(&mut tx, "played").await.unwrap();
        tx.commit().await.unwrap();
        assert!(claim(&studio).await.is_none(), "it has to wait");
        let wait: f64 = studio.ask("SELECT extract(epoch FROM run_at - now()) FROM tenant.jobs").await.parse().unwrap();
        let expected = 10.0 * f64::from(1 << (attempt - 1));
        // A quarter less or more, and the seconds that this test takes.
        assert!((expected * 0.75 - 10.0..=expected * 1.25).contains(&wait), "attempt {attempt} waits {wait} s");
        studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
    }
}

#[tokio::test]
async fn a_job_that_is_put_off_waits_longer_each_time_up_to_a_quarter_of_an_hour_and_keeps_its_attempts() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    for times in 1..=9 {
        let lease = claim(&studio).await.unwrap();
        assert_eq!(lease.attempt, 1);
        let mut tx = studio.app.database.write(&scope).await.unwrap();
        lease.hold(&mut tx, None).await.unwrap();
        lease.postpone(&mut tx, "played").await.unwrap();
        tx.commit().await.unwrap();
        let wait: f64 = studio.ask("SELECT extract(epoch FROM run_at - now()) FROM tenant.jobs").await.parse().unwrap();
        let expected = (10.0 * f64::from(1 << (times - 1))).min(900.0);
        assert!((expected * 0.75 - 10.0..=expected * 1.25).contains(&wait), "time {times} waits {wait} s");
        studio.sql("UPDATE tenant.jobs SET run_at = now()").await;
    }
}

#[tokio::test]
async fn another_regions_worker_gets_nothing() {
    let studio = Studio::new().await;
    let scope = studio.installation.tenant().await;
    studio.upload(scope, wav(1)).await;
    assert!(queue::claim(&studio.app.database, "elsewhere", Uuid::now_v7(), LEASE).await.unwrap().is_none());
    let counts = queue::counts(&studio.app.database).await.unwrap();
    assert_eq!((counts.waiting, counts.running), (1, 0));
    assert!(claim(&studio).await.is_some());
    let counts = queue::counts(&studio.app.database).await.unwrap();
    assert_eq!((counts.waiting, counts.running), (0, 1));
}
