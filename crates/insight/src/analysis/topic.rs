//! Subjects and the kind of call. Its one invariant: a subject is a word of the call; a kind that two lists claim equally is unknown.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Call;
use super::document::CallType;
use crate::redact::numeral::Language;

/// Tags of a call.
const TAGS: usize = 6;

/// Times that a word is said before it is a subject.
const SAID: usize = 2;

/// Phrases of a kind that have to be heard before a call is of it.
const PHRASES: usize = 2;

/// The words that were said most, as they were said first, in lower case.
pub(super) fn topics(call: &Call<'_>) -> Vec<String> {
    let mut said: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    let mut position = 0;
    for at in 0..call.sentences.len() {
        for word in 0..call.sentences[at].words.len() {
            position += 1;
            let Some(stem) = call.stem(at, word).filter(|_| !is_name(call, at, word) && !is_measure(call, at, word))
            else {
                continue;
            };
            said.entry(stem).or_default().push((position, call.sentences[at].words[word].raw.to_lowercase()));
        }
    }
    let mut subjects: Vec<_> = said.into_values().filter(|forms| forms.len() >= SAID).collect();
    subjects.sort_by(|a, b| b.len().cmp(&a.len()).then(a[0].0.cmp(&b[0].0)));
    subjects.iter().take(TAGS).filter_map(|forms| form(forms)).collect()
}

/// The form of a word that was said most; of several the one that is no English verb, and of those the first.
fn form(forms: &[(usize, String)]) -> Option<String> {
    let times = |form: &str| forms.iter().filter(|(_, other)| other == form).count();
    let verb = |form: &str| form.ends_with("ed") || form.ends_with("ing");
    let best = forms.iter().max_by_key(|(position, form)| (times(form), !verb(form), Reverse(*position)))?;
    Some(best.1.clone())
}

/// Lists of words that say when or how much, in which no call has its subject.
const MEASURES: [&str; 15] = [
    "month",
    "ordinal",
    "which",
    "which_after",
    "vague",
    "unit",
    "hour_word",
    "am",
    "pm",
    "clock",
    "currency",
    "percent",
    "multiplier",
    "duration",
    "weekday",
];

/// A word that says when, or a unit of time or money.
fn is_measure(call: &Call<'_>, at: usize, word: usize) -> bool {
    let sentence = &call.sentences[at];
    let (lexicon, key) = (sentence.lexicon(), sentence.key(word));
    call.is_when(at, word) || lexicon.holds("day", key) || MEASURES.iter().any(|list| lexicon.has_word(list, key))
}

/// A name is no subject. German writes every noun with a capital letter.
fn is_name(call: &Call<'_>, at: usize, word: usize) -> bool {
    let sentence = &call.sentences[at];
    let addressed = word > 0 && sentence.lexicon().holds("address", sentence.key(word - 1));
    let capital = word > 0 && sentence.words[word].capital && sentence.language != Language::De;
    capital || addressed
}

/// The kind of call that most phrases speak for.
pub(super) fn call_type(call: &Call<'_>) -> Option<CallType> {
    let mut votes: BTreeMap<i64, usize> = BTreeMap::new();
    for sentence in &call.sentences {
        for at in 0..sentence.words.len() {
            if let Some(hit) = sentence.lexicon().find("call_type", &sentence.words, at) {
                *votes.entry(hit.value).or_default() += 1;
            }
        }
    }
    let (kind, most) = votes.iter().max_by_key(|(_, count)| **count)?;
    let alone = votes.values().filter(|count| *count == most).count() == 1;
    (alone && *most >= PHRASES).then_some(match kind {
        1 => CallType::Sales,
        2 => CallType::Support,
        3 => CallType::Interview,
        4 => CallType::Finance,
        5 => CallType::Healthcare,
        6 => CallType::Legal,
        7 => CallType::Education,
        _ => CallType::Personal,
    })
}

/// Subjects of the title.
const TITLE: usize = 3;

/// The subjects that were said most: "Quote, seats, demo".
pub(super) fn title(call: &Call<'_>, topics: &[String]) -> Option<String> {
    let text = topics.iter().take(TITLE).map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut letters = text.chars();
    let first = letters.next().filter(|_| !call.sentences.is_empty())?;
    Some(first.to_uppercase().chain(letters).collect())
}
