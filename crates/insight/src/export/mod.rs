//! Transcripts in the formats that people read and other programs take, one small file a format.
//!
//! The invariant: whatever a transcript holds (control characters, markup, formulas, right-to-left text, times that run
//! backwards, no words at all), the output is valid in its format and shows no more than the transcript says.

mod about;
mod csv;
mod cues;
mod docx;
mod json;
mod md;
mod rttm;
mod srt;
pub(crate) mod text;
mod txt;
mod vtt;

use std::{fmt, io, str::FromStr};

use crate::{
    analysis::document::Analysis,
    digest::{self, digest},
    talk::TalkAnalytics,
};
use speech::diarize::Turn;
use speech::transcript::{Segment, Transcript};

/// A format that [`write()`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// One `[mm:ss.t] Speaker: text` line a segment.
    Txt,
    /// The transcript document of the public contract.
    Json,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles (W3C), with voice spans.
    Vtt,
    /// CommonMark.
    Md,
    /// Office Open XML (ECMA-376).
    Docx,
    /// NIST Rich Transcription Time Marked: who spoke when, without words.
    Rttm,
    /// RFC 4180 table, a row a segment or a row a word.
    Csv,
}

impl Format {
    /// Every format, in the order in which help lists them.
    pub const ALL: [Self; 8] =
        [Self::Txt, Self::Json, Self::Srt, Self::Vtt, Self::Md, Self::Docx, Self::Rttm, Self::Csv];

    /// The format's name, which is also the ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Json => "json",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Md => "md",
            Self::Docx => "docx",
            Self::Rttm => "rttm",
            Self::Csv => "csv",
        }
    }
}

/// Whether a format has a place for an analysis.
#[must_use]
pub fn shows_analysis(format: Format) -> bool {
    matches!(format, Format::Txt | Format::Json | Format::Md)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.extension())
    }
}

/// The name is not that of a [`Format`].
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the formats are")?;
        Format::ALL.iter().try_for_each(|format| write!(f, " {format}"))
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.extension().eq_ignore_ascii_case(name)).ok_or(UnknownFormat)
    }
}

/// What a document is to show besides the conversation.
#[derive(Clone, Copy, Default)]
pub struct Style<'a> {
    /// What the recording is called: a heading in documents, the file id in RTTM.
    pub title: &'a str,
    /// Show every word with its time and confidence (JSON, CSV), or its time (WebVTT).
    pub words: bool,
    /// The diarization's turns where they are known: RTTM holds them in place of the coarser segments.
    pub turns: &'a [Turn],
    /// The analysis of the call: a member of JSON, a digest behind plain text and Markdown.
    pub analysis: Option<&'a Analysis>,
    /// Who spoke how much: a member of JSON.
    pub talk: Option<&'a TalkAnalytics>,
}

/// Writes `transcript` as `format`.
///
/// # Errors
/// Only those of `out`.
pub fn write(transcript: &Transcript, format: Format, style: Style<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Txt => txt::write(transcript, style, out),
        Format::Json => json::write(transcript, style, out),
        Format::Srt => srt::write(transcript, out),
        Format::Vtt => vtt::write(transcript, style, out),
        Format::Md => md::write(transcript, style, out),
        Format::Docx => docx::write(transcript, style, out),
        Format::Rttm => rttm::write(transcript, style, out),
        Format::Csv => csv::write(transcript, style, out),
    }
}

/// The digest of the analysis behind a transcript, where there is one.
fn digested(
    transcript: &Transcript,
    style: Style<'_>,
    format: digest::Format,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let call = digest::Of { speakers: &transcript.speakers, language: transcript.language.as_deref() };
    let text = style.analysis.map_or(String::new(), |analysis| digest(analysis, call, format));
    if text.is_empty() { Ok(()) } else { write!(out, "\n{text}") }
}

/// What to call the speaker of `segment`: the name once one is known, the label until then.
fn speaker_name(transcript: &Transcript, segment: &Segment) -> String {
    let speaker = transcript.speakers.iter().find(|speaker| speaker.speaker_id == segment.speaker_id);
    let name = speaker.map_or(&segment.speaker, |speaker| speaker.display_name.as_ref().unwrap_or(&speaker.label));
    text::clean(name)
}
