//! Sums, shares and quantities. Its one invariant: a number that may be only a part of what was said ("two and a half", "nine fifteen
//! dollars") gives none.

use super::document::AmountKind;
use super::sentence::{Number, Sentence};

/// Signs of currencies; `R$` and `US$` end with one.
const SIGNS: [char; 5] = ['$', '€', '£', '¥', '₹'];

/// Words of the longest phrase that leads to a time of day: "a las".
const CUE_WORDS: usize = 2;

/// An amount in a sentence.
pub(super) struct Found {
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) value: f64,
    pub(super) unit: String,
    pub(super) kind: AmountKind,
}

/// The amounts of `sentence`, in order.
pub(super) fn amounts(sentence: &Sentence<'_>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for number in &sentence.numbers {
        let behind = found.last().is_none_or(|last| number.first >= last.end);
        found.extend(amount(sentence, number.first).filter(|_| behind));
    }
    found
}

fn amount(sentence: &Sentence<'_>, first: usize) -> Option<Found> {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    let find = |section: &str, at: usize| lexicon.find(section, words, at);
    let number = sentence.number(first)?;
    let (mut value, mut end) = (number.value, first + number.words);
    let adjacent = sentence.numbers.iter().any(|other| other.first == end || other.first + other.words == first);
    let behind_point = first > 0 && find("point", first - 1).is_some();
    // "three to five days": the end of a range is not what was said.
    let range = |end: usize| {
        let ends = |other: &Number| other.first + other.words + 1 == end;
        end > 0 && find("range", end - 1).is_some() && sentence.numbers.iter().any(ends)
    };
    // "ninety to a hundred dollars"
    let ranged = range(first) || (first > 0 && find("one", first - 1).is_some() && range(first - 1));
    if adjacent || behind_point || ranged {
        return None;
    }
    if let Some(point) = find("point", end) {
        let decimals = decimals(sentence, end + point.words)?;
        value = format!("{value}.{}", decimals.0).parse().ok()?;
        end = decimals.1;
    }
    if lexicon.any("half", words.get(end..words.len().min(end + 3))?) {
        return None;
    }
    if let Some(hit) = find("multiplier", end) {
        (value, end) = (value * hit.value as f64, end + hit.words);
    }
    let raw = words[first].raw;
    let symbol = raw.trim_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    if symbol == "%" {
        return Some(Found { first, end, value, unit: "%".into(), kind: AmountKind::Percent });
    }
    if !symbol.is_empty() && lexicon.holds("currency", &symbol.to_lowercase()) {
        return Some(Found { first, end, value, unit: symbol.into(), kind: AmountKind::Money });
    }
    // "R$ 49,90": a sign, and no word, stands in front.
    if let Some(before) = first.checked_sub(1).filter(|before| words[*before].raw.ends_with(SIGNS))
        && lexicon.holds("currency", &words[before].key)
    {
        return Some(Found { first: before, end, value, unit: words[before].raw.into(), kind: AmountKind::Money });
    }
    if is_clock(sentence, first, end) {
        return None;
    }
    let unit = |words_of: usize| sentence.quote(end, end + words_of).to_owned();
    [("currency", AmountKind::Money), ("percent", AmountKind::Percent), ("counted", AmountKind::Quantity)]
        .into_iter()
        .find_map(|(section, kind)| {
            let hit = find(section, end)?;
            let unit = if kind == AmountKind::Percent { "%".into() } else { unit(hit.words) };
            Some(Found { first, end: end + hit.words, value, unit, kind })
        })
}

/// "À neuf heures" is a time of day, "neuf heures" a quantity.
fn is_clock(sentence: &Sentence<'_>, first: usize, end: usize) -> bool {
    let (lexicon, words) = (sentence.lexicon(), &sentence.words);
    let cued = |back: usize| lexicon.find("at", words, first - back).is_some_and(|hit| hit.words == back);
    lexicon.find("hour_word", words, end).is_some() && (1..=CUE_WORDS.min(first)).any(cued)
}

/// The digits behind "point", and the word behind them: "five", "two five".
fn decimals(sentence: &Sentence<'_>, from: usize) -> Option<(String, usize)> {
    let (mut digits, mut at) = (String::new(), from);
    while let Some(number) = sentence.number(at).filter(|number| number.value.fract() == 0.0 && number.value >= 0.0) {
        digits.push_str(&number.value.to_string());
        at += number.words;
    }
    (!digits.is_empty()).then_some((digits, at))
}
