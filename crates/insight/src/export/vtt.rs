//! WebVTT (<https://www.w3.org/TR/webvtt1/>): the speaker is the annotation of a voice span; `&`, `<` and `>` are escaped,
//! which also keeps `-->` out of the text.

use std::io;

use speech::transcript::Transcript;

use super::{
    cues::{Prefix, cues},
    text::timestamp,
};

pub(super) fn write(transcript: &Transcript, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "WEBVTT\n")?;
    for cue in cues(transcript, Prefix::Hidden) {
        let (start, end) = (timestamp(cue.start_ms, '.'), timestamp(cue.end_ms, '.'));
        let (mut voice, text) = (escape(&cue.speaker), escape(&cue.lines.join("\n")));
        if voice.ends_with('-') {
            // Else `--` and the end of the tag make an arrow, which is not allowed in a cue; players trim the space.
            voice.push(' ');
        }
        writeln!(out, "{start} --> {end}\n<v {voice}>{text}</v>\n")?;
    }
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
