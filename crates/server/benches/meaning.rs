//! Search by meaning and by words typed wrong, over the calls of one tenant: with nothing in memory, and with all of it.
//!
//! `cargo bench -p server --bench meaning`; `SUBROSA_MEANT_CALLS` says how many calls (5,000), of twenty passages and 500 distinct words.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark prints and fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "the kits of the tests are shared, each user takes its part")]

#[path = "../tests/http/client.rs"]
mod client;
#[path = "../tests/vault/kit.rs"]
mod kit;
mod meant;
#[path = "../tests/http/people.rs"]
mod people;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use client::Service;
use insight::search::meaning::Embedder;
use people::Person;
use server::{
    artifacts::{self, Artifact},
    search::{model::Look, remembered},
    vault::seal::RecordKind,
};
use uuid::Uuid;

const CALLS: usize = 5000;
const PASSAGES: usize = 20;
/// Distinct words of a call, of so many of all calls.
const WORDS: usize = 500;
const VOCABULARY: usize = 30_000;
const QUERIES: usize = 50;

#[tokio::main]
async fn main() {
    let model = meant::model();
    embedding(&model);
    let calls = std::env::var("SUBROSA_MEANT_CALLS").map_or(CALLS, |calls| calls.parse().unwrap());
    let service = Service::set(&[("rates.read", "1000000/1s")]).await;
    let person = Person::new(&service).await;
    service.app.search.model.look_in(move || Look::Here(model.clone()));
    // Loads the model.
    remembered::catch_up(&service.app, &person.scope, remembered::Place::default()).await.unwrap();
    let bytes = fill(&person, calls).await;
    println!("{calls} calls of {PASSAGES} passages: {:.1} MB of memories", bytes as f64 / 1e6);
    let ask = async |asked: &str| {
        let began = Instant::now();
        let answer = person.get(&format!("/api/calls/search?q={asked}")).await;
        assert_eq!(answer.status, 200);
        began.elapsed()
    };
    println!("by meaning, nothing in memory: {:?}", ask("customer%20charged%20double").await);
    report("by meaning, all in memory", || ask("customer%20charged%20double")).await;
    report("a word that nobody said, all in memory", || ask("trombonistic")).await;
}

async fn report<F: Future<Output = Duration>>(name: &str, ask: impl Fn() -> F) {
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        times.push(ask().await);
    }
    times.sort();
    println!("{name}: median {:?}, p95 {:?}", times[QUERIES / 2], times[QUERIES * 95 / 100]);
}

/// How long one text takes, on one thread.
fn embedding(model: &std::path::Path) {
    let began = Instant::now();
    let embedder = Embedder::load(model).unwrap();
    println!("the model was loaded in {:?}", began.elapsed());
    let said = "We sent two offers for the boat and the harbour fee was not in them. ".repeat(4);
    for (name, text) in
        [("a query of three words", "customer charged double"), ("a passage of 56 words", said.as_str())]
    {
        embedder.embed(text);
        let began = Instant::now();
        (0..QUERIES).for_each(|_| _ = embedder.embed(text));
        println!("{name} is embedded in {:?}", began.elapsed() / QUERIES as u32);
    }
}

/// Calls of random words and directions; what a search opens of them besides is not there.
async fn fill(person: &Person<'_>, calls: usize) -> usize {
    let (tenant, user) = (person.scope.tenant(), person.scope.user());
    let (app, mut chance, mut bytes) = (&person.service.app, fastrand::Rng::with_seed(27), 0);
    let words: Vec<String> =
        (0..VOCABULARY).map(|_| (0..chance.usize(4..10)).map(|_| chance.lowercase()).collect()).collect();
    for batch in 0..calls.div_ceil(100) {
        let ids: Vec<Uuid> = (0..100.min(calls - batch * 100)).map(|_| Uuid::now_v7()).collect();
        let values: Vec<String> = ids.iter().map(|id| format!("('{tenant}', '{id}', '{user}')")).collect();
        person.sql(format!("INSERT INTO tenant.calls (tenant_id, id, owner_id) VALUES {}", values.join(","))).await;
        let mut tx = app.database.write(&person.scope).await.unwrap();
        for call in ids {
            let key = app.vault.create_record_key(&mut tx, RecordKind::Call, call).await.unwrap();
            let from = chance.usize(..VOCABULARY - WORDS);
            let said = words[from..from + WORDS].iter().map(String::as_str);
            let memory = meant::memory(&mut chance, said, PASSAGES);
            bytes += memory.len();
            artifacts::put(&mut tx, (call, Artifact::SearchMemory), (&key, None), &memory).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    person.sql("VACUUM ANALYZE tenant.artifacts".to_owned()).await;
    bytes
}
