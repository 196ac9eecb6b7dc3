//! How well and how fast calls are analysed: the tables, the two scripted calls, and a call of one hour. Prints what
//! `docs/benchmarks.md` says.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark talks to the person at the terminal"
)]
#![allow(dead_code, reason = "the tests use more of what they share with this")]

#[path = "../tests/analysis/kit.rs"]
mod kit;
#[path = "../tests/analysis/score.rs"]
mod score;
#[path = "../tests/analysis/script.rs"]
mod script;

use std::{
    fmt,
    time::{Duration, Instant},
};

use insight::analysis::analyze;
use speech::transcript::Role;

use crate::score::{HELD_OUT, HELD_OUT_LAST, HELD_OUT_SECOND, Score, TUNED};

/// Words of one hour: people say some 150 a minute.
const HOUR_WORDS: usize = 9_000;
/// Times that a figure is measured; the median counts.
const ROUNDS: usize = 9;

fn main() {
    let tables = [
        ("tuned on", TUNED[0]),
        ("other languages, tuned on", TUNED[1]),
        ("first held out", HELD_OUT),
        ("second held out", HELD_OUT_SECOND),
        ("last held out", HELD_OUT_LAST),
    ];
    for (name, table) in tables {
        let score = Score::of(table);
        println!(
            "{name}, {} lines\n  tasks: {}\n  days:  {}\n{}",
            score.lines,
            score.tasks,
            score.days,
            score.wrong.join("\n")
        );
    }
    let (mut items, mut dates) = (Tally::default(), Tally::default());
    let (mut speakers, mut right, mut wrong) = (0, 0, 0);
    for expected in [script::PRICING, script::SUPPORT] {
        let call = script::analysed(&expected);
        let (tasks, days) = (script::tasks(&call.analysis), script::days(&call.analysis));
        items.add(expected.tasks, &tasks);
        dates.add(expected.days, &days);
        for (speaker, role) in call.transcript.speakers.iter().zip(&call.roles) {
            println!("{} is {:?} ({:?}); the script says {role:?}", speaker.label, speaker.role, speaker.confidence);
            speakers += 1;
            right += usize::from(speaker.role == *role);
            wrong += usize::from(speaker.role != *role && speaker.role != Role::Unknown);
        }
        println!("{}\n{}", tasks.join("\n"), days.join("\n"));
    }
    println!("scripted calls: action items {items}; dates {dates}; speakers {right} of {speakers}, {wrong} wrong");
    let said: Vec<(usize, &str)> = hour();
    let call = kit::call("en", &said);
    let facts = kit::tuesday();
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            assert!(!analyze(&call, &facts).action_items.is_empty());
            began.elapsed()
        })
        .collect();
    took.sort();
    println!("one hour of talk: {:.0} ms ({} segments)", took[ROUNDS / 2].as_secs_f64() * 1_000.0, said.len());
}

/// How many of what was expected were found, and how much else.
#[derive(Default)]
struct Tally {
    expected: usize,
    found: usize,
    invented: usize,
}

impl Tally {
    fn add(&mut self, expected: &[&str], found: &[String]) {
        let right = found.iter().filter(|one| expected.contains(&one.as_str())).count();
        self.expected += expected.len();
        self.found += right;
        self.invented += found.len() - right;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}, {} invented", self.found, self.expected, self.invented)
    }
}

/// The first table over and over.
fn hour() -> Vec<(usize, &'static str)> {
    let lines = HELD_OUT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let said = lines.filter_map(|line| line.split('\t').next()).flat_map(|said| said.split(" | "));
    let mut words = 0;
    let said: Vec<&str> = said.collect();
    said.iter()
        .copied()
        .cycle()
        .enumerate()
        .map(|(index, text)| (index % 2, text))
        .take_while(|(_, text)| {
            words += text.split(' ').count();
            words <= HOUR_WORDS
        })
        .collect()
}
