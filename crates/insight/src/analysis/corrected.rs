//! What a person's correction takes away from an analysis that is not made anew at once. Its one invariant: a claim that rests on a segment
//! that was corrected, and a text that holds what is said no more, are not in what is left; nothing is added but what the local engine says
//! of the transcript as it is now.

use std::collections::BTreeSet;

use serde_json::Value;
use speech::transcript::Transcript;

use super::document::Analysis;
use crate::{redact::token::fold, search::words::words};

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
    words: BTreeSet<String>,
    /// Words side by side: each of them may be said elsewhere.
    pairs: BTreeSet<(String, String)>,
    /// The texts as they were, word by word.
    texts: Vec<Vec<String>>,
}

impl Gone {
    /// What `after` lacks of `before`: texts of segments, and names of speakers.
    #[must_use]
    pub fn between(before: &Transcript, after: &Transcript) -> Self {
        let mut gone = Self::default();
        for segment in &before.segments {
            let now = after.segments.iter().find(|one| one.id == segment.id);
            if now.is_none_or(|now| now.text != segment.text) {
                gone.segments.insert(segment.id.clone());
                gone.texts.push(said(&segment.text));
            }
        }
        for speaker in &before.speakers {
            let now = after.speakers.iter().find(|one| one.speaker_id == speaker.speaker_id);
            if let Some(name) = &speaker.display_name
                && now.is_none_or(|now| now.display_name.as_ref() != Some(name))
            {
                gone.texts.push(said(name));
            }
        }
        let names = after.speakers.iter().filter_map(|speaker| speaker.display_name.as_deref());
        let left: Vec<_> = after.segments.iter().map(|segment| segment.text.as_str()).chain(names).map(said).collect();
        gone.words = gone.texts.iter().flatten().cloned().collect();
        gone.pairs = gone.texts.iter().flat_map(|text| pairs(text)).collect();
        for text in &left {
            for word in text {
                gone.words.remove(word);
            }
            for pair in pairs(text) {
                gone.pairs.remove(&pair);
            }
        }
        gone
    }

    /// Whether nothing went.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.texts.is_empty()
    }

    /// Whether `text` says a word, or two words side by side, that are said no more.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let text = said(text);
        text.iter().any(|word| self.words.contains(word)) || pairs(&text).any(|pair| self.pairs.contains(&pair))
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

fn pairs(text: &[String]) -> impl Iterator<Item = (String, String)> {
    text.windows(2).map(|pair| (pair[0].clone(), pair[1].clone()))
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
    serde_json::from_value(left).map_or(local, |left: Analysis| Analysis { stale: true, ..left })
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
