//! What a call was about, by rules and word lists alone: no network, no model, the same every time. Its one invariant: everything it says
//! was said, and cites the segments in which it was; what it cannot ground stays absent. How it decides: `docs/adr/020-local-analysis.md`.
//!
//! Tasks, decisions, risks, people, call type, sentiment and tone are read in English; days, amounts and summaries in English, German,
//! French, Spanish and Portuguese. A segment in another language, or in none that is known, is left out.

mod amount;
pub mod corrected;
pub mod document;
mod lexicon;
pub mod llm;
pub mod mood;
mod people;
mod rest;
mod sentence;
mod statement;
mod summary;
pub mod task;
mod topic;
mod when;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rust_stemmers::{Algorithm, Stemmer};
use speech::transcript::Transcript;

use self::document::{Analysis, Engine, ImportantDate, SCHEMA_VERSION};
use self::sentence::{Sentence, sentences};
use self::task::Tasks;
use self::when::{Mention, mentions, moments};
use crate::facts::Facts;
use crate::redact::{numeral::Language, token::fold};

/// Analyses `transcript`, which may be redacted. It takes time in proportion to its length, and to the square of the number of tasks.
#[must_use]
pub fn analyze(transcript: &Transcript, facts: &Facts) -> Analysis {
    let call = Call::new(transcript, facts);
    let tasks = Tasks::of(&call);
    let decisions = statement::decisions(&call);
    let weighty = tasks.sentences();
    let summary = summary::summary(&call, &weighty);
    let action_items = tasks.action_items(&call);
    let topics = topic::topics(&call);
    let sentiment = mood::sentiment(&call);
    let one_line_summary = summary.best.clone();
    Analysis {
        schema_version: SCHEMA_VERSION,
        engine: Some(Engine::Local),
        call_type: topic::call_type(&call),
        suggested_title: topic::title(&call, &topics),
        short_summary: one_line_summary.clone(),
        detailed_summary: summary.text.clone(),
        one_line_summary,
        executive_summary: summary.text,
        executive_summary_bullets: summary.bullets,
        conversation_outcome: None,
        key_points: summary
            .points
            .iter()
            .filter(|point| point.importance == document::Importance::High)
            .map(|point| point.text.clone())
            .collect(),
        sections: Vec::new(),
        key_discussion_points: summary.points,
        commitments: tasks.commitments(&call),
        next_steps: tasks.next_steps(&call),
        action_items,
        important_dates: dates(&call),
        decisions,
        open_questions: statement::open_questions(&call),
        risks: statement::risks(&call),
        opportunities: statement::opportunities(&call),
        people_mentioned: people::people(&call),
        numbers_and_amounts: numbers(&call),
        tone: sentiment.as_ref().map(|sentiment| mood::tone(&call, sentiment)),
        sentiment,
        tags: topics,
        quality_warnings: transcript.pipeline.warnings.clone(),
        stale: false,
        rest: serde_json::Map::new(),
    }
}

/// A call taken apart.
struct Call<'t> {
    transcript: &'t Transcript,
    facts: &'t Facts,
    sentences: Vec<Sentence<'t>>,
    /// The days of each sentence.
    mentions: Vec<Vec<Mention>>,
    /// The words of each sentence that say when, with those that lead to them.
    when: Vec<BTreeSet<usize>>,
    stemmers: [Stemmer; 5],
    /// The parties' names, which are no subject of a call.
    names: BTreeSet<String>,
    /// Words that are said in lower case somewhere, and so are no names.
    common: BTreeSet<String>,
}

impl<'t> Call<'t> {
    fn new(transcript: &'t Transcript, facts: &'t Facts) -> Self {
        let sentences = sentences(transcript);
        let today = facts.recorded_at.map(|at| at.date_naive());
        let mentions: Vec<Vec<Mention>> = sentences.iter().map(|sentence| mentions(sentence, today)).collect();
        let when = sentences.iter().zip(&mentions).map(|(sentence, mentions)| when_words(sentence, mentions)).collect();
        let known = [&facts.user_name, &facts.contact_name].into_iter().flatten();
        let names = known.flat_map(|name| name.split_whitespace()).map(fold).collect();
        let words = sentences.iter().flat_map(|sentence| &sentence.words);
        let common = words.filter(|word| !word.capital).map(|word| word.key.clone()).collect();
        let algorithms =
            [Algorithm::English, Algorithm::German, Algorithm::French, Algorithm::Spanish, Algorithm::Portuguese];
        Self { transcript, facts, sentences, mentions, when, stemmers: algorithms.map(Stemmer::create), names, common }
    }

    fn today(&self) -> Option<NaiveDate> {
        self.facts.recorded_at.map(|at| at.date_naive())
    }

    /// The first day among the words `first..end` of a sentence that is not over and not denied: "not on the tenth, on the twelfth".
    fn due(&self, at: usize, first: usize, end: usize) -> Option<Mention> {
        let ahead = |mention: &&Mention| {
            let is_ahead = mention.date.is_some() && mention.date >= self.today();
            (first..end).contains(&mention.first) && is_ahead && !self.is_denied(at, mention.first)
        };
        self.mentions[at].iter().find(ahead).copied()
    }

    fn is_denied(&self, at: usize, word: usize) -> bool {
        let sentence = &self.sentences[at];
        word > 0 && sentence.lexicon().holds("not", sentence.key(word - 1))
    }

    fn is_when(&self, at: usize, word: usize) -> bool {
        self.when[at].contains(&word)
    }

    /// The stem of a word that carries meaning; none of numbers, placeholders and the like.
    fn stem(&self, at: usize, word: usize) -> Option<String> {
        let sentence = &self.sentences[at];
        let one = sentence.words.get(word)?;
        let counted = sentence.numbers.iter().any(|number| (number.first..number.first + number.words).contains(&word));
        let plain = one.placeholder.is_none()
            && one.key.chars().count() >= 3
            && one.key.chars().any(char::is_alphabetic)
            && !self.names.contains(&one.key)
            && !sentence.lexicon().holds("stop", &one.key);
        let stemmer = &self.stemmers[match sentence.language {
            Language::En => 0,
            Language::De => 1,
            Language::Fr => 2,
            Language::Es => 3,
            Language::Pt => 4,
        }];
        (plain && !counted).then(|| stemmer.stem(one.key.trim_end_matches("'s")).into_owned())
    }

    fn segment_id(&self, at: usize) -> &str {
        &self.transcript.segments[self.sentences[at].segment].id
    }

    /// The segments of sentences, in order, each once.
    fn cite(&self, sentences: impl IntoIterator<Item = usize>) -> Vec<String> {
        let segments: BTreeSet<usize> = sentences.into_iter().map(|at| self.sentences[at].segment).collect();
        segments.into_iter().map(|segment| self.transcript.segments[segment].id.clone()).collect()
    }

    fn speaker_id(&self, speaker: usize) -> Option<String> {
        self.transcript.speakers.get(speaker).map(|speaker| speaker.speaker_id.clone())
    }

    /// The other one of two speakers.
    fn other(&self, speaker: usize) -> Option<usize> {
        (self.transcript.speakers.len() == 2 && speaker < 2).then(|| 1 - speaker)
    }
}

/// Words that say when, and those in front of them that lead to nothing else ("by", "on the").
fn when_words(sentence: &Sentence<'_>, mentions: &[Mention]) -> BTreeSet<usize> {
    let ranges = mentions.iter().flat_map(|mention| [(mention.first, mention.end), mention.time_at]);
    let mut words = BTreeSet::new();
    for (first, end) in ranges.chain(moments(sentence)).filter(|(first, end)| first < end) {
        let leads = |at: &usize| sentence.lexicon().holds("loose", sentence.key(*at));
        words.extend((0..first).rev().take_while(leads));
        words.extend(first..end);
    }
    words
}

fn dates(call: &Call<'_>) -> Vec<ImportantDate> {
    let mut dates: Vec<ImportantDate> = Vec::new();
    for (at, mentions) in call.mentions.iter().enumerate() {
        for mention in mentions {
            let text = call.sentences[at].quote(mention.first, mention.end);
            let id = call.segment_id(at).to_owned();
            let again = dates.iter_mut().find(|date| match mention.date {
                Some(day) => date.date == Some(day) && (date.time == mention.time || mention.time.is_none()),
                None => date.text.eq_ignore_ascii_case(text),
            });
            match again {
                Some(date) if date.source_segment_ids.contains(&id) => {}
                Some(date) => date.source_segment_ids.push(id),
                None => dates.push(ImportantDate {
                    text: text.to_owned(),
                    date: mention.date,
                    time: mention.time,
                    source_segment_ids: vec![id],
                }),
            }
        }
    }
    dates
}

fn numbers(call: &Call<'_>) -> Vec<document::Amount> {
    let mut amounts: Vec<document::Amount> = Vec::new();
    for (at, sentence) in call.sentences.iter().enumerate() {
        for found in amount::amounts(sentence) {
            let id = call.segment_id(at).to_owned();
            let same = amounts.iter_mut().find(|one| one.value == found.value && one.unit == found.unit);
            match same {
                Some(one) if one.source_segment_ids.contains(&id) => {}
                Some(one) => one.source_segment_ids.push(id),
                None => amounts.push(document::Amount {
                    text: sentence.quote(found.first, found.end).to_owned(),
                    value: found.value,
                    unit: found.unit,
                    kind: found.kind,
                    source_segment_ids: vec![id],
                }),
            }
        }
    }
    amounts
}
