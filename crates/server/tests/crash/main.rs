//! Kills at random points of a workload that uploads, deletes and rotates: `kill -9` of the program, and an immediate stop of the
//! server. After each: what was acknowledged is there or gone as it was said, nothing is half, chains are whole.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test fails the test; the part that is killed talks"
)]
#![allow(unreachable_pub, reason = "support is shared with other test binaries")]

mod check;
#[path = "../support/mod.rs"]
mod support;
mod workload;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret as _;
use server::{
    postgres::Embedded,
    vault::{
        keyring::{self, KeyId},
        rotation,
    },
};

/// Kills of the program in a run of the tests; `make soak` does ten times as many.
const PROGRAM_KILLS: u32 = 180;

/// Kills of the server: each costs a recovery.
const SERVER_KILLS: u32 = 20;

/// Kills after which there is a new key, so that the workload has something to rotate.
const ROTATE_EVERY: u32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_whenever_nothing_acknowledged_is_lost_and_nothing_is_half() {
    run(PROGRAM_KILLS, SERVER_KILLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a soak run"]
async fn two_thousand_kills() {
    run(10 * PROGRAM_KILLS, 10 * SERVER_KILLS).await;
}

/// The part that is killed.
#[tokio::test]
#[ignore = "a part of the test above"]
async fn a_workload_that_is_killed() {
    workload::run().await;
}

async fn run(program_kills: u32, server_kills: u32) {
    let root = support::directory();
    let (cluster, objects) = (root.clone(), tempfile::tempdir().unwrap());
    let mut embedded = Embedded::start(&cluster, support::ACCOUNT).await.unwrap();
    let mut ring = new_key(0);
    let mut known = check::Known::default();
    let total = program_kills + server_kills;
    let mut rotations = 0;
    for round in 0..total {
        if round % ROTATE_EVERY == 0 {
            if round > 0 {
                // What was killed so often is done once, before its old key goes.
                let (database, vault) = workload::open(embedded.socket(), &ring).await;
                rotation::rotate(&database, &vault, |_| {}).await.unwrap();
            }
            ring = format!("{},{}", new_key(round + 1), ring.split(',').next().unwrap());
        }
        let kills_server = round % (total / server_kills.max(1)) == 1;
        // An odd step through all residues: every kill meets another place of the workload.
        let lines = 1 + (round * 5) % 13;
        let told =
            killed_after(lines, round, embedded.socket(), objects.path(), &ring, kills_server.then_some(&*cluster));
        known.hear(&told);
        if kills_server {
            drop(embedded);
            embedded = Embedded::start(&cluster, support::ACCOUNT).await.unwrap();
        }
        rotations +=
            u32::from(told.iter().any(|line| line == "@rotating") && !told.iter().any(|line| line == "@rotated"));
        let is_last = round + 1 == total;
        known.check(embedded.socket(), objects.path(), &ring, is_last || round % 20 == 19).await;
    }
    let check::Known { calls, .. } = &known;
    assert!(rotations > 0, "no rotation was killed");
    println!(
        "{total} kills ({server_kills} of the server, {rotations} in a rotation), {} calls, 0 lost, 0 half",
        calls.len()
    );
    embedded.stop().await.unwrap();
}

fn new_key(number: u32) -> String {
    keyring::generate(&KeyId::parse(&format!("k{number}")).unwrap()).unwrap().expose_secret().to_owned()
}

/// Runs the workload until it has said so many lines, and kills it, or the server under it; returns all lines.
fn killed_after(
    lines: u32,
    seed: u32,
    socket: &Path,
    objects: &Path,
    ring: &str,
    cluster: Option<&Path>,
) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_workload_that_is_killed", "--nocapture"])
        .env(workload::SOCKET, socket)
        .env(workload::OBJECTS, objects)
        .env(workload::SEED, seed.to_string())
        .env("SUBROSA_KEYS", ring)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).filter(|line| line.starts_with('@'));
    let mut heard: Vec<String> = told.by_ref().take(lines as usize).collect();
    assert_eq!(heard.len(), lines as usize, "the workload ended by itself: {heard:?}");
    if let Some(cluster) = cluster {
        let pid = std::fs::read_to_string(cluster.join("cluster/postmaster.pid")).unwrap();
        let pid = Pid::from_raw(pid.lines().next().unwrap().parse().unwrap());
        // What `pg_ctl -m immediate` sends.
        kill(pid, Signal::SIGQUIT).unwrap();
    } else {
        child.kill().unwrap();
    }
    heard.extend(told);
    assert!(!heard.iter().any(|line| line.starts_with("@failed")), "{heard:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    heard
}
