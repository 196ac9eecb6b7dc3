//! Days beside words that move them: "Wednesday of next week", "a week from Friday", "the first Monday in May". Its one invariant: such a day
//! is never read without those words; where they do not say which day it becomes, it has no date.

use chrono::NaiveDate;

use super::{Found, Reader, UNKNOWN};
use crate::redact::numeral::Language;

impl Reader<'_, '_> {
    /// The longest day at `at`, with what moves it.
    pub(super) fn moved(&self, at: usize) -> Option<Found> {
        let moved = [self.of_week(at), self.week_with(at), self.counted_from(at), self.nth(at), self.closing(at)];
        let moved = moved.into_iter().chain([self.ahead_on(at)]);
        moved.flatten().chain(self.behind(at)).max_by_key(|(words, _)| *words)
    }

    /// "Wednesday of next week", "Mittwoch nächster Woche".
    fn of_week(&self, at: usize) -> Option<Found> {
        let (weekday, end) = self.weekday_at(at, true)?;
        let week_at = end + self.skip("join", end);
        let (week, words) = self.find("week", week_at)?;
        let told = !self.paused(end) || week_at > end;
        Some((week_at + words - at, self.in_week(weekday, week).filter(|_| told)))
    }

    /// "Next week on Thursday". Behind a comma it may be a day of its own: "I'm away next week, Thursday is fine".
    fn week_with(&self, at: usize) -> Option<Found> {
        let (week, words) = self.find("week", at)?;
        let end = at + words;
        let from = end + self.skip("join", end);
        let (weekday, last) = self.weekday_at(from, true)?;
        // "Na próxima semana, na segunda reunião".
        if self.find("weekday_short", last - 1).is_some() && !self.is_over(last) {
            return None;
        }
        let told = !self.paused(end) || from > end || at == 0;
        Some((last - at, self.in_week(weekday, week).filter(|_| told)))
    }

    fn in_week(&self, weekday: i64, week: i64) -> Option<NaiveDate> {
        self.shifted(7 * week + weekday - self.weekday_of_call()?).filter(|_| week != UNKNOWN)
    }

    /// "A week from Friday", "two days before the fifteenth", "la veille de vendredi".
    fn counted_from(&self, at: usize) -> Option<Found> {
        let (count, unit, sign, from) = match self.find("eve", at) {
            Some((sign, words)) => (1, 1, sign, at + words),
            None => self.count_from(at)?,
        };
        // "In two weeks from now".
        let now = || Some((self.find("now", from)?.1, self.today));
        let starts = [from, from + self.skip("join", from), from - 1];
        let (end, date) = starts.into_iter().find_map(|start| {
            let (words, date) = self.plain(start).or_else(|| now().filter(|_| start == from))?;
            Some((start + words, date)).filter(|(end, _)| *end > from)
        })?;
        // "For three days from Monday" says how long, and a sentence of the past may count from any day.
        let length = at.checked_sub(1).is_some_and(|before| self.find("during", before).is_some());
        let told = sign != 0 && !length && !self.past;
        let date = date.filter(|_| told).and_then(|date| super::step(date, count, unit, sign > 0));
        Some((end - at, date))
    }

    /// "A week from", "the day before": count, unit, direction (0 where it is not said), and the word behind.
    fn count_from(&self, at: usize) -> Option<(u64, i64, i64, usize)> {
        let first = at + self.skip("in", at);
        let the = || {
            let words = self.find("join", first)?.1;
            let (unit, length) = self.find("unit", first + words)?;
            Some((1, unit, words + length))
        };
        let span = self.span(first);
        let (count, unit, words) = span.or_else(the)?;
        let end = first + words;
        if self.paused(end) {
            return None;
        }
        match self.find("from", end) {
            // "A day on Friday" is a day of work.
            Some((0, _)) if unit != 7 => None,
            // "The week before Friday" is no day.
            Some((sign, words)) => Some((count, unit, if span.is_some() || unit == 1 { sign } else { 0 }, end + words)),
            // "A week tomorrow".
            None if span.is_some() && unit == 7 && self.sentence.language == Language::En => {
                Some((count, unit, 0, end))
            }
            None => None,
        }
    }

    /// "In a month on Friday", which people count in several ways.
    fn ahead_on(&self, at: usize) -> Option<Found> {
        let end = at + self.ahead(at)?.0;
        let from = end + self.skip("join", end);
        let (_, last) = self.weekday_at(from, false)?;
        Some((last - at, None))
    }

    /// "The first Monday in May", "der letzte Freitag im Monat".
    fn nth(&self, at: usize) -> Option<Found> {
        let ordinal = || self.ordinal(at).filter(|_| self.sentence.language == Language::En).map(|(_, words)| words);
        let words = self.find("nth", at).map(|(_, words)| words).or_else(ordinal)?;
        let (_, end) = self.weekday_at(at + words, true).filter(|_| !self.paused(at + words))?;
        Some((self.of_period(end).unwrap_or(end) - at, None))
    }

    /// The word behind "of May", "in the month".
    fn of_period(&self, at: usize) -> Option<usize> {
        let from = at + self.find("join", at)?.1;
        let period = ["month", "unit", "period_end", "vague"].into_iter().filter_map(|list| self.find(list, from));
        // "Friday during the day" is that Friday.
        let mut longer = period.filter(|found| self.find("unit", from).is_none_or(|unit| unit != *found || unit.0 > 1));
        longer.next().map(|(_, words)| from + words)
    }

    /// "End of day Friday".
    fn closing(&self, at: usize) -> Option<Found> {
        let end = at + self.find("day_end", at)?.1;
        let from = end + self.skip("join", end);
        let (words, date) = self.moved(from).or_else(|| self.plain(from))?;
        Some((from + words - at, date))
    }

    /// A weekday, or "today", and what follows it: "Friday in two weeks", "vendredi en huit", "Friday after next".
    fn behind(&self, at: usize) -> Option<Found> {
        let (words, date) = self.plain(at)?;
        let end = at + words;
        let named = self.named(at).is_some_and(|(length, _)| length == words);
        let weekday = self.weekday_at(at, false).filter(|(_, last)| *last == end);
        if self.paused(end) || !(named || weekday.is_some()) {
            return Some((words, date));
        }
        if let Some(words) = self.find("in", end).map(|(_, words)| words)
            && let Some((count, unit, length)) = self.span(end + words)
        {
            // Some count from the coming Monday and some from today: where that makes two days of it, there is none.
            let told = named || weekday.is_some_and(|(day, _)| self.weekday_of_call().is_some_and(|today| day > today));
            let date = date.filter(|_| told && unit == 7 && !self.past);
            return Some((end + words + length - at, date.and_then(|date| super::step(date, count, unit, true))));
        }
        if let Some((weeks, words)) = self.find("in_weeks", end)
            && self.is_over(end + words)
        {
            let date = date.and_then(|date| super::step(date, weeks.unsigned_abs(), 7, true));
            return Some((end + words - at, date));
        }
        if let Some((words, _)) = self.ago(end) {
            return Some((end + words - at, None));
        }
        if let Some((7, words)) = self.find("which_after", end).filter(|_| named) {
            return Some((end + words - at, date.and_then(|date| super::step(date, 1, 7, true))));
        }
        if let Some(last) = self.relative(at, end) {
            return Some((last - at, None));
        }
        let last = weekday.and_then(|_| self.of_period(end));
        Some(last.map_or((words, date), |last| (last - at, None)))
    }

    /// The word behind "after next", "before Christmas", "after the first of May": what a day at `at` to `end` is told by. "After lunch"
    /// and "before nine" are hours of the day.
    fn relative(&self, at: usize, end: usize) -> Option<usize> {
        if let Some((_, words)) = self.find("other", end) {
            return Some(end + words);
        }
        let (_, words) = self.find("from", end).filter(|(sign, _)| *sign != 0)?;
        let from = end + words;
        let day = [from, from + self.skip("join", from), from - 1].into_iter().find_map(|start| {
            let last = start + self.plain(start)?.0;
            (last > from).then_some(last)
        });
        let feast = || {
            let from = from + self.skip("join", from);
            let name = self.sentence.language != Language::De && self.sentence.words.get(from)?.capital;
            self.find("feast", from).map(|(_, words)| from + words).or_else(|| name.then_some(from + 1))
        };
        // "The Monday after."
        let the = at > 0 && self.sentence.language == Language::En && self.sentence.key(at - 1) == "the";
        day.or_else(feast).or_else(|| the.then_some(from))
    }
}
