//! WebVTT (<https://www.w3.org/TR/webvtt1/>): the speaker is the annotation of a voice span; `&`, `<` and `>` are escaped,
//! which also keeps `-->` out of the text. Word times are timestamps within the cue (§4.2.2), which players show as
//! karaoke; each has to lie behind the one before it and inside the cue.

use std::{fmt::Write as _, io};

use speech::transcript::Transcript;

use super::{
    Style,
    cues::{Cue, Prefix, cues},
    text::timestamp,
};

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "WEBVTT\n")?;
    for cue in cues(transcript, Prefix::Hidden) {
        let (start, end) = (timestamp(cue.start_ms, '.'), timestamp(cue.end_ms, '.'));
        let (mut voice, text) = (escape(&cue.speaker), if style.words { timed(&cue) } else { plain(&cue) });
        if voice.ends_with('-') {
            // Else `--` and the end of the tag make an arrow, which is not allowed in a cue; players trim the space.
            voice.push(' ');
        }
        writeln!(out, "{start} --> {end}\n<v {voice}>{text}</v>\n")?;
    }
    Ok(())
}

fn plain(cue: &Cue) -> String {
    cue.lines.iter().map(|line| escape(&line.text())).collect::<Vec<_>>().join("\n")
}

/// The lines with a timestamp before every word that does not start with the cue or with the word before it.
fn timed(cue: &Cue) -> String {
    let mut text = String::new();
    let mut latest = cue.start_ms;
    for (i, line) in cue.lines.iter().enumerate() {
        text.push_str(if i > 0 { "\n" } else { "" });
        for (space, word, at_ms) in line.timed() {
            text.push_str(space);
            if at_ms > latest && at_ms < cue.end_ms {
                // Writing to a string cannot fail.
                let _ = write!(text, "<{}>", timestamp(at_ms, '.'));
                latest = at_ms;
            }
            text.push_str(&escape(word));
        }
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
