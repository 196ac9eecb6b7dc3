//! How well and how fast redaction is: the labelled table, and a call of one hour. Prints what `docs/benchmarks.md` says.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark talks to the person at the terminal")]

#[path = "../tests/redaction/score.rs"]
mod score;
#[path = "../tests/redaction/table.rs"]
mod table;

use std::time::{Duration, Instant};

use insight::redact::redact;

use crate::{
    score::{Score, everything},
    table::{HELD_OUT, RECOGNISED, TUNED, transcript, utterances},
};

/// Words of one hour: people say some 150 a minute.
const HOUR_WORDS: usize = 9_000;
/// Times that a figure is measured; the median counts.
const ROUNDS: usize = 9;

fn main() {
    let tables =
        [("Tuned on", TUNED.as_slice()), ("Held out", HELD_OUT.as_slice()), ("Recognised", RECOGNISED.as_slice())];
    for (name, tables) in tables {
        let score = Score::of(&utterances(tables), &everything());
        println!("{name}: {score}\n{}\n", score.wrong.join("\n"));
    }
    for (name, said) in [("one hour of talk", talk()), ("five hours of digits", digits(5 * HOUR_WORDS))] {
        let transcript = transcript("en", &said);
        let mut took: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let transcript = transcript.clone();
                let began = Instant::now();
                let redacted = redact(transcript, &everything()).expect("it ends");
                let took = began.elapsed();
                assert!(!redacted.findings.is_empty());
                took
            })
            .collect();
        took.sort();
        println!("{name}: {:.1} ms ({} segments)", took[ROUNDS / 2].as_secs_f64() * 1_000.0, said.len());
    }
}

/// The English table over and over.
fn talk() -> Vec<(usize, String)> {
    let utterances = utterances(&TUNED[..1]);
    let segments = utterances.iter().flat_map(|utterance| &utterance.transcript.segments);
    let mut words = 0;
    let said = segments.cycle().enumerate().map(|(index, segment)| (index % 2, segment.text.clone()));
    said.take_while(|(_, text)| {
        words += text.split(' ').count();
        words <= HOUR_WORDS
    })
    .collect()
}

/// Nothing but digits, the worst that can be said.
fn digits(words: usize) -> Vec<(usize, String)> {
    let each = ["two", "one", "five", "0199", "212-555-0143", "seven", "double", "five"];
    let all: Vec<&str> = (0..words).map(|index| each[index * 7 % each.len()]).collect();
    all.chunks(12).enumerate().map(|(index, words)| (index % 2, words.join(" "))).collect()
}
