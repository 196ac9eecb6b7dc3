//! Which bytes of a recording are asked for (RFC 9110, 14). Its one invariant: a range that is served is not empty and lies within the
//! recording; what is malformed, several ranges, or made for another recording is the whole of it.

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 200.
    All,
    /// 206 with these bytes.
    Part(Range<u64>),
    /// 416.
    Nothing,
}

/// What a GET asks for of a recording of `length` bytes whose entity tag is `etag`.
pub(super) fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    // A date says less than a tag and is not given out: one that comes back fits nothing.
    let fits = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == etag.as_bytes());
    let range = headers.get(header::RANGE).filter(|_| fits).and_then(|range| range.to_str().ok());
    range.and_then(|range| parse(range, length)).unwrap_or(Wanted::All)
}

/// `None` when it is none of the one kind that is served.
fn parse(range: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let found = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(tail)) => length.saturating_sub(tail)..length,
        (Some(first), None) => first..length,
        (Some(first), Some(last)) if first > last => return None,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
    };
    Some(if found.is_empty() { Wanted::Nothing } else { Wanted::Part(found) })
}

/// Digits alone; a number that is too large for any recording is larger than this one.
fn number(text: &str) -> Option<Option<u64>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(range: &str, length: u64) -> Wanted {
        let headers = [(header::RANGE, range.parse().unwrap())].into_iter().collect();
        wanted(&headers, "\"tag\"", length)
    }

    #[test]
    fn one_range_is_served_and_what_is_none_is_the_whole() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..100)),
            ("bytes=99-", Wanted::Part(99..100)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("Bytes = 10-1000", Wanted::Part(10..100)),
            ("bytes=10-99999999999999999999999", Wanted::Part(10..100)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=20-10", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=1--2", Wanted::All),
            ("seconds=0-1", Wanted::All),
            ("", Wanted::All),
        ] {
            assert_eq!(of(range, 100), wanted, "{range}");
        }
        assert_eq!(of("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn a_range_of_another_recording_is_the_whole() {
        for (tag, is_part) in
            [("\"tag\"", true), ("\"other\"", false), ("W/\"tag\"", false), ("Sat, 01 Jan 2022 00:00:00 GMT", false)]
        {
            let headers = [(header::RANGE, "bytes=0-1".parse().unwrap()), (header::IF_RANGE, tag.parse().unwrap())];
            assert_eq!(wanted(&headers.into_iter().collect(), "\"tag\"", 9) == Wanted::Part(0..2), is_part, "{tag}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_a_part_is_not_empty_and_within(range in "[bytesBYTES]{0,5}=?[ 0-9,-]{0,30}", length in 0u64..50) {
            if let Wanted::Part(part) = of(&range, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
