//! NIST Rich Transcription Time Marked, RT-09 evaluation plan, appendix A: one `SPEAKER` record a turn of the
//! diarization, or a segment where turns are not known; ten fields
//! separated by spaces, times in seconds. Segments without length are left out, as scoring tools reject them.

use std::io;

use speech::{normalize::source_speaker_id, transcript::Transcript};

use super::{Style, text::millis};

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let file = field(style.title, "recording");
    let mut record = |start: f64, end: f64, speaker: &str| {
        let (start, end) = (millis(start), millis(end));
        let length = end.saturating_sub(start);
        if length == 0 {
            return Ok(());
        }
        let (start, length, speaker) = (decimal(start), decimal(length), field(speaker, "<NA>"));
        writeln!(out, "SPEAKER {file} 1 {start} {length} <NA> <NA> {speaker} <NA> <NA>")
    };
    if style.turns.is_empty() {
        return transcript.segments.iter().try_for_each(|s| record(s.start_seconds, s.end_seconds, &s.speaker_id));
    }
    let channels = transcript.pipeline.diarization_provider == "channels";
    style.turns.iter().try_for_each(|turn| {
        let source = source_speaker_id(turn.speaker, channels);
        let known = transcript.speakers.iter().find(|s| s.source_speaker_id == source);
        record(turn.start, turn.end, known.map_or(&source, |s| &s.speaker_id))
    })
}

/// A field cannot hold white space nor be empty.
fn field(value: &str, otherwise: &str) -> String {
    let value = super::text::clean(value).replace(char::is_whitespace, "_");
    if value.is_empty() { otherwise.to_owned() } else { value }
}

fn decimal(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
