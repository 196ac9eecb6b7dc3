//! Dates of birth: a date near a word for birth, in five languages. Its one invariant: a date that no such word is near stays.

use super::item::{self, Item};
use super::token::{Form, Page};
use super::{Claim, Kind};

/// Tokens between a word for birth and the date: a question, a hesitation.
const WITHIN: usize = 24;
/// Tokens between a date and a word for birth behind it.
const BESIDE: usize = 3;
/// Tokens of the longest date: "the twenty - third of march , nineteen hundred and eighty - five".
const LONGEST: usize = 16;

pub(super) fn find(page: &Page, items: &[Item]) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut behind = 0;
    for at in 0..page.tokens.len() {
        if at < behind || !speaks_of_birth(page, at) {
            continue;
        }
        let dates =
            |mut range: std::ops::Range<usize>| range.find_map(|first| Some((first, date(page, items, first)?)));
        // "Ich bin am dritten März 1980 geboren": the date ends where the word stands.
        let before =
            dates(at.saturating_sub(LONGEST).max(behind)..at).filter(|(_, last)| *last < at && at - last <= BESIDE);
        let found = before.or_else(|| dates(at + 1..page.tokens.len().min(at + WITHIN)));
        if let Some((first, last)) = found {
            behind = last;
            claims.extend(Claim::over(page, Kind::DateOfBirth, first, last));
        }
    }
    claims
}

fn speaks_of_birth(page: &Page, at: usize) -> bool {
    let Some(key) = page.word(at) else { return false };
    match key {
        "born" | "birth" | "birthday" | "birthdate" | "dob" | "geboren" | "geburtsdatum" | "geburtstag"
        | "naissance" | "naci" | "nacio" | "nacido" | "nacida" | "nacimiento" | "cumpleanos" | "nasci" | "nasceu"
        | "nascido" | "nascida" | "nascimento" | "aniversario" => true,
        "ne" | "nee" => page.word(at + 1) == Some("le") || page.word(at + 1) == Some("en"),
        _ => false,
    }
}

/// Numbers of the longest date: "the third of the fourth nineteen seventy" has four.
const NUMBERS: usize = 4;

/// The parts of a date that were read so far.
#[derive(Default)]
struct Parts {
    named_month: bool,
    numbers: Vec<u32>,
    last: usize,
}

impl Parts {
    /// Whether they are a date. Without the name of a month they have to be a day, a month and a year in one of their orders.
    fn are_complete(&self) -> bool {
        let day_and_month = |a: u32, b: u32| (1..=31).contains(&a) && (1..=31).contains(&b) && a.min(b) <= 12;
        let year = |value: u32| (1_900..2_100).contains(&value);
        match self.numbers[..] {
            [] => false,
            _ if self.named_month => self.numbers.len() <= NUMBERS,
            [whole] => (1_011_900..=31_122_099).contains(&whole) && (year(whole % 10_000) || year(whole / 10_000)),
            [y, a, b] if year(y) => day_and_month(a, b),
            [a, b, y] => day_and_month(a, b) && (year(y) || y <= 99),
            // "nineteen eighty five" is two numbers.
            [a, b, 19 | 20, y] => day_and_month(a, b) && y <= 99,
            _ => false,
        }
    }
}

/// The last token of the date that begins at `first`.
fn date(page: &Page, items: &[Item], first: usize) -> Option<usize> {
    let mut parts = Parts::default();
    let mut at = first;
    while at < page.tokens.len().min(first + LONGEST) {
        let token = &page.tokens[at];
        if let Some(item) = item::covering(items, at) {
            if !takes(&mut parts, item) {
                break;
            }
            at = item.last;
            parts.last = at;
        } else if page.word(at).is_some_and(is_month) {
            if parts.named_month {
                break;
            }
            parts.named_month = true;
            parts.last = at;
        } else if is_ordinal(page, at) {
            // An ordinal is a day, which one does not matter.
            parts.numbers.push(1);
            parts.last = at;
            // The ending of "3rd" is a token of its own.
            if token.form == Form::Digits {
                at += 1;
                parts.last = at;
            }
        } else if at == first || !connects(page, at) {
            break;
        }
        at += 1;
    }
    parts.are_complete().then_some(parts.last)
}

/// Whether `item` may be the next number of a date.
fn takes(parts: &mut Parts, item: &Item) -> bool {
    let Ok(value) = item.digits.parse() else { return false };
    let fits = value <= 99 || (1_900..2_100).contains(&value) || item.digits.len() == 8;
    if fits {
        parts.numbers.push(value);
    }
    fits && parts.numbers.len() <= NUMBERS
}

fn connects(page: &Page, at: usize) -> bool {
    match page.tokens[at].form {
        Form::Mark(mark) => matches!(mark, '-' | '/' | '.' | ',' | '\'' | '–'),
        Form::Word => matches!(
            page.tokens[at].key.as_str(),
            "of" | "the"
                | "in"
                | "and"
                | "de"
                | "del"
                | "du"
                | "do"
                | "da"
                | "le"
                | "el"
                | "o"
                | "den"
                | "der"
                | "am"
                | "im"
                | "dia"
                | "mes"
                | "ano"
                | "uh"
                | "um"
                | "er"
                | "mil"
        ),
        Form::Digits => page.tokens.get(at + 1).is_some_and(|next| next.glued),
        Form::Placeholder(_) => false,
    }
}

fn is_month(key: &str) -> bool {
    const MONTHS: [&str; 60] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "januar",
        "februar",
        "marz",
        "maerz",
        "mai",
        "juni",
        "juli",
        "oktober",
        "dezember",
        "janner",
        "janvier",
        "fevrier",
        "mars",
        "avril",
        "juin",
        "juillet",
        "aout",
        "septembre",
        "octobre",
        "novembre",
        "decembre",
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "setiembre",
        "octubre",
        "noviembre",
        "diciembre",
        "janeiro",
        "fevereiro",
        "marco",
        "maio",
        "junho",
        "julho",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
        "jan",
        "feb",
        "oct",
        "dec",
    ];
    MONTHS.contains(&key)
}

/// "third", "dritten", "premier", "primero", "3rd".
fn is_ordinal(page: &Page, at: usize) -> bool {
    let token = &page.tokens[at];
    if token.form == Form::Digits {
        let next = page.tokens.get(at + 1).filter(|next| next.glued);
        return next.is_some_and(|next| {
            matches!(next.key.as_str(), "st" | "nd" | "rd" | "th" | "er" | "eme" | "o" | "ro" | "de")
        });
    }
    let key = token.key.as_str();
    const ENGLISH: [&str; 21] = [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth",
        "thirtieth",
    ];
    let german = key.strip_suffix("ten").or_else(|| key.strip_suffix("ter")).or_else(|| key.strip_suffix("te"));
    let german = german.is_some_and(|stem| {
        let stem = stem.strip_suffix('s').unwrap_or(stem);
        matches!(stem, "ers" | "er" | "drit" | "sieb" | "ach") || super::numeral::Language::De.numeral(stem).is_some()
    });
    ENGLISH.contains(&key) || german || matches!(key, "premier" | "primero" | "primeiro" | "achten" | "achter")
}
