//! Tokens to numbers: "thirty-four", "vier und dreißig", "quatre-vingt-dix-neuf", "double five", "212". Its one invariant: items do not
//! overlap and stand in the order of their tokens.

use super::numeral::{Language, Numeral};
use super::token::{Form, Page};

/// Tokens of the longest number in words: "quatre - vingt - dix - neuf" has seven.
const LONGEST: usize = 8;

/// How a number was said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Written in digits.
    Written,
    /// Digit by digit: "two", "double five".
    Digit,
    /// Ten to ninety-nine, or whole hundreds: parts of a telephone number, or a quantity.
    Group,
    /// More than that, in words: a quantity or a year.
    Quantity,
}

/// A number in the text.
pub(super) struct Item {
    /// Its digits, in ASCII.
    pub(super) digits: String,
    pub(super) style: Style,
    /// Its first and its last token.
    pub(super) first: usize,
    pub(super) last: usize,
}

/// All numbers of a page.
pub(super) fn items(page: &Page) -> Vec<Item> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < page.tokens.len() {
        let item = item(page, at);
        at = item.as_ref().map_or(at, |item| item.last) + 1;
        items.extend(item);
    }
    items
}

fn item(page: &Page, at: usize) -> Option<Item> {
    let token = &page.tokens[at];
    match token.form {
        Form::Digits if in_code(page, at) => None,
        Form::Digits => Some(Item { digits: token.key.clone(), style: Style::Written, first: at, last: at }),
        Form::Word if is_pronoun(page, at) => None,
        Form::Word => {
            // "o" is a digit where English is spoken and an article elsewhere.
            let languages = page.languages(at).iter().take(if token.letter().is_some() { 1 } else { usize::MAX });
            languages.copied().find_map(|language| Reader { page, language }.read(at))
        }
        Form::Mark(_) | Form::Placeholder(_) => None,
    }
}

/// Whether "one" at `at` counts nothing: "the new one 312.555.0122", not "this one two three".
fn is_pronoun(page: &Page, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| page.word(before));
    page.word(at) == Some("one")
        && page.word(at + 1).is_none()
        && matches!(
            before,
            Some("other" | "another" | "this" | "that" | "which" | "each" | "every" | "new" | "old" | "last" | "next")
                | Some("first" | "second" | "same" | "right" | "wrong" | "home" | "only")
        )
}

/// Digits from which on letters that are glued to them make no code: people write extensions so, and forget spaces.
const NO_CODE: usize = 7;

/// Digits that a Latin letter is glued to belong to a code or a unit: "B2B", "A380", "5pm"; but not before an extension, behind a plus,
/// or where there are as many as a telephone number has.
fn in_code(page: &Page, at: usize) -> bool {
    let plus = at > 0 && page.tokens[at - 1].is_mark('+');
    let label = |index: usize| page.word(index).is_some_and(|key| matches!(key, "x" | "ext" | "tel" | "fon" | "phone"));
    if plus || page.tokens[at].key.len() >= NO_CODE || label(at + 1) || (at > 0 && label(at - 1)) {
        return false;
    }
    let latin = |index: usize| page.word(index).is_some_and(|key| key.starts_with(|c: char| c.is_ascii_alphabetic()));
    let before = page.tokens[at].glued && at > 0 && latin(at - 1);
    let after = page.tokens.get(at + 1).is_some_and(|next| next.glued) && latin(at + 1);
    before || after
}

/// Reads a number in the words of a language.
#[derive(Clone, Copy)]
struct Reader<'a> {
    page: &'a Page,
    language: Language,
}

impl Reader<'_> {
    fn numeral(self, at: usize) -> Option<Numeral> {
        self.language.numeral(self.page.word(at)?)
    }

    /// The token behind `at` that may go on a number; a hyphen between them is skipped.
    fn next(self, at: usize) -> usize {
        let hyphen = self.page.tokens.get(at + 1).is_some_and(|token| token.is_mark('-') || token.is_mark('\u{2011}'));
        if hyphen { at + 2 } else { at + 1 }
    }

    /// What stands behind `at` in the same segment, where it is a numeral.
    fn following(self, at: usize) -> Option<(usize, Numeral)> {
        let next = self.next(at);
        let numeral = self.numeral(next)?;
        self.page.together(at, next).then_some((next, numeral))
    }

    /// The same behind the language's "and".
    fn following_and(self, at: usize) -> Option<(usize, Numeral)> {
        let and = self.next(at);
        let is_and = self.page.word(and) == Some(self.language.and()) && self.page.together(at, and);
        is_and.then(|| self.following(and))?
    }

    fn read(self, at: usize) -> Option<Item> {
        let (first, numeral) = (at, self.numeral(at)?);
        if let Some((last, digits)) = self.repeated(at, numeral) {
            return Some(Item { digits, style: Style::Digit, first, last });
        }
        let (last, value, style) = match numeral {
            Numeral::Digit(digit) => self.digit_first(at, digit)?,
            Numeral::Teen(_) | Numeral::Tens(_) | Numeral::Pair(_) => {
                let (last, value) = self.below_hundred(at)?;
                self.thousands(last, value).unwrap_or((last, value, Style::Group))
            }
            Numeral::Hundreds(value) => self.below_thousand(at, value),
            Numeral::Quantity(value) => (at, value, Style::Quantity),
            Numeral::Hundred => self.below_thousand(at, 100),
            Numeral::Thousand => self.thousands_from(at, 1),
            Numeral::Times(_) => return None,
        };
        debug_assert!(last - first <= 2 * LONGEST + 8, "a number of bounded length");
        Some(Item { digits: value.to_string(), style, first, last })
    }

    /// "double five", "triple the seven", "dreimal die Sieben", "deux fois le cinq".
    fn repeated(self, at: usize, numeral: Numeral) -> Option<(usize, String)> {
        let (times, mut behind) = match numeral {
            Numeral::Times(times) => (times, self.next(at)),
            Numeral::Digit(times @ 2..=4) if self.page.word(at + 1).is_some_and(|key| self.language.is_times(key)) => {
                (times as usize, at + 2)
            }
            _ => return None,
        };
        if matches!(self.page.word(behind), Some("the" | "die" | "le" | "el" | "o"))
            && self.numeral(behind + 1).is_some()
        {
            behind += 1;
        }
        let same = self.page.together(at, behind);
        if let Some(token) = self.page.tokens.get(behind).filter(|token| token.form == Form::Digits && same) {
            return (token.key.len() == 1).then(|| (behind, token.key.repeat(times)));
        }
        match self.numeral(behind).filter(|_| same)? {
            Numeral::Digit(digit) => Some((behind, digit.to_string().repeat(times))),
            // "doble cero" is a digit; "double douze" is not said.
            _ => None,
        }
    }

    fn digit_first(self, at: usize, digit: u32) -> Option<(usize, u32, Style)> {
        if self.language == Language::De
            && let Some((last, Numeral::Tens(tens))) = self.following_and(at)
        {
            return Some((last, tens + digit, Style::Group));
        }
        if self.language == Language::Fr
            && digit == 4
            && let Some((_, Numeral::Tens(20))) = self.following(at)
        {
            let (last, value) = self.below_hundred(at)?;
            return Some(self.thousands(last, value).unwrap_or((last, value, Style::Group)));
        }
        match self.following(at) {
            Some((last, Numeral::Hundred)) if digit > 0 => Some(self.below_thousand(last, digit * 100)),
            Some((last, Numeral::Thousand)) if digit > 0 => Some(self.thousands_from(last, digit)),
            _ => Some((at, digit, Style::Digit)),
        }
    }

    /// What is below a hundred from `at` on: its last token and its value.
    fn below_hundred(self, at: usize) -> Option<(usize, u32)> {
        match self.numeral(at)? {
            Numeral::Digit(4) if self.language == Language::Fr => match self.following(at) {
                Some((twenty, Numeral::Tens(20))) => Some(self.ones(twenty, 80)),
                _ => Some((at, 4)),
            },
            Numeral::Digit(digit) if self.language == Language::De => match self.following_and(at) {
                Some((last, Numeral::Tens(tens))) => Some((last, tens + digit)),
                _ => Some((at, digit)),
            },
            Numeral::Digit(value) | Numeral::Pair(value) => Some((at, value)),
            Numeral::Teen(10) if self.language == Language::Fr => match self.following(at) {
                Some((last, Numeral::Digit(ones @ 7..=9))) => Some((last, 10 + ones)),
                _ => Some((at, 10)),
            },
            Numeral::Teen(value) => Some((at, value)),
            Numeral::Tens(tens) => Some(self.ones(at, tens)),
            _ => None,
        }
    }

    /// Ones behind tens: "thirty four", "soixante et onze", "quatre-vingt-dix-neuf".
    fn ones(self, at: usize, tens: u32) -> (usize, u32) {
        let french_teens = self.language == Language::Fr && matches!(tens, 60 | 80);
        // German says its ones first.
        let joined = if self.language == Language::De { None } else { self.following(at) };
        let with_and = if self.language == Language::De { None } else { self.following_and(at) };
        let required_and = matches!(self.language, Language::Es | Language::Pt);
        match joined.filter(|_| !required_and).or(with_and.filter(|_| self.language != Language::En)) {
            Some((last, Numeral::Digit(ones @ 1..))) => (last, tens + ones),
            Some((teen, Numeral::Teen(_))) if french_teens => {
                self.below_hundred(teen).map_or((at, tens), |(last, value)| (last, tens + value))
            }
            _ => (at, tens),
        }
    }

    /// What is below a thousand, whose hundreds end at `at`.
    fn below_thousand(self, at: usize, hundreds: u32) -> (usize, u32, Style) {
        let below = self.following_and(at).or_else(|| self.following(at)).filter(|(next, numeral)| match numeral {
            // "eight hundred five five five" is dictated.
            Numeral::Digit(1..) => !matches!(self.following(*next), Some((_, Numeral::Digit(_) | Numeral::Times(_)))),
            Numeral::Teen(_) | Numeral::Tens(_) | Numeral::Pair(_) => true,
            _ => false,
        });
        match below.and_then(|(next, _)| self.below_hundred(next)) {
            Some((last, value)) => {
                let value = hundreds + value;
                self.thousands(last, value).unwrap_or((last, value, Style::Group))
            }
            None => self.thousands(at, hundreds).unwrap_or((at, hundreds, Style::Group)),
        }
    }

    /// Thousands of `count`, where the word stands behind `at`.
    fn thousands(self, at: usize, count: u32) -> Option<(usize, u32, Style)> {
        let (thousand, _) = self.following(at).filter(|(_, numeral)| *numeral == Numeral::Thousand)?;
        Some(self.thousands_from(thousand, count))
    }

    /// "two thousand (and) twenty four": the word stands at `at`.
    fn thousands_from(self, at: usize, count: u32) -> (usize, u32, Style) {
        let below = self.following_and(at).or_else(|| self.following(at));
        let (last, value) = match below {
            Some((next, Numeral::Hundreds(value))) => {
                let (last, value, _) = self.below_thousand(next, value);
                (last, value)
            }
            Some((next, Numeral::Digit(digit))) => match self.following(next) {
                Some((hundred, Numeral::Hundred)) => {
                    let (last, value, _) = self.below_thousand(hundred, digit * 100);
                    (last, value)
                }
                Some((_, Numeral::Digit(_) | Numeral::Times(_))) => (at, 0),
                _ => self.below_hundred(next).unwrap_or((at, 0)),
            },
            Some((next, Numeral::Teen(_) | Numeral::Tens(_) | Numeral::Pair(_))) => {
                self.below_hundred(next).unwrap_or((at, 0))
            }
            _ => (at, 0),
        };
        (last, (count % 1_000) * 1_000 + value % 1_000, Style::Quantity)
    }
}

/// The item that the token `at` belongs to.
pub(super) fn covering(items: &[Item], at: usize) -> Option<&Item> {
    let behind = items.partition_point(|item| item.first <= at);
    items[..behind].last().filter(|item| at <= item.last)
}
