//! What was taken out of a transcript: kinds, places and times, never a text.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a finding was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingKind {
    /// A telephone number.
    PhoneNumber,
    /// An e-mail address.
    EmailAddress,
    /// The number of a payment card.
    PaymentCard,
    /// An international bank account number.
    Iban,
    /// A number that a state gives to a person.
    NationalId,
    /// A date of birth.
    DateOfBirth,
    /// A street with its house number.
    StreetAddress,
    /// The name of a person.
    PersonName,
}

/// Something that was taken out of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it was.
    pub kind: FindingKind,
    /// The segment that the placeholder stands in.
    pub segment_id: String,
    /// The word of the segment, from 0; left out where the segment has no words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<u32>,
    /// When it began, in milliseconds from the start of the recording; that of the segment where it has no words.
    pub start_ms: u64,
    /// When it ended.
    pub end_ms: u64,
    /// From when it is silent where the recording is played: from the end of the word before, which recognition places better than a number.
    pub silent_from_ms: u64,
    /// Until when: the beginning of the word after.
    pub silent_to_ms: u64,
}

/// How often something of a kind was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingCount {
    /// Of which kind.
    pub kind: FindingKind,
    /// How many.
    pub count: u64,
}

/// What was taken out of the transcript of a call, people's corrections included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redactions {
    /// The call.
    pub call_id: Uuid,
    /// Kinds of which something was found, in a fixed order.
    pub counts: Vec<FindingCount>,
    /// Each finding, in the order of the transcript: one for each segment that a number is spread over.
    pub findings: Vec<Finding>,
}
