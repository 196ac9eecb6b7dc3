//! Calls made of text.

use insight::facts::Facts;
use speech::transcript::{LabelSource, Pipeline, Role, SCHEMA_VERSION, Segment, Speaker, Transcript};

/// Seconds that a word takes.
pub(crate) const WORD: f64 = 0.4;

/// A call of two parties: who (0 or 1), and what they say.
pub(crate) fn call(language: &str, said: &[(usize, &str)]) -> Transcript {
    let mut at = 0.0;
    let turns: Vec<(usize, f64, f64, &str)> = said
        .iter()
        .map(|(speaker, text)| {
            let start = at;
            at += text.split(' ').count() as f64 * WORD;
            (*speaker, start, at, *text)
        })
        .collect();
    timed(language, 2, &turns)
}

/// A call of `speakers` parties: who, from when to when, and what they say.
pub(crate) fn timed(language: &str, speakers: usize, turns: &[(usize, f64, f64, &str)]) -> Transcript {
    let segments: Vec<Segment> = turns.iter().enumerate().map(|(index, turn)| segment(index, turn)).collect();
    Transcript {
        schema_version: SCHEMA_VERSION,
        call_id: None,
        language: Some(language.to_owned()),
        duration_seconds: segments.iter().map(|one| one.end_seconds).fold(0.0, f64::max),
        clean_text: String::new(),
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
    }
}

fn segment(index: usize, (speaker, start, end, text): &(usize, f64, f64, &str)) -> Segment {
    Segment {
        id: format!("seg_{:04}", index + 1),
        speaker: format!("Speaker {}", speaker + 1),
        speaker_id: format!("spk_{}", speaker + 1),
        source_speaker_id: format!("CHANNEL_{speaker}"),
        role: Role::Unknown,
        start_seconds: *start,
        end_seconds: *end,
        text: (*text).to_owned(),
        language: None,
        alignment_confidence: 1.0,
        words: Vec::new(),
    }
}

/// A call of Tuesday, 10 March 2026, ten o'clock UTC.
pub(crate) fn tuesday() -> Facts {
    Facts { recorded_at: "2026-03-10T10:00:00+00:00".parse().ok(), ..Facts::default() }
}
