//! NIST Rich Transcription Time Marked, RT-09 evaluation plan, appendix A: one `SPEAKER` record a segment, ten fields
//! separated by spaces, times in seconds. Segments without length are left out, as scoring tools reject them.

use std::io;

use speech::transcript::Transcript;

use super::{Style, text::millis};

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let file = field(style.title, "recording");
    for segment in &transcript.segments {
        let start = millis(segment.start_seconds);
        let length = millis(segment.end_seconds).saturating_sub(start);
        if length > 0 {
            let (start, length) = (decimal(start), decimal(length));
            let speaker = field(&segment.speaker_id, "<NA>");
            writeln!(out, "SPEAKER {file} 1 {start} {length} <NA> <NA> {speaker} <NA> <NA>")?;
        }
    }
    Ok(())
}

/// A field cannot hold white space nor be empty.
fn field(value: &str, otherwise: &str) -> String {
    let value = super::text::clean(value).replace(char::is_whitespace, "_");
    if value.is_empty() { otherwise.to_owned() } else { value }
}

fn decimal(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
