//! The analysis of a call as the API shows it. An engine writes the document; these types describe it, and a test compares the two. What
//! claims something says where it was said: `sourceSegmentIds`.

pub mod mood;
pub mod task;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::{
    mood::{Sentiment, Tone},
    task::FoundActionItem,
};

/// What was found in a call. A field without evidence is left out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Analysis {
    /// 3.
    pub schema_version: u32,
    /// `local`, or `llm` for a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// `personal`, `business`, `sales`, `support`, `interview`, `finance`, `healthcare`, `legal`, `education`, `unknown` or `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_type: Option<String>,
    /// A short title in words of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_title: Option<String>,
    /// The sentence that says most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_line_summary: Option<String>,
    /// Two to four sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executive_summary: Option<String>,
    /// Parts of the call in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executive_summary_bullets: Vec<SummaryBullet>,
    /// `oneLineSummary`, for older clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_summary: Option<String>,
    /// `executiveSummary`, for older clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed_summary: Option<String>,
    /// Texts of high importance, for older clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_points: Vec<String>,
    /// What came of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_outcome: Option<String>,
    /// What was said, by subject.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<AnalysisSection>,
    /// What the call was about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_discussion_points: Vec<DiscussionPoint>,
    /// Tasks worth tracking, as they were found; what became of them since is at the call's action items.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub action_items: Vec<FoundActionItem>,
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
    pub people_mentioned: Vec<PersonMentioned>,
    /// Sums, shares and quantities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers_and_amounts: Vec<AmountMentioned>,
    /// How it felt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
    /// How it sounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// Subjects in a word each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why to read this with care, as codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quality_warnings: Vec<String>,
    /// A person corrected the transcript since a language model made this: what rested on that is taken out; `reanalyze` makes it anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// A part of the call.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryBullet {
    /// Its subjects.
    pub header: String,
    /// Where it begins, as `MM:SS`.
    pub start_timestamp: String,
    /// What was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paragraphs: Vec<String>,
}

/// What was said about a subject.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSection {
    /// `section_1`, `section_2` …
    pub id: String,
    /// The subject.
    pub title: String,
    /// What kind of section it is.
    pub r#type: String,
    /// What it comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<SectionItem>,
}

/// One thing that was said.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionItem {
    /// What.
    pub text: String,
    /// `high`, `medium` or `low`.
    pub importance: String,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// A point of the call.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscussionPoint {
    /// What was said.
    pub text: String,
    /// Its subject in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `opening`, `middle`, `closing` or `followup`.
    pub phase: String,
    /// `high`, `medium` or `low`.
    pub importance: String,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// Something that was said.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// What.
    pub text: String,
    /// The `speakerId` of who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_speaker: Option<String>,
    /// By when, of a commitment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<NaiveDate>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// What happens next.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// What.
    pub text: String,
    /// The `speakerId` of who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_speaker: Option<String>,
    /// When, as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// A day that was spoken of.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportantDate {
    /// As it was said.
    pub text: String,
    /// The day, where it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// The time of day as `HH:MM:SS`, where one was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// Somebody who was spoken of.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonMentioned {
    /// As it was said.
    pub name: String,
    /// Who they are, where they speak themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker_id: Option<String>,
    /// Where they were named.
    pub source_segment_ids: Vec<String>,
}

/// A number that counts.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AmountMentioned {
    /// As it was said.
    pub text: String,
    /// The number.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// `money`, `percent` or `quantity`.
    pub kind: String,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// In what a digest is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigestFormat {
    /// Plain text; `plain` is the same.
    #[default]
    #[serde(alias = "plain")]
    Text,
    /// Text with the marks of WhatsApp.
    Whatsapp,
    /// A fragment of HTML, for the body of a mail.
    Email,
    /// The same fragment.
    Html,
    /// CommonMark.
    Markdown,
}

/// Which digest.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DigestQuery {
    /// `text` when left out.
    #[param(inline)]
    pub format: DigestFormat,
}

unprinted!(Analysis SummaryBullet AnalysisSection SectionItem DiscussionPoint Statement NextStep ImportantDate PersonMentioned);
unprinted!(AmountMentioned);
