//! Search over words that the database does not know (`docs/adr/024-search.md`): a word is looked up by its HMAC, calls are ranked and
//! phrases are checked here, and the sentences that an answer shows are opened for that answer. Beside that, calls are found by what they
//! mean (`docs/adr/027-meaning.md`): `answer` joins both.
//!
//! Its one invariant: what is indexed of a call is what its sealed documents say, in the transaction that stores them; a call whose
//! postings could not be made has no `search_words`, and one of other rules another `search_version`, by which [`index::catch_up`] finds it.

mod answer;
mod corrected;
pub mod find;
pub mod index;
mod kept;
mod meaning;
pub mod memories;
pub mod model;
mod phrase;
pub mod remembered;
pub mod routes;
mod shown;
pub(crate) mod store;
mod tokens;

use api::search::SearchField;
use insight::{analysis::document::Analysis, search::postings::Weight};
use serde::{Deserialize, Serialize};

use crate::calls::CallDocument;

/// What searches share: the model, and what is remembered of calls.
#[derive(Default)]
pub struct Search {
    /// Says what texts mean.
    pub model: model::Model,
    /// What was opened for searches.
    pub memories: memories::Memories,
}

/// What search reads and keeps of a transcript: its words have no times here, which are most of its bytes.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    language: Option<String>,
    #[serde(default)]
    speakers: Vec<Speaker>,
    segments: Vec<Segment>,
    /// What an analysis says in other words than the transcript.
    #[serde(default)]
    found: Vec<String>,
    /// Action items: titles and notes.
    #[serde(default)]
    tasks: Vec<String>,
    /// Whether the transcript was corrected under a legal hold, which keeps title and summary of the analysis as they were.
    #[serde(default)]
    is_kept: bool,
}

impl Said {
    /// Takes down what was made of the call. What the local engine quotes is found where it was said.
    fn add(&mut self, analysis: &Analysis, tasks: Vec<String>) {
        let is_said = |text: &str| self.segments.iter().any(|segment| segment.text.contains(text));
        let mut found: Vec<String> =
            analysis.texts().into_iter().filter(|text| !is_said(text)).map(str::to_owned).collect();
        found.sort_unstable();
        found.dedup();
        (self.found, self.tasks) = (found, tasks);
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Speaker {
    display_name: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    id: String,
    start_seconds: f64,
    text: String,
    language: Option<String>,
}

/// A text of a call.
struct Text<'a> {
    field: SearchField,
    text: &'a str,
    language: Option<&'a str>,
    segment: Option<&'a Segment>,
}

impl Text<'_> {
    fn weight(&self) -> Weight {
        match self.field {
            SearchField::Title | SearchField::ContactName | SearchField::Organization => Weight::Title,
            SearchField::Transcript | SearchField::Speaker | SearchField::Summary | SearchField::Notes => Weight::Said,
            SearchField::Analysis | SearchField::ActionItem => Weight::Said,
        }
    }
}

/// Everything that a call is found by, in a fixed order: title and summary are those that lists show, but for those of an analysis that a legal
/// hold keeps. What people write is taken to be in the language of the call.
fn texts<'a>(document: &'a CallDocument, said: &'a Said, language: Option<&'a str>) -> Vec<Text<'a>> {
    let spoken = said.language.as_deref().or(language);
    let (title, summary) = if said.is_kept {
        (document.title.as_ref(), document.summary.as_ref())
    } else {
        (document.shown_title(), document.shown_summary())
    };
    let written = [
        (SearchField::Title, title),
        (SearchField::ContactName, document.contact_name.as_ref()),
        (SearchField::Organization, document.organization.as_ref()),
        (SearchField::Summary, summary),
        (SearchField::Notes, document.notes.as_ref()),
    ];
    let written = written.into_iter().filter_map(|(field, text)| Some((field, text?.as_str())));
    let names =
        said.speakers.iter().filter_map(|speaker| Some((SearchField::Speaker, speaker.display_name.as_deref()?)));
    let about = written.chain(names).map(|(field, text)| Text { field, text, language: spoken, segment: None });
    let segments = said.segments.iter().map(|segment| Text {
        field: SearchField::Transcript,
        text: &segment.text,
        language: segment.language.as_deref().or(spoken),
        segment: Some(segment),
    });
    let made = |field, texts: &'a [String]| texts.iter().map(move |text| (field, text.as_str()));
    // Behind the segments: what goes past the bound of words is said in them as well.
    let made = made(SearchField::ActionItem, &said.tasks).chain(made(SearchField::Analysis, &said.found));
    let made = made.map(|(field, text)| Text { field, text, language: spoken, segment: None });
    about.chain(segments).chain(made).collect()
}
