//! Names of persons: those that are known, and those that people introduce themselves with. Its one invariant: a name is a whole word.
//!
//! What is not found: names that nobody said who they belong to. There is no model of names here; a third person whom the speakers talk
//! about stays, unless the policy knows the name.

use std::collections::BTreeSet;

use super::token::{Form, Page, fold};
use super::{Claim, Kind, Policy, address};

/// Words of a name behind "my name is".
const WORDS: usize = 3;
/// Letters of a part of a name that is looked for alone: shorter ones ("Al", "Jo") are words in some language.
const LETTERS: usize = 3;

pub(super) fn find(page: &Page, policy: &Policy) -> Vec<Claim> {
    let mut names = known(policy);
    let introduced: Vec<(usize, usize)> = (0..page.tokens.len()).filter_map(|at| introduced(page, at)).collect();
    for (first, last) in &introduced {
        names.extend((*first..=*last).filter_map(|at| page.word(at)).filter(|key| is_part(key)).map(str::to_owned));
    }
    let mut claims: Vec<Claim> =
        introduced.iter().flat_map(|(first, last)| Claim::over(page, Kind::PersonName, *first, *last)).collect();
    let mut at = 0;
    while at < page.tokens.len() {
        let last = said(page, at, &names);
        claims.extend(last.iter().flat_map(|last| Claim::over(page, Kind::PersonName, at, *last)));
        at = last.unwrap_or(at) + 1;
    }
    claims
}

/// The parts of the names that the policy knows.
fn known(policy: &Policy) -> BTreeSet<String> {
    let parts = policy.names.iter().flat_map(|name| name.split(|c: char| !c.is_alphabetic()));
    parts.map(fold).filter(|key| is_part(key)).collect()
}

fn is_part(key: &str) -> bool {
    // A letter of a script without capitals may be a whole name.
    let letters = key.chars().count();
    (letters >= LETTERS || (letters >= 2 && !key.is_ascii())) && !is_honorific(key)
}

fn is_honorific(key: &str) -> bool {
    matches!(
        key,
        "mister"
            | "missus"
            | "miss"
            | "doctor"
            | "herr"
            | "frau"
            | "doktor"
            | "monsieur"
            | "madame"
            | "mademoiselle"
            | "senor"
            | "senora"
            | "don"
            | "dona"
            | "doutor"
            | "doutora"
            | "senhor"
            | "senhora"
            | "mrs"
            | "prof"
            | "von"
            | "van"
            | "der"
            | "den"
            | "del"
            | "las"
            | "los"
            | "dos"
            | "das"
    )
}

/// The last token of the name that begins at `at`; its words follow each other.
fn said(page: &Page, at: usize, names: &BTreeSet<String>) -> Option<usize> {
    let is_name = |index: usize| {
        let token = &page.tokens[index];
        // "will" is a verb and "Will" a name.
        let capital = token.capital || !token.key.starts_with(|c: char| c.is_ascii_lowercase());
        token.is_word() && capital && names.contains(&token.key)
    };
    if !is_name(at) {
        return None;
    }
    let mut last = at;
    while page.together(at, last + 1) && is_name(last + 1) {
        last += 1;
    }
    // "Clark Street" is nobody.
    let street = page.together(at, last + 1) && page.word(last + 1).is_some_and(address::is_street);
    (!street).then_some(last)
}

/// "My name is", and its like: words before a name.
const INTRODUCTIONS: [&[&str]; 19] = [
    &["my", "name", "is"],
    &["my", "name", "s"],
    &["first", "name", "is"],
    &["last", "name", "is"],
    &["his", "name", "is"],
    &["her", "name", "is"],
    &["mein", "name", "ist"],
    &["ich", "heisse"],
    &["je", "m", "appelle"],
    &["mon", "nom", "est"],
    &["me", "llamo"],
    &["mi", "nombre", "es"],
    &["meu", "nome", "e"],
    &["o", "meu", "nome", "e"],
    &["chamo", "me"],
    &["me", "chamo"],
    &["soy", "la", "senora"],
    &["soy", "el", "senor"],
    &["they", "call", "me"],
];

/// The first and the last token of the name that is introduced from `at` on.
fn introduced(page: &Page, at: usize) -> Option<(usize, usize)> {
    let first = INTRODUCTIONS.iter().find_map(|words| {
        let mut index = at;
        for word in *words {
            while page
                .tokens
                .get(index)
                .is_some_and(|token| token.is_mark('\'') || token.is_mark('’') || token.is_mark('-'))
            {
                index += 1;
            }
            if page.word(index) != Some(word) {
                return None;
            }
            index += 1;
        }
        Some(index)
    })?;
    let lower_case = page.word(first).is_some() && !page.tokens[first].capital;
    let mut last = None;
    for index in first..first + WORDS {
        let name = page.together(at, index)
            && page.tokens[index].form == Form::Word
            && !is_no_name(&page.tokens[index].key)
            && (page.tokens[index].capital || !page.tokens[index].key.is_ascii() || (lower_case && index == first));
        if !name {
            break;
        }
        last = Some(index);
    }
    last.map(|last| (first, last))
}

/// Words behind "my name is" that are no name.
fn is_no_name(key: &str) -> bool {
    matches!(
        key,
        "not"
            | "on"
            | "the"
            | "a"
            | "an"
            | "in"
            | "spelled"
            | "and"
            | "i"
            | "nicht"
            | "auf"
            | "und"
            | "pas"
            | "sur"
            | "et"
            | "no"
            | "en"
            | "y"
            | "nao"
            | "e"
            | "important"
            | "mud"
            | "also"
            | "actually"
            | "still"
            | "misspelled"
            | "wrong"
            | "falsch"
            | "mal"
            | "incorrecto"
            | "errado"
            | "here"
            | "hier"
            | "ich"
            | "je"
    )
}
