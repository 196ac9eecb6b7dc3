//! One day in the words of five languages. Its one invariant: nothing is read that is not there; an ambiguous date ("3/4/2026" in
//! English) is a day without a date. What moves a day ("a week from") is in `beside`.

mod beside;

use chrono::{Datelike as _, Days, Months, NaiveDate};

use crate::analysis::lexicon::Lexicon;
use crate::analysis::sentence::Sentence;
use crate::redact::numeral::Language;

/// Days and months further away than this are no plans.
const FURTHEST: u64 = 1_000;

/// What a list says of a week or a weekday that only the rest of the call tells: "the following week".
const UNKNOWN: i64 = 9;

/// Years that people mean.
const YEARS: std::ops::RangeInclusive<u64> = 1_900..=2_100;

/// Words between "since" or "by" and the day.
const SINCE_WITHIN: usize = 3;

/// Days in a row before the one with the month: "the tenth, the eleventh and the twelfth of April".
const DAYS_OF_A_MONTH: usize = 5;

pub(super) enum Read {
    /// A day of so many words.
    Day { words: usize, date: Option<NaiveDate> },
    /// So many words that are none.
    Skip(usize),
}

type Found = (usize, Option<NaiveDate>);

#[derive(Clone, Copy)]
pub(super) struct Reader<'s, 't> {
    sentence: &'s Sentence<'t>,
    lexicon: &'static Lexicon,
    today: Option<NaiveDate>,
    /// The sentence speaks of what was.
    past: bool,
    /// It may as well speak of what is: "wir haben am Freitag einen Termin".
    unsure: bool,
    /// It speaks of another week, to which a weekday may belong.
    other_week: bool,
}

impl<'s, 't> Reader<'s, 't> {
    pub(super) fn new(sentence: &'s Sentence<'t>, today: Option<NaiveDate>) -> Self {
        let lexicon = sentence.lexicon();
        let past = lexicon.any("past", &sentence.words) && !lexicon.any("future", &sentence.words);
        let past = past || (sentence.language == Language::En && did(sentence));
        let unsure = past && lexicon.any("maybe_past", &sentence.words);
        let week = |at| lexicon.find("week", &sentence.words, at).is_some_and(|week| week.value != 0);
        let other_week = (0..sentence.words.len()).any(week);
        Self { sentence, lexicon, today, past, unsure, other_week }
    }

    pub(super) fn read(&self, at: usize) -> Read {
        let none = self.skip("no_day", at).max(self.every(at));
        let since = self.since(at);
        // "Desde el lunes" may be from Monday on, unless the sentence says how things are.
        let (lexicon, words) = (self.lexicon, &self.sentence.words);
        let open = lexicon.entries("lasting").next().is_some() && !lexicon.any("lasting", words);
        let unsure = if since { open } else { self.unsure || (self.past && self.leads("aim", at)) };
        let day = Self { past: self.past || since, unsure, ..*self }.moved(at);
        match day {
            Some((words, date)) if words > none => Read::Day { words, date },
            _ => Read::Skip(none.max(1)),
        }
    }

    /// The longest day at `at`, whatever stands around it.
    fn plain(&self, at: usize) -> Option<Found> {
        let said = [self.numeric(at), self.named(at), self.weekday(at), self.calendar(at), self.of_month(at)];
        let counted = [self.ahead(at), self.ago(at), self.period(at)];
        said.into_iter().chain(counted).flatten().max_by_key(|(words, _)| *words)
    }

    /// Words of "every Friday", which is no day.
    fn every(&self, at: usize) -> usize {
        let every = || {
            let words = self.find("every", at)?.1;
            Some(self.weekday_at(at + words, true)?.1 - at)
        };
        every().unwrap_or(0)
    }

    /// Whether what is at `at` lasts from it on: "since Friday"; "since Friday is a holiday" says why.
    fn since(&self, at: usize) -> bool {
        let (lexicon, words) = (self.lexicon, &self.sentence.words);
        let why = || (at + 1..words.len().min(at + 1 + SINCE_WITHIN)).any(|at| self.find("why", at).is_some());
        self.leads("since", at) && !why() && !lexicon.any("not_since", words)
    }

    /// Whether words of `section` stand in front of the day at `at`, or begin it.
    fn leads(&self, section: &str, at: usize) -> bool {
        let words = &self.sentence.words;
        (at.saturating_sub(SINCE_WITHIN)..=at).any(|from| {
            self.find(section, from).is_some_and(|(_, length)| {
                (from + length..at).all(|between| self.lexicon.holds("join", &words[between].key))
            })
        })
    }

    /// Whether these two, one behind the other, are weekdays from the first to the last: "Monday to Friday".
    pub(super) fn spans(&self, (first, end): (usize, usize), next: usize) -> bool {
        let through = |at| self.find("through", at).map(|(_, words)| at + words);
        let last = |at: usize| at >= next && self.weekday_at(at.max(next), true).is_some();
        let joined = |from: usize| last(from + self.skip("join", from));
        self.weekday_at(first, true).is_some_and(|(_, last)| last == end) && through(end).is_some_and(joined)
    }

    /// Whether a comma or the like stands in front of the word `at`.
    fn paused(&self, at: usize) -> bool {
        at > 0 && self.sentence.words.get(at - 1).is_some_and(|word| word.pause)
    }

    /// Whether nothing that `at` begins belongs to what stands in front of it.
    fn is_over(&self, at: usize) -> bool {
        let follows = ["then", "at", "am", "pm", "after_short"];
        at >= self.sentence.words.len()
            || self.paused(at)
            || follows.iter().any(|section| self.find(section, at).is_some())
    }

    fn weekday_of_call(&self) -> Option<i64> {
        Some(i64::from(self.today?.weekday().num_days_from_monday()))
    }

    /// What was, what is to come, or either.
    fn is_past(&self) -> Option<bool> {
        (!self.unsure).then_some(self.past)
    }

    fn find(&self, section: &str, at: usize) -> Option<(i64, usize)> {
        self.lexicon.find(section, &self.sentence.words, at).map(|hit| (hit.value, hit.words))
    }

    /// Words of `section` at `at`, none where it has none there.
    fn skip(&self, section: &str, at: usize) -> usize {
        self.find(section, at).map_or(0, |(_, words)| words)
    }

    fn integer(&self, at: usize) -> Option<(u64, usize)> {
        let number = self.sentence.number(at).filter(|number| number.value.fract() == 0.0 && number.value >= 0.0)?;
        // Whole, not negative, and a number that somebody said.
        Some((number.value as u64, number.words))
    }

    fn shifted(&self, days: i64) -> Option<NaiveDate> {
        let today = self.today?;
        let by = Days::new(days.unsigned_abs());
        if days < 0 { today.checked_sub_days(by) } else { today.checked_add_days(by) }
    }

    /// "tomorrow", "übermorgen".
    fn named(&self, at: usize) -> Option<Found> {
        let (days, words) = self.find("day", at)?;
        Some((words, self.shifted(days)))
    }

    /// The weekday at `at`, behind "next" or the like, and the word behind it; where it is clear that a day is spoken of, also one that
    /// is a number otherwise: "segunda".
    fn weekday_at(&self, at: usize, clear: bool) -> Option<(i64, usize)> {
        let from = at + self.skip("which", at);
        if let Some((weekday, words)) = self.find("weekday", from) {
            return Some((weekday, from + words));
        }
        let cued = at + self.skip("before_short", at);
        let short = |from: usize| self.find("weekday_short", from).map(|(weekday, words)| (weekday, from + words));
        let over = |(_, end): &(i64, usize)| {
            let after = self.find("which_after", *end).map_or(*end, |(_, words)| end + words);
            self.is_over(after)
        };
        [from, cued].into_iter().filter_map(short).find(|found| clear || (found.1 > at + 1 && over(found)))
    }

    /// "next Wednesday", "mercredi prochain", "Monday the sixteenth".
    fn weekday(&self, at: usize) -> Option<Found> {
        let which = self.find("which", at).map(|(value, _)| value);
        let (weekday, end) = self.weekday_at(at, false)?;
        let from = end + self.skip("of", end);
        let calendar = self.calendar(from).or_else(|| {
            let (day, words) = self.ordinal(from)?;
            Some((words, self.next_day_of_month(day)))
        });
        let calendar = calendar.or_else(|| self.numeric(from));
        if let Some((words, date)) = calendar {
            return Some((from + words - at, date));
        }
        let after = self.find("which_after", end).filter(|_| !self.paused(end));
        let words = end + after.map_or(0, |(_, words)| words) - at;
        // 2 says no more than the weekday itself: "am Freitag".
        let which = after.map(|(value, _)| value).or(which.filter(|value| *value != 2));
        Some((words, self.coming(weekday, which)))
    }

    fn coming(&self, weekday: i64, which: Option<i64>) -> Option<NaiveDate> {
        let today = self.weekday_of_call()?;
        let ahead = match (weekday - today).rem_euclid(7) {
            0 => 7,
            days => days,
        };
        let back = match (today - weekday).rem_euclid(7) {
            0 => 7,
            days => days,
        };
        self.shifted(match which {
            Some(UNKNOWN) => return None,
            None if self.other_week => return None,
            Some(1) => 7 - today + weekday,
            Some(7) => ahead + 7,
            Some(-1) => -back,
            None if self.is_past()? => -back,
            Some(_) | None => ahead,
        })
    }

    fn ordinal(&self, at: usize) -> Option<(u32, usize)> {
        self.find("ordinal", at).and_then(|(day, words)| Some((u32::try_from(day).ok()?, words)))
    }

    /// A day of the month: "nineteenth", "19th", "19", "neunzehn".
    fn day_of_month(&self, at: usize) -> Option<(u32, usize)> {
        self.ordinal(at).or_else(|| {
            let (day, words) = self.integer(at)?;
            Some((u32::try_from(day).ok().filter(|day| (1..=31).contains(day))?, words))
        })
    }

    /// "the nineteenth of December 2026", "December the nineteenth", "19. Dezember".
    fn calendar(&self, at: usize) -> Option<Found> {
        let day_first = || {
            let (day, words) = self.day_of_month(at)?;
            let month_at = at + words + self.skip("of", at + words);
            let (month, words) = self.find("month", month_at)?;
            Some((month_at + words, day, month))
        };
        let month_first = || {
            let (month, words) = self.find("month", at)?;
            let day_at = at + words + self.skip("of", at + words);
            let (day, words) = self.day_of_month(day_at)?;
            Some((day_at + words, day, month))
        };
        let (end, day, month) = day_first().or_else(month_first)?;
        let month = u32::try_from(month).ok()?;
        let (year, words) = self.year(end).unwrap_or((None, 0));
        let date = match year {
            Some(year) => NaiveDate::from_ymd_opt(year, month, day),
            None if words > 0 => None,
            None => self.nearest(month, day),
        };
        Some((end + words - at, date))
    }

    /// "2026", "of 2026", "twenty twenty six", "nineteen ninety"; none for what must be a year and is not understood.
    fn year(&self, at: usize) -> Option<(Option<i32>, usize)> {
        let from = at + self.skip("of", at);
        let (first, words) = self.integer(from).filter(|_| !self.paused(from) || from == at)?;
        let end = from + words;
        if YEARS.contains(&first) {
            return Some((i32::try_from(first).ok(), end - at));
        }
        let century = matches!(first, 19 | 20) && !self.paused(end);
        let (second, words) = self.integer(end).filter(|_| century)?;
        let year = i32::try_from(first * 100 + second).ok().filter(|_| (10..=99).contains(&second));
        Some((year, end + words - at))
    }

    /// The day without its year: the next that comes, or the last that was.
    fn nearest(&self, month: u32, day: u32) -> Option<NaiveDate> {
        let today = self.today?;
        let of = |year| NaiveDate::from_ymd_opt(year, month, day);
        let this = of(today.year())?;
        match self.is_past()? {
            true if this > today => of(today.year() - 1),
            false if this < today => of(today.year() + 1),
            _ => Some(this),
        }
    }

    fn next_day_of_month(&self, day: u32) -> Option<NaiveDate> {
        let today = self.today?;
        let this = today.with_day(day);
        match self.is_past()? {
            true => {
                this.filter(|date| *date <= today).or_else(|| today.checked_sub_months(Months::new(1))?.with_day(day))
            }
            false => {
                this.filter(|date| *date >= today).or_else(|| today.checked_add_months(Months::new(1))?.with_day(day))
            }
        }
    }

    /// "by the fifteenth", "le 15": only behind words for a day, and with nothing counted behind it.
    fn of_month(&self, at: usize) -> Option<Found> {
        let from = at + self.find("on_the", at)?.1;
        // "by the fifteenth of May" has its month.
        if self.calendar(from).is_some() {
            return None;
        }
        let (day, end) = self.bare_day(from)?;
        let last = &self.sentence.words[end - 1];
        let alone = end == self.sentence.words.len() || last.pause || self.find("then", end).is_some();
        let month = self.month_behind(end);
        let next = self.next_day_of_month(day);
        let date = match (month, self.day_before(at)) {
            (Some(month), _) => self.nearest(month, day),
            // "From the tenth of April until the twentieth" is one month; of two days that are not joined nobody can tell.
            (None, Some(first)) => first
                .and_then(|first| first.with_day(day).filter(|date| *date > first))
                .filter(|date| self.find("till", at).is_some() || Some(*date) == next),
            (None, None) => next,
        };
        (alone || month.is_some()).then_some((end - at, date))
    }

    /// A day of the month without its month, and the word behind it.
    fn bare_day(&self, at: usize) -> Option<(u32, usize)> {
        let english = self.sentence.language == Language::En;
        let (day, words) = if english { self.ordinal(at)? } else { self.day_of_month(at)? };
        Some((day, at + words))
    }

    /// The month that follows with a later day: "the tenth to the twentieth of April".
    fn month_behind(&self, end: usize) -> Option<u32> {
        let mut at = end;
        for _ in 0..DAYS_OF_A_MONTH {
            let from = at + self.skip("till", at);
            let from = from + self.skip("join", from);
            if from == at && !self.paused(at) {
                return None;
            }
            let (_, behind) = self.bare_day(from)?;
            let month_at = behind + self.skip("of", behind);
            if let Some((month, _)) = self.find("month", month_at) {
                return u32::try_from(month).ok();
            }
            at = behind;
        }
        None
    }

    /// The day with a month that the sentence names before `at`; inside, none where it has no date.
    fn day_before(&self, at: usize) -> Option<Option<NaiveDate>> {
        (0..at).rev().find_map(|before| self.calendar(before)).map(|(_, date)| date)
    }

    /// "three days", "a month", as days or months.
    fn span(&self, at: usize) -> Option<(u64, i64, usize)> {
        let one = || self.find("one", at).map(|(_, words)| (1, words));
        let (count, words) = self.integer(at).or_else(one).filter(|(count, _)| *count <= FURTHEST)?;
        let (unit, length) = self.find("unit", at + words)?;
        Some((count, unit, words + length))
    }

    fn far(&self, count: u64, unit: i64, ahead: bool) -> Option<NaiveDate> {
        step(self.today?, count, unit, ahead)
    }

    /// "in three days".
    fn ahead(&self, at: usize) -> Option<Found> {
        let words = self.find("in", at)?.1;
        // "In two or three days" is no day.
        if let Some(end) = self.about(at + words)
            && let Some((_, length)) = self.find("unit", end)
        {
            return Some((end + length - at, None));
        }
        let (count, unit, length) = self.span(at + words).or_else(|| self.days_of_hours(at + words))?;
        // Where the sentence speaks of the past it may count from any day.
        Some((words + length, self.far(count, unit, true).filter(|_| !self.past)))
    }

    /// The word behind "two or three", "a couple of", "2-3".
    fn about(&self, at: usize) -> Option<usize> {
        let range = || {
            let (_, words) = self.integer(at)?;
            let to =
                at + words + self.find("till", at + words).or_else(|| self.paused(at + words).then_some((0, 0)))?.1;
            Some(to + self.integer(to)?.1)
        };
        let written = || {
            let (first, second) = self.sentence.words.get(at)?.raw.split_once(['-', '–'])?;
            (first.parse::<u8>().is_ok() && second.parse::<u8>().is_ok()).then_some(at + 1)
        };
        let some = || Some(at + self.find("some", at)?.1);
        range().or_else(written).or_else(some)
    }

    /// Words of "in half an hour", which may end tomorrow.
    pub(super) fn moment(&self, at: usize) -> Option<usize> {
        let from = at + self.find("in", at)?.1;
        let one = || self.find("one", from).map(|(_, words)| from + words);
        let count = || self.integer(from).map(|(_, words)| from + words);
        let end = self.about(from).or_else(one).or_else(count)?;
        Some(end + self.find("hours", end)?.1 - at)
    }

    /// "Forty eight hours", which are two days.
    fn days_of_hours(&self, at: usize) -> Option<(u64, i64, usize)> {
        let (count, words) = self.integer(at).filter(|(count, _)| *count > 0 && count % 24 == 0)?;
        let (_, length) = self.find("hours", at + words).filter(|(value, _)| *value == 1)?;
        Some((count / 24, 1, words + length))
    }

    /// "three days ago", "vor drei Tagen".
    fn ago(&self, at: usize) -> Option<Found> {
        if let Some((_, words)) = self.find("ago", at)
            && let Some((count, unit, length)) = self.span(at + words)
        {
            return Some((words + length, self.far(count, unit, false)));
        }
        let (count, unit, length) = self.span(at)?;
        let words = self.find("ago_after", at + length)?.1;
        Some((length + words, self.far(count, unit, false)))
    }

    /// "the end of the month"; "next week" is no day.
    fn period(&self, at: usize) -> Option<Found> {
        // "in October" is no day either.
        let month = || {
            let words = self.find("in", at)?.1;
            Some((words + self.find("month", at + words)?.1, None))
        };
        let vague = |list| self.find(list, at).map(|(_, words)| (words, None));
        let vague = vague("vague").max(vague("week")).or_else(month);
        let (period, words) = match self.find("period_end", at) {
            Some(found) => found,
            None => return vague,
        };
        let end_of_month = |ahead: u32| {
            let month = self.today?.with_day(1)?.checked_add_months(Months::new(ahead + 1))?;
            month.pred_opt()
        };
        let today = self.today.map_or(0, |today| i64::from(today.weekday().num_days_from_monday()));
        let date = match period {
            // A week of work ends on Friday; said at a weekend, on Sunday.
            1 => self.shifted(if today <= 4 { 4 - today } else { 6 - today }),
            2 => self.shifted(11 - today),
            3 => end_of_month(0),
            4 => end_of_month(1),
            _ => self.today.and_then(|today| NaiveDate::from_ymd_opt(today.year(), 12, 31)),
        };
        Some((words, date))
    }

    /// "2026-03-20", "20.03.2026"; the order of days and months in English is read only where one of them is over twelve.
    fn numeric(&self, at: usize) -> Option<Found> {
        let raw = self.sentence.words.get(at)?.raw;
        let parts: Vec<u32> = raw.split(['-', '/', '.']).map(str::parse).collect::<Result<_, _>>().ok()?;
        if let [day, month] = parts[..] {
            return self.without_year(at, day, month);
        }
        let [a, b, c] = parts[..] else { return None };
        let of = |year: u32, month, day| {
            let year = if year < 100 { 2_000 + year } else { year };
            NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
        };
        let date = match self.sentence.language {
            _ if a >= 1_900 => of(a, b, c),
            Language::En if b > 12 => of(c, a, b),
            Language::En if a <= 12 && a != b => None,
            _ => of(c, b, a),
        };
        let is_date = (1..=31).contains(&a) && (1..=31).contains(&b) && c < 2_100 || a >= 1_900;
        is_date.then_some((1, date))
    }

    /// "24.4.", "24/04", behind words for a day; in English nobody can tell the day from the month.
    fn without_year(&self, at: usize, day: u32, month: u32) -> Option<Found> {
        let word = &self.sentence.words[at];
        let before = &self.sentence.words.get(at.checked_sub(1)?)?.key;
        let cued = self.lexicon.holds("before_date", before) || self.lexicon.holds("weekday", before);
        let origin = self.sentence.words[0].start;
        let behind = self.sentence.text.get(word.end - origin..)?;
        // "3.5" is a number, "24.4." a date; "1/2" is a half.
        let part = word.raw.len() == 3 && day < month;
        let marked = (word.raw.contains('/') && !part) || (word.raw.contains('.') && behind.starts_with('.'));
        let counted = ["hour_word", "percent", "currency", "multiplier", "counted", "unit", "hours"];
        let counted = counted.iter().any(|section| self.find(section, at + 1).is_some());
        let possible = NaiveDate::from_ymd_opt(2_000, month, day).is_some();
        let is_date = self.sentence.language != Language::En && cued && marked && !counted && possible;
        is_date.then(|| (1, self.nearest(month, day)))
    }
}

/// So many units from `date`.
fn step(date: NaiveDate, count: u64, unit: i64, ahead: bool) -> Option<NaiveDate> {
    let months = |each| Months::new(u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(each));
    let days = Days::new(count.saturating_mul(unit.unsigned_abs()));
    match (unit, ahead) {
        (1_000, true) => date.checked_add_months(months(1)),
        (1_000, false) => date.checked_sub_months(months(1)),
        (2_000, true) => date.checked_add_months(months(12)),
        (2_000, false) => date.checked_sub_months(months(12)),
        (_, true) => date.checked_add_days(days),
        (_, false) => date.checked_sub_days(days),
    }
}

/// "I called", "the parcel arrived": an English verb of the past, not an adjective ("the signed copy") or a state ("is closed").
fn did(sentence: &Sentence<'_>) -> bool {
    let done = |at: usize| {
        let (word, before) = (sentence.key(at), sentence.key(at - 1));
        word.len() > 4 && word.ends_with("ed") && !sentence.lexicon().holds("not_before_past", before)
    };
    (1..sentence.words.len()).any(done) && !sentence.lexicon().any("future", &sentence.words)
}
