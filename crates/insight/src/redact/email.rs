//! E-mail addresses, written and spoken: "maria punto lopez arroba ejemplo punto es". Its one invariant: an address has a name, an at and
//! a domain with a known ending (or a well-known provider), all in one segment.

use super::item::{self, Item};
use super::token::{Form, Page};
use super::{Claim, Kind};

/// Tokens of the part before or behind the at, when it is spelled.
const SPELLED: usize = 40;
/// Words of a domain's part that is not spelled.
const LABEL_WORDS: usize = 3;

/// How an at is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// `@`, "arroba", "Klammeraffe": nothing else is called so.
    Sure,
    /// "at", which is a preposition too.
    Word,
}

pub(super) fn find(page: &Page, items: &[Item]) -> Vec<Claim> {
    let mut claims = Vec::new();
    for at in 0..page.tokens.len() {
        let Some(sign) = at_sign(page, at) else { continue };
        let address = domain(page, items, at, sign).and_then(|last| Some((local(page, items, at, sign)?, last)));
        claims.extend(address.iter().flat_map(|(first, last)| Claim::over(page, Kind::EmailAddress, *first, *last)));
    }
    claims
}

fn at_sign(page: &Page, at: usize) -> Option<At> {
    match (page.tokens[at].form, page.tokens[at].key.as_str()) {
        (Form::Mark('@'), _) | (_, "arroba" | "arobase" | "arobas" | "klammeraffe") => Some(At::Sure),
        (_, "at") => Some(At::Word),
        _ => None,
    }
}

fn is_dot(page: &Page, at: usize) -> bool {
    let tight = || page.tokens[at].glued && page.tokens.get(at + 1).is_some_and(|next| next.glued);
    page.tokens.get(at).is_some_and(|token| match token.form {
        Form::Mark('.') => tight(),
        _ => matches!(token.key.as_str(), "dot" | "point" | "punkt" | "punto" | "ponto"),
    })
}

/// A hyphen, an underscore, a plus: signs or their names.
fn is_joint(page: &Page, at: usize) -> bool {
    page.tokens.get(at).is_some_and(|token| match token.form {
        Form::Mark('-' | '_' | '+') => true,
        _ => matches!(
            token.key.as_str(),
            "dash"
                | "hyphen"
                | "underscore"
                | "minus"
                | "bindestrich"
                | "unterstrich"
                | "tiret"
                | "guion"
                | "bajo"
                | "traco"
                | "hifen"
                | "underline"
                | "bas"
                | "sublinhado"
                | "score"
        ),
    })
}

fn is_piece(page: &Page, items: &[Item], at: usize) -> bool {
    page.tokens.get(at).is_some_and(|token| matches!(token.form, Form::Word | Form::Digits))
        || item::covering(items, at).is_some()
}

/// The last token of the domain behind the at.
fn domain(page: &Page, items: &[Item], at: usize, sign: At) -> Option<usize> {
    let mut words = 0_usize;
    let mut end = None;
    let mut index = at + 1;
    let mut named = false;
    while index < page.tokens.len().min(at + SPELLED) && page.together(at, index) {
        if is_dot(page, index) && named {
            let top = index + 1;
            if page.together(at, top)
                && page.word(top).is_some_and(|key| is_ending(key) || (sign == At::Sure && page.tokens[top].glued))
            {
                end = Some(top);
                index = top + 1;
                words = 0;
                continue;
            }
            // "co dot uk": the ending is yet to come.
            words = 0;
        } else if is_joint(page, index) {
            words = words.saturating_sub(1);
        } else if is_piece(page, items, index) && !is_dot(page, index) {
            if end.is_some() {
                break;
            }
            named = true;
            words += usize::from(page.tokens[index].letter().is_none());
            if words > LABEL_WORDS {
                break;
            }
        } else {
            break;
        }
        index += 1;
    }
    let provider = at + 1;
    let known = page.together(at, provider)
        && page.word(provider).is_some_and(is_provider)
        && (sign == At::Sure || speaks_of_mail(page, at));
    end.or_else(|| known.then_some(provider))
}

/// The first token of the name before the at.
fn local(page: &Page, items: &[Item], at: usize, sign: At) -> Option<usize> {
    let mut first = None;
    let mut index = at;
    // A joint or a dot stands behind: what is before it belongs to the name, whatever it is.
    let mut joined = false;
    let mut pieces = 0;
    while let Some(before) = index.checked_sub(1).filter(|before| at - before < SPELLED && page.together(at, *before)) {
        let token = &page.tokens[before];
        if is_piece(page, items, before) && !is_dot(page, before) && !is_joint(page, before) {
            let number = item::covering(items, before);
            let spelled = token.letter().is_some() || number.is_some();
            let next_spelled = first.is_some_and(|next: usize| {
                page.tokens[next].letter().is_some() || item::covering(items, next).is_some()
            });
            let goes_on = first.is_none()
                || joined
                || page.tokens[index].glued
                || (spelled && next_spelled)
                || (next_spelled && number.is_none() && pieces == 1 && item::covering(items, index).is_some())
                || (token.capital && pieces == 1 && sign == At::Word);
            if !goes_on || (!joined && is_no_name(&token.key) && (sign == At::Word || first.is_some())) {
                break;
            }
            let begin = number.map_or(before, |number| number.first);
            first = Some(begin);
            index = begin;
            pieces += 1;
            joined = false;
        } else if is_dot(page, before) || is_joint(page, before) {
            // A dot ends a sentence unless something of the name follows.
            if first.is_none() {
                break;
            }
            joined = true;
            index = before;
        } else {
            break;
        }
    }
    first
}

/// Endings of domains, as they are said.
fn is_ending(key: &str) -> bool {
    matches!(
        key,
        "com"
            | "org"
            | "net"
            | "de"
            | "fr"
            | "es"
            | "pt"
            | "br"
            | "uk"
            | "co"
            | "io"
            | "info"
            | "eu"
            | "gov"
            | "edu"
            | "at"
            | "ch"
            | "be"
            | "mx"
            | "us"
            | "ca"
            | "biz"
            | "app"
            | "dev"
            | "ai"
            | "me"
            | "tv"
            | "nl"
            | "it"
            | "ie"
            | "au"
            | "cl"
            | "ar"
            | "example"
            | "test"
            | "cat"
    )
}

fn is_provider(key: &str) -> bool {
    matches!(
        key,
        "gmail" | "googlemail" | "outlook" | "hotmail" | "yahoo" | "icloud" | "gmx" | "protonmail" | "proton" | "aol"
    )
}

fn speaks_of_mail(page: &Page, at: usize) -> bool {
    (at.saturating_sub(14)..at).any(|index| {
        matches!(
            page.word(index),
            Some("email" | "mail" | "mails" | "emails" | "correo" | "courriel" | "mel" | "address" | "adresse")
        )
    })
}

/// Words before "at" that are no name: "find us at", "look at".
fn is_no_name(key: &str) -> bool {
    matches!(
        key,
        "us" | "out"
            | "it"
            | "me"
            | "look"
            | "looking"
            | "up"
            | "is"
            | "more"
            | "here"
            | "online"
            | "available"
            | "him"
            | "her"
            | "them"
            | "you"
            | "down"
            | "back"
            | "site"
            | "website"
            | "page"
            | "on"
            | "to"
            | "and"
            | "or"
            | "the"
            | "a"
            | "are"
            | "was"
            | "s"
            | "live"
            | "hosted"
            | "email"
            | "mail"
            | "e"
            | "shop"
            | "visit"
            | "buy"
            | "order"
            | "register"
            | "information"
            | "details"
            | "an"
            | "ist"
            | "est"
            | "es"
            | "docs"
            | "uns"
            | "nous"
            | "address"
            | "adresse"
            | "correo"
            | "account"
            | "now"
            | "today"
            | "work"
            | "works"
            | "working"
            | "worked"
    )
}
