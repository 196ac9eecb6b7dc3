//! The transcript as the API shows it. The speech engine writes the document; these types describe it, and a test compares the two.

use std::ops::Not;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::analytics::Party;

/// Who said what and when in one call.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// 2.
    pub schema_version: u32,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The language spoken for most of the time; `null` when nothing was said.
    pub language: Option<String>,
    /// Length of the recording in seconds.
    pub duration_seconds: f64,
    /// The whole conversation, one `Speaker: text` paragraph a segment.
    pub clean_text: String,
    /// Speakers by first appearance.
    pub speakers: Vec<Speaker>,
    /// Segments by start.
    pub segments: Vec<Segment>,
    /// How speakers got their names.
    pub speaker_resolution: SpeakerResolution,
    /// What made the transcript.
    pub pipeline: Pipeline,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// One voice of the conversation.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Speaker {
    /// `spk_1`, `spk_2` …
    pub speaker_id: String,
    /// What the diarization called the voice.
    pub source_speaker_id: String,
    /// What to show until a name is known.
    pub label: String,
    /// A name, once one is known.
    pub display_name: Option<String>,
    /// `USER`, `CONTACT` or `UNKNOWN`.
    pub role: String,
    /// `HIGH`, `MEDIUM` or `LOW`.
    pub confidence: Option<String>,
    /// Where the label came from.
    pub label_source: String,
    /// Score of the voice match, 0 to 1.
    pub voice_match_score: Option<f32>,
    /// A person gave the name, which stays whichever party this is.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub name_by_person: bool,
    /// A person said which party this is.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub role_by_person: bool,
}

/// A stretch of speech by one speaker.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// `seg_0001`, `seg_0002` …
    pub id: String,
    /// The speaker's name or label.
    pub speaker: String,
    /// Which speaker.
    pub speaker_id: String,
    /// The diarization's name for the voice.
    pub source_speaker_id: String,
    /// `USER`, `CONTACT` or `UNKNOWN`.
    pub role: String,
    /// Start in seconds.
    pub start_seconds: f64,
    /// End in seconds.
    pub end_seconds: f64,
    /// What was said.
    pub text: String,
    /// The language of this segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Share of the words that lie inside a turn of the speaker, 0 to 1.
    pub alignment_confidence: f32,
    /// The words; none after a person corrected the text.
    pub words: Vec<Word>,
}

/// One spoken word.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// The word with its punctuation.
    pub text: String,
    /// Start in seconds.
    pub start_seconds: f64,
    /// End in seconds.
    pub end_seconds: f64,
    /// Probability of the word, 0 to 1.
    pub confidence: f32,
}

/// How the speakers' names were found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the contract and say it")]
pub struct SpeakerResolution {
    pub strategy_version: u32,
    pub used_user_display_name: bool,
    pub used_contact_name: bool,
    pub used_direction: bool,
    pub used_phone_fallback: bool,
    pub voice_embedding_enabled: bool,
    pub voice_profile_used: bool,
    pub voice_match_status: Option<String>,
    pub total_speaker_count: u32,
    pub resolved_speaker_count: u32,
    pub warnings: Vec<String>,
}

/// What made a transcript.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the contract and say it")]
pub struct Pipeline {
    pub transcription_provider: String,
    pub transcription_model: String,
    pub diarization_provider: String,
    pub diarization_model: Option<String>,
    pub alignment_version: u32,
    pub normalization_version: u32,
    pub status: String,
    /// What lowers the quality, as codes.
    pub warnings: Vec<String>,
}

/// In which format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TranscriptFormat {
    /// The document.
    #[default]
    Json,
    /// One line a segment.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// CommonMark.
    Md,
    /// Office Open XML.
    Docx,
    /// NIST Rich Transcription Time Marked.
    Rttm,
}

/// Which transcript.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TranscriptQuery {
    /// `json` when left out.
    #[param(inline)]
    pub format: TranscriptFormat,
}

/// A name for a speaker, and whose voice it is; what is left out stays.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpeakerPatch {
    /// At most 200 characters; an empty text takes the name away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub display_name: Option<String>,
    /// Whose voice it is. Of two parties of one call there is one speaker each at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Party>,
}

/// What was said instead.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SegmentPatch {
    /// At most 20,000 characters.
    #[schema(max_length = 20_000)]
    pub text: String,
}

unprinted!(Transcript Speaker Segment Word SpeakerPatch SegmentPatch);
