//! The analysis of a call as it is stored and served (`schemaVersion` 3). Its one invariant: whatever claims something cites segments;
//! what has no evidence is absent.

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use speech::transcript::QualityWarning;

use super::mood::document::{Sentiment, Tone};
use super::task::document::ActionItem;

/// The version of the analysis document that this crate writes.
pub const SCHEMA_VERSION: u32 = 3;

/// What was found in a call.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct Analysis {
    /// Always [`SCHEMA_VERSION`] when written by this crate.
    pub schema_version: u32,
    /// What made it; absent where an older program did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// What kind of call it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_type: Option<CallType>,
    /// A short title in words of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_title: Option<String>,
    /// The sentence that says most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_line_summary: Option<String>,
    /// Two to four sentences, quoted in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executive_summary: Option<String>,
    /// Three to ten parts of the call in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executive_summary_bullets: Vec<Bullet>,
    /// How it ended; absent from the local engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_outcome: Option<String>,
    /// `oneLineSummary` again, for older clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_summary: Option<String>,
    /// `executiveSummary` again, for older clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed_summary: Option<String>,
    /// Texts of high importance, for older clients: of items of sections, or of discussion points where there are no sections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_points: Vec<String>,
    /// What was said, by subject; absent from the local engine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
    /// What the call was about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_discussion_points: Vec<DiscussionPoint>,
    /// Tasks worth tracking.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub action_items: Vec<ActionItem>,
    /// What happens next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next_steps: Vec<NextStep>,
    /// Days that were spoken of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub important_dates: Vec<ImportantDate>,
    /// What was agreed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Statement>,
    /// What somebody promised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<Statement>,
    /// Questions without an answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_questions: Vec<Statement>,
    /// What may go wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<Statement>,
    /// What may come of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opportunities: Vec<Statement>,
    /// Who was spoken of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people_mentioned: Vec<Person>,
    /// Sums, shares and quantities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers_and_amounts: Vec<Amount>,
    /// How it felt; absent in languages without a lexicon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
    /// How it sounded; absent in languages without word lists for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// Subjects in one word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why to read this with care; the transcript's own warnings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quality_warnings: Vec<QualityWarning>,
    /// A person corrected the transcript since: what rested on that is taken out, and what would be found now is not in it yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// What another version of the program wrote and this one does not know: it passes through (`rest.rs`).
    #[serde(skip)]
    pub rest: Map<String, Value>,
}

impl Analysis {
    /// What it says in sentences, but for its action items, in no order that matters.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<&String> =
            [&self.suggested_title, &self.one_line_summary, &self.executive_summary, &self.conversation_outcome]
                .into_iter()
                .flatten()
                .chain(&self.key_points)
                .chain(&self.tags)
                .collect();
        for bullet in &self.executive_summary_bullets {
            texts.push(&bullet.header);
            texts.extend(&bullet.paragraphs);
        }
        for section in &self.sections {
            texts.push(&section.title);
            texts.extend(&section.summary);
            texts.extend(section.items.iter().map(|item| &item.text));
        }
        texts.extend(self.key_discussion_points.iter().map(|point| &point.text));
        texts.extend(self.next_steps.iter().map(|step| &step.text));
        for statements in [&self.decisions, &self.commitments, &self.open_questions, &self.risks, &self.opportunities] {
            texts.extend(statements.iter().map(|statement| &statement.text));
        }
        texts.into_iter().map(String::as_str).collect()
    }
}

/// A part of the call.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bullet {
    /// Its subjects.
    pub header: String,
    /// Where it begins, as `MM:SS`; minutes go on past 59.
    pub start_timestamp: String,
    /// What was said, quoted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paragraphs: Vec<String>,
}

/// What was said about a subject.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Section {
    /// `section_1`, `section_2` …
    pub id: String,
    /// The subject.
    pub title: String,
    /// `discussion` where the engine has no other word.
    pub r#type: String,
    /// The sentence that says most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What was said, quoted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<SectionItem>,
}

/// One thing that was said.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SectionItem {
    /// Quoted.
    pub text: String,
    /// How much it weighs.
    pub importance: Importance,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// A point of the call.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscussionPoint {
    /// Quoted.
    pub text: String,
    /// Its subject in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// When in the call it came.
    pub phase: Phase,
    /// How much it weighs.
    pub importance: Importance,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// Something that was said.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Statement {
    /// Quoted.
    pub text: String,
    /// The `speakerId` of who said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_speaker: Option<String>,
    /// By when, in a commitment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// Somebody who was spoken of.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    /// As it was said.
    pub name: String,
    /// Who they are, where they speak themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaker_id: Option<String>,
    /// Where they were named.
    pub source_segment_ids: Vec<String>,
}

/// A number that counts.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Amount {
    /// As it was said.
    pub text: String,
    /// The number.
    pub value: f64,
    /// Of what: the currency or the thing counted as it was said, or `%`.
    pub unit: String,
    /// What it is.
    pub kind: AmountKind,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// A day that was spoken of.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImportantDate {
    /// As it was said.
    pub text: String,
    /// The day; absent where it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// The time of day, where one was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<NaiveTime>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// What happens next.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NextStep {
    /// Quoted.
    pub text: String,
    /// The `speakerId` of who does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_speaker: Option<String>,
    /// When, as it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// What makes analyses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Rules and word lists.
    Local,
    /// A language model, held to the transcript.
    Llm,
}

/// What kind of call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CallType {
    Personal,
    Business,
    Sales,
    Support,
    Interview,
    Finance,
    Healthcare,
    Legal,
    Education,
    #[default]
    Unknown,
    Other,
}

/// How much something weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Importance {
    High,
    #[default]
    Medium,
    Low,
}

/// When in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Phase {
    Opening,
    #[default]
    Middle,
    Closing,
    Followup,
}

/// What a number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum AmountKind {
    Money,
    Percent,
    #[default]
    Quantity,
}

speech::unprinted!(Analysis Bullet Section SectionItem DiscussionPoint Statement Person Amount ImportantDate NextStep);
