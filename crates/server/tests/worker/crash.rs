//! A worker that is killed again and again, with fifty calls in flight.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use server::{deletion::blobs as outbox, vault::blobs::Blobs};

use crate::{
    kit,
    studio::{self, Studio, Working, wav},
    support::TestDatabase,
};

const CALLS: u32 = 50;

/// Kills in a run of the tests, and in a soak run.
const KILLS: u32 = 20;
const MANY_KILLS: u32 = 200;

const NAME: &str = "WORKER_DATABASE";
const SOCKET: &str = "WORKER_SOCKET";
const OBJECTS: &str = "WORKER_OBJECTS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_worker_is_killed_every_call_comes_to_one_end() {
    run(KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a soak run"]
async fn two_hundred_kills() {
    run(MANY_KILLS).await;
}

/// The part that is killed: works, and says whenever a call may have changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the tests above"]
async fn a_worker_that_is_killed() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let postgres = TestDatabase { name: std::env::var(NAME).unwrap(), socket: PathBuf::from(socket) };
    let (database, vault) = kit::open(&postgres, &std::env::var("SUBROSA_KEYS").unwrap()).await.unwrap();
    let blobs = Blobs::local(Path::new(&std::env::var_os(OBJECTS).unwrap())).unwrap();
    let app = studio::app(database, vault, blobs);
    let mut changes = app.changes.watch();
    let mut worker = studio::worker(app, Arc::default());
    worker.capacity = 8;
    let _working = Working::start(worker);
    println!();
    while changes.changed().await.is_ok() {
        println!("@changed");
    }
}

async fn run(kills: u32) {
    let objects = tempfile::tempdir().unwrap();
    let studio = Studio::with(Blobs::local(objects.path()).unwrap()).await;
    let scope = studio.installation.tenant().await;
    for _ in 0..CALLS {
        studio.upload(scope, wav(1)).await;
    }
    for round in 0..kills {
        killed_after(&studio, objects.path(), 1 + (round * 5) % 13);
        // Calls that are over make room for new ones, so that there is always something to lose.
        let over: u32 = studio.ask("SELECT count(*) FROM tenant.jobs WHERE state > 2").await.parse().unwrap();
        if over > CALLS / 2 && round + 1 < kills {
            for _ in 0..over.min(10) {
                studio.upload(scope, wav(1)).await;
            }
        }
        studio
            .sql("UPDATE tenant.jobs SET lease_until = now() WHERE state = 2; UPDATE tenant.jobs SET run_at = now()")
            .await;
    }
    let working = Working::start(studio.worker(Arc::default()));
    studio.until("SELECT count(*) FROM tenant.jobs WHERE state < 3", "0").await;
    working.stop().await;
    // A killed worker's removals are put off for some minutes.
    studio.sql("UPDATE tenant.blob_deletions SET run_at = now()").await;
    outbox::sweep(&studio.app.database, &studio.app.blobs).await.unwrap();
    for (what, count) in [
        ("calls without an end", "SELECT count(*) FROM tenant.calls WHERE status < 4"),
        (
            "failures without a reason",
            "SELECT count(*) FROM tenant.calls WHERE (status = 5) <> (error_code IS NOT NULL)",
        ),
        ("failures but by too many deaths", "SELECT count(*) FROM tenant.calls WHERE error_code <> 'worker_died'"),
        (
            "transcripts that are not one a completed call",
            "SELECT count(*) FROM tenant.calls c WHERE (status = 4) <> EXISTS (SELECT FROM tenant.artifacts a
               WHERE a.call_id = c.id AND a.kind = 4 AND a.run_id IS NULL)",
        ),
        (
            "calls that were completed twice",
            "SELECT count(*) FROM (SELECT FROM tenant.processing_events WHERE stage = 11 GROUP BY call_id HAVING count(*) > 1) x",
        ),
        ("keys of runs", "SELECT count(*) FROM tenant.run_keys"),
        ("recordings", "SELECT count(*) FROM tenant.artifacts WHERE kind = 1"),
        ("bytes that are still to go", "SELECT count(*) FROM tenant.blob_deletions"),
    ] {
        assert_eq!(studio.ask(count).await, "0", "{what}");
    }
    println!("{kills} kills: {}", studio.ask("SELECT string_agg(s, ', ') FROM (SELECT status || ': ' || count(*) AS s FROM tenant.calls GROUP BY status) x").await);
}

/// Runs a worker until it has said so many lines, and kills it.
fn killed_after(studio: &Studio, objects: &Path, lines: u32) {
    let postgres = &studio.installation.postgres;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crash::a_worker_that_is_killed", "--nocapture"])
        .env(NAME, &postgres.name)
        .env(SOCKET, &postgres.socket)
        .env(OBJECTS, objects)
        .env("SUBROSA_KEYS", &studio.installation.keys)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    told.filter(|line| line.starts_with('@')).take(lines as usize).for_each(drop);
    child.kill().unwrap();
    child.wait().unwrap();
}
