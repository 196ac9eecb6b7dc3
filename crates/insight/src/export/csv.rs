//! RFC 4180: rows end with CRLF, cells are quoted where they have to be. A row a segment, or a row a word.
//!
//! Spreadsheets run cells that look like formulas; those get an apostrophe in front
//! (<https://owasp.org/www-community/attacks/CSV_Injection>).

use std::io;

use speech::transcript::Transcript;

use super::{Style, speaker_name, text};

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    if style.words { words(transcript, out) } else { segments(transcript, out) }
}

fn segments(transcript: &Transcript, out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(b"segment,start,end,speaker,language,text\r\n")?;
    for segment in &transcript.segments {
        let (id, speaker) = (cell(&segment.id), cell(&speaker_name(transcript, segment)));
        let (start, end) = (seconds(segment.start_seconds), seconds(segment.end_seconds));
        let language = cell(segment.language.as_deref().unwrap_or_default());
        write!(out, "{id},{start},{end},{speaker},{language},{}\r\n", cell(&segment.text))?;
    }
    Ok(())
}

fn words(transcript: &Transcript, out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(b"segment,start,end,speaker,confidence,word\r\n")?;
    for segment in &transcript.segments {
        let (id, speaker) = (cell(&segment.id), cell(&speaker_name(transcript, segment)));
        for word in &segment.words {
            let (start, end) = (seconds(word.start_seconds), seconds(word.end_seconds));
            write!(out, "{id},{start},{end},{speaker},{:.3},{}\r\n", word.confidence, cell(&word.text))?;
        }
    }
    Ok(())
}

fn cell(value: &str) -> String {
    let mut value = text::clean(value);
    if value.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        value.insert(0, '\'');
    }
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

fn seconds(value: f64) -> String {
    let millis = text::millis(value);
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
