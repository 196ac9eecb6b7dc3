//! Days and times of day that people speak of, resolved against the day of the call. Its one invariant: a day that cannot be told has no
//! date; what was said stays quoted.
//!
//! Conventions, where people differ: "Wednesday" is the next that comes, and the last that was where the sentence speaks of the past, but
//! for what was set for it ("I booked it for Wednesday"), which may have been or not;
//! "next Wednesday" in English is that of the coming week; 1 to 6 without "a.m." are hours of the afternoon.

mod day;
mod time;

use chrono::{NaiveDate, NaiveTime};

use super::sentence::Sentence;

/// Words between a day and the time of day that belongs to it: "Friday, let's say at eleven".
const TIME_WITHIN: usize = 4;

/// A day that somebody speaks of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mention {
    /// Its first word.
    pub(super) first: usize,
    /// The word behind it.
    pub(super) end: usize,
    /// Absent for what is no single day ("next month"), and where the day of the call is not known.
    pub(super) date: Option<NaiveDate>,
    pub(super) time: Option<NaiveTime>,
    /// The words that say the time, as first and behind the last; empty where none was said.
    pub(super) time_at: (usize, usize),
}

/// The days of a sentence in order; `today` is the day of the call.
pub(super) fn mentions(sentence: &Sentence<'_>, today: Option<NaiveDate>) -> Vec<Mention> {
    let days = day::Reader::new(sentence, today);
    let mut mentions = Vec::new();
    let mut at = 0;
    while at < sentence.words.len() {
        at = match days.read(at) {
            day::Read::Day { words, date } => {
                mentions.push(Mention { first: at, end: at + words, date, time: None, time_at: (0, 0) });
                at + words
            }
            day::Read::Skip(words) => at + words,
        };
    }
    for at in 1..mentions.len() {
        let (first, last) = (mentions[at - 1], mentions[at]);
        // "Monday to Friday", said on a Tuesday, are those of every week, or of none that can be told.
        if first.date > last.date && days.spans((first.first, first.end), last.first) {
            (mentions[at - 1].date, mentions[at].date) = (None, None);
        }
    }
    for (first, end, time) in time::times(sentence) {
        let gap = |mention: &Mention| first.saturating_sub(mention.end).max(mention.first.saturating_sub(end));
        let nearest = mentions.iter_mut().filter(|mention| mention.time.is_none()).min_by_key(|mention| gap(mention));
        if let Some(mention) = nearest.filter(|mention| gap(mention) <= TIME_WITHIN) {
            (mention.time, mention.time_at) = (Some(time), (first, end));
        }
    }
    mentions
}

/// Hours and minutes that a sentence counts from now on, as first word and the word behind: no days, but no words of a title either.
pub(super) fn moments(sentence: &Sentence<'_>) -> Vec<(usize, usize)> {
    let reader = day::Reader::new(sentence, None);
    let moment = |at| reader.moment(at).map(|words| (at, at + words));
    (0..sentence.words.len()).filter_map(moment).collect()
}
