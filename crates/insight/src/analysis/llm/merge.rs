//! Analyses of parts into one of the call. Its one invariant: nothing is written anew; what two parts say of the same segments is kept once.

use std::collections::BTreeSet;

use speech::writing::ends_sentence;

use super::ground::Reader;
use crate::{
    analysis::{
        document::{
            Amount, Analysis, Bullet, CallType, DiscussionPoint, Importance, ImportantDate, NextStep, Person, Statement,
        },
        mood::document::{Feeling, PartySentiment, Sentiment},
        task::document::ActionItem,
    },
    redact::{page, token::fold},
};

/// Sentences of a summary.
const SENTENCES: usize = 4;
/// Parts of the call that the summary of a long call lists.
pub(super) const BULLETS: usize = 10;
/// Tags of a call.
const TAGS: usize = 8;
/// Items of any other list.
const ITEMS: usize = 60;

/// One analysis of several, in their order.
pub(super) fn merge(parts: Vec<Analysis>, reader: &Reader) -> Analysis {
    // The part that most is found in says what the call was about; how it opens seldom does.
    let richest = parts.iter().rev().max_by_key(|part| found(part)).cloned().unwrap_or_default();
    let mut whole = Analysis {
        call_type: call_type(&parts),
        suggested_title: richest.suggested_title,
        one_line_summary: richest.one_line_summary,
        tone: richest.tone,
        executive_summary: summary(&parts),
        // The last part knows how it ended.
        conversation_outcome: parts.iter().rev().find_map(|part| part.conversation_outcome.clone()),
        sentiment: sentiment(&parts, richest.sentiment.and_then(|sentiment| sentiment.reason)),
        ..Analysis::default()
    };
    for part in parts {
        (whole.schema_version, whole.engine) = (part.schema_version, part.engine);
        whole.suggested_title = whole.suggested_title.or(part.suggested_title);
        whole.one_line_summary = whole.one_line_summary.or(part.one_line_summary);
        whole.tone = whole.tone.or(part.tone);
        whole.sections.extend(part.sections);
        whole.executive_summary_bullets.extend(part.executive_summary_bullets);
        join(&mut whole.key_discussion_points, part.key_discussion_points, reader);
        join(&mut whole.action_items, part.action_items, reader);
        join(&mut whole.next_steps, part.next_steps, reader);
        join(&mut whole.important_dates, part.important_dates, reader);
        join(&mut whole.decisions, part.decisions, reader);
        join(&mut whole.commitments, part.commitments, reader);
        join(&mut whole.open_questions, part.open_questions, reader);
        join(&mut whole.risks, part.risks, reader);
        join(&mut whole.opportunities, part.opportunities, reader);
        join(&mut whole.people_mentioned, part.people_mentioned, reader);
        join(&mut whole.numbers_and_amounts, part.numbers_and_amounts, reader);
        whole.tags.extend(part.tags);
    }
    finish(whole)
}

/// How much a part has to say.
fn found(part: &Analysis) -> usize {
    let claims =
        part.decisions.len() + part.commitments.len() + part.open_questions.len() + part.numbers_and_amounts.len();
    claims + part.key_discussion_points.len() + part.action_items.len() + part.next_steps.len()
}

/// Numbers, bounds, and what older clients read.
fn finish(mut whole: Analysis) -> Analysis {
    let mut seen = BTreeSet::new();
    whole.tags.retain(|tag| seen.insert(fold(tag)));
    whole.tags.truncate(TAGS);
    whole.executive_summary_bullets.dedup_by(|a: &mut Bullet, b| a.start_timestamp == b.start_timestamp);
    whole.executive_summary_bullets.truncate(BULLETS);
    whole.sections.truncate(ITEMS);
    for (index, section) in whole.sections.iter_mut().enumerate() {
        section.id = format!("section_{}", index + 1);
    }
    let items = whole.sections.iter().flat_map(|section| &section.items);
    whole.key_points = items.filter(|item| item.importance == Importance::High).map(|item| item.text.clone()).collect();
    whole.one_line_summary = whole.one_line_summary.or_else(|| whole.executive_summary.as_deref().map(first_sentence));
    whole.short_summary.clone_from(&whole.one_line_summary);
    whole.detailed_summary.clone_from(&whole.executive_summary);
    whole
}

fn first_sentence(text: &str) -> String {
    sentences(text).into_iter().next().unwrap_or_default()
}

/// The kind that most parts see; unknown counts where none sees one.
fn call_type(parts: &[Analysis]) -> Option<CallType> {
    let kinds: Vec<CallType> = parts.iter().filter_map(|part| part.call_type).collect();
    let known = kinds.iter().filter(|kind| **kind != CallType::Unknown);
    let votes = |kind: &CallType| kinds.iter().filter(|other| *other == kind).count();
    // Of those with as many votes, the first.
    known.rev().max_by_key(|kind| votes(kind)).or(kinds.first()).copied()
}

/// The first sentences of parts that lie evenly over the call, as many as a summary has.
fn summary(parts: &[Analysis]) -> Option<String> {
    let summaries: Vec<&String> = parts.iter().filter_map(|part| part.executive_summary.as_ref()).collect();
    let taken = summaries.len().min(SENTENCES);
    let each = SENTENCES / taken.max(1);
    let chosen = (0..taken).filter_map(|index| summaries.get(index * summaries.len() / taken));
    let text: Vec<String> = chosen.flat_map(|summary| sentences(summary).into_iter().take(each)).collect();
    (!text.is_empty()).then(|| text.join(" "))
}

fn sentences(text: &str) -> Vec<String> {
    let mut sentences: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        if let Some(sentence) = sentences.last_mut() {
            sentence.push_str(if sentence.is_empty() { "" } else { " " });
            sentence.push_str(word);
        }
        if ends_sentence(word) {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

fn feeling(feelings: &[Feeling]) -> Feeling {
    match feelings {
        [] => Feeling::Unclear,
        [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
        _ => Feeling::Mixed,
    }
}

fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

fn sentiment(parts: &[Analysis], reason: Option<String>) -> Option<Sentiment> {
    let all: Vec<&Sentiment> = parts.iter().filter_map(|part| part.sentiment.as_ref()).collect();
    let reason = reason.or_else(|| all.first()?.reason.clone());
    if all.is_empty() {
        return None;
    }
    let party = |of: fn(&Sentiment) -> Option<&PartySentiment>| {
        let all: Vec<&PartySentiment> = all.iter().filter_map(|one| of(one)).collect();
        let notes = all.iter().find_map(|one| one.notes.clone());
        (!all.is_empty()).then(|| PartySentiment {
            overall: feeling(&all.iter().map(|one| one.overall).collect::<Vec<_>>()),
            score: mean(&all.iter().map(|one| one.score).collect::<Vec<_>>()),
            notes,
        })
    };
    let mut signals = BTreeSet::new();
    Some(Sentiment {
        overall: feeling(&all.iter().map(|one| one.overall).collect::<Vec<_>>()),
        score: mean(&all.iter().map(|one| one.score).collect::<Vec<_>>()),
        reason,
        user_sentiment: party(|one| one.user_sentiment.as_ref()),
        contact_sentiment: party(|one| one.contact_sentiment.as_ref()),
        progression: all.iter().flat_map(|one| one.progression.iter().cloned()).take(ITEMS).collect(),
        emotional_signals: all
            .iter()
            .flat_map(|one| one.emotional_signals.iter().cloned())
            .filter(|signal| signals.insert(signal.clone()))
            .collect(),
    })
}

/// What two parts may both say.
trait Claim {
    fn text(&self) -> &str;
    fn cites(&mut self) -> &mut Vec<String>;
}

macro_rules! claims {
    ($($claim:ident.$text:ident)*) => {$(
        impl Claim for $claim {
            fn text(&self) -> &str {
                &self.$text
            }
            fn cites(&mut self) -> &mut Vec<String> {
                &mut self.source_segment_ids
            }
        }
    )*};
}

claims!(DiscussionPoint.text ActionItem.title NextStep.text ImportantDate.text Statement.text Person.name Amount.text);

/// Adds what is not there yet: a claim in the same words, or one that rests on a segment in common and shares most of its words, is there.
fn join<T: Claim>(list: &mut Vec<T>, more: Vec<T>, reader: &Reader) {
    for mut claim in more {
        let stems = stems(claim.text(), reader);
        let cites = claim.cites().clone();
        let same = list.iter_mut().position(|known| {
            let words = fold(known.text()) == fold(claim.text());
            let shared = known.cites().iter().any(|id| cites.contains(id));
            words || (shared && alike(&stems, &self::stems(known.text(), reader)))
        });
        match same {
            Some(at) => {
                let known = list[at].cites();
                let new: Vec<String> = cites.into_iter().filter(|id| !known.contains(id)).collect();
                known.extend(new);
            }
            None if list.len() < ITEMS => list.push(claim),
            None => {}
        }
    }
}

fn stems(text: &str, reader: &Reader) -> BTreeSet<String> {
    reader.read(&page(text.to_owned(), None)).into_iter().next().map(|held| held.stems).unwrap_or_default()
}

fn alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let common = one.intersection(other).count();
    common > 0 && common * 2 >= one.union(other).count()
}
