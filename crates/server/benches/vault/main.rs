//! What the vault costs: `cargo bench -p server --bench vault`. Prints the tables of docs/benchmarks.md.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to the terminal, and ends when it cannot go on"
)]

mod blobs;

use std::time::{Duration, Instant};

/// How long each figure is measured; three times, the best counts, because the machine does other things as well.
const MEASURE: Duration = Duration::from_secs(1);

/// Rounds of each figure.
const ROUNDS: usize = 3;

fn main() {
    blobs::run();
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
