//! The labelled table: utterances in five languages with what has to be taken out of them marked, as transcripts.

use std::collections::BTreeSet;

use insight::redact::Kind;
use speech::transcript::{LabelSource, Pipeline, Role, SCHEMA_VERSION, Segment, Speaker, Transcript, Word};

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
/// review had found was mended.
pub(crate) const HELD_OUT: [&str; 3] =
    [include_str!("held-out.tsv"), include_str!("held-out-last.tsv"), include_str!("held-out-review.tsv")];

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
    let segments: Vec<Segment> =
        said.iter().enumerate().map(|(index, line)| segment(index, line, &mut count)).collect();
    Transcript {
        schema_version: SCHEMA_VERSION,
        call_id: None,
        language: Some(language.to_owned()),
        duration_seconds: count as f64 * WORD,
        clean_text: segments
            .iter()
            .map(|one| format!("{}: {}", one.speaker, one.text))
            .collect::<Vec<_>>()
            .join("\n\n"),
        speakers: (0..2).map(speaker).collect(),
        segments,
        speaker_resolution: Default::default(),
        pipeline: Pipeline::default(),
        created_at: None,
    }
}

fn speaker(number: usize) -> Speaker {
    Speaker {
        speaker_id: format!("spk_{}", number + 1),
        source_speaker_id: format!("CHANNEL_{number}"),
        label: format!("Speaker {}", number + 1),
        display_name: None,
        role: Role::Unknown,
        confidence: None,
        label_source: LabelSource::Diarization,
        voice_match_score: None,
    }
}

fn segment(index: usize, (speaker, text): &(usize, String), count: &mut usize) -> Segment {
    let first = *count;
    let words: Vec<Word> = text
        .split(' ')
        .map(|word| {
            let start = *count as f64 * WORD;
            *count += 1;
            Word { text: word.to_owned(), start_seconds: start, end_seconds: start + WORD, confidence: 0.875 }
        })
        .collect();
    Segment {
        id: format!("seg_{:04}", index + 1),
        speaker: format!("Speaker {}", speaker + 1),
        speaker_id: format!("spk_{}", speaker + 1),
        source_speaker_id: format!("CHANNEL_{speaker}"),
        role: Role::Unknown,
        start_seconds: first as f64 * WORD,
        end_seconds: *count as f64 * WORD,
        text: text.clone(),
        language: None,
        alignment_confidence: 1.0,
        words,
    }
}
