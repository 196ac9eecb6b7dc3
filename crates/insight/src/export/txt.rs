//! Plain text: `[00:06.7] Speaker 1: …`, one line a segment; nothing at all when nothing was said. The digest follows where there is one.

use std::io;

use speech::transcript::Transcript;

use super::{Style, digested, speaker_name, text};
use crate::digest;

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let hours = text::needs_hours(transcript.duration_seconds);
    for segment in &transcript.segments {
        let at = text::clock(segment.start_seconds, hours);
        writeln!(out, "[{at}] {}: {}", speaker_name(transcript, segment), text::clean(&segment.text))?;
    }
    digested(transcript, style, digest::Format::Plain, out)
}
