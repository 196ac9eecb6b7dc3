//! Sentiment and tone as they are stored and served. Its one invariant: a note is a quotation.

use serde::{Deserialize, Serialize};

use crate::analysis::document::Phase;

/// How a call felt.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sentiment {
    /// Of all.
    pub overall: Feeling,
    /// From −1 to 1.
    pub score: f64,
    /// The sentence that weighs most, quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_sentiment: Option<PartySentiment>,
    /// Of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_sentiment: Option<PartySentiment>,
    /// From opening to closing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub progression: Vec<PhaseSentiment>,
    /// Emotions that somebody put into words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emotional_signals: Vec<String>,
}

/// How one party felt.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PartySentiment {
    /// Of all.
    pub overall: Feeling,
    /// From −1 to 1.
    pub score: f64,
    /// The sentence that weighs most, quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// How a part of the call felt.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PhaseSentiment {
    /// Which part.
    pub phase: Phase,
    /// Of all.
    pub overall: Feeling,
    /// The sentence that weighs most, quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it was said.
    pub source_segment_ids: Vec<String>,
}

/// How a call sounded.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tone {
    /// As the sentiment.
    pub overall: Feeling,
    /// In a word each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub descriptors: Vec<String>,
    /// Of the words.
    pub formality: Formality,
    /// By pace and exclamations.
    pub energy: Energy,
    /// By words a minute.
    pub pace: Pace,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Of each.
    pub by_party: PartyTones,
}

/// How each party sounded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PartyTones {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_tone: Option<String>,
    /// The contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_tone: Option<String>,
}

/// How something feels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Feeling {
    Positive,
    Neutral,
    Negative,
    Mixed,
    #[default]
    Unclear,
}

/// How formal words are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Formality {
    Formal,
    #[default]
    SemiFormal,
    Informal,
}

/// How lively a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Energy {
    Low,
    #[default]
    Medium,
    High,
}

/// How fast people speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Pace {
    Slow,
    #[default]
    Normal,
    Fast,
}

speech::unprinted!(PhaseSentiment Sentiment PartySentiment Tone);
