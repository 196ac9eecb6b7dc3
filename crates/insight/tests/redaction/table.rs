//! The labelled table: utterances in five languages with what has to be taken out of them marked, as transcripts.

#[path = "../support/transcript.rs"]
mod support;

use std::collections::BTreeSet;

use insight::redact::Kind;
use speech::transcript::{Transcript, Word};

use support::Turn;

/// How long a word takes, in seconds.
pub(crate) const WORD: f64 = 0.5;

/// The part that the detectors were tuned on.
pub(crate) const TUNED: [&str; 7] = [
    include_str!("en.tsv"),
    include_str!("de.tsv"),
    include_str!("fr.tsv"),
    include_str!("es.tsv"),
    include_str!("pt.tsv"),
    include_str!("hard.tsv"),
    include_str!("review.tsv"),
];

/// The part that they were not: the first written before the detectors ran at all, the second when they were done, the third when what a
/// review had found was mended, the last two by somebody who had not read them.
pub(crate) const HELD_OUT: [&str; 5] = [
    include_str!("held-out.tsv"),
    include_str!("held-out-last.tsv"),
    include_str!("held-out-review.tsv"),
    include_str!("held-out-spoken.tsv"),
    include_str!("held-out-blind.tsv"),
];

/// What a recogniser made of telephone numbers, its mistakes included.
pub(crate) const RECOGNISED: [&str; 1] = [include_str!("recognised.tsv")];

/// Names that the policy of the table knows.
pub(crate) const NAMES: [&str; 5] = ["Maria Lopez", "Jürgen Weber", "Chloé Martin", "João Silva", "Ms Emily Clark"];

/// What has to be found.
pub(crate) struct Expected {
    pub(crate) kind: Kind,
    /// Its words, counted through the whole utterance.
    pub(crate) words: BTreeSet<usize>,
}

pub(crate) struct Utterance {
    pub(crate) language: String,
    pub(crate) transcript: Transcript,
    pub(crate) expected: Vec<Expected>,
}

pub(crate) fn utterances(tables: &[&str]) -> Vec<Utterance> {
    let lines = tables.iter().flat_map(|table| table.lines()).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(utterance).collect()
}

fn utterance(line: &str) -> Utterance {
    let (language, text) = line.split_once('\t').expect("language, tab, text");
    let mut expected = Vec::new();
    let mut speaker = 0;
    let mut said = Vec::new();
    let mut count = 0;
    for (number, part) in text.split(" | ").enumerate() {
        let part = match part.strip_prefix("= ") {
            Some(part) => part,
            None => {
                speaker = usize::from(number > 0) * (1 - speaker);
                part
            }
        };
        let (text, spans) = unmarked(part);
        expected.extend(
            spans
                .into_iter()
                .map(|(kind, words)| Expected { kind, words: words.into_iter().map(|word| word + count).collect() }),
        );
        count += text.split(' ').count();
        said.push((speaker, text));
    }
    Utterance { language: language.to_owned(), transcript: transcript(language, &said), expected }
}

/// A text without its marks, and what they mark, by words.
fn unmarked(part: &str) -> (String, Vec<(Kind, BTreeSet<usize>)>) {
    let mut text = String::new();
    let mut spans: Vec<(Kind, BTreeSet<usize>)> = Vec::new();
    let mut inside = false;
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        if c == '{' {
            spans.push((kind(&rest[1..2]), BTreeSet::new()));
            inside = true;
            rest = &rest[3..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c == '}' {
            inside = false;
            continue;
        }
        text.push(c);
        if inside && c != ' ' {
            let word = text.matches(' ').count();
            spans.last_mut().expect("a mark was opened").1.insert(word);
        }
    }
    (text, spans)
}

fn kind(code: &str) -> Kind {
    match code {
        "p" => Kind::PhoneNumber,
        "e" => Kind::EmailAddress,
        "c" => Kind::PaymentCard,
        "i" => Kind::Iban,
        "n" => Kind::NationalId,
        "d" => Kind::DateOfBirth,
        "a" => Kind::StreetAddress,
        "m" => Kind::PersonName,
        other => panic!("no kind {other}"),
    }
}

/// A transcript of segments (speaker, text) whose words follow each other.
pub(crate) fn transcript(language: &str, said: &[(usize, String)]) -> Transcript {
    let mut count = 0;
    let turns: Vec<Turn<'_>> = said
        .iter()
        .map(|(speaker, text)| {
            let start = f64::from(count) * WORD;
            let word = |word: &str| {
                let start = f64::from(count) * WORD;
                count += 1;
                Word { text: word.to_owned(), start_seconds: start, end_seconds: start + WORD, confidence: 0.875 }
            };
            let words = text.split(' ').map(word).collect();
            Turn { speaker: *speaker, start, end: f64::from(count) * WORD, text, words }
        })
        .collect();
    support::transcript(language, 2, turns)
}
