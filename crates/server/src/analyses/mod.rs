//! Analyses as people read them: the document, its digest, and the wish for a new one. Its one invariant: what a person says of a call stands
//! before what was found in it.
//!
//! Workers make them: `worker/analyze.rs`; `correct` follows what people correct in transcripts.

pub(crate) mod correct;
pub mod routes;
pub(crate) mod store;

use insight::{
    analysis::document::Analysis,
    digest::{self, Format, Of, Task},
};

use crate::calls::CallDocument;

/// The digest of a call: its analysis, under the title and with the summary that a person gave it, if any, and with its tasks as people left
/// them.
fn digest(analysis: Analysis, said: &CallDocument, with: (Of<'_>, &[Task]), format: Format) -> String {
    let analysis = Analysis {
        suggested_title: said.title.clone().or(analysis.suggested_title),
        executive_summary: said.summary.clone().or(analysis.executive_summary),
        ..analysis
    };
    digest::digest_with(&analysis, with, format)
}
