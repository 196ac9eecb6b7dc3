//! Which runs of numbers are telephone numbers. Its one invariant: a number that libphonenumber takes for one, or that the words around
//! it name as one, is one, unless the nearest words name it as something else.

use super::cue::{self, Cue};
use super::extension::with_extension;
use super::item::{Item, Style};
use super::numbering::is_number;
use super::parts::{self, Verdict};
use super::run::{Run, is_year};
use super::shape::{self, Shape};
use super::token::{Form, Page};

/// Digits of a number that the words around it name as a telephone's: short ones exist in small towns.
const NAMED_DIGITS: usize = 6;
/// Digits of a number whose kind nothing tells.
pub(super) const DIGITS: usize = 7;
/// Digits of a number with its area: what is written in many small groups and has as many is hardly anything else.
const FULL_DIGITS: usize = 9;
/// Digits of an international number: E.164 ends at 15; 8 is the shortest with its country's code.
pub(super) const INTERNATIONAL: std::ops::RangeInclusive<usize> = 8..=15;
/// Digits from which a number may be that of a card or an account.
const ACCOUNT: usize = 12;
/// Digits of a part of a number that somebody takes up again.
pub(super) const PART: usize = 3;
/// Digits of a part of which nothing is said, next to a number that lacks it: French numbers are said in pairs.
const LOOSE: usize = 2;
/// Parts with spaces between them that a number has at most: "+33 6 39 98 12 34" has six.
const PARTS: usize = 6;

/// The runs, or pieces of runs, that are telephone numbers.
pub(super) fn find(page: &Page, items: &[Item], runs: &[Run]) -> Vec<Run> {
    let mut judged: Vec<(Run, Verdict)> = Vec::with_capacity(runs.len());
    for run in runs {
        judge(page, items, *run, &mut judged);
    }
    parts::join(page, items, &mut judged);
    let found: Vec<Run> =
        judged.iter().filter(|(_, verdict)| *verdict == Verdict::Phone).map(|(run, _)| *run).collect();
    let repeated = parts::repeated(page, items, &judged, &found);
    found.into_iter().map(|run| with_extension(page, items, run)).chain(repeated).collect()
}

fn judge(page: &Page, items: &[Item], run: Run, judged: &mut Vec<(Run, Verdict)>) {
    let Some(run) = without_measures(page, items, run) else { return };
    let (first, last) = run.tokens(items);
    let of_run = run.items(items);
    let digits = said_once(page, of_run);
    let shape = Shape::of(page, of_run);
    if has_plus(page, first) && digits.len() >= *INTERNATIONAL.start() {
        judged.push((run, Verdict::Phone));
        return;
    }
    let cue = match cue::around(page, first, last) {
        // Cards and accounts are longer than telephone numbers.
        Some(Cue::Card | Cue::Iban) if digits.len() < ACCOUNT => None,
        found => found,
    };
    let verdict = match cue {
        _ if shape.is_never_called() => Verdict::Other,
        Some(Cue::Phone | Cue::Number) if shape.is_list() && !is_planned(page, of_run, &digits) => Verdict::Other,
        Some(Cue::Phone) if digits.len() >= NAMED_DIGITS => Verdict::Phone,
        Some(Cue::Number) if digits.len() >= DIGITS && !shape.is_amount() => Verdict::Phone,
        Some(Cue::Number) if digits.len() >= NAMED_DIGITS && shape.is_hyphenated() => Verdict::Phone,
        Some(Cue::Phone | Cue::Number) if is_part(of_run) && shape.is_quantity() => Verdict::Quantity,
        Some(Cue::Phone | Cue::Number) if is_part(of_run) => Verdict::Part,
        Some(Cue::Phone | Cue::Number) => Verdict::Other,
        Some(Cue::Aside) if is_planned(page, of_run, &digits) => Verdict::Phone,
        Some(Cue::Aside | Cue::Other | Cue::Card | Cue::Iban | Cue::NationalId) => {
            // The name is that of the first number; what stands apart from it may be another.
            let (named, rest) = run.split_where(|index| is_apart(page, &items[index], &items[index + 1]));
            judged.push((named, Verdict::Other));
            if let Some(rest) = rest {
                pieces(page, items, rest, judged);
            }
            return;
        }
        None if is_phone(page, of_run, &digits) => Verdict::Phone,
        None if is_read_back(of_run, &digits) && !(shape.is_amount() || shape.is_counting()) => Verdict::Phone,
        None if digits.len() < DIGITS && digits.len() >= LOOSE => Verdict::Loose,
        None => return pieces(page, items, run, judged),
    };
    judged.push((run, verdict));
}

/// A run without the amounts at its ends: what a unit stands behind, what a currency stands before, half of a time of day. A number that
/// is said in one breath with an amount is kept.
fn without_measures(page: &Page, items: &[Item], run: Run) -> Option<Run> {
    let (first, last) = run.tokens(items);
    let mut rest = run;
    if shape::is_priced(page, first) || shape::is_clock(page, first) {
        rest.first += 1;
    }
    if rest.first < rest.end && shape::is_clock(page, last) {
        rest.end -= 1;
        return (rest.first < rest.end).then_some(rest);
    }
    if shape::has_unit(page, last) && rest.first < rest.end {
        let short = Run { end: rest.end - 1, ..rest };
        let apart = |index: usize| is_apart(page, &items[index], &items[index + 1]);
        let is_number = short.first < short.end && is_phone(page, short.items(items), &short.digits(items));
        rest.end = if is_number {
            short.end
        } else {
            (rest.first..rest.end - 1).rev().find(|index| apart(*index)).map_or(rest.first, |index| index + 1)
        };
    }
    (rest.first < rest.end).then_some(rest)
}

/// Looks for numbers in the pieces of a run of which nothing is said: first in what pauses set apart, then in neighbouring groups.
fn pieces(page: &Page, items: &[Item], run: Run, judged: &mut Vec<(Run, Verdict)>) {
    let apart = |index: usize| is_apart(page, &items[index], &items[index + 1]);
    let loose = |index: usize| {
        let (one, other) = (&items[index], &items[index + 1]);
        // "212 555 0199/0188" are two numbers.
        let tight = page.tokens[one.last + 1..=other.first].iter().all(|token| token.glued && !token.is_mark('/'));
        !(tight || (is_single(one) && is_single(other)))
    };
    for piece in run.split(apart) {
        if is_phone(page, piece.items(items), &piece.digits(items)) {
            judged.push((piece, Verdict::Phone));
        } else {
            judged.extend(neighbours(page, items, &piece.split(loose)));
        }
    }
}

/// The way to cut `parts`, which nothing but spaces sets apart, into numbers of neighbouring parts that leaves the fewest digits over:
/// "212 555 0199 415 555 0132". Where as many as a number has are left over, the parts are those of something longer, and each has to be
/// a number by itself.
fn neighbours(page: &Page, items: &[Item], parts: &[Run]) -> Vec<(Run, Verdict)> {
    let (cuts, left) = best_cuts(page, items, parts, PARTS);
    if left < DIGITS { cuts } else { best_cuts(page, items, parts, 1).0 }
}

/// The cuts with numbers of at most `most` parts, and how many digits they leave over.
fn best_cuts(page: &Page, items: &[Item], parts: &[Run], most: usize) -> (Vec<(Run, Verdict)>, usize) {
    let joined = |from: usize, to: usize| Run { first: parts[from].first, end: parts[to - 1].end };
    // From the last part to the first: the digits left over behind it, and where the cut that begins with it ends.
    let mut best = vec![(0, parts.len(), Verdict::Other); parts.len() + 1];
    for from in (0..parts.len()).rev() {
        best[from] = (parts[from].digits(items).len() + best[from + 1].0, from + 1, Verdict::Other);
        for to in from + 1..=parts.len().min(from + most) {
            let run = joined(from, to);
            if best[to].0 < best[from].0 && is_phone(page, run.items(items), &run.digits(items)) {
                best[from] = (best[to].0, to, Verdict::Phone);
            }
        }
    }
    let mut cuts = Vec::new();
    let mut from = 0;
    while from < parts.len() {
        let (_, to, verdict) = best[from];
        cuts.push((joined(from, to), verdict));
        from = to;
    }
    (cuts, best[0].0)
}

/// Whether `items`, of which nothing is said, are a telephone number by themselves.
fn is_phone(page: &Page, items: &[Item], digits: &str) -> bool {
    let shape = Shape::of(page, items);
    is_free(&shape, items, digits)
        && (is_dictated(items)
            || shape.is_local()
            || (shape.is_hyphenated() && digits.len() >= FULL_DIGITS)
            || is_number(digits, page.languages(items[0].first)))
}

/// Whether `items` are a number of a numbering plan.
fn is_planned(page: &Page, items: &[Item], digits: &str) -> bool {
    is_free(&Shape::of(page, items), items, digits) && is_number(digits, page.languages(items[0].first))
}

/// Whether nothing in how they look speaks against a telephone number.
fn is_free(shape: &Shape<'_>, items: &[Item], digits: &str) -> bool {
    digits.len() >= DIGITS
        && items.iter().all(|item| item.style != Style::Quantity)
        && !(shape.is_amount() || shape.is_counting() || shape.is_something_else())
}

/// Whether more than a space or a tight mark stands between two items: a word, a pause, the end of a sentence.
fn is_apart(page: &Page, one: &Item, other: &Item) -> bool {
    page.tokens[one.last].segment != page.tokens[other.first].segment
        || (one.last + 1..other.first).any(|index| match page.tokens[index].form {
            Form::Word | Form::Mark(',' | ';' | '?' | '!') => true,
            // Not that of "212.555.0199".
            Form::Mark('.') => !page.tokens[index + 1].glued,
            _ => false,
        })
}

/// The digits without what one speaker said after the other.
pub(super) fn said_once(page: &Page, items: &[Item]) -> String {
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
    let dictated: usize = items.iter().filter(|item| is_single(item)).map(|item| item.digits.len()).sum();
    dictated >= DIGITS && 2 * dictated >= total
}

/// Whether one speaker said again what the other had said, as people do with a number; `once` is what was said once.
fn is_read_back(items: &[Item], once: &str) -> bool {
    let said: usize = items.iter().map(|item| item.digits.len()).sum();
    once.len() >= DIGITS && once.len() < said && is_part(items)
}

fn is_single(item: &Item) -> bool {
    item.style == Style::Digit || (item.style == Style::Written && item.digits.len() == 1)
}

/// Whether a short run may be a part of a number: digits, not a time or a year.
fn is_part(items: &[Item]) -> bool {
    let total: usize = items.iter().map(|item| item.digits.len()).sum();
    let plain = |item: &Item| matches!(item.style, Style::Digit | Style::Written) && !is_year(&item.digits);
    total >= PART && items.iter().all(plain)
}

pub(super) fn has_plus(page: &Page, first: usize) -> bool {
    let Some(before) = first.checked_sub(1).filter(|before| page.together(first, *before)) else { return false };
    let open = usize::from(page.tokens[before].is_mark('('));
    let Some(before) = before.checked_sub(open) else { return false };
    page.tokens[before].is_mark('+') || matches!(page.word(before), Some("plus" | "mas" | "mais"))
}
