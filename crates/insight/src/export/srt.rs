//! SubRip. The format has no standard and no escapes: players act on what looks like an HTML tag or an SSA override, and
//! parsers on `-->`, so a space goes into each to break it.

use std::io;

use speech::transcript::Transcript;

use super::{
    cues::{Prefix, cues},
    text::timestamp,
};

pub(super) fn write(transcript: &Transcript, out: &mut dyn io::Write) -> io::Result<()> {
    for (index, cue) in cues(transcript, Prefix::Shown).iter().enumerate() {
        let (start, end) = (timestamp(cue.start_ms, ','), timestamp(cue.end_ms, ','));
        writeln!(out, "{}\n{start} --> {end}", index + 1)?;
        for (line, text) in cue.lines.iter().enumerate() {
            let text = defuse(&text.text());
            match line {
                0 if text.is_empty() => writeln!(out, "{}:", defuse(&cue.speaker))?,
                0 => writeln!(out, "{}: {text}", defuse(&cue.speaker))?,
                _ => writeln!(out, "{text}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn defuse(text: &str) -> String {
    text.replace("-->", "-- >").replace('<', "< ").replace("{\\", "{ \\")
}
