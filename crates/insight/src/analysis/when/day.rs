//! One day in the words of five languages. Its one invariant: nothing is read that is not there; an ambiguous date ("3/4/2026" in
//! English) is a day without a date.

use chrono::{Datelike as _, Days, Months, NaiveDate};

use crate::analysis::lexicon::Lexicon;
use crate::analysis::sentence::Sentence;
use crate::redact::numeral::Language;

/// Days and months further away than this are no plans.
const FURTHEST: u64 = 1_000;

pub(super) enum Read {
    /// A day of so many words.
    Day { words: usize, date: Option<NaiveDate> },
    /// So many words that are none.
    Skip(usize),
}

type Found = (usize, Option<NaiveDate>);

/// So many days, months (1000) or years (2000).
type Span = (u64, i64);

/// In the place of days ahead: what is meant hangs on what was spoken of before.
const UNTOLD: i64 = 99;

pub(super) struct Reader<'s, 't> {
    sentence: &'s Sentence<'t>,
    lexicon: &'static Lexicon,
    today: Option<NaiveDate>,
    /// The sentence speaks of what was.
    past: bool,
}

impl<'s, 't> Reader<'s, 't> {
    pub(super) fn new(sentence: &'s Sentence<'t>, today: Option<NaiveDate>) -> Self {
        let lexicon = sentence.lexicon();
        let past = lexicon.any("past", &sentence.words) && !lexicon.any("future", &sentence.words);
        Self { sentence, lexicon, today, past: past || (sentence.language == Language::En && did(sentence)) }
    }

    pub(super) fn read(&self, at: usize) -> Read {
        let none = self.find("no_day", at).map_or(0, |(_, words)| words);
        let days = [self.named(at), self.weekday(at), self.in_week(at)];
        let days = days.map(|day| day.map(|day| self.stretched(at, day)));
        let day = [self.numeric(at), self.calendar(at), self.of_month(at), self.counted(at)]
            .into_iter()
            .chain(days)
            .chain([self.ahead(at), self.ago(at), self.period(at)])
            .flatten()
            .max_by_key(|(words, _)| *words);
        match day {
            Some((words, date)) if words > none => Read::Day { words, date },
            _ => Read::Skip(none.max(1)),
        }
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
        days_from(self.today?, days)
    }

    /// Whether what is said at `at` is over: "since the first of March", and whatever a sentence about the past says.
    fn is_past(&self, at: usize) -> bool {
        let since = |at: usize| self.lexicon.holds("since", self.sentence.key(at));
        let before = (at.saturating_sub(2)..at).rev().take_while(|before| !self.sentence.words[*before].pause);
        self.past || since(at) || before.into_iter().any(since)
    }

    /// "tomorrow", "übermorgen".
    fn named(&self, at: usize) -> Option<Found> {
        let (days, words) = self.find("day", at)?;
        Some((words, self.shifted(days)))
    }

    /// "next Wednesday", "mercredi prochain", "Monday the sixteenth".
    fn weekday(&self, at: usize) -> Option<Found> {
        let which = self.find("which", at);
        let led = which.map(|(_, words)| at + words).and_then(|from| Some((from, self.find("weekday", from)?)));
        // Some phrases of weekdays begin with such a word.
        let which = which.filter(|_| led.is_some());
        let (from, (weekday, words)) = match led {
            Some(led) => led,
            None => (at, self.find("weekday", at)?),
        };
        let end = from + words;
        let calendar = self.calendar(end + self.skip("of", end)).or_else(|| {
            let from = end + self.skip("of", end);
            let (day, words) = self.ordinal(from)?;
            Some((words, self.next_day_of_month(day, self.is_past(at))))
        });
        if let Some((words, date)) = calendar {
            return Some((end + self.skip("of", end) + words - at, date));
        }
        if let Some((week, words)) = self.find("week", end).filter(|_| !self.sentence.words[end - 1].pause) {
            return Some((end + words - at, self.of_week(weekday, week)));
        }
        let after = self.find("which_after", end);
        let words = end + after.map_or(0, |(_, words)| words) - at;
        // "the Monday after Easter" is another one.
        let of_holiday = self.find("beside", end).is_some_and(|(_, words)| self.find("holiday", end + words).is_some());
        let which = which.or(after).map(|(value, _)| value).filter(|_| !of_holiday);
        // "Since Friday is a holiday" looks ahead.
        let past = self.past || self.is_past(at) && !self.lexicon.holds("because", self.sentence.key(at + words));
        Some((words, self.coming(weekday, if of_holiday { Some(UNTOLD) } else { which }, past)))
    }

    /// "next week on Thursday".
    fn in_week(&self, at: usize) -> Option<Found> {
        let (week, words) = self.find("week", at)?;
        let from = at + words;
        let weekday = |from: usize| self.find("weekday", from).map(|(weekday, words)| (weekday, from + words));
        let (weekday, end) = weekday(from).or_else(|| weekday(from + self.skip("week_on", from)))?;
        Some((end - at, self.of_week(weekday, week)))
    }

    fn of_week(&self, weekday: i64, days_ahead: i64) -> Option<NaiveDate> {
        let today = i64::from(self.today?.weekday().num_days_from_monday());
        let is_told = days_ahead != UNTOLD;
        is_told.then(|| self.shifted(days_ahead - today + weekday)).flatten()
    }

    fn coming(&self, weekday: i64, which: Option<i64>, past: bool) -> Option<NaiveDate> {
        let today = i64::from(self.today?.weekday().num_days_from_monday());
        let ahead = match (weekday - today).rem_euclid(7) {
            0 => 7,
            days => days,
        };
        let back = match (today - weekday).rem_euclid(7) {
            0 => 7,
            days => days,
        };
        self.shifted(match which {
            Some(UNTOLD) => return None,
            Some(1) => 7 - today + weekday,
            Some(weeks @ (7 | 14)) => ahead + weeks,
            Some(-1) => -back,
            None if past => -back,
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
        let (year, words) = self.year(end).map_or((None, 0), |(year, words)| (Some(year), words));
        let date = match year {
            Some(year) => NaiveDate::from_ymd_opt(year, month, day),
            None => self.nearest(month, day, self.is_past(at)),
        };
        Some((end + words - at, date))
    }

    /// "2026", "of 2026", "twenty twenty six", "nineteen ninety".
    fn year(&self, at: usize) -> Option<(i32, usize)> {
        let from = at + self.skip("of", at);
        let (first, words) = self.integer(from)?;
        let end = from + words;
        if (1_900..=2_100).contains(&first) {
            return Some((i32::try_from(first).ok()?, end - at));
        }
        let (second, words) =
            self.integer(end).filter(|(second, _)| matches!(first, 19 | 20) && (10..=99).contains(second))?;
        Some((i32::try_from(first * 100 + second).ok()?, end + words - at))
    }

    /// The day without its year: the next that comes, or the last that was.
    fn nearest(&self, month: u32, day: u32, past: bool) -> Option<NaiveDate> {
        let today = self.today?;
        let of = |year| NaiveDate::from_ymd_opt(year, month, day);
        let this = of(today.year())?;
        match past {
            true if this > today => of(today.year() - 1),
            false if this < today => of(today.year() + 1),
            _ => Some(this),
        }
    }

    fn next_day_of_month(&self, day: u32, past: bool) -> Option<NaiveDate> {
        let today = self.today?;
        let this = today.with_day(day);
        match past {
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
        let english = self.sentence.language == Language::En;
        let (day, words) = if english { self.ordinal(from)? } else { self.day_of_month(from)? };
        let end = from + words;
        // "from the tenth to the twentieth of April" says the month once.
        if let Some((_, to)) = self.find("until", end)
            && let Some((_, last)) = self.calendar(end + to)
        {
            return Some((end - at, last.and_then(|last| last.with_day(day).filter(|first| *first <= last))));
        }
        let last = &self.sentence.words[end - 1];
        let alone = end == self.sentence.words.len() || last.pause || self.find("then", end).is_some();
        alone.then(|| (end - at, self.next_day_of_month(day, self.is_past(at))))
    }

    /// "three days", "a month", as days or months.
    fn span(&self, at: usize) -> Option<(u64, i64, usize)> {
        let one = || self.find("one", at).map(|(_, words)| (1, words));
        let (count, words) = self.integer(at).or_else(one).filter(|(count, _)| *count <= FURTHEST)?;
        let (unit, length) = self.find("unit", at + words)?;
        Some((count, unit, words + length))
    }

    /// "in three days"; "in two or three days" and "within forty eight hours" are no one day.
    fn ahead(&self, at: usize) -> Option<Found> {
        let words = self.find("in", at)?.1;
        let from = at + words;
        if let Some((counted, date)) = self.counted(from) {
            return Some((words + counted, date));
        }
        let several = || {
            let (_, first) = self.integer(from)?;
            let end = from + first;
            let end = match self.find("either", end).and_then(|(_, or)| Some(end + or + self.integer(end + or)?.1)) {
                Some(end) => end,
                None if self.find("duration", end).is_some() => end,
                None => return None,
            };
            let unit = self.find("unit", end).or_else(|| self.find("duration", end))?.1;
            Some((end + unit - at, None))
        };
        if let Some(several) = several() {
            return Some(several);
        }
        let (count, unit, length) = self.span(from)?;
        // Where the sentence speaks of the past it may count from any day.
        Some((words + length, far(self.today?, (count, unit), true).filter(|_| !self.past)))
    }

    /// "two weeks from Friday", "the day before Christmas Eve": counted from a day, which has a date or not.
    fn counted(&self, at: usize) -> Option<Found> {
        let the_one = || {
            let words = self.find("the", at)?.1;
            let (unit, length) = self.find("unit", at + words)?;
            Some((1, unit, words + length))
        };
        let (count, unit, length) = self.span(at).or_else(the_one)?;
        let (ahead, words) = self.find("beside", at + length)?;
        let from = at + length + words;
        let now = self.find("now", from).map(|(_, words)| (words, self.today));
        let base = |from: usize| self.named(from).or_else(|| self.weekday(from)).or_else(|| self.calendar(from));
        let article = self.skip("the", from);
        let base =
            now.or_else(|| base(from)).or_else(|| base(from + article).map(|(words, date)| (article + words, date)));
        let (words, date) = base?;
        Some((from + words - at, date.and_then(|date| far(date, (count, unit), ahead > 0))))
    }

    /// "heute in zwei Wochen", "Freitag in einer Woche": as many behind that day. Where people differ it is none.
    fn stretched(&self, at: usize, (words, date): Found) -> Found {
        let end = at + words;
        let span = || {
            let lead = self.find("in", end).filter(|_| !self.sentence.words[end - 1].pause)?.1;
            let (count, unit, length) = self.span(end + lead).filter(|(_, unit, _)| *unit >= 7)?;
            Some((lead + length, (count, unit)))
        };
        let Some((length, by)) = span() else { return (words, date) };
        let is_told = self.sentence.language == Language::De || self.find("day", at).is_some();
        (words + length, date.filter(|_| is_told).and_then(|date| far(date, by, true)))
    }

    /// "three days ago", "vor drei Tagen".
    fn ago(&self, at: usize) -> Option<Found> {
        if let Some((_, words)) = self.find("ago", at)
            && let Some((count, unit, length)) = self.span(at + words)
        {
            return Some((words + length, far(self.today?, (count, unit), false)));
        }
        let (count, unit, length) = self.span(at)?;
        let words = self.find("ago_after", at + length)?.1;
        Some((length + words, far(self.today?, (count, unit), false)))
    }

    /// "the end of the month"; "next week" is no day.
    fn period(&self, at: usize) -> Option<Found> {
        // "in October" is no day either.
        let month = || {
            let words = self.find("in", at)?.1;
            Some((words + self.find("month", at + words)?.1, None))
        };
        let vague = self.find("vague", at).map(|(_, words)| (words, None)).or_else(month);
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
        let raw = self.sentence.words.get(at)?.raw.trim_end_matches('.');
        let parts: Vec<u32> = raw.split(['-', '/', '.']).map(str::parse).collect::<Result<_, _>>().ok()?;
        if let [day, month] = parts[..] {
            // "24.4." and "24/04" behind a word for a day; else it is a number, or "24/7".
            let is_day = self.sentence.language != Language::En && (1..=31).contains(&day) && (1..=12).contains(&month);
            let is_led = at > 0 && self.lexicon.holds("on_the", self.sentence.key(at - 1));
            return (is_day && is_led).then(|| (1, self.nearest(month, day, self.is_past(at))));
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
}

fn days_from(day: NaiveDate, days: i64) -> Option<NaiveDate> {
    let by = Days::new(days.unsigned_abs());
    if days < 0 { day.checked_sub_days(by) } else { day.checked_add_days(by) }
}

/// A span from a day.
fn far(day: NaiveDate, (count, unit): Span, ahead: bool) -> Option<NaiveDate> {
    let months = |each| Months::new(u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(each));
    match (unit, ahead) {
        (1_000, true) => day.checked_add_months(months(1)),
        (1_000, false) => day.checked_sub_months(months(1)),
        (2_000, true) => day.checked_add_months(months(12)),
        (2_000, false) => day.checked_sub_months(months(12)),
        (days, true) => days_from(day, days.saturating_mul(count as i64)),
        (days, false) => days_from(day, -days.saturating_mul(count as i64)),
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
