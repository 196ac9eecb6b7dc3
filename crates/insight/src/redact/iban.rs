//! International bank account numbers (ISO 13616), written and spelled out. Its one invariant: without the word "IBAN" only what passes
//! the check of ISO 7064 (mod 97) is one.

use super::code::Code;
use super::cue::{self, Cue};
use super::item::{self, Item};
use super::token::{Form, Page};
use super::{Claim, Kind};

/// Countries and the length of their IBANs.
const LENGTHS: [(&str, usize); 40] = [
    ("AD", 24),
    ("AE", 23),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("BR", 29),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("RO", 24),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TR", 26),
];

/// Characters from which something that is called an IBAN is taken for one, though it was misheard.
const NAMED: usize = 12;

pub(super) fn find(page: &Page, items: &[Item]) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut at = 0;
    while at < page.tokens.len() {
        let found = iban(page, items, at);
        claims.extend(found.iter().flat_map(|last| Claim::over(page, Kind::Iban, at, *last)));
        at = found.unwrap_or(at) + 1;
    }
    claims
}

/// The last token of the IBAN that begins at `at`.
fn iban(page: &Page, items: &[Item], at: usize) -> Option<usize> {
    let token = &page.tokens[at];
    let spelled = token.letter().is_some() && page.tokens.get(at + 1).is_some_and(|next| next.letter().is_some());
    let written = token.form == Form::Word && token.key.len() == 2;
    if !(spelled || written) || item::covering(items, at).is_some_and(|item| item.first != at) {
        return None;
    }
    let code = Code::read(page, items, at);
    let (_, length) = *LENGTHS.iter().find(|(country, _)| code.text.starts_with(country))?;
    let checked = code.prefix(length).filter(|(text, _)| is_valid(text)).map(|(_, last)| last);
    let named = || {
        let digits = code.text.get(2..4)?.bytes().all(|byte| byte.is_ascii_digit());
        let named = digits && code.text.len() >= NAMED && cue::before(page, at) == Some(Cue::Iban);
        named.then(|| code.prefix(length.min(code.text.len())).or_else(|| code.prefix(code.text.len()))).flatten()
    };
    checked.or_else(|| named().map(|(_, last)| last))
}

/// ISO 7064 mod 97, with the country and the check digits moved to the end.
fn is_valid(iban: &str) -> bool {
    let (head, tail) = iban.split_at(4);
    let remainder = tail.chars().chain(head.chars()).try_fold(0, |sum: u32, c| {
        let value = c.to_digit(36)?;
        Some((sum * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    remainder == Some(1)
}
