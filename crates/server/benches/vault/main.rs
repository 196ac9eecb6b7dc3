//! What the vault costs: `cargo bench -p server --bench vault`. Prints the tables of docs/benchmarks.md.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to the terminal, and ends when it cannot go on"
)]

mod blobs;
mod content;
mod rotation;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use server::{
    db::{Database, Locked, Owner},
    vault::{
        keyring::{self, KeyId, KeySource},
        keys::Vault,
        start,
    },
};

use support::TestDatabase;

/// How long each figure is measured; three times, the best counts, because the machine does other things as well.
const MEASURE: Duration = Duration::from_secs(1);

/// Rounds of each figure.
const ROUNDS: usize = 3;

fn main() {
    blobs::run();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        content::run().await;
        rotation::run().await;
    });
}

/// A database and a vault that opened it.
async fn open(test: &TestDatabase) -> (Database, Vault) {
    open_with(test, &key("k1")).await
}

async fn open_with(test: &TestDatabase, ring: &str) -> (Database, Vault) {
    let mut owner = Owner::connect(&test.address("subrosa_owner")).await.unwrap();
    let locked = Locked::connect(&test.address("subrosa_app"), 4).await.unwrap();
    start::open(locked, KeySource::Text(ring.into()), Some(&mut owner)).await.unwrap()
}

fn key(id: &str) -> String {
    keyring::generate(&KeyId::parse(id).unwrap()).unwrap().expose_secret().to_owned()
}

/// Seconds that one call of `work` takes, in the best of the rounds.
fn seconds(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < MEASURE {
            work();
            calls += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best
}
