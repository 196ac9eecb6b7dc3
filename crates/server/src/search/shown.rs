//! The sentences that show why a call was found. Its one invariant: an answer opens the texts of one call more than fit into [`OPENED`],
//! at most.

use std::collections::HashMap;

use api::search::{Highlight, Matched, SearchField, SearchHit, Snippet};
use insight::search::{finder::Finder, memory::Mark, snippet::snippet};
use uuid::Uuid;

use super::{
    Said, Text,
    answer::Why,
    remembered::{self, passages_of},
    texts,
};
use crate::{
    artifacts::{Artifact, Sealed},
    calls::{CallDocument, store::Row},
    error::{ApiError, ApiResult},
    vault::key::Key,
};

/// Snippets of a call.
const SNIPPETS: usize = 3;

/// Bytes of texts that are opened for one answer: fifty calls of four hours. Calls behind that come with titles and notes alone.
pub(super) const OPENED: usize = 16 << 20;

/// What is read of a call that was found.
pub(super) struct Opened {
    pub(super) score: f64,
    pub(super) row: Row,
    pub(super) document: CallDocument,
    /// [`Said`] as JSON; `None` where no more is opened.
    pub(super) texts: Option<(Sealed, Key)>,
}

impl Opened {
    /// The call with its best snippets: those with most of what was sought, then in the order of the call. On the calling thread, which
    /// is to be one that may be blocked.
    pub(super) fn hit(self, sought: &mut Finder<'_>, why: &HashMap<Uuid, Why>) -> ApiResult<SearchHit> {
        let Self { score, row, document, texts: kept } = self;
        let language = row.language();
        let said = match kept {
            Some((sealed, key)) => serde_json::from_slice(&sealed.open(Artifact::SearchTexts, &key)?)
                .map_err(|_| ApiError::internal("texts that are none"))?,
            None => Said { language: language.map(str::to_owned), ..Said::default() },
        };
        let texts = texts(&document, &said, language);
        let mut snippets = choose(sought, &texts);
        let why = why.get(&row.id);
        if let Some(meant) = why.and_then(|why| why.passage).and_then(|passage| meant(&texts, passage)) {
            // Behind the words, where there are any in that text.
            if snippets.iter().all(|one| one.segment_id != meant.segment_id || one.field != meant.field) {
                snippets.truncate(SNIPPETS - 1);
                snippets.push(meant);
            }
        }
        let matched = why.map_or(Matched::Words, |why| why.matched);
        Ok(SearchHit { call: row.summary(&document)?, score, matched, snippets })
    }
}

/// The passage that says what was sought, as it is now; `None` where it was changed since it was found.
fn meant(texts: &[Text<'_>], (number, mark): (usize, Mark)) -> Option<Snippet> {
    let passage =
        passages_of(texts).into_iter().nth(number).filter(|passage| remembered::mark(&passage.text) == mark)?;
    let text = texts.get(passage.first)?;
    Some(shown(&Text { text: &passage.text, ..*text }, &[]))
}

fn choose(sought: &mut Finder<'_>, texts: &[Text<'_>]) -> Vec<Snippet> {
    let mut found: Vec<_> = texts
        .iter()
        .map(|text| (text, sought.find(text.text, text.language)))
        .filter(|(_, (terms, _))| *terms > 0)
        .collect();
    // Stable: equals stay in order.
    found.sort_by_key(|(_, (terms, _))| std::cmp::Reverse(*terms));
    found.truncate(SNIPPETS);
    found.into_iter().map(|(text, (_, places))| shown(text, &places)).collect()
}

fn shown(text: &Text<'_>, places: &[std::ops::Range<usize>]) -> Snippet {
    let piece = snippet(text.text, places);
    let units = |at: usize| piece.text[..at].encode_utf16().count();
    let highlights =
        piece.marked.iter().map(|place| Highlight { start: units(place.start), end: units(place.end) }).collect();
    let segment = text.segment.filter(|_| text.field == SearchField::Transcript);
    Snippet {
        field: text.field,
        segment_id: segment.map(|segment| segment.id.clone()),
        start_seconds: segment.map(|segment| segment.start_seconds),
        text: piece.text,
        highlights,
    }
}
