//! A model's answer to one part, read and held against the transcript. Its one invariant: what it gives is what [`Ground`] lets stand; what
//! cites nothing that was shown, has a value that the type does not know, or says what was not said, is not there.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    HEADER, LINE, SUMMARY, TEXT, TITLE, WORD,
    ground::{Ground, Held},
    schema::MOST_ITEMS,
};
use crate::analysis::{
    amount,
    document::{
        Amount, Analysis, Bullet, DiscussionPoint, Engine, ImportantDate, NextStep, Person, SCHEMA_VERSION, Section,
        SectionItem, Statement,
    },
    mood::document::{PartySentiment, PhaseSentiment, Sentiment, Tone},
    sentence::{Sentence, sentences},
};
use crate::facts::Facts;

/// Segments that a claim may rest on; a model that cites all has read none.
const CITED: usize = 8;

/// Citations of a claim that are looked up, those of segments that are not there included.
const CITATIONS: usize = 4 * CITED;

/// Reads answers to a part.
pub(super) struct Claims<'g, 't> {
    pub(super) ground: &'g Ground<'t>,
    /// The segments that the part shows.
    shown: &'g BTreeSet<usize>,
    pub(super) facts: &'g Facts,
    /// The sentences of the call.
    pub(super) sentences: Vec<Sentence<'t>>,
}

/// Segments that a claim rests on.
pub(super) struct Cited {
    pub(super) at: Vec<usize>,
    pub(super) ids: Vec<String>,
    pub(super) held: Held,
}

impl<'g, 't> Claims<'g, 't> {
    pub(super) fn new(ground: &'g Ground<'t>, facts: &'g Facts, shown: &'g BTreeSet<usize>) -> Self {
        Self { ground, shown, facts, sentences: sentences(ground.transcript) }
    }

    /// What may stand of `answer`.
    pub(super) fn read(&self, answer: &Value) -> Analysis {
        let whole = self.ground.whole();
        let line = |key: &str, most| self.ground.text(answer.get(key)?.as_str()?, most, whole);
        let statements = |key: &str| self.each(answer, key, Self::statement);
        Analysis {
            schema_version: SCHEMA_VERSION,
            engine: Some(Engine::Llm),
            call_type: answer.get("callType").and_then(|kind| serde_json::from_value(kind.clone()).ok()),
            suggested_title: line("suggestedTitle", TITLE),
            one_line_summary: line("oneLineSummary", LINE),
            executive_summary: line("executiveSummary", SUMMARY),
            executive_summary_bullets: self.each(answer, "executiveSummaryBullets", Self::bullet),
            conversation_outcome: line("conversationOutcome", LINE),
            sections: self.each(answer, "sections", Self::section),
            key_discussion_points: self.each(answer, "keyDiscussionPoints", Self::point),
            action_items: self.each(answer, "actionItems", Self::action_item),
            next_steps: self.each(answer, "nextSteps", Self::next_step),
            important_dates: self.each(answer, "importantDates", |claims, one| claims.date(&one)),
            decisions: statements("decisions"),
            commitments: statements("commitments"),
            open_questions: statements("openQuestions"),
            risks: statements("risks"),
            opportunities: statements("opportunities"),
            people_mentioned: self.each(answer, "peopleMentioned", Self::person),
            numbers_and_amounts: self.each(answer, "numbersAndAmounts", |claims, one| claims.amount(&one)),
            sentiment: one(answer.get("sentiment")).and_then(|one| self.sentiment(one)),
            tone: one(answer.get("tone")).map(|one| self.tone(one)),
            tags: self.each(answer, "tags", |claims, tag: String| claims.tag(&tag)),
            ..Analysis::default()
        }
    }

    /// The items of a list that can be read and may stand.
    fn each<T: DeserializeOwned, U>(&self, answer: &Value, key: &str, stand: impl Fn(&Self, T) -> Option<U>) -> Vec<U> {
        let items = answer.get(key).and_then(Value::as_array).into_iter().flatten().take(MOST_ITEMS);
        items.filter_map(|item| stand(self, serde_json::from_value(item.clone()).ok()?)).collect()
    }

    /// Those of `ids` that the part shows; nothing where none is.
    pub(super) fn cited(&self, ids: &[String]) -> Option<Cited> {
        if ids.len() > CITATIONS {
            return None;
        }
        let at: BTreeSet<usize> = ids.iter().filter_map(|id| self.ground.segment(id)).collect();
        let at: Vec<usize> = at.intersection(self.shown).copied().collect();
        if at.is_empty() || at.len() > CITED {
            return None;
        }
        let ids = at.iter().map(|at| self.ground.transcript.segments[*at].id.clone()).collect();
        Some(Cited { ids, held: self.ground.around(&at), at })
    }

    /// The id of a speaker who speaks around the cited segments, or is named there.
    pub(super) fn owner(&self, id: &str, cited: &Cited) -> Option<String> {
        let transcript = self.ground.transcript;
        let speaker = transcript.speakers.iter().find(|speaker| speaker.speaker_id == id)?;
        let near = cited.at.iter().flat_map(|at| at.saturating_sub(1)..=at + 1);
        let speaks = near.filter_map(|at| transcript.segments.get(at)).any(|segment| segment.speaker_id == id);
        let name = speaker.display_name.as_deref().unwrap_or_default();
        let named = name.split_whitespace().any(|part| cited.held.words.contains(&crate::redact::token::fold(part)));
        (speaks || named).then(|| id.to_owned())
    }

    fn statement(&self, one: Statement) -> Option<Statement> {
        let cited = self.cited(&one.source_segment_ids)?;
        Some(Statement {
            text: self.ground.text(&one.text, TEXT, &cited.held)?,
            owner_speaker: one.owner_speaker.and_then(|id| self.owner(&id, &cited)),
            due_date: one.due_date.and_then(|day| self.due(day, &cited)),
            source_segment_ids: cited.ids,
        })
    }

    fn next_step(&self, one: NextStep) -> Option<NextStep> {
        let cited = self.cited(&one.source_segment_ids)?;
        Some(NextStep {
            text: self.ground.text(&one.text, TEXT, &cited.held)?,
            owner_speaker: one.owner_speaker.and_then(|id| self.owner(&id, &cited)),
            when: one.when.and_then(|when| self.ground.quote(&when, LINE, &cited.at)),
            source_segment_ids: cited.ids,
        })
    }

    fn bullet(&self, one: Bullet) -> Option<Bullet> {
        let whole = self.ground.whole();
        let paragraphs = one.paragraphs.iter().take(MOST_ITEMS);
        let paragraphs: Vec<String> = paragraphs.filter_map(|text| self.ground.text(text, TEXT, whole)).collect();
        let begins = |segment: usize| super::prompt::clock(self.ground.transcript.segments[segment].start_seconds);
        let known = self.shown.iter().any(|segment| begins(*segment) == one.start_timestamp);
        (known && !paragraphs.is_empty()).then_some(())?;
        Some(Bullet {
            header: self.ground.text(&one.header, HEADER, whole)?,
            start_timestamp: one.start_timestamp,
            paragraphs,
        })
    }

    fn section(&self, one: Section) -> Option<Section> {
        let item = |item: SectionItem| {
            let cited = self.cited(&item.source_segment_ids)?;
            let text = self.ground.text(&item.text, TEXT, &cited.held)?;
            Some(SectionItem { text, importance: item.importance, source_segment_ids: cited.ids })
        };
        let items: Vec<SectionItem> = one.items.into_iter().take(MOST_ITEMS).filter_map(item).collect();
        (!items.is_empty()).then_some(())?;
        Some(Section {
            id: String::new(),
            title: self.ground.text(&one.title, HEADER, self.ground.whole())?,
            r#type: Ground::descriptor(&one.r#type).unwrap_or_else(|| "discussion".to_owned()),
            summary: one.summary.and_then(|text| self.ground.text(&text, TEXT, self.ground.whole())),
            items,
        })
    }

    fn point(&self, one: DiscussionPoint) -> Option<DiscussionPoint> {
        let cited = self.cited(&one.source_segment_ids)?;
        Some(DiscussionPoint {
            text: self.ground.text(&one.text, TEXT, &cited.held)?,
            topic: one.topic.and_then(|topic| self.tag(&topic)),
            phase: one.phase,
            importance: one.importance,
            source_segment_ids: cited.ids,
        })
    }

    /// The day and the time are those that this program reads in the words.
    fn date(&self, one: &ImportantDate) -> Option<ImportantDate> {
        let cited = self.cited(&one.source_segment_ids)?;
        let text = self.ground.quote(&one.text, LINE, &cited.at)?;
        let quoted = text.to_lowercase();
        let mentions = self.mentions(&cited).into_iter();
        let mut within = mentions.filter(|(words, _)| quoted.contains(words.as_str()) || words.contains(&quoted));
        let (_, mention) = within.next()?;
        Some(ImportantDate { text, date: mention.date, time: mention.time, source_segment_ids: cited.ids })
    }

    /// The value and the unit are those that this program reads in the words.
    fn amount(&self, one: &Amount) -> Option<Amount> {
        let cited = self.cited(&one.source_segment_ids)?;
        let quoted = self.ground.quote(&one.text, LINE, &cited.at)?.to_lowercase();
        let sentences = self.sentences.iter().filter(|sentence| cited.at.contains(&sentence.segment));
        let mut amounts = sentences.flat_map(|sentence| {
            amount::amounts(sentence).into_iter().map(|found| (sentence.quote(found.first, found.end), found))
        });
        let (text, found) = amounts.find(|(text, _)| {
            let text = text.to_lowercase();
            quoted.contains(&text) || text.contains(&quoted)
        })?;
        Some(Amount {
            text: text.to_owned(),
            value: found.value,
            unit: found.unit,
            kind: found.kind,
            source_segment_ids: cited.ids,
        })
    }

    fn person(&self, one: Person) -> Option<Person> {
        let cited = self.cited(&one.source_segment_ids)?;
        let name = self.ground.quote(&one.name, HEADER, &cited.at)?;
        let speaks = |id: &String| {
            self.ground.transcript.speakers.iter().any(|speaker| {
                speaker.speaker_id == *id
                    && speaker
                        .display_name
                        .as_ref()
                        .is_some_and(|known| known.to_lowercase().contains(&name.to_lowercase()))
            })
        };
        Some(Person { speaker_id: one.speaker_id.filter(|id| speaks(id)), source_segment_ids: cited.ids, name })
    }

    /// A subject in a word or a few, most of which were said.
    fn tag(&self, raw: &str) -> Option<String> {
        self.ground.text(raw, WORD, self.ground.whole()).filter(|tag| tag.split(' ').count() <= 3)
    }

    fn note(&self, raw: Option<String>, most: usize) -> Option<String> {
        self.ground.text(&raw?, most, self.ground.whole())
    }

    fn sentiment(&self, one: Sentiment) -> Option<Sentiment> {
        let party = |party: PartySentiment| PartySentiment { notes: self.note(party.notes, TEXT), ..party };
        let phase = |phase: PhaseSentiment| {
            let cited = self.cited(&phase.source_segment_ids)?;
            let note = phase.note.and_then(|note| self.ground.text(&note, TEXT, &cited.held));
            Some(PhaseSentiment { note, source_segment_ids: cited.ids, ..phase })
        };
        is_score(one.score).then(|| Sentiment {
            reason: self.note(one.reason, TEXT),
            user_sentiment: one.user_sentiment.filter(|party| is_score(party.score)).map(party),
            contact_sentiment: one.contact_sentiment.filter(|party| is_score(party.score)).map(party),
            progression: one.progression.into_iter().take(MOST_ITEMS).filter_map(phase).collect(),
            emotional_signals: descriptors(&one.emotional_signals),
            ..one
        })
    }

    fn tone(&self, one: Tone) -> Tone {
        let mut tone = Tone { descriptors: descriptors(&one.descriptors), notes: self.note(one.notes, TEXT), ..one };
        for party in [&mut tone.by_party.user_tone, &mut tone.by_party.contact_tone] {
            *party = party.as_deref().and_then(Ground::descriptor);
        }
        tone
    }
}

fn is_score(score: f64) -> bool {
    (-1.0..=1.0).contains(&score)
}

fn descriptors(words: &[String]) -> Vec<String> {
    words.iter().take(MOST_ITEMS).filter_map(|word| Ground::descriptor(word)).collect()
}

fn one<T: DeserializeOwned>(value: Option<&Value>) -> Option<T> {
    serde_json::from_value(value?.clone()).ok().flatten()
}
