//! The sentences that show why a call was found. Its one invariant: the texts of one call are open at a time, and no more of them for one
//! answer than [`OPENED`] says.

use std::sync::Arc;

use api::search::{Highlight, SearchField, Snippet};
use insight::search::{query::Query, snippet::snippet};
use zeroize::Zeroizing;

use super::{Said, Text, texts};
use crate::{
    calls::CallDocument,
    error::{ApiError, ApiResult},
};

/// Snippets of a call.
const SNIPPETS: usize = 3;

/// Bytes of texts that are read for one answer: fifty calls of four hours. Calls behind that come with titles and notes alone.
pub(super) const OPENED: usize = 16 << 20;

/// The best snippets of a call: those with most of what was sought, then in the order of the call.
pub(super) async fn snippets(
    query: &Arc<Query>,
    document: CallDocument,
    language: Option<String>,
    kept: Option<Zeroizing<Vec<u8>>>,
) -> ApiResult<Vec<Snippet>> {
    let query = Arc::clone(query);
    let chosen = tokio::task::spawn_blocking(move || {
        let said = match kept {
            Some(json) => serde_json::from_slice(&json).map_err(|_| ApiError::internal("texts that are none"))?,
            None => Said { language: language.clone(), speakers: Vec::new(), segments: Vec::new() },
        };
        Ok(choose(&query, &texts(&document, &said, language.as_deref())))
    });
    chosen.await.map_err(|error| ApiError::internal(&error))?
}

fn choose(query: &Query, texts: &[Text<'_>]) -> Vec<Snippet> {
    let mut found: Vec<_> = texts
        .iter()
        .map(|text| (text, query.find(text.text, text.language)))
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
