//! What is taken out. Its one invariant: telephone numbers always are.

use std::{fmt, str::FromStr};

use phonenumber::country::Id;
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

/// A region whose national numbers are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(pub(super) Id);

/// The code is not that of a region with telephone numbers of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownRegion;

impl fmt::Display for UnknownRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a region is named by its two letters of ISO 3166-1, for example DE")
    }
}

impl std::error::Error for UnknownRegion {}

impl FromStr for Region {
    type Err = UnknownRegion;

    /// Reads the two letters of ISO 3166-1.
    fn from_str(code: &str) -> Result<Self, UnknownRegion> {
        code.to_ascii_uppercase().parse().map(Self).map_err(|_| UnknownRegion)
    }
}

/// What to take out besides telephone numbers, and what is known about the call. It has no way to take telephone numbers off.
#[derive(Clone, Default)]
pub struct Policy {
    kinds: Vec<Kind>,
    pub(super) names: Vec<String>,
    pub(super) regions: Vec<Region>,
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

    /// With the regions whose numbers are expected, besides those where the languages of the call are spoken most.
    #[must_use]
    pub fn with_regions(mut self, regions: impl IntoIterator<Item = Region>) -> Self {
        self.regions.extend(regions);
        self
    }

    pub(super) fn takes_out(&self, kind: Kind) -> bool {
        kind == Kind::PhoneNumber || self.kinds.contains(&kind)
    }
}

/// Names are personal data; how many there are is not.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("kinds", &self.kinds)
            .field("names", &self.names.len())
            .field("regions", &self.regions)
            .finish()
    }
}
