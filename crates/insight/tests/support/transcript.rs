//! Transcripts made of text, as the tests and benchmarks of redaction and of analysis begin with.

use speech::transcript::{LabelSource, Pipeline, Role, SCHEMA_VERSION, Segment, Speaker, Transcript, Word};

/// What a party says in one go: who (from 0), from when to when in seconds, and what.
pub(crate) struct Turn<'a> {
    pub(crate) speaker: usize,
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) text: &'a str,
    pub(crate) words: Vec<Word>,
}

/// A call of `speakers` parties that nobody has named yet.
pub(crate) fn transcript<'a>(language: &str, speakers: usize, turns: impl IntoIterator<Item = Turn<'a>>) -> Transcript {
    let segments: Vec<Segment> = turns.into_iter().enumerate().map(segment).collect();
    let paragraphs: Vec<String> = segments.iter().map(|one| format!("{}: {}", one.speaker, one.text)).collect();
    Transcript {
        schema_version: SCHEMA_VERSION,
        call_id: None,
        language: Some(language.to_owned()),
        duration_seconds: segments.iter().map(|one| one.end_seconds).fold(0.0, f64::max),
        clean_text: paragraphs.join("\n\n"),
        speakers: (0..speakers).map(speaker).collect(),
        segments,
        speaker_resolution: Default::default(),
        pipeline: Pipeline::default(),
        created_at: None,
    }
}

fn speaker(number: usize) -> Speaker {
    Speaker {
        speaker_id: format!("spk_{}", number + 1),
        source_speaker_id: format!("CHANNEL_{number}"),
        label: format!("Speaker {}", number + 1),
        display_name: None,
        role: Role::Unknown,
        confidence: None,
        label_source: LabelSource::Diarization,
        voice_match_score: None,
        name_by_person: false,
        role_by_person: false,
    }
}

fn segment((index, turn): (usize, Turn<'_>)) -> Segment {
    let Turn { speaker, start, end, text, words } = turn;
    Segment {
        id: format!("seg_{:04}", index + 1),
        speaker: format!("Speaker {}", speaker + 1),
        speaker_id: format!("spk_{}", speaker + 1),
        source_speaker_id: format!("CHANNEL_{speaker}"),
        role: Role::Unknown,
        start_seconds: start,
        end_seconds: end,
        text: text.to_owned(),
        language: None,
        alignment_confidence: 1.0,
        words,
    }
}
