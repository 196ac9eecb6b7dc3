//! Which runs of numbers are telephone numbers. Its one invariant: a number that libphonenumber takes for one, or that the words around
//! it name as one, is one, unless the nearest words name it as something else.

use phonenumber::country::Id;

use super::Policy;
use super::cue::{self, Cue};
use super::item::{Item, Style};
use super::numeral::Language;
use super::run::{Run, is_year};
use super::shape::{self, Shape};
use super::token::{Form, Page};

/// Digits of a number that the words around it name as a telephone's: short ones exist in small towns.
const NAMED_DIGITS: usize = 6;
/// Digits of a number whose kind nothing tells.
const DIGITS: usize = 7;
/// Digits of an international number: E.164 ends at 15; 8 is the shortest with its country's code.
const INTERNATIONAL: std::ops::RangeInclusive<usize> = 8..=15;
/// Digits from which a number with a leading zero is one: trunk prefix, area and subscriber.
const TRUNK: std::ops::RangeInclusive<usize> = 9..=15;
/// Digits of a part of a number that somebody takes up again.
const PART: usize = 3;
/// Tokens between the parts of a number that was interrupted: some fifteen words.
const INTERRUPTION: usize = 30;
/// Tokens in which a part of a number counts as said again: half a minute of talk and more.
const REPEATED_WITHIN: usize = 250;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Phone,
    /// Too short, but said to be (a part of) a number.
    Part,
    Other,
}

/// The runs, or pieces of runs, that are telephone numbers.
pub(super) fn find(page: &Page, items: &[Item], runs: &[Run], policy: &Policy) -> Vec<Run> {
    let mut judged: Vec<(Run, Verdict)> = Vec::with_capacity(runs.len());
    for run in runs {
        judge(page, items, *run, policy, &mut judged);
    }
    join_parts(items, &mut judged);
    let found: Vec<Run> =
        judged.iter().filter(|(_, verdict)| *verdict == Verdict::Phone).map(|(run, _)| *run).collect();
    let repeated = repeated(page, items, &judged, &found);
    found.into_iter().chain(repeated).collect()
}

fn judge(page: &Page, items: &[Item], run: Run, policy: &Policy, judged: &mut Vec<(Run, Verdict)>) {
    let (first, last) = run.tokens(items);
    let of_run = run.items(items);
    let digits = said_once(page, of_run);
    let shape = Shape::of(page, of_run);
    let cue = match cue::around(page, first, last) {
        // Cards and accounts are longer than telephone numbers.
        Some(Cue::Card | Cue::Iban) if digits.len() < 12 => None,
        found => found,
    };
    let has_plus = has_plus(page, first);
    let one = |verdict| vec![(run, verdict)];
    judged.extend(if has_plus && digits.len() >= *INTERNATIONAL.start() {
        one(Verdict::Phone)
    } else if shape::is_measured(page, first, last) || shape.is_something_else() {
        one(Verdict::Other)
    } else {
        match cue {
            Some(Cue::Phone) if digits.len() >= NAMED_DIGITS => one(Verdict::Phone),
            Some(Cue::Number) if digits.len() >= DIGITS && !shape.is_amount() => one(Verdict::Phone),
            Some(Cue::Phone | Cue::Number) if is_part(of_run) => one(Verdict::Part),
            Some(Cue::Other | Cue::Card | Cue::Iban | Cue::NationalId | Cue::Phone | Cue::Number) => {
                one(Verdict::Other)
            }
            None => unnamed(page, items, run, policy),
        }
    });
}

/// A run of which nothing is said.
fn unnamed(page: &Page, items: &[Item], run: Run, policy: &Policy) -> Vec<(Run, Verdict)> {
    let of_run = run.items(items);
    let shape = Shape::of(page, of_run);
    let digits = said_once(page, of_run);
    let quantity = of_run.iter().any(|item| item.style == Style::Quantity);
    if digits.len() < DIGITS || shape.is_amount() || shape.is_counting() || quantity {
        return vec![(run, Verdict::Other)];
    }
    let languages = page.languages(of_run[0].first);
    if is_dictated(of_run) || shape.is_local() || is_number(&digits, languages, policy) {
        return vec![(run, Verdict::Phone)];
    }
    let mut pieces = Vec::new();
    let mut start = run.first;
    for index in run.first..run.end {
        let ends = index + 1 == run.end || is_apart(page, &items[index], &items[index + 1]);
        if ends {
            let piece = Run { first: start, end: index + 1 };
            let shape = Shape::of(page, piece.items(items));
            let is_phone = !shape.is_amount()
                && !shape.is_something_else()
                && (shape.is_local() || is_number(&piece.digits(items), languages, policy));
            pieces.push((piece, if is_phone { Verdict::Phone } else { Verdict::Other }));
            start = index + 1;
        }
    }
    pieces
}

/// Whether more than a space or a tight mark stands between two items.
fn is_apart(page: &Page, one: &Item, other: &Item) -> bool {
    page.tokens[one.last].segment != page.tokens[other.first].segment
        || page.tokens[one.last + 1..other.first]
            .iter()
            .any(|token| token.is_word() || matches!(token.form, Form::Mark(',' | ';' | '?' | '!')))
}

/// The digits without what one speaker said after the other.
fn said_once(page: &Page, items: &[Item]) -> String {
    let mut said = String::new();
    let mut latest = String::new();
    for chunk in items.chunk_by(|a, b| page.tokens[a.last].segment == page.tokens[b.first].segment) {
        let digits: String = chunk.iter().map(|item| item.digits.as_str()).collect();
        let again = !latest.is_empty() && digits.len() >= 2 && (latest.ends_with(&digits) || said.ends_with(&digits));
        if !again {
            said.push_str(&digits);
        }
        latest = digits;
    }
    said
}

/// Digit by digit, at least half of it: nobody reads out a quantity so.
fn is_dictated(items: &[Item]) -> bool {
    let total: usize = items.iter().map(|item| item.digits.len()).sum();
    let single = |item: &&Item| item.style == Style::Digit || (item.style == Style::Written && item.digits.len() == 1);
    let dictated: usize = items.iter().filter(single).map(|item| item.digits.len()).sum();
    dictated >= DIGITS && 2 * dictated >= total
}

/// Whether a short run may be a part of a number: digits, not a time or a year.
fn is_part(items: &[Item]) -> bool {
    let total: usize = items.iter().map(|item| item.digits.len()).sum();
    let plain = |item: &Item| matches!(item.style, Style::Digit | Style::Written) && !is_year(&item.digits);
    total >= PART && items.iter().all(plain)
}

fn has_plus(page: &Page, first: usize) -> bool {
    let Some(before) = first.checked_sub(1).filter(|before| page.together(first, *before)) else { return false };
    let open = usize::from(page.tokens[before].is_mark('('));
    let Some(before) = before.checked_sub(open) else { return false };
    page.tokens[before].is_mark('+') || matches!(page.word(before), Some("plus" | "mas" | "mais"))
}

/// Whether libphonenumber takes `digits` for a number of a likely region.
fn is_number(digits: &str, languages: &[Language], policy: &Policy) -> bool {
    if digits.len() > *INTERNATIONAL.end() + 2 {
        return false;
    }
    let international = digits.strip_prefix("00").or_else(|| digits.strip_prefix("011"));
    if international.is_some_and(|rest| is_valid(None, &format!("+{rest}"))) {
        return true;
    }
    if digits.starts_with('0') && TRUNK.contains(&digits.len()) {
        return true;
    }
    let by_language = languages.iter().flat_map(|language| regions(*language));
    let mut regions = policy.regions.iter().map(|region| region.0).chain(by_language.copied());
    regions.any(|region| !has_trunk_prefix(region) && is_valid(Some(region), digits))
}

fn is_valid(region: Option<Id>, digits: &str) -> bool {
    phonenumber::parse(region, digits).is_ok_and(|number| number.is_valid())
}

/// Where most speakers of a language live whose numbers are at risk of being taken for something else.
fn regions(language: Language) -> &'static [Id] {
    match language {
        Language::En => &[Id::US, Id::GB],
        Language::De => &[Id::DE, Id::AT, Id::CH],
        Language::Fr => &[Id::FR, Id::BE, Id::CA],
        Language::Es => &[Id::ES, Id::MX],
        Language::Pt => &[Id::PT, Id::BR],
    }
}

/// Regions in which a number begins with 0 wherever it is written in the national way, so that digits without it are none.
fn has_trunk_prefix(region: Id) -> bool {
    matches!(region, Id::GB | Id::DE | Id::AT | Id::CH | Id::FR | Id::BE | Id::NL | Id::IE | Id::AU | Id::SE)
}

/// Parts of a number that was interrupted become one with what they are parts of.
fn join_parts(items: &[Item], judged: &mut [(Run, Verdict)]) {
    let mut start = 0;
    while start < judged.len() {
        if judged[start].1 == Verdict::Other {
            start += 1;
            continue;
        }
        let mut end = start + 1;
        while judged.get(end).is_some_and(|(run, verdict)| {
            let gap = items[run.first].first - items[judged[end - 1].0.end - 1].last;
            *verdict != Verdict::Other && gap <= INTERRUPTION
        }) {
            end += 1;
        }
        let digits: usize = judged[start..end].iter().map(|(run, _)| run.digits(items).len()).sum();
        let whole = judged[start..end].iter().any(|(_, verdict)| *verdict == Verdict::Phone) || digits >= DIGITS;
        for (_, verdict) in &mut judged[start..end] {
            *verdict = if whole { Verdict::Phone } else { Verdict::Other };
        }
        start = end;
    }
}

/// Runs near a number that say a part of it again: "ending in oh one nine nine".
fn repeated(page: &Page, items: &[Item], judged: &[(Run, Verdict)], found: &[Run]) -> Vec<Run> {
    let known: Vec<(usize, String)> =
        found.iter().map(|run| (items[run.first].first, said_once(page, run.items(items)))).collect();
    let is_again = |run: &Run| {
        let digits = said_once(page, run.items(items));
        let at = items[run.first].first;
        // The numbers are in the order of the text.
        let near = known.partition_point(|(place, _)| place + REPEATED_WITHIN < at);
        digits.len() >= PART
            && known[near..].iter().take_while(|(place, _)| *place <= at + REPEATED_WITHIN).take(8).any(
                |(_, number)| {
                    number.ends_with(&digits)
                        || number.starts_with(&digits)
                        || (digits.len() > PART && number.contains(&digits))
                },
            )
    };
    judged.iter().filter(|(_, verdict)| *verdict == Verdict::Other).map(|(run, _)| *run).filter(is_again).collect()
}
