//! Search: what is asked, and what was found.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::calls::{CallStatus, CallSummary};

/// Calls of a page when the caller does not say.
pub const DEFAULT_HITS: u16 = 10;

/// The most calls of a page: the transcript of each is opened for it.
pub const MAX_HITS: u16 = 50;

/// What to search for.
#[derive(Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Words, all of which a call has to hold; `"a phrase"`; `-without`. At most 16 words.
    #[param(min_length = 1, max_length = 500)]
    pub q: String,
    /// The most calls of a page, 1 to 50; 10 when left out.
    #[serde(default)]
    #[param(minimum = 1, maximum = 50)]
    pub limit: Option<u16>,
    /// `nextCursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Only calls that are this far.
    #[serde(default)]
    pub status: Option<CallStatus>,
    /// Only calls that are linked to this contact.
    #[serde(default)]
    pub contact_id: Option<Uuid>,
    /// Only calls uploaded at this time or later.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// Only calls uploaded before this time.
    #[serde(default)]
    pub to: Option<DateTime<Utc>>,
}

/// A call that was found.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchHit {
    /// What a list shows of it.
    #[serde(flatten)]
    pub call: CallSummary,
    /// How well it answers the query; comparable within one search.
    pub score: f64,
    /// Whether it has the words that were sought, or says the same in others.
    pub matched: Matched,
    /// Where it answers it: at most three places, the best first.
    pub snippets: Vec<Snippet>,
}

/// What of a query a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Matched {
    /// Its words.
    Words,
    /// What it means.
    Meaning,
    /// Both.
    Both,
}

/// A page of what a search found.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchPage {
    /// In the order of the search.
    pub items: Vec<SearchHit>,
    /// Names the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Words that no call has, and what was sought in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrected: Vec<Corrected>,
}

/// A word that was taken to be typed wrong.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Corrected {
    /// As it was typed.
    pub from: String,
    /// The nearest word of the calls that the caller may see, without accents.
    pub to: String,
}

/// What of a call a snippet is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SearchField {
    /// What was said.
    Transcript,
    /// The name of a speaker.
    Speaker,
    /// The title.
    Title,
    /// The other party's name.
    ContactName,
    /// The other party's organization.
    Organization,
    /// The summary that somebody wrote.
    Summary,
    /// Notes.
    Notes,
    /// What the analysis says in other words than the transcript.
    Analysis,
    /// An action item: its title and what is noted there.
    ActionItem,
}

/// A sentence or two in which what was sought is found.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snippet {
    /// What it is from.
    pub field: SearchField,
    /// The segment of the transcript.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_id: Option<String>,
    /// When the segment begins, in seconds from the start of the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_seconds: Option<f64>,
    /// Some 240 characters at most; "…" where the text goes on.
    pub text: String,
    /// The words that were sought, in order.
    pub highlights: Vec<Highlight>,
}

/// A word in a snippet, in UTF-16 code units, as JavaScript, Java and Swift count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    /// Its first unit.
    pub start: usize,
    /// The unit behind its last.
    pub end: usize,
}

unprinted!(SearchQuery SearchHit SearchPage Corrected Snippet);
