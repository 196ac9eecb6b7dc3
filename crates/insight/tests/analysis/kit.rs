//! Calls made of text.

#[path = "../support/transcript.rs"]
mod transcript;

use insight::facts::Facts;
use speech::transcript::Transcript;

use transcript::Turn;

/// Seconds that a word takes.
pub(crate) const WORD: f64 = 0.4;

/// A call of two parties: who (0 or 1), and what they say.
pub(crate) fn call(language: &str, said: &[(usize, &str)]) -> Transcript {
    let mut at = 0.0;
    let turns: Vec<(usize, f64, f64, &str)> = said
        .iter()
        .map(|(speaker, text)| {
            let start = at;
            at += text.split(' ').count() as f64 * WORD;
            (*speaker, start, at, *text)
        })
        .collect();
    timed(language, 2, &turns)
}

/// A call of `speakers` parties: who, from when to when, and what they say.
pub(crate) fn timed(language: &str, speakers: usize, turns: &[(usize, f64, f64, &str)]) -> Transcript {
    let turn =
        |&(speaker, start, end, text): &(usize, f64, f64, _)| Turn { speaker, start, end, text, words: Vec::new() };
    transcript::transcript(language, speakers, turns.iter().map(turn))
}

/// A call of Tuesday, 10 March 2026, ten o'clock UTC.
pub(crate) fn tuesday() -> Facts {
    Facts { recorded_at: "2026-03-10T10:00:00+00:00".parse().ok(), ..Facts::default() }
}
