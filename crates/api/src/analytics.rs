//! What a call, and many calls, look like from outside: numbers and codes.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Who spoke how much in one call, measured from its transcript as it is now; times are in seconds. The engine writes the document; these
/// types describe it, and a test compares the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TalkAnalytics {
    /// How long the recording is.
    pub duration_seconds: f64,
    /// In which anybody speaks.
    pub talk_seconds: f64,
    /// In which nobody does, in stretches of half a second and more.
    pub silence_seconds: f64,
    /// The longest of these.
    pub longest_silence_seconds: f64,
    /// In which more than one speaks.
    pub overlap_seconds: f64,
    /// Stretches of that.
    pub overlaps: u32,
    /// Turns that begin while somebody else speaks, and outlast them.
    pub interruptions: u32,
    /// Stretches of one speaker.
    pub turns: u32,
    /// Questions asked.
    pub questions: u32,
    /// Words spoken; left out where those of a speaker are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u32>,
    /// Words a minute of speech; 0 when nobody speaks, left out where the words are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The longest of any speaker's.
    pub longest_monologue_seconds: f64,
    /// Median from the end of a turn to the beginning of the next speaker's; left out when nobody answers anybody within ten seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_latency_seconds: Option<f64>,
    /// Each speaker, as in the transcript.
    pub speakers: Vec<SpeakerTalk>,
}

/// What one speaker's part in a call is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerTalk {
    /// Whose: as in the transcript, which has their names and roles.
    pub speaker_id: String,
    /// Seconds of speech.
    pub talk_seconds: f64,
    /// Share of what all speakers speak, 0 to 1.
    pub talk_share: f64,
    /// Words spoken; left out for who says anything in a script that puts no spaces between words, where they cannot be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u32>,
    /// Words a minute of speech; 0 for who says nothing, left out where the words are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The longest stretch without another speaker's turn and without a pause of two seconds.
    pub longest_monologue_seconds: f64,
    /// How often the speaker began while another spoke, and outlasted them.
    pub interruptions: u32,
    /// How often that was done to the speaker.
    pub interrupted: u32,
    /// In which somebody else speaks too.
    pub overlap_seconds: f64,
    /// Stretches of that.
    pub overlaps: u32,
    /// In which nobody speaks until the speaker does, in stretches of half a second and more.
    pub silence_seconds: f64,
    /// The longest of these.
    pub longest_silence_seconds: f64,
    /// Questions asked.
    pub questions: u32,
    /// Turns taken.
    pub turns: u32,
    /// Median from the end of another's turn to the beginning of the speaker's; left out for who answers nobody within ten seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_latency_seconds: Option<f64>,
}

/// Over which days.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AnalyticsQuery {
    /// How many days back, 1 to 365; 30 when left out. They are counted by when calls were recorded, or uploaded where that is not
    /// known.
    #[param(minimum = 1, maximum = 365)]
    pub days: Option<u16>,
}

/// Who spoke how much in the calls that the caller may see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TalkReport {
    /// Over how many days.
    pub days: u16,
    /// Calls that were measured.
    pub calls: i64,
    /// How long they were.
    pub duration_seconds: f64,
    /// In which anybody spoke.
    pub talk_seconds: f64,
    /// In which nobody did, in stretches of half a second and more.
    pub silence_seconds: f64,
    /// The longest of these.
    pub longest_silence_seconds: f64,
    /// In which more than one spoke.
    pub overlap_seconds: f64,
    /// Stretches of that.
    pub overlaps: i64,
    /// Turns that began while somebody else spoke, and outlasted them.
    pub interruptions: i64,
    /// Questions asked.
    pub questions: i64,
    /// Words a minute of speech whose words can be counted; left out when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The longest stretch of one speaker.
    pub longest_monologue_seconds: f64,
    /// Mean of the usual wait before somebody answers, call by call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_latency_seconds: Option<f64>,
    /// The user, the contact, and whoever is neither or not known; those who spoke.
    pub parties: Vec<PartyTalk>,
    /// Days with calls, in order.
    pub by_day: Vec<TalkOfDay>,
}

/// What one party's part was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartyTalk {
    /// Which.
    pub role: Party,
    /// Calls in which it spoke.
    pub calls: i64,
    /// Seconds of speech.
    pub talk_seconds: f64,
    /// Share of what all parties spoke, 0 to 1.
    pub talk_share: f64,
    /// Words a minute of speech whose words can be counted; left out when it said nothing of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The longest stretch of speech.
    pub longest_monologue_seconds: f64,
    /// How often it began while another spoke.
    pub interruptions: i64,
    /// How often that was done to it.
    pub interrupted: i64,
    /// Questions asked.
    pub questions: i64,
    /// Mean of the usual wait before it answers, call by call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_latency_seconds: Option<f64>,
    /// In which nobody spoke until it did, in stretches of half a second and more. This and what follows is left out while any of the calls
    /// was measured by a version that did not measure it; analysing the call again does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_seconds: Option<f64>,
    /// The longest of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_silence_seconds: Option<f64>,
    /// In which somebody else spoke too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<f64>,
    /// Stretches of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlaps: Option<i64>,
}

/// A party of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Party {
    /// Whose call it is.
    User,
    /// The other party.
    Contact,
    /// Not known.
    Unknown,
}

/// A day's calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TalkOfDay {
    /// The day on which they were recorded, or uploaded where that is not known, in UTC.
    pub date: NaiveDate,
    /// Calls.
    pub calls: i64,
    /// In which anybody spoke.
    pub talk_seconds: f64,
}

/// How the calls felt and sounded that the caller may see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VibeReport {
    /// Over how many days.
    pub days: u16,
    /// Calls in whose language sentiment is read.
    pub calls: i64,
    /// Mean of their scores, from −1 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The same of what users said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_score: Option<f64>,
    /// The same of what contacts said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_score: Option<f64>,
    /// Calls by sentiment.
    pub sentiment: FeelingCounts,
    /// Calls by tone.
    pub tone: FeelingCounts,
    /// Calls by how formal they were.
    pub formality: FormalityCounts,
    /// Calls by how lively they were.
    pub energy: EnergyCounts,
    /// Calls by how fast people spoke.
    pub pace: PaceCounts,
    /// Days with such calls, in order.
    pub by_day: Vec<VibeOfDay>,
}

/// Calls by feeling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FeelingCounts {
    pub positive: i64,
    pub neutral: i64,
    pub negative: i64,
    pub mixed: i64,
    pub unclear: i64,
}

/// Calls by formality.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct FormalityCounts {
    pub formal: i64,
    pub semi_formal: i64,
    pub informal: i64,
}

/// Calls by energy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EnergyCounts {
    pub low: i64,
    pub medium: i64,
    pub high: i64,
}

/// Calls by pace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PaceCounts {
    pub slow: i64,
    pub normal: i64,
    pub fast: i64,
}

/// A day's calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VibeOfDay {
    /// The day on which they were recorded, or uploaded where that is not known, in UTC.
    pub date: NaiveDate,
    /// Calls.
    pub calls: i64,
    /// Mean of their scores.
    pub score: f64,
}
