//! Numbers that a state gives to a person: US SSN, British NINO, German tax and insurance numbers, French NIR, Spanish DNI and NIE,
//! Portuguese NIF, Brazilian CPF. Its one invariant: where nothing names it, a number is one by its check digits or by a form that
//! nothing else has.

use super::code::Code;
use super::cue::{self, Cue};
use super::item::{self, Item, Style};
use super::run::Run;
use super::token::Page;
use super::{Claim, Kind};

/// Digits of a number that is called one, though some may have been misheard: a NIF has 9, a NIR 15.
const NAMED: std::ops::RangeInclusive<usize> = 7..=15;
/// The letters of DNI and NIE, by the number modulo 23.
const DNI: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

pub(super) fn find(page: &Page, items: &[Item], runs: &[Run]) -> Vec<Claim> {
    let numbers = runs.iter().filter(|run| is_number(page, items, **run));
    let numbers = numbers.flat_map(|run| Claim::of_run(page, items, Kind::NationalId, *run));
    let mut claims: Vec<Claim> = numbers.collect();
    let mut at = 0;
    while at < page.tokens.len() {
        let found = lettered(page, items, at);
        claims.extend(found.iter().flat_map(|last| Claim::over(page, Kind::NationalId, at, *last)));
        at = found.unwrap_or(at) + 1;
    }
    claims
}

/// A number of digits alone.
fn is_number(page: &Page, items: &[Item], run: Run) -> bool {
    let of_run = run.items(items);
    let digits = run.digits(items);
    let (first, last) = run.tokens(items);
    if !NAMED.contains(&digits.len()) {
        return false;
    }
    match cue::around(page, first, last) {
        Some(Cue::NationalId) => true,
        Some(Cue::Phone | Cue::Number | Cue::Other | Cue::Card | Cue::Iban) => false,
        Some(Cue::Aside) | None => {
            let written = of_run.iter().all(|item| item.style == Style::Written);
            let groups: Vec<usize> = of_run.iter().map(|item| item.digits.len()).collect();
            let marks: String = page.tokens[first..=last]
                .iter()
                .filter_map(|token| match token.form {
                    super::token::Form::Mark(mark) => Some(mark),
                    _ => None,
                })
                .collect();
            written
                && match (groups.as_slice(), marks.as_str()) {
                    ([3, 2, 4], "--") => is_ssn(&digits),
                    ([3, 3, 3, 2], "..-") => is_cpf(&digits),
                    _ => digits.len() == 15 && is_nir(&digits),
                }
        }
    }
}

/// The last token of a number with letters in it that begins at `at`.
fn lettered(page: &Page, items: &[Item], at: usize) -> Option<usize> {
    let token = &page.tokens[at];
    let begins =
        token.letter().is_some() || token.key.len() == 2 || token.key.starts_with(|c: char| c.is_ascii_digit());
    let number = item::covering(items, at);
    if number.is_some_and(|item| item.first != at) || !(begins || number.is_some()) {
        return None;
    }
    let code = Code::read(page, items, at);
    let named = cue::before(page, at) == Some(Cue::NationalId);
    let nine = code.prefix(9).filter(|(text, _)| is_dni(text) || (is_nino(text) && (named || token.capital)));
    let twelve = || code.prefix(12).filter(|(text, _)| is_insurance(text));
    nine.or_else(twelve).map(|(_, last)| last)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn values(digits: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    digits.bytes().map(|byte| u32::from(byte.wrapping_sub(b'0')))
}

/// Social Security Administration: no area 000, 666 or 9xx, no group 00, no serial 0000.
fn is_ssn(digits: &str) -> bool {
    let (area, rest) = digits.split_at(3);
    let (group, serial) = rest.split_at(2);
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// HMRC: two letters, six digits, A to D.
fn is_nino(text: &str) -> bool {
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_uppercase());
    letters(&text[..2]) && all_digits(&text[2..8]) && matches!(&text[8..], "A" | "B" | "C" | "D")
}

/// Eight digits and their letter, or X, Y, Z in place of the first.
fn is_dni(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let first = match first {
        'X' => '0',
        'Y' => '1',
        'Z' => '2',
        other => other,
    };
    let number: Option<usize> = format!("{first}{}", &text[1..8]).parse().ok();
    number.is_some_and(|number| all_digits(&text[1..8]) && text.as_bytes()[8] == DNI[number % 23])
}

/// German insurance number: area, date of birth, letter, serial, check digit over the cross sums.
fn is_insurance(text: &str) -> bool {
    let letter = text.as_bytes()[8];
    if !all_digits(&text[..8]) || !letter.is_ascii_uppercase() || !all_digits(&text[9..]) {
        return false;
    }
    let digits = format!("{}{:02}{}", &text[..8], letter - b'A' + 1, &text[9..11]);
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let sum: u32 = values(&digits).zip(weights).map(|(digit, weight)| digit * weight).map(|p| p / 10 + p % 10).sum();
    Some(sum % 10) == values(&text[11..]).next()
}

/// INSEE: thirteen digits and 97 minus their remainder.
fn is_nir(digits: &str) -> bool {
    let (number, key) = digits.split_at(13);
    let valid = number.parse::<u64>().ok().zip(key.parse::<u64>().ok()).is_some_and(|(n, key)| 97 - n % 97 == key);
    digits.starts_with(['1', '2']) && valid
}

/// Receita Federal: two check digits modulo 11.
fn is_cpf(digits: &str) -> bool {
    let check = |length: u32| {
        let sum: u32 = values(digits)
            .take(length as usize)
            .zip((2..=length + 1).rev())
            .map(|(digit, weight)| digit * weight)
            .sum();
        sum * 10 % 11 % 10
    };
    let mut last = values(&digits[9..]);
    last.next() == Some(check(9)) && last.next() == Some(check(10))
}
