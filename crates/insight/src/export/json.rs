//! The transcript document as it is, indented; `words` is empty unless it was asked for. DEL and the C1 control characters,
//! which JSON may hold and a terminal acts upon, are escaped like the others.

use std::io;

use serde::Serialize;
use speech::transcript::Transcript;

use super::Style;
use crate::{analysis::document::Analysis, talk::TalkAnalytics};

/// The transcript, and what was found in it where that was asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(flatten)]
    transcript: &'a Transcript,
    #[serde(skip_serializing_if = "Option::is_none")]
    analysis: Option<&'a Analysis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    talk_analytics: Option<&'a TalkAnalytics>,
}

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut brief = transcript.clone();
    if !style.words {
        brief.segments.iter_mut().for_each(|segment| segment.words.clear());
    }
    let document = Document { transcript: &brief, analysis: style.analysis, talk_analytics: style.talk };
    let json = serde_json::to_string_pretty(&document)?;
    let mut shown = 0;
    // They can only stand within strings.
    for (at, control) in json.match_indices(|c| matches!(c, '\u{7f}'..='\u{9f}')) {
        let code = control.chars().next().map_or(0, u32::from);
        write!(out, "{}\\u{code:04x}", &json[shown..at])?;
        shown = at + control.len();
    }
    writeln!(out, "{}", &json[shown..])
}
