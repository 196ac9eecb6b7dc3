//! Numbers of payment cards (ISO/IEC 7812), written and spoken. Its one invariant: without a word for a card only what passes the Luhn
//! check and begins like a card is one.

use super::cue::{self, Cue};
use super::item::{Item, Style};
use super::run::Run;
use super::token::Page;
use super::{Claim, Kind, phone};

/// Digits of a card's number.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Digits of what is called a card's number, though some were not heard.
const NAMED: usize = 12;

pub(super) fn find(page: &Page, items: &[Item], runs: &[Run]) -> Vec<Claim> {
    let cards = runs.iter().filter_map(|run| card(page, items, *run));
    cards.flat_map(|run| Claim::of_run(page, items, Kind::PaymentCard, run)).collect()
}

/// The part of a run that is a card's number.
fn card(page: &Page, items: &[Item], run: Run) -> Option<Run> {
    let (first, last) = run.tokens(items);
    let digits = run.digits(items);
    if digits.len() < NAMED {
        return None;
    }
    let cue = cue::around(page, first, last);
    if cue == Some(Cue::Card) {
        return Some(run);
    }
    // A telephone number that is said twice is as long as a card's.
    let again = phone::said_once(page, run.items(items)).len() < digits.len();
    if again || phone::has_plus(page, first) || matches!(cue, Some(Cue::Other | Cue::Phone | Cue::Number | Cue::Iban)) {
        return None;
    }
    // "212 555 0199 415 555 0132": cards are written in fours, or all in one.
    if matches!(items[run.first].style, Style::Written) && matches!(items[run.first].digits.len(), 2 | 3) {
        return None;
    }
    let mut length = 0;
    let ends = items[run.first..run.end].iter().enumerate().find(|(_, item)| {
        length += item.digits.len();
        DIGITS.contains(&length) && is_valid(&digits[..length])
    });
    ends.map(|(index, _)| Run { first: run.first, end: run.first + index + 1 })
}

/// Begins as the cards of American Express, Visa, Mastercard, Discover and UnionPay do, and passes the Luhn check.
fn is_valid(digits: &str) -> bool {
    let double = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let digit = |byte: u8| u32::from(byte - b'0');
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| if place % 2 == 1 { double(digit(byte)) } else { digit(byte) })
        .sum();
    digits.starts_with(['2', '3', '4', '5', '6'])
        && sum.is_multiple_of(10)
        && digits.bytes().any(|byte| byte != digits.as_bytes()[0])
}
