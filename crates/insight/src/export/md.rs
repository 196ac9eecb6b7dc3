//! CommonMark: heading, facts, speakers, then a paragraph a segment. Names and text always follow other text on their
//! line, so only inline markup has to be escaped.

use std::io;

use speech::transcript::Transcript;

use super::{
    Style,
    about::{facts, role},
    digested, speaker_name, text,
};
use crate::digest;

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let title = if style.title.is_empty() { "Transcript" } else { style.title };
    writeln!(out, "# {}\n", escape(title))?;
    for (name, value) in facts(transcript) {
        writeln!(out, "- {name}: {}", escape(&value))?;
    }
    if !transcript.speakers.is_empty() {
        writeln!(out, "\n## Speakers\n")?;
    }
    for speaker in &transcript.speakers {
        let name = speaker.display_name.as_ref().unwrap_or(&speaker.label);
        writeln!(out, "- **{}**{}", escape(name), role(speaker.role))?;
    }
    writeln!(out, "\n## Conversation")?;
    let hours = text::needs_hours(transcript.duration_seconds);
    for segment in &transcript.segments {
        let (name, at) = (escape(&speaker_name(transcript, segment)), text::clock(segment.start_seconds, hours));
        writeln!(out, "\n**{name}** ({at}): {}", escape(&segment.text))?;
    }
    if transcript.segments.is_empty() {
        writeln!(out, "\n*Nothing was said.*")?;
    }
    digested(transcript, style, digest::Format::Markdown, out)
}

/// Backslashes before what CommonMark, its table and strike-through extensions, or mathematics would act upon inline.
fn escape(value: &str) -> String {
    let value = text::clean(value);
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|' | '$' | '#') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
