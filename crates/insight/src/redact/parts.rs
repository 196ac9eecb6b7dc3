//! Parts of telephone numbers: those that somebody was interrupted in, and those that are said again. Its one invariant: a run becomes a
//! number here only together with others, and what decides is how far they are apart and what they are together.

use super::item::Item;
use super::numbering::is_number;
use super::phone::{DIGITS, PART, said_once};
use super::run::Run;
use super::token::Page;

/// Tokens between the parts of a number that was interrupted: some fifteen words.
const INTERRUPTION: usize = 30;
/// Tokens in which a part of a number counts as said again: half a minute of talk and more.
const REPEATED_WITHIN: usize = 250;

/// What a run was taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Phone,
    /// Too short, but said to be (a part of) a number.
    Part,
    /// The same, but it may as well count something: "on the phone he said 1200, or 1350".
    Quantity,
    /// Too short, and nothing says what it is.
    Loose,
    Other,
}

/// Makes parts of numbers numbers, and all other parts nothing.
pub(super) fn join(page: &Page, items: &[Item], judged: &mut [(Run, Verdict)]) {
    join_quantities(page, items, judged);
    join_parts(items, judged);
    complete(page, items, judged);
}

/// The index behind the last of the runs from `start` on that follow each other closely and that `takes` takes.
fn chain(items: &[Item], judged: &[(Run, Verdict)], start: usize, takes: impl Fn(Verdict) -> bool) -> usize {
    let mut end = start;
    while judged.get(end).is_some_and(|(run, verdict)| {
        let near = end == start || items[run.first].first - items[judged[end - 1].0.end - 1].last <= INTERRUPTION;
        near && takes(*verdict)
    }) {
        end += 1;
    }
    end
}

/// Parts of which some look like quantities are a number where a numbering plan has it; otherwise those are loose.
fn join_quantities(page: &Page, items: &[Item], judged: &mut [(Run, Verdict)]) {
    let mut start = 0;
    while start < judged.len() {
        let end = chain(items, judged, start, |verdict| matches!(verdict, Verdict::Part | Verdict::Quantity));
        let runs = &mut judged[start..end];
        if runs.iter().any(|(_, verdict)| *verdict == Verdict::Quantity) {
            let digits: String = runs.iter().map(|(run, _)| said_once(page, run.items(items))).collect();
            let whole = is_number(&digits, page.languages(items[runs[0].0.first].first));
            for (_, verdict) in runs {
                *verdict = match *verdict {
                    _ if whole => Verdict::Phone,
                    Verdict::Quantity => Verdict::Loose,
                    other => other,
                };
            }
        }
        start = end.max(start + 1);
    }
}

/// Parts of a number that was interrupted become one with what they are parts of.
fn join_parts(items: &[Item], judged: &mut [(Run, Verdict)]) {
    let mut start = 0;
    while start < judged.len() {
        let end = chain(items, judged, start, |verdict| matches!(verdict, Verdict::Phone | Verdict::Part));
        let runs = &mut judged[start..end];
        let digits: usize = runs.iter().map(|(run, _)| run.digits(items).len()).sum();
        let whole = digits >= DIGITS || runs.iter().any(|(_, verdict)| *verdict == Verdict::Phone);
        for (_, verdict) in runs {
            *verdict = if whole { Verdict::Phone } else { Verdict::Other };
        }
        start = end.max(start + 1);
    }
}

/// A loose part beside a number that is none without it and is one with it belongs to it.
fn complete(page: &Page, items: &[Item], judged: &mut [(Run, Verdict)]) {
    for index in 1..judged.len() {
        let [(one, first), (other, second)] = [judged[index - 1], judged[index]];
        let loose = (first == Verdict::Loose && second == Verdict::Phone)
            || (first == Verdict::Phone && second == Verdict::Loose);
        if !loose || items[other.first].first - items[one.end - 1].last > INTERRUPTION {
            continue;
        }
        let digits = |run: Run| said_once(page, run.items(items));
        let number = if first == Verdict::Phone { one } else { other };
        let languages = page.languages(items[one.first].first);
        let whole = digits(one) + &digits(other);
        if !is_number(&digits(number), languages) && is_number(&whole, languages) {
            judged[index - 1].1 = Verdict::Phone;
            judged[index].1 = Verdict::Phone;
        }
    }
}

/// Runs near a number that say a part of it again: "ending in oh one nine nine".
pub(super) fn repeated(page: &Page, items: &[Item], judged: &[(Run, Verdict)], found: &[Run]) -> Vec<Run> {
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
    judged.iter().filter(|(_, verdict)| *verdict != Verdict::Phone).map(|(run, _)| *run).filter(is_again).collect()
}
