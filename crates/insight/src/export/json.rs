//! The transcript document as it is, indented; `words` is empty unless it was asked for. DEL and the C1 control characters,
//! which JSON may hold and a terminal acts upon, are escaped like the others.

use std::io;

use speech::transcript::Transcript;

use super::Style;

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let json = if style.words {
        serde_json::to_string_pretty(transcript)?
    } else {
        let mut brief = transcript.clone();
        brief.segments.iter_mut().for_each(|segment| segment.words.clear());
        serde_json::to_string_pretty(&brief)?
    };
    let mut shown = 0;
    // They can only stand within strings.
    for (at, control) in json.match_indices(|c| matches!(c, '\u{7f}'..='\u{9f}')) {
        let code = control.chars().next().map_or(0, u32::from);
        write!(out, "{}\\u{code:04x}", &json[shown..at])?;
        shown = at + control.len();
    }
    writeln!(out, "{}", &json[shown..])
}
