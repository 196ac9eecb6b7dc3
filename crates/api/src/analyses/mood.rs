//! How a call felt and sounded: a note is a quotation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a call felt. `overall` is `positive`, `neutral`, `negative`, `mixed` or `unclear` wherever it stands.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sentiment {
    /// Of all.
    pub overall: String,
    /// From −1 to 1.
    pub score: f64,
    /// The sentence that weighs most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_sentiment: Option<PartySentiment>,
    /// Of the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_sentiment: Option<PartySentiment>,
    /// From opening to closing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progression: Vec<PhaseSentiment>,
    /// Emotions that somebody put into words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emotional_signals: Vec<String>,
}

/// How one party felt.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartySentiment {
    /// Of all.
    pub overall: String,
    /// From −1 to 1.
    pub score: f64,
    /// The sentence that weighs most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// How a part of the call felt.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseSentiment {
    /// `opening`, `middle`, `closing` or `followup`.
    pub phase: String,
    /// Of all.
    pub overall: String,
    /// The sentence that weighs most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// How a call sounded.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tone {
    /// As the sentiment.
    pub overall: String,
    /// In a word each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub descriptors: Vec<String>,
    /// `formal`, `semi-formal` or `informal`.
    pub formality: String,
    /// `low`, `medium` or `high`.
    pub energy: String,
    /// `slow`, `normal` or `fast`.
    pub pace: String,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// How each party sounded.
    pub by_party: PartyTones,
}

/// How each party sounded.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PartyTones {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_tone: Option<String>,
    /// The contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_tone: Option<String>,
}

unprinted!(Sentiment PartySentiment PhaseSentiment Tone PartyTones);
