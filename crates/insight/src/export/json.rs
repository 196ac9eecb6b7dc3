//! The transcript document as it is, indented; `words` is empty unless it was asked for.

use std::io;

use speech::transcript::Transcript;

use super::Style;

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    if style.words {
        serde_json::to_writer_pretty(&mut *out, transcript)?;
    } else {
        let mut brief = transcript.clone();
        brief.segments.iter_mut().for_each(|segment| segment.words.clear());
        serde_json::to_writer_pretty(&mut *out, &brief)?;
    }
    out.write_all(b"\n")
}
