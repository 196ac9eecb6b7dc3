//! Pages of lists that run from the newest to the oldest. Its one invariant: a page starts behind the last row of the page before, by time
//! and id, so that nothing is skipped or shown twice, whatever is added or deleted in between.

use api::page::{DEFAULT_LIMIT, MAX_LIMIT};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike as _, Utc};
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};

/// Bytes of a cursor before it is encoded: microseconds since 1970, and an id.
const BYTES: usize = 8 + 16;

/// The row after which a page starts. PostgreSQL's times are microseconds, so none is lost on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the row was made.
    pub at: DateTime<Utc>,
    /// Which row.
    pub id: Uuid,
}

impl Cursor {
    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn decode(text: &str) -> ApiResult<Self> {
        let refused = || ApiError::field("cursor", "this cursor is not one that a list gave out");
        let bytes: [u8; BYTES] =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(refused)?;
        let (micros, id) = bytes.split_at(8);
        let micros = i64::from_be_bytes(micros.try_into().map_err(|_| refused())?);
        let at = DateTime::from_timestamp_micros(micros).filter(|at| is_storable(*at)).ok_or_else(refused)?;
        Ok(Self { at, id: Uuid::from_slice(id).map_err(|_| refused())? })
    }

    /// What a client gives back.
    #[must_use]
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode([&self.at.timestamp_micros().to_be_bytes()[..], self.id.as_bytes()].concat())
    }
}

/// Whether the database has a place for a time: RFC 3339 knows the years 0 to 9999, and chrono reads many more.
#[must_use]
pub fn is_storable(time: DateTime<Utc>) -> bool {
    (1..=9999).contains(&time.year())
}

/// How many items a page has.
///
/// # Errors
/// When the caller asks for none or for too many.
pub fn limit(asked: Option<u16>) -> ApiResult<usize> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit.into()),
        _ => Err(ApiError::field("limit", "a page has 1 to 200 items")),
    }
}

/// Cuts off the one row more than a page has, by which it is known that others follow; gives where they start.
pub fn cut<R>(rows: &mut Vec<R>, limit: usize, place: impl Fn(&R) -> Cursor) -> Option<String> {
    let follows = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| follows).map(|last| place(last).encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        let cursor = Cursor { at: DateTime::from_timestamp_micros(1_763_773_200_123_456).unwrap(), id: Uuid::now_v7() };
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        for other in [
            "",
            "a",
            "====",
            &cursor.encode()[1..],
            &URL_SAFE_NO_PAD.encode([0xff_u8; 23]),
            "f_________8AAAAAAAAAAAAAAAAAAAAA",
            &Cursor { at: DateTime::from_timestamp(-400_000_000_000, 0).unwrap(), ..cursor }.encode(),
        ] {
            assert!(Cursor::decode(other).is_err(), "{other}");
        }
    }
}
