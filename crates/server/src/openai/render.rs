//! A transcript in OpenAI's shapes.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use insight::export::{self, Style};
use serde::Serialize;
use speech::{
    language,
    transcript::{Segment, Transcript, Word},
};
use utoipa::ToSchema;

/// How much was used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Usage {
    r#type: &'static str,
    /// Seconds of the recording.
    seconds: f64,
}

/// `json`.
#[derive(Clone, Serialize, ToSchema)]
pub struct Text {
    text: String,
    usage: Usage,
}

/// `verbose_json`.
#[derive(Clone, Serialize, ToSchema)]
pub struct Verbose {
    task: &'static str,
    /// An English name, not a code.
    language: String,
    duration: f64,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<VerboseSegment>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<VerboseWord>>,
    usage: Usage,
}

/// A segment of `verbose_json`.
#[derive(Clone, Serialize, ToSchema)]
pub struct VerboseSegment {
    id: usize,
    seek: u32,
    start: f64,
    end: f64,
    text: String,
    tokens: Vec<u32>,
    temperature: f32,
    avg_logprob: f64,
    compression_ratio: f64,
    no_speech_prob: f32,
    /// Who spoke; not of OpenAI's shape, and kept by its clients.
    speaker: String,
}

/// A word of `verbose_json`.
#[derive(Clone, Serialize, ToSchema)]
pub struct VerboseWord {
    word: String,
    start: f64,
    end: f64,
    /// Who spoke; not of OpenAI's shape, and kept by its clients.
    speaker: String,
}

/// `diarized_json`.
#[derive(Clone, Serialize, ToSchema)]
pub struct Diarized {
    task: &'static str,
    duration: f64,
    text: String,
    segments: Vec<DiarizedSegment>,
    usage: Usage,
}

/// A segment of `diarized_json`, and of a stream.
#[derive(Clone, Serialize, ToSchema)]
pub struct DiarizedSegment {
    r#type: &'static str,
    id: String,
    start: f64,
    end: f64,
    text: String,
    /// `A`, `B`, … by first appearance.
    speaker: String,
}

impl DiarizedSegment {
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// What was said, without who said it.
pub(super) fn text(transcript: &Transcript) -> String {
    let texts: Vec<&str> = transcript.segments.iter().map(|segment| segment.text.trim()).collect();
    texts.join(" ")
}

pub(super) fn usage(transcript: &Transcript) -> Usage {
    Usage { r#type: "duration", seconds: transcript.duration_seconds }
}

pub(super) fn json(transcript: &Transcript) -> Text {
    Text { text: text(transcript), usage: usage(transcript) }
}

/// `words` and `segments` say what to list.
pub(super) fn verbose(transcript: &Transcript, task: &'static str, words: bool, segments: bool) -> Verbose {
    let all = || transcript.segments.iter();
    let word = |segment: &Segment, word: &Word| VerboseWord {
        word: word.text.clone(),
        start: word.start_seconds,
        end: word.end_seconds,
        speaker: letter(transcript, segment),
    };
    let word = &word;
    Verbose {
        task,
        language: language::name(transcript.language.as_deref().unwrap_or_default()).unwrap_or("unknown").to_owned(),
        duration: transcript.duration_seconds,
        text: text(transcript),
        segments: segments.then(|| all().enumerate().map(|(id, one)| verbose_segment(transcript, id, one)).collect()),
        words: words.then(|| all().flat_map(|one| one.words.iter().map(move |w| word(one, w))).collect()),
        usage: usage(transcript),
    }
}

fn verbose_segment(transcript: &Transcript, id: usize, segment: &Segment) -> VerboseSegment {
    let logs = segment.words.iter().map(|word| f64::from(word.confidence.max(f32::MIN_POSITIVE)).ln());
    #[expect(clippy::cast_precision_loss, reason = "a segment has some hundred words")]
    let words = segment.words.len().max(1) as f64;
    VerboseSegment {
        id,
        // Windows hold pieces of the recording, so none has an offset in it; tokens are not kept.
        seek: 0,
        tokens: Vec::new(),
        start: segment.start_seconds,
        end: segment.end_seconds,
        text: format!(" {}", segment.text.trim()),
        temperature: 0.0,
        // Of words, not of tokens.
        avg_logprob: logs.sum::<f64>() / words,
        compression_ratio: compression_ratio(&segment.text),
        // What voice activity or the recogniser took for silence is in no segment.
        no_speech_prob: 0.0,
        speaker: letter(transcript, segment),
    }
}

/// As Whisper computes it: bytes of the text over bytes when zlib has compressed them.
fn compression_ratio(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    #[expect(clippy::cast_precision_loss, reason = "a segment's text is some kilobytes")]
    written.map_or(1.0, |compressed| text.len() as f64 / compressed.len().max(1) as f64)
}

pub(super) fn diarized(transcript: &Transcript) -> Diarized {
    Diarized {
        task: "transcribe",
        duration: transcript.duration_seconds,
        text: text(transcript),
        segments: segments(transcript).collect(),
        usage: usage(transcript),
    }
}

pub(super) fn segments(transcript: &Transcript) -> impl Iterator<Item = DiarizedSegment> {
    transcript.segments.iter().zip(1..).map(|(segment, number)| DiarizedSegment {
        r#type: "transcript.text.segment",
        id: format!("seg_{number:03}"),
        start: segment.start_seconds,
        end: segment.end_seconds,
        text: segment.text.trim().to_owned(),
        speaker: letter(transcript, segment),
    })
}

/// `A` for the first speaker, `Z` for the 26th, then `AA`.
fn letter(transcript: &Transcript, segment: &Segment) -> String {
    let place = transcript.speakers.iter().position(|speaker| speaker.speaker_id == segment.speaker_id).unwrap_or(0);
    let mut name = String::new();
    let mut rest = place + 1;
    while rest > 0 {
        rest -= 1;
        #[expect(clippy::cast_possible_truncation, reason = "below 26")]
        name.insert(0, char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    name
}

/// Subtitles.
pub(super) fn subtitles(transcript: &Transcript, format: export::Format) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    export::write(transcript, format, Style::default(), &mut out)?;
    Ok(out)
}
