//! What is taken out. Its one invariant: telephone numbers always are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a finding was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
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
    /// A date of birth with its day or month; not a year alone.
    DateOfBirth,
    /// A street with its house number.
    StreetAddress,
    /// The name of a person who is known or who introduced themselves.
    PersonName,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::PhoneNumber,
        Self::EmailAddress,
        Self::PaymentCard,
        Self::Iban,
        Self::NationalId,
        Self::DateOfBirth,
        Self::StreetAddress,
        Self::PersonName,
    ];

    /// What stands in a transcript in place of a finding. It has no digits, so that nothing is ever found in it.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::PhoneNumber => "[phone number]",
            Self::EmailAddress => "[e-mail address]",
            Self::PaymentCard => "[payment card]",
            Self::Iban => "[IBAN]",
            Self::NationalId => "[national id]",
            Self::DateOfBirth => "[date of birth]",
            Self::StreetAddress => "[street address]",
            Self::PersonName => "[name]",
        }
    }

    /// The kind whose placeholder `text` begins with.
    pub(crate) fn placeholder_at(text: &str) -> Option<Self> {
        text.starts_with('[').then(|| Self::ALL.into_iter().find(|kind| text.starts_with(kind.placeholder())))?
    }
}

/// What to take out besides telephone numbers, and who is known to be spoken of. It has no way to take telephone numbers off.
#[derive(Clone, Default)]
pub struct Policy {
    kinds: Vec<Kind>,
    pub(super) names: Vec<String>,
    segment: Option<usize>,
}

impl Policy {
    /// Telephone numbers and `kinds`.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), ..Self::default() }
    }

    /// With the names of people who may be spoken of: the participants', the contact's. They count where [`Kind::PersonName`] is among
    /// the kinds.
    #[must_use]
    pub fn with_names(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.names.extend(names);
        self
    }

    /// Only for the segment at this place in the transcript, of which all others were redacted by the policy of their time; telephone
    /// numbers are taken out everywhere.
    #[must_use]
    pub fn in_segment(self, segment: usize) -> Self {
        Self { segment: Some(segment), ..self }
    }

    /// Whether it takes out what is of this kind.
    #[must_use]
    pub fn takes_out(&self, kind: Kind) -> bool {
        kind == Kind::PhoneNumber || self.kinds.contains(&kind)
    }

    pub(super) fn takes_out_in(&self, kind: Kind, segment: usize) -> bool {
        kind == Kind::PhoneNumber || (self.takes_out(kind) && self.segment.is_none_or(|only| only == segment))
    }
}

/// Names are personal data; how many there are is not.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("kinds", &self.kinds).field("names", &self.names.len()).finish()
    }
}
