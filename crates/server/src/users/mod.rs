//! The user who makes the request: profile, consent, limits, statistics.

pub mod routes;
mod store;

use api::users::ConsentKind;

use crate::db::DbError;

const KINDS: [(ConsentKind, i16); 4] = [
    (ConsentKind::PrivacyPolicy, 1),
    (ConsentKind::Terms, 2),
    (ConsentKind::RecordingDisclaimer, 3),
    (ConsentKind::VoiceProfile, 4),
];

/// The number of a kind in the database.
pub(crate) fn number(kind: ConsentKind) -> i16 {
    KINDS.into_iter().find(|(known, _)| *known == kind).map_or(0, |(_, number)| number)
}

/// The kind of a number in the database.
pub(crate) fn kind(number: i16) -> Result<ConsentKind, DbError> {
    KINDS.into_iter().find(|(_, known)| *known == number).map(|(kind, _)| kind).ok_or(DbError::Unexpected)
}
