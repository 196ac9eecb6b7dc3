//! Times of day. Its one invariant: a number is a time only behind a word like "at", before one like "o'clock", or written as one.

use chrono::NaiveTime;

use crate::analysis::sentence::Sentence;

/// Hours of a business day's afternoon that people say without "p.m.".
const AFTERNOON: std::ops::RangeInclusive<u32> = 1..=6;

/// The times of a sentence: first word, the word behind, time.
pub(super) fn times(sentence: &Sentence<'_>) -> Vec<(usize, usize, NaiveTime)> {
    let mut times = Vec::new();
    let mut at = 0;
    while at < sentence.words.len() {
        match time(sentence, at) {
            Some((words, time)) => {
                times.push((at, at + words, time));
                at += words;
            }
            None => at += 1,
        }
    }
    times
}

fn time(sentence: &Sentence<'_>, at: usize) -> Option<(usize, NaiveTime)> {
    let lexicon = sentence.lexicon();
    let find = |section: &str, at: usize| lexicon.find(section, &sentence.words, at).map(|hit| (hit.value, hit.words));
    if let Some((minutes, words)) = find("clock", at) {
        return clock(minutes).map(|time| (words, time));
    }
    let cue = find("at", at).map_or(0, |(_, words)| words);
    let from = at + cue;
    if let Some((minutes, words)) = find("before_hour", from) {
        let (hour, length) = hour(sentence, from + words)?;
        let end = from + words + length;
        let minutes = i64::from(afternoon(sentence, hour, end, false)) * 60 + minutes;
        return clock(minutes).map(|time| (end - at, time));
    }
    if let Some((hour, minute, fixed)) = sentence.words.get(from).and_then(|word| written(word.raw, cue > 0)) {
        let end = from + 1;
        let end = end + find("hour_word", end).map_or(0, |(_, words)| words);
        let time = NaiveTime::from_hms_opt(afternoon(sentence, hour, end, fixed), minute, 0)?;
        return Some((end - at, time));
    }
    let (hour, words) = hour(sentence, from)?;
    let mut end = from + words;
    let mut cued = cue > 0;
    if let Some((_, words)) = find("hour_word", end) {
        (end, cued) = (end + words, true);
    }
    let mut minute = 0;
    // "las nueve y quince"
    let and = usize::from(sentence.key(end) == sentence.language.and() && sentence.number(end + 1).is_some());
    let minutes_at = if cued { end + and } else { end };
    if let Some(number) = sentence.number(minutes_at).filter(|number| cued && (10.0..60.0).contains(&number.value)) {
        (minute, end) = (number.value as i64, minutes_at + number.words);
    } else if let Some((minutes, words)) = find("after_hour", end) {
        (minute, end, cued) = (minutes, end + words, true);
    }
    let half = find("am", end).or_else(|| find("pm", end));
    let over = end == sentence.words.len() || sentence.words[end - 1].pause || find("then", end).is_some();
    let day =
        ["weekday", "which", "day"].iter().any(|section| find(section, end).is_some()) || sentence.key(end) == "on";
    if !(half.is_some() || (cued && (over || day))) {
        return None;
    }
    let minutes = i64::from(afternoon(sentence, hour, end, false)) * 60 + minute;
    clock(minutes).map(|time| (end - at, time))
}

fn clock(minutes: i64) -> Option<NaiveTime> {
    let minutes = u32::try_from(minutes).ok()?;
    NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0)
}

fn hour(sentence: &Sentence<'_>, at: usize) -> Option<(u32, usize)> {
    let number =
        sentence.number(at).filter(|number| (0.0..=24.0).contains(&number.value) && number.value.fract() == 0.0)?;
    // "24 Uhr" is midnight, the end of a day: no time of it.
    Some((number.value as u32, number.words)).filter(|(hour, _)| *hour < 24)
}

/// "10:30", "10h30", "5pm"; "10.30" behind a word like "at"; and whether it says which half of the day it is in.
fn written(raw: &str, cued: bool) -> Option<(u32, u32, bool)> {
    let lower = raw.to_lowercase();
    if let Some(hour) = lower.strip_suffix("pm").or_else(|| lower.strip_suffix("am")) {
        let (hour, minute) = hour.split_once(':').unwrap_or((hour, "0"));
        let hour: u32 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
        let hour = hour % 12 + if lower.ends_with("pm") { 12 } else { 0 };
        return Some((hour, minute.parse().ok()?, true));
    }
    let (hour, minute) = match lower.split_once(':').or_else(|| lower.split_once('h')) {
        Some((hour, "")) => (hour, "0"),
        Some(parts) => parts,
        None => lower.split_once('.').filter(|_| cued)?,
    };
    let minute = minute.parse().ok().filter(|_| minute.len() <= 2)?;
    Some((hour.parse().ok().filter(|hour| *hour < 24)?, minute, lower.starts_with('0')))
}

/// The hour of the day that `hour` means, with what stands behind it or elsewhere in the sentence.
fn afternoon(sentence: &Sentence<'_>, hour: u32, end: usize, fixed: bool) -> u32 {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    let said = |section: &str| lexicon.find(section, words, end).is_some();
    let pm = said("pm") || (!said("am") && lexicon.any("pm", words));
    let am = said("am") || (!pm && lexicon.any("am", words));
    match hour {
        _ if fixed => hour,
        12 if am => 0,
        1..=11 if pm => hour + 12,
        _ if am || !AFTERNOON.contains(&hour) => hour,
        _ => hour + 12,
    }
}
