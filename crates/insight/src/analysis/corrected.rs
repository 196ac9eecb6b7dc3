//! What a person's correction takes away from an analysis that is not made anew at once. Its one invariant: a claim that rests on a segment
//! that was corrected, and a text that holds what is said no more, are not in what is left; nothing is added but what the local engine says
//! of the transcript as it is now.

use std::collections::BTreeSet;

use serde_json::Value;
use speech::transcript::Transcript;

use super::document::Analysis;
use crate::{
    redact::token::fold,
    search::{keys::Stems, words::words},
};

/// Fields whose texts are codes, ids, days and times. They are no words of the call, and go with the claim that they belong to.
const CODES: [&str; 24] = [
    "callType",
    "date",
    "dueDate",
    "energy",
    "engine",
    "formality",
    "id",
    "importance",
    "intent",
    "kind",
    "overall",
    "ownerSpeaker",
    "pace",
    "phase",
    "priority",
    "proposedAt",
    "qualityWarnings",
    "remindAt",
    "role",
    "sourceSegmentIds",
    "speakerId",
    "startTimestamp",
    "time",
    "type",
];

/// What the local engine says in the place of a text that is no more.
const SAID_ANEW: [&str; 8] = [
    "suggestedTitle",
    "oneLineSummary",
    "shortSummary",
    "executiveSummary",
    "detailedSummary",
    "executiveSummaryBullets",
    "sentiment",
    "tone",
];

/// What a transcript said before a correction, and says no more.
#[derive(Default)]
pub struct Gone {
    segments: BTreeSet<String>,
    keys: Keys,
    /// Those of the languages of the call.
    stems: Vec<Stems>,
    /// The texts as they were, word by word.
    texts: Vec<Vec<String>>,
}

impl Gone {
    /// What `after` lacks of `before`: texts of segments, and names of speakers.
    #[must_use]
    pub fn between(before: &Transcript, after: &Transcript) -> Self {
        let mut gone = Self { stems: stems(&[before, after]), ..Self::default() };
        let mut went = Vec::new();
        for segment in &before.segments {
            let now = after.segments.iter().find(|one| one.id == segment.id);
            if now.is_none_or(|now| now.text != segment.text) {
                gone.segments.insert(segment.id.clone());
                went.push(&segment.text);
            }
        }
        for speaker in &before.speakers {
            let now = after.speakers.iter().find(|one| one.speaker_id == speaker.speaker_id);
            if let Some(name) = &speaker.display_name
                && now.is_none_or(|now| now.display_name.as_ref() != Some(name))
            {
                went.push(name);
            }
        }
        let names = after.speakers.iter().filter_map(|speaker| speaker.display_name.as_ref());
        let left = Keys::of(after.segments.iter().map(|segment| &segment.text).chain(names), &gone.stems);
        gone.keys = Keys::of(went.iter().copied(), &gone.stems).without(&left);
        gone.texts = went.into_iter().map(|text| said(text)).collect();
        gone
    }

    /// Whether `text` says a word in any of its forms, or two words side by side, that are said no more.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.keys.meet(&Keys::of([text], &self.stems))
    }

    /// Whether `text` is word for word a part of what was said there, as the local engine describes tasks, and not what a person wrote.
    #[must_use]
    pub fn is_quote(&self, text: &str) -> bool {
        let text = said(text);
        !text.is_empty() && self.texts.iter().any(|one| one.windows(text.len()).any(|part| part == text))
    }

    /// Whether one of these segments says something else now.
    pub fn cites<'s>(&self, segments: impl IntoIterator<Item = &'s String>) -> bool {
        segments.into_iter().any(|segment| self.segments.contains(segment))
    }
}

fn said(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| fold(&text[word])).collect()
}

/// The stems of the languages that were spoken, each once.
fn stems(transcripts: &[&Transcript]) -> Vec<Stems> {
    let spoken = |of: &&Transcript| of.language.clone();
    let segments = transcripts.iter().flat_map(|of| of.segments.iter().filter_map(|segment| segment.language.clone()));
    let mut stems: Vec<Stems> = Vec::new();
    let languages: BTreeSet<Option<String>> = transcripts.iter().map(spoken).chain(segments.map(Some)).collect();
    for language in languages {
        let of = Stems::of(language.as_deref());
        if stems.iter().all(|known| known.label() != of.label()) {
            stems.push(of);
        }
    }
    stems
}

/// What texts are known by: their words as they are, and by their stems, since a search finds every form of a word.
#[derive(Default)]
struct Keys {
    words: BTreeSet<String>,
    /// Words side by side: each of them may be said elsewhere.
    pairs: BTreeSet<(String, String)>,
}

impl Keys {
    fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>, stems: &[Stems]) -> Self {
        let mut keys = Self::default();
        for text in texts {
            let text = text.as_ref();
            let words: Vec<&str> = words(text).into_iter().map(|word| &text[word]).collect();
            keys.add(words.iter().map(|word| vec![fold(word)]).collect());
            for stems in stems {
                keys.add(words.iter().map(|word| stems.keys(word)).collect());
            }
        }
        keys
    }

    /// A text in one reading: the keys of each of its words.
    fn add(&mut self, text: Vec<Vec<String>>) {
        for pair in text.windows(2) {
            let with = |one: &String| pair[1].iter().map(|other| (one.clone(), other.clone())).collect::<Vec<_>>();
            self.pairs.extend(pair[0].iter().flat_map(with));
        }
        self.words.extend(text.into_iter().flatten());
    }

    fn without(mut self, others: &Self) -> Self {
        self.words.retain(|word| !others.words.contains(word));
        self.pairs.retain(|pair| !others.pairs.contains(pair));
        self
    }

    fn meet(&self, others: &Self) -> bool {
        !self.words.is_disjoint(&others.words) || !self.pairs.is_disjoint(&others.pairs)
    }
}

/// What is left of an analysis behind a correction, marked as stale; `local` is what the local engine says of the transcript `after` it.
#[must_use]
pub fn corrected(mut analysis: Analysis, (gone, after): (&Gone, &Transcript), local: Analysis) -> Analysis {
    for owner in analysis.action_items.iter_mut().filter_map(|item| item.owner.as_mut()) {
        if let Some(speaker) = after.speakers.iter().find(|speaker| speaker.speaker_id == owner.speaker_id) {
            (owner.label, owner.display_name) = (speaker.label.clone(), speaker.display_name.clone());
            owner.role = speaker.role;
        }
    }
    let (Ok(before), Ok(now)) = (serde_json::to_value(&analysis), serde_json::to_value(&local)) else { return local };
    let mut left = without(before.clone(), gone).unwrap_or_default();
    if let (Some(left), Value::Object(before), Value::Object(mut now)) = (left.as_object_mut(), before, now) {
        for field in SAID_ANEW {
            if before.contains_key(field) && left.get(field).is_none_or(is_nothing) {
                left.extend(now.remove(field).map(|value| (field.to_owned(), value)));
            }
        }
    }
    // What cannot be read any more was not written by this program.
    let Ok(mut left) = serde_json::from_value::<Analysis>(left) else { return local };
    // A key point repeats a claim and cites nothing itself: it goes with it.
    let items = left.sections.iter().flat_map(|section| &section.items).map(|item| &item.text);
    let claims: BTreeSet<_> = items.chain(left.key_discussion_points.iter().map(|point| &point.text)).collect();
    left.key_points.retain(|point| claims.contains(point));
    Analysis { stale: true, ..left }
}

/// A document without what is gone; `None` when that is what it is about. What belongs to the call as a whole loses its fields one by one.
fn without(document: Value, gone: &Gone) -> Option<Value> {
    let Value::Object(fields) = document else { return None };
    Some(Value::Object(fields.into_iter().filter_map(|(name, value)| field((name, value), gone)).collect()))
}

fn field((name, value): (String, Value), gone: &Gone) -> Option<(String, Value)> {
    let kept = if CODES.contains(&name.as_str()) { Some(value) } else { kept(value, gone) };
    kept.map(|value| (name, value))
}

/// A claim goes as a whole.
fn kept(value: Value, gone: &Gone) -> Option<Value> {
    match value {
        Value::String(text) => (!gone.is_in(&text)).then_some(Value::String(text)),
        Value::Array(items) => Some(items.into_iter().filter_map(|item| kept(item, gone)).collect()),
        Value::Object(fields) => {
            let cited = fields.get("sourceSegmentIds").and_then(Value::as_array);
            let ids = cited.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            if gone.cites(&ids) {
                return None;
            }
            let fields: Option<_> = fields.into_iter().map(|one| field(one, gone)).collect();
            fields.map(Value::Object)
        }
        other => Some(other),
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}
