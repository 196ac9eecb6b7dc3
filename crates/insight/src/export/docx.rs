//! Office Open XML (ECMA-376) through `docx-rs`, which escapes text; paragraphs in right-to-left scripts are marked so.

use std::io::{self, Cursor};

use docx_rs::{Docx, Paragraph, Run, Style as DocxStyle, StyleType};
use speech::transcript::Transcript;

use super::{
    Style,
    about::{facts, role},
    speaker_name, text,
};

/// Sizes in half-points: 18 and 13 points over the 11 points of the text.
const TITLE_SIZE: usize = 36;
const HEADING_SIZE: usize = 26;
const TEXT_SIZE: usize = 22;
/// The grey of times, as RGB.
const TIME_COLOR: &str = "707070";

pub(super) fn write(transcript: &Transcript, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let title = if style.title.is_empty() { "Transcript" } else { style.title };
    let heading = |id, name, size| DocxStyle::new(id, StyleType::Paragraph).name(name).size(size).bold();
    let mut document = Docx::new()
        .default_size(TEXT_SIZE)
        .add_style(heading("Title", "Title", TITLE_SIZE))
        .add_style(heading("Heading1", "heading 1", HEADING_SIZE));
    if let Some(at) = &transcript.created_at {
        document = document.created_at(&text::clean(at));
    }
    for paragraph in paragraphs(transcript, title) {
        document = document.add_paragraph(paragraph);
    }
    // The archive is put together in memory, since its writer has to seek and `out` may be a pipe.
    let mut archive = Cursor::new(Vec::new());
    document.pack(&mut archive).map_err(io::Error::other)?;
    out.write_all(archive.get_ref())
}

fn paragraphs(transcript: &Transcript, title: &str) -> Vec<Paragraph> {
    let heading = |text: &str| Paragraph::new().style("Heading1").add_run(run(text));
    let mut paragraphs = vec![Paragraph::new().style("Title").add_run(run(title))];
    for (name, value) in facts(transcript) {
        paragraphs.push(Paragraph::new().add_run(run(&format!("{name}: {value}"))));
    }
    if !transcript.speakers.is_empty() {
        paragraphs.push(heading("Speakers"));
    }
    for speaker in &transcript.speakers {
        let name = speaker.display_name.as_ref().unwrap_or(&speaker.label);
        paragraphs.push(Paragraph::new().add_run(run(&format!("{name}{}", role(speaker.role)))));
    }
    paragraphs.push(heading("Conversation"));
    let hours = text::needs_hours(transcript.duration_seconds);
    for segment in &transcript.segments {
        let at = text::clock(segment.start_seconds, hours);
        let mut paragraph = Paragraph::new()
            .add_run(run(&speaker_name(transcript, segment)).bold())
            .add_run(Run::new().add_text(format!(" ({at}): ")).color(TIME_COLOR))
            .add_run(run(&segment.text));
        if text::is_right_to_left(&segment.text) {
            paragraph.property = paragraph.property.bidi(true);
        }
        paragraphs.push(paragraph);
    }
    if transcript.segments.is_empty() {
        paragraphs.push(Paragraph::new().add_run(run("Nothing was said.").italic()));
    }
    paragraphs
}

fn run(text: &str) -> Run {
    Run::new().add_text(text::clean(text))
}
