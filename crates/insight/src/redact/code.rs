//! Codes of letters and digits, written in groups or spelled out: IBANs and numbers of persons. Its one invariant: a code is read from a
//! bounded number of tokens.

use super::gap;
use super::item::{self, Item};
use super::token::{Form, Page};

/// Characters of the longest code that is looked for: an IBAN has at most 34.
const LONGEST: usize = 34;
/// Tokens in which a code is spelled: letters, digits, marks and fillers.
const TOKENS: usize = 90;
/// Letters of a group inside of a code: a bank's in an IBAN.
const GROUP: usize = 4;

/// Letters and digits in a row.
#[derive(Default)]
pub(super) struct Code {
    /// Upper case.
    pub(super) text: String,
    /// The last token of each character.
    ends: Vec<usize>,
}

impl Code {
    /// Reads on from the token `at`, in its segment and what follows it.
    pub(super) fn read(page: &Page, items: &[Item], at: usize) -> Self {
        let mut code = Self::default();
        let mut index = at;
        while index < page.tokens.len().min(at + TOKENS) && code.text.len() < LONGEST {
            let token = &page.tokens[index];
            let (piece, last) = match (item::covering(items, index), token.form) {
                (Some(item), _) if item.first == index => (item.digits.as_str(), item.last),
                (_, Form::Digits) => (token.key.as_str(), index),
                (_, Form::Word) if is_group(page, index) => (token.key.as_str(), index),
                (_, Form::Word) if !code.text.is_empty() && gap::is_filler(&token.key) => ("", index),
                (_, Form::Mark('-' | '.' | ',' | '/')) => ("", index),
                _ => break,
            };
            if !piece.is_ascii() {
                break;
            }
            code.text.push_str(&piece.to_ascii_uppercase());
            code.ends.resize(code.text.len(), last);
            index = last + 1;
        }
        code
    }

    /// Its first `length` characters, and the token they end with, where they end with a token.
    pub(super) fn prefix(&self, length: usize) -> Option<(&str, usize)> {
        let last = *self.ends.get(length.checked_sub(1)?)?;
        (self.ends.get(length) != Some(&last)).then(|| (&self.text[..length], last))
    }
}

/// Letters that stand for themselves: single ones, and short groups in capitals.
fn is_group(page: &Page, index: usize) -> bool {
    let token = &page.tokens[index];
    let beside_digits = |other: Option<usize>| {
        other.and_then(|other| page.tokens.get(other)).is_some_and(|other| other.form == Form::Digits)
    };
    let glued = (token.glued && beside_digits(index.checked_sub(1)))
        || (page.tokens.get(index + 1).is_some_and(|next| next.glued) && beside_digits(Some(index + 1)));
    token.letter().is_some() || (token.key.len() <= GROUP && (token.capital || glued))
}
