//! What the words around a number say of it, in five languages at once, because people mix them. Its one invariant: a cue is looked for
//! in a bounded number of words.

mod words;

use self::words::{
    cue, is_abbreviation, is_about, is_copula, is_mine, is_number_word, is_numbered, is_phrase, is_somebodys,
};
use super::token::{Form, Page};

/// Words before a number that are asked what it is.
const BEFORE: usize = 20;
/// Words before a number in which its name as something else counts: "order number, let me see, it's …".
const OTHER_BEFORE: usize = 9;
/// Words behind a number that are asked when those before say nothing: "… is my cell".
const BEHIND: usize = 6;
/// Words around "number" in which it is said whose number: "order number", "number of the order".
const NAMED_WITHIN: usize = 3;

/// What a number is said to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cue {
    /// "phone", "cell", "WhatsApp".
    Phone,
    /// "number", "call", "reach": a telephone number, if nothing else is named.
    Number,
    /// "order", "invoice", "PIN": something else.
    Other,
    /// The same, but "about" it, in a sentence before, with a number of its own, or behind without "is": it may be what the call is about
    /// and not what the number is.
    Aside,
    /// "card", "Visa".
    Card,
    /// "IBAN".
    Iban,
    /// "social security", "NIF".
    NationalId,
}

/// What the words around the tokens `first..=last` say that they are.
pub(super) fn around(page: &Page, first: usize, last: usize) -> Option<Cue> {
    before(page, first).or_else(|| behind(page, last))
}

/// What is said in front of the token `first`; the nearest word counts.
pub(super) fn before(page: &Page, first: usize) -> Option<Cue> {
    let mut words = 0;
    // What the words further back speak of, if not of this number: another sentence's matter, another number's name.
    let mut apart = false;
    let mut talked = false;
    // Marks are no words; a bound on tokens keeps the search short whatever stands there.
    for index in (first.saturating_sub(3 * BEFORE)..first).rev() {
        match page.tokens[index].form {
            Form::Word => {
                words += 1;
                talked |= !is_in_code(page, index);
            }
            Form::Digits => {
                words += 1;
                apart |= talked;
            }
            // An earlier pass found something here: what was in front of it spoke of that.
            Form::Placeholder(_) => return None,
            Form::Mark(mark) => {
                let abbreviated = index.checked_sub(1).and_then(|index| page.word(index)).is_some_and(is_abbreviation);
                // A question is answered by the number: "Order number? 4512".
                apart |= matches!(mark, '.' | '!') && !page.tokens[index + 1].glued && !abbreviated;
                continue;
            }
        }
        if words > BEFORE {
            return None;
        }
        let Some(found) = page.word(index).and_then(|key| at(page, index, key)) else { continue };
        if found == Cue::Other && words > OTHER_BEFORE {
            continue;
        }
        let names = page.word(index).is_some_and(is_number_word)
            || !(apart || is_topic(page, index) || is_destination(page, first));
        return Some(if found == Cue::Other && !names { Cue::Aside } else { found });
    }
    None
}

/// Whether the letters at `index` are glued to digits: "1Z 999 AA1 01 2345 6784" is one number.
fn is_in_code(page: &Page, index: usize) -> bool {
    let is_digits = |other: usize| page.tokens.get(other).is_some_and(|token| token.form == Form::Digits);
    (page.tokens[index].glued && index > 0 && is_digits(index - 1))
        || (page.tokens.get(index + 1).is_some_and(|next| next.glued) && is_digits(index + 1))
}

/// Whether the number at `first` is where something goes: "send the code to …". Its name is not that of what is sent.
fn is_destination(page: &Page, first: usize) -> bool {
    let before = first.checked_sub(1).and_then(|before| page.word(before));
    matches!(before, Some("to" | "an" | "au" | "al" | "ao"))
}

/// Whether the thing at `index` is what somebody speaks about: "about your order", "on the account", "zum Vertrag".
fn is_topic(page: &Page, index: usize) -> bool {
    let mut before = (1..=2).filter_map(|away| index.checked_sub(away)).filter(|other| page.together(index, *other));
    before.any(|other| page.word(other).is_some_and(is_about))
}

fn behind(page: &Page, last: usize) -> Option<Cue> {
    let segment = page.tokens[last].segment;
    let speaker = page.places[segment].speaker;
    let mut words = 0;
    let mut is_named = false;
    for index in last + 1..(last + 1 + 3 * BEHIND).min(page.tokens.len()) {
        let token = &page.tokens[index];
        let goes_on = token.segment == segment || page.places[token.segment].speaker == speaker;
        if !goes_on || matches!(token.form, Form::Placeholder(_)) || words >= BEHIND {
            return None;
        }
        // Another sentence speaks of something else.
        if matches!(token.form, Form::Mark('.' | '?' | '!')) && words > 0 {
            return None;
        }
        if let Some(key) = page.word(index) {
            words += 1;
            is_named |= words == 1 && is_copula(key);
            if let Some(found) = at(page, index, key) {
                let aside = found == Cue::Other && !is_named;
                return Some(if aside { Cue::Aside } else { found });
            }
        }
    }
    None
}

/// The cue of the word at `index`, with what stands beside it: "order number" is an order's, "call" is nobody else's.
fn at(page: &Page, index: usize, key: &str) -> Option<Cue> {
    if is_number_word(key) { of_number(page, index) } else { by_itself(page, index, key) }
}

/// The cue of the word at `index` where no number is named by it: "area code" is a telephone's, "in this case" is nothing's.
fn by_itself(page: &Page, index: usize, key: &str) -> Option<Cue> {
    if key == "write" && (1..=2).any(|away| page.word(index + away) == Some("down")) {
        return Some(Cue::Number);
    }
    let found = cue(key)?;
    let previous = index.checked_sub(1).and_then(|index| page.word(index));
    let next = page.word(index + 1);
    match found {
        // "in this case", "in order to", "part of", "a lot".
        Cue::Other if is_phrase(key, previous, next) => None,
        // "nie" is never, "niño" a child.
        Cue::NationalId if matches!(key, "nie" | "nir" | "nino") && !page.tokens[index].capital => None,
        Cue::Other if key == "code" && matches!(previous, Some("area" | "country" | "dialing" | "dialling")) => {
            Some(Cue::Phone)
        }
        Cue::Other if key == "id" => {
            let tax = matches!(previous, Some("national" | "tax"))
                || index.checked_sub(2).and_then(|index| page.word(index)) == Some("steuer");
            Some(if tax { Cue::NationalId } else { Cue::Other })
        }
        Cue::NationalId
            if matches!(key, "social" | "security" | "insurance" | "sociale" | "securite" | "seguranca" | "steuer") =>
        {
            let near = |other: usize| page.word(other).and_then(cue) == Some(Cue::NationalId);
            let known = near(index + 1)
                || near(index + 2)
                || index.checked_sub(1).is_some_and(near)
                || matches!(previous, Some("national" | "my" | "your" | "his" | "her"))
                || key == "seguranca"
                || (key == "steuer" && page.tokens.get(index + 1).is_some_and(|next| next.is_mark('-')));
            known.then_some(Cue::NationalId)
        }
        _ => Some(found),
    }
}

/// What the word "number" at `index` says: what the nearest named thing around it is. "My number" is a telephone's, unless it goes on
/// "… of the order"; a "number of seats" is none.
fn of_number(page: &Page, index: usize) -> Option<Cue> {
    let near = |other: usize| {
        let key = page.word(other).filter(|_| page.together(index, other))?;
        // "About your order, the number is": only a hyphen or an apostrophe may stand between.
        let between = index.min(other) + 1..index.max(other);
        let is_link = |mark: char| matches!(mark, '-' | '\'' | '’');
        let mut between = page.tokens[between].iter().map(|token| token.form);
        if between.any(|form| matches!(form, Form::Mark(mark) if !is_link(mark))) {
            return None;
        }
        let beside = || (index.abs_diff(other) == 1 && is_numbered(key)).then_some(Cue::Other);
        by_itself(page, other, key).filter(|found| *found != Cue::Number).or_else(beside)
    };
    let is_mine = |away: usize| index.checked_sub(away).and_then(|before| page.word(before)).is_some_and(is_mine);
    let mine = is_mine(1);
    let of = matches!(page.word(index + 1), Some("of" | "for" | "de" | "du" | "d" | "da" | "do" | "des" | "der"));
    let backward = |away: usize| index.checked_sub(away).filter(|_| !mine);
    let forward = |away: usize| Some(index + away).filter(|_| !mine || of);
    let mut names = (1..=NAMED_WITHIN).flat_map(|away| [backward(away), forward(away)]);
    let thing = names.find_map(|other| other.filter(|other| *other < page.tokens.len()).and_then(near));
    let counts = page.word(index + 1) == Some("of") && !page.word(index + 2).is_some_and(is_somebodys);
    match thing {
        None if counts => None,
        // "My direct number".
        None if mine || is_mine(2) => Some(Cue::Phone),
        None => Some(Cue::Number),
        Some(thing) => Some(thing),
    }
}
