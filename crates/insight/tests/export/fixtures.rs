//! Transcripts to export.

use speech::transcript::{LabelSource, Pipeline, Role, SCHEMA_VERSION, Segment, Speaker, Transcript, Word};

/// A segment without words: speaker number, start and end in seconds, text.
pub(crate) type Line<'a> = (usize, f64, f64, &'a str);

/// A transcript of `lines`, whose words are not timed.
pub(crate) fn transcript(lines: &[Line<'_>]) -> Transcript {
    let count = lines.iter().map(|line| line.0).max().unwrap_or(0);
    Transcript {
        schema_version: SCHEMA_VERSION,
        call_id: None,
        language: (!lines.is_empty()).then(|| "en".to_owned()),
        duration_seconds: lines.iter().map(|line| line.2).fold(0.0, f64::max),
        clean_text: String::new(),
        speakers: (1..=count).map(speaker).collect(),
        segments: lines.iter().enumerate().map(|(index, line)| segment(index, line)).collect(),
        speaker_resolution: Default::default(),
        pipeline: Pipeline { transcription_model: "base".to_owned(), ..Pipeline::default() },
        created_at: None,
    }
}

fn speaker(number: usize) -> Speaker {
    Speaker {
        speaker_id: format!("spk_{number}"),
        source_speaker_id: format!("SPEAKER_{:02}", number - 1),
        label: format!("Speaker {number}"),
        display_name: None,
        role: Role::Unknown,
        confidence: None,
        label_source: LabelSource::Diarization,
        voice_match_score: None,
        name_by_person: false,
        role_by_person: false,
    }
}

fn segment(index: usize, &(number, start, end, text): &Line<'_>) -> Segment {
    Segment {
        id: format!("seg_{:04}", index + 1),
        speaker: format!("Speaker {number}"),
        speaker_id: format!("spk_{number}"),
        source_speaker_id: format!("SPEAKER_{:02}", number - 1),
        role: Role::Unknown,
        start_seconds: start,
        end_seconds: end,
        text: text.to_owned(),
        language: None,
        alignment_confidence: 1.0,
        words: Vec::new(),
    }
}

/// Words of equal length from `start`, a second each.
pub(crate) fn words(text: &str, start: f64) -> Vec<Word> {
    let timed = |(index, word): (usize, &str)| Word {
        text: word.to_owned(),
        start_seconds: start + index as f64,
        end_seconds: start + index as f64 + 1.0,
        confidence: 0.875,
    };
    text.split(' ').enumerate().map(timed).collect()
}
