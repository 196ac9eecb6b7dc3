//! The transcript: what the whole product stores, exports and shows, in the shape of the public contract
//! (`schemaVersion` 2). Its one invariant: segments are in time order and every `speaker_id` names an entry of `speakers`.

use std::ops::Not;

use serde::{Deserialize, Serialize};

/// Content has no printable form (H8 of the privacy contract): whoever prints one of these reads its type and nothing else.
#[macro_export]
macro_rules! unprinted {
    ($($content:ident)*) => {$(
        impl std::fmt::Debug for $content {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($content), " { .. }"))
            }
        }
    )*};
}

/// The version of the transcript document that this crate writes.
pub const SCHEMA_VERSION: u32 = 2;

/// Who said what and when in one call.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// Always [`SCHEMA_VERSION`] when written by this crate.
    pub schema_version: u32,
    /// The call that the transcript belongs to; absent on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The language spoken for most of the time, as an ISO 639-1 code; absent when nothing was said.
    pub language: Option<String>,
    /// Length of the recording in seconds.
    pub duration_seconds: f64,
    /// The whole conversation as plain text, one `Speaker: text` paragraph a segment.
    pub clean_text: String,
    /// Speakers by first appearance.
    pub speakers: Vec<Speaker>,
    /// Segments by start.
    pub segments: Vec<Segment>,
    /// How speakers got their names; counts, booleans and codes only.
    pub speaker_resolution: SpeakerResolution,
    /// What made the transcript.
    pub pipeline: Pipeline,
    /// RFC 3339 time of the transcript's making; absent until someone with a clock sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

/// One voice of the conversation.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Speaker {
    /// `spk_1`, `spk_2` … by first appearance.
    pub speaker_id: String,
    /// What the diarization called this voice, for example `SPEAKER_00` or `CHANNEL_0`.
    pub source_speaker_id: String,
    /// `Speaker 1`, `Speaker 2` …: what to show until a name is known.
    pub label: String,
    /// A name, once one is known.
    pub display_name: Option<String>,
    /// Which party of the call this is.
    pub role: Role,
    /// How sure the name is.
    pub confidence: Option<Confidence>,
    /// Where the label came from.
    pub label_source: LabelSource,
    /// Score of the voice match in 0..=1, where one was made.
    pub voice_match_score: Option<f32>,
    /// A person gave the name, which stays whichever party this is.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub name_by_person: bool,
    /// A person said which party this is.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub role_by_person: bool,
}

impl Speaker {
    /// Whether a person gave the name. Transcripts from before people could say a role tell only that one did something by hand, which was that.
    #[must_use]
    pub fn is_named_by_person(&self) -> bool {
        self.name_by_person || (self.label_source == LabelSource::Manual && !self.role_by_person)
    }
}

/// A party of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// The person whose call this is.
    User,
    /// The other party.
    Contact,
    /// Not known.
    #[default]
    Unknown,
}

/// How sure a label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Confidence {
    High,
    Medium,
    Low,
}

/// The evidence behind a speaker's label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LabelSource {
    /// Only the diarization (or the channel) told the voices apart.
    #[default]
    Diarization,
    /// A voice profile matched.
    VoiceEmbedding,
    /// Somebody was greeted by name.
    GreetingMatch,
    /// One said a name that the other never did.
    NameMention,
    /// The other one of two is known.
    ByElimination,
    /// Who answered the telephone.
    AnsweringPattern,
    /// The end of a telephone number, for want of a name.
    PhoneFallback,
    /// A person said so.
    Manual,
}

/// A stretch of speech by one speaker.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// `seg_0001`, `seg_0002` … in time order.
    pub id: String,
    /// The speaker's label at the time of writing.
    pub speaker: String,
    /// Names an entry of [`Transcript::speakers`].
    pub speaker_id: String,
    /// The diarization's own name for the voice.
    pub source_speaker_id: String,
    /// The speaker's role.
    pub role: Role,
    /// Start in seconds from the start of the recording.
    pub start_seconds: f64,
    /// End in seconds from the start of the recording.
    pub end_seconds: f64,
    /// The words, joined.
    pub text: String,
    /// The language of this segment, as an ISO 639-1 code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Share of the segment's words that lie inside a turn of its speaker, 0..=1.
    pub alignment_confidence: f32,
    /// Words by start; empty when word times were not asked for.
    pub words: Vec<Word>,
}

/// One spoken word.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// The word with its punctuation, without surrounding space.
    pub text: String,
    /// Start in seconds from the start of the recording.
    pub start_seconds: f64,
    /// End in seconds from the start of the recording.
    pub end_seconds: f64,
    /// Probability that the model gave to the word, 0..=1.
    pub confidence: f32,
}

/// How the speakers' names were found: counts, booleans and warning codes, never a name, a text or a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpeakerResolution {
    /// Version of the rules; 0 where none ran.
    pub strategy_version: u32,
    /// A rule used the user's display name.
    pub used_user_display_name: bool,
    /// A rule used the contact's name.
    pub used_contact_name: bool,
    /// A rule used the call's direction.
    pub used_direction: bool,
    /// A label fell back to the end of a phone number.
    pub used_phone_fallback: bool,
    /// Voice matching was on.
    pub voice_embedding_enabled: bool,
    /// A voice profile was there to match with.
    pub voice_profile_used: bool,
    /// Outcome of the voice match, where one ran.
    pub voice_match_status: Option<String>,
    /// Speakers in the call.
    pub total_speaker_count: usize,
    /// Speakers whose role is known.
    pub resolved_speaker_count: usize,
    /// Warning codes.
    pub warnings: Vec<String>,
}

/// What made a transcript, and what to be careful about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// `local` for this engine.
    pub transcription_provider: String,
    /// Name of the Whisper model.
    pub transcription_model: String,
    /// `local`, or `channels` where each channel is one party.
    pub diarization_provider: String,
    /// Name of the embedding model; absent where channels told the parties apart.
    pub diarization_model: Option<String>,
    /// Version of the word-to-turn rules.
    pub alignment_version: u32,
    /// Version of the normalization rules.
    pub normalization_version: u32,
    /// `COMPLETED`.
    pub status: String,
    /// What lowers the quality of this transcript.
    pub warnings: Vec<QualityWarning>,
}

/// Something about a recording that lowers the quality of its transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityWarning {
    /// Speech is less than 10 dB above the background.
    LowSnr,
    /// More than 0.1 % of the samples stand at full scale.
    Clipping,
    /// Both channels carry the same signal, so they were mixed.
    DualMono,
    /// One channel is heard in the other; its echo was left out.
    Echo,
    /// Only one speaker was found.
    OneSpeaker,
    /// The conversation changes its language.
    LanguageSwitch,
    /// The average word confidence is below 0.6.
    LowConfidence,
    /// No speech was found.
    NoSpeech,
    /// Telling the speakers apart failed; everything stands under one speaker.
    DiarizationFailed,
    /// The recording ends in the middle of its data; what could be read was transcribed.
    Truncated,
    /// There is a transcript and no analysis of it.
    AnalysisFailed,
    /// The engine that should have analysed the call failed, and the local one did it.
    AnalysisFallback,
}

unprinted!(Transcript Speaker Segment Word);
