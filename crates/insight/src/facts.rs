//! What is known of a call besides its recording. Its one invariant: nothing of it is guessed; what nobody said is absent.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

/// Who called whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// The contact called.
    Incoming,
    /// The user called.
    Outgoing,
    /// Not known.
    #[default]
    Unknown,
}

/// The metadata of a call.
#[derive(Clone, Default)]
pub struct Facts {
    /// Who called whom.
    pub direction: Direction,
    /// What the user is called.
    pub user_name: Option<String>,
    /// What the contact is called.
    pub contact_name: Option<String>,
    /// The contact's telephone number. No more than its last four digits leave this crate.
    pub phone_number: Option<String>,
    /// The last four digits of numbers that were said, by segment ([`crate::redact::phone_endings`]).
    pub phone_endings: BTreeMap<String, String>,
    /// When the call was recorded, at the offset of the place where it was: "tomorrow" counts from there.
    pub recorded_at: Option<DateTime<FixedOffset>>,
}
