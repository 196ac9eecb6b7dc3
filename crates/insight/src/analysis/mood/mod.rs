//! How a call felt and sounded. Its one invariant: it is measured from the words of English sentences by VADER (Hutto & Gilbert 2014) and
//! by pace; where there is too little to measure it is absent or unclear.

pub mod document;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use speech::transcript::Role;
use vader_parity::SentimentIntensityAnalyzer;

use self::document::{Energy, Feeling, Formality, Pace, PartySentiment, PartyTones, PhaseSentiment, Sentiment, Tone};
use super::document::Phase;
use super::{Call, summary};
use crate::redact::numeral::Language;
use crate::talk;

/// A compound score from which on a sentence feels like something, as VADER's authors set it.
const FELT: f64 = 0.05;

/// A mean score from which on a call does; milder ones are politeness.
const CALL_FELT: f64 = 0.15;

/// Words a minute below which speech is slow, and above which it is fast (conversational English is at 120 to 180).
const SLOW: f64 = 110.0;
const FAST: f64 = 190.0;

static VADER: LazyLock<SentimentIntensityAnalyzer> = LazyLock::new(SentimentIntensityAnalyzer::new);

/// A sentence that feels like something.
struct Felt {
    at: usize,
    score: f64,
}

/// How the call felt; absent where nobody spoke English.
pub(super) fn sentiment(call: &Call<'_>) -> Option<Sentiment> {
    let english = (0..call.sentences.len()).filter(|at| call.sentences[*at].language == Language::En);
    let all: Vec<Felt> = english.filter(|at| !is_courtesy(call, *at)).map(|at| felt(call, at)).collect();
    if all.is_empty() {
        return None;
    }
    let (overall, score) = of(all.iter());
    let by = |role: Role| {
        let of_role = |one: &&Felt| {
            let speaker = call.transcript.speakers.get(call.sentences[one.at].speaker);
            speaker.is_some_and(|speaker| speaker.role == role)
        };
        let mine: Vec<&Felt> = all.iter().filter(of_role).collect();
        let (overall, score) = of(mine.iter().copied());
        (!mine.is_empty()).then(|| PartySentiment {
            overall,
            score,
            notes: strongest(mine.iter().copied()).map(|at| quote(call, at)),
        })
    };
    Some(Sentiment {
        overall,
        score,
        reason: strongest(all.iter()).map(|at| quote(call, at)),
        user_sentiment: by(Role::User),
        contact_sentiment: by(Role::Contact),
        progression: progression(call, &all),
        emotional_signals: signals(call),
    })
}

/// The feeling of a sentence without its greeting: "good" in "good morning" says nothing.
fn felt(call: &Call<'_>, at: usize) -> Felt {
    let sentence = &call.sentences[at];
    let greeting = sentence.lexicon().find("courtesy", &sentence.words, 0).map_or(0, |hit| hit.words);
    // From behind the greeting to the end, with the marks that VADER reads.
    let text = sentence.words.get(greeting).and_then(|word| sentence.text.get(word.start - sentence.words[0].start..));
    Felt { at, score: VADER.polarity_scores(text.unwrap_or_default()).compound }
}

/// "Good morning", "thank you": politeness is no feeling.
fn is_courtesy(call: &Call<'_>, at: usize) -> bool {
    let sentence = &call.sentences[at];
    let find = |list: &str| sentence.lexicon().find(list, &sentence.words, 0);
    find("courtesy").or_else(|| find("accept")).is_some_and(|hit| sentence.words.len() <= hit.words + 2)
}

/// The feeling of several sentences, and their mean score; those that feel like nothing do not count.
fn of<'f>(felt: impl Iterator<Item = &'f Felt>) -> (Feeling, f64) {
    let (mut count, mut sum, mut good, mut bad, mut any) = (0_usize, 0.0, 0_usize, 0_usize, false);
    for one in felt {
        any = true;
        if one.score.abs() >= FELT {
            (count, sum) = (count + 1, sum + one.score);
            good += usize::from(one.score > 0.0);
            bad += usize::from(one.score < 0.0);
        }
    }
    let score = if count > 0 { (sum / count as f64 * 100.0).round() / 100.0 } else { 0.0 };
    let feeling = match score {
        _ if !any => Feeling::Unclear,
        _ if score >= CALL_FELT && bad * 3 <= good => Feeling::Positive,
        _ if score <= -CALL_FELT && good * 3 <= bad => Feeling::Negative,
        _ if good > 0 && bad > 0 => Feeling::Mixed,
        _ if score >= CALL_FELT => Feeling::Positive,
        _ if score <= -CALL_FELT => Feeling::Negative,
        _ => Feeling::Neutral,
    };
    (feeling, score)
}

/// The sentence that feels most, the first of several.
fn strongest<'f>(felt: impl Iterator<Item = &'f Felt>) -> Option<usize> {
    let strong = felt.filter(|one| one.score.abs() >= FELT);
    strong.max_by(|a, b| a.score.abs().total_cmp(&b.score.abs()).then(b.at.cmp(&a.at))).map(|one| one.at)
}

fn quote(call: &Call<'_>, at: usize) -> String {
    call.sentences[at].text.to_owned()
}

fn progression(call: &Call<'_>, all: &[Felt]) -> Vec<PhaseSentiment> {
    let phases = [Phase::Opening, Phase::Middle, Phase::Closing];
    let one = |phase: Phase| {
        let mine: Vec<&Felt> = all.iter().filter(|one| summary::phase(call, one.at) == phase).collect();
        let strong = strongest(mine.iter().copied());
        (!mine.is_empty()).then(|| PhaseSentiment {
            phase,
            overall: of(mine.iter().copied()).0,
            note: strong.map(|at| quote(call, at)),
            source_segment_ids: match strong {
                Some(at) => call.cite([at]),
                None => call.cite(mine.iter().map(|one| one.at)),
            },
        })
    };
    phases.into_iter().filter_map(one).collect()
}

const SIGNALS: [&str; 6] = ["frustration", "gratitude", "apology", "urgency", "satisfaction", "concern"];

fn signals(call: &Call<'_>) -> Vec<String> {
    let heard: BTreeSet<usize> = call
        .sentences
        .iter()
        .filter_map(|sentence| sentence.lexicon().affirmed("emotion", &sentence.words))
        .filter_map(|hit| usize::try_from(hit.value - 1).ok())
        .collect();
    heard.into_iter().filter_map(|signal| SIGNALS.get(signal)).map(|signal| (*signal).to_owned()).collect()
}

/// How a call of this sentiment sounded.
pub(super) fn tone(call: &Call<'_>, sentiment: &Sentiment) -> Tone {
    let talk = talk::measure(call.transcript);
    let count = |list: &str| call.sentences.iter().filter(|one| one.lexicon().any(list, &one.words)).count();
    let (formal, informal) = (count("formal"), count("informal"));
    let pace = match talk.words_per_minute {
        Some(pace) if pace < SLOW => Pace::Slow,
        Some(pace) if pace > FAST => Pace::Fast,
        _ => Pace::Normal,
    };
    let loud = call.sentences.iter().filter(|sentence| sentence.text.ends_with('!')).count();
    let energy = match (pace, loud * 5 >= call.sentences.len()) {
        (Pace::Fast, _) | (_, true) => Energy::High,
        (Pace::Slow, false) => Energy::Low,
        (Pace::Normal, false) => Energy::Medium,
    };
    let party = |party: &Option<PartySentiment>| party.as_ref().map(|one| word(one.overall).to_owned());
    Tone {
        overall: sentiment.overall,
        descriptors: sentiment
            .emotional_signals
            .iter()
            .filter_map(|signal| descriptor(signal))
            .map(str::to_owned)
            .collect(),
        formality: match formal.cmp(&informal) {
            std::cmp::Ordering::Greater => Formality::Formal,
            std::cmp::Ordering::Equal => Formality::SemiFormal,
            std::cmp::Ordering::Less => Formality::Informal,
        },
        energy,
        pace,
        notes: None,
        by_party: PartyTones {
            user_tone: party(&sentiment.user_sentiment),
            contact_tone: party(&sentiment.contact_sentiment),
        },
    }
}

fn descriptor(signal: &str) -> Option<&'static str> {
    Some(match signal {
        "frustration" => "frustrated",
        "gratitude" => "grateful",
        "apology" => "apologetic",
        "urgency" => "urgent",
        "satisfaction" => "satisfied",
        "concern" => "concerned",
        _ => return None,
    })
}

fn word(feeling: Feeling) -> &'static str {
    match feeling {
        Feeling::Positive => "positive",
        Feeling::Neutral => "neutral",
        Feeling::Negative => "negative",
        Feeling::Mixed => "mixed",
        Feeling::Unclear => "unclear",
    }
}
