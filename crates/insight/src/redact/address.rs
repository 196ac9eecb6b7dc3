//! Street addresses by the patterns of five languages: a number and a name around a word for a street. Its one invariant: without a
//! house number nothing is an address. What has no word for a street ("Am Alten Markt 5") is not found.

use super::item::{self, Item};
use super::token::{Form, Page};
use super::{Claim, Kind};

/// Words of a street's name.
const NAME: usize = 6;
/// Digits of a house number or of a postal code.
const NUMBER: usize = 5;

pub(super) fn find(page: &Page, items: &[Item]) -> Vec<Claim> {
    let mut claims = Vec::new();
    for at in 0..page.tokens.len() {
        let Some(key) = page.word(at) else { continue };
        let found = match kind(key) {
            // "14 Elm Avenue" and "14 avenue Victor Hugo".
            Some(Street::Last { always }) => number_first(page, items, at, always)
                .or_else(|| if is_french(key) { street_first(page, items, at) } else { None }),
            Some(Street::Middle) => number_behind(page, items, at),
            Some(Street::First) => street_first(page, items, at),
            None => None,
        };
        if let Some((first, last)) = found {
            let last = rest_of(page, items, last);
            claims.extend(Claim::over(page, Kind::StreetAddress, first, last));
        }
    }
    claims
}

/// Where the number and the name stand around the word.
#[derive(Clone, Copy)]
enum Street {
    /// "14 Maple Street"; words that mean something else as well ("drive", "way") need a name in capitals.
    Last { always: bool },
    /// "Hauptstraße 12".
    Middle,
    /// "12 rue de la Paix", "calle Mayor 5".
    First,
}

pub(super) fn is_street(key: &str) -> bool {
    kind(key).is_some()
}

fn kind(key: &str) -> Option<Street> {
    Some(match key {
        "street" | "avenue" | "boulevard" | "blvd" | "ave" | "road" => Street::Last { always: true },
        "st" | "rd" | "lane" | "ln" | "drive" | "dr" | "court" | "way" | "place" | "square" | "terrace"
        | "crescent" | "parkway" | "close" => Street::Last { always: false },
        "rue" | "chemin" | "impasse" | "allee" | "quai" | "calle" | "avenida" | "plaza" | "paseo" | "carrer"
        | "camino" | "rua" | "travessa" | "praca" | "largo" | "estrada" | "alameda" | "carretera" | "faubourg"
        | "cours" => Street::First,
        _ if ["strasse", "straße", "weg", "platz", "gasse", "allee", "ufer", "damm"]
            .iter()
            .any(|end| key.ends_with(end)) =>
        {
            Street::Middle
        }
        _ => return None,
    })
}

fn house_number(items: &[Item], at: usize) -> Option<&Item> {
    item::covering(items, at).filter(|item| item.digits.len() <= NUMBER)
}

/// "14 Maple Street", "twelve North Oak Avenue": the number stands before the name.
fn number_first(page: &Page, items: &[Item], street: usize, always: bool) -> Option<(usize, usize)> {
    let mut index = street;
    for named in 0..=NAME.min(4) {
        index = index.checked_sub(1).filter(|before| page.together(street, *before))?;
        if let Some(number) = house_number(items, index).filter(|_| named > 0) {
            let mut first = number.first;
            // "twelve thirty four Oak Avenue" is two numbers.
            while let Some(before) = first.checked_sub(1).and_then(|before| house_number(items, before)) {
                if !page.together(street, before.first) {
                    break;
                }
                first = before.first;
            }
            return Some((first, street));
        }
        let token = &page.tokens[index];
        let ordinal =
            token.form == Form::Digits || (token.glued && matches!(token.key.as_str(), "th" | "st" | "nd" | "rd"));
        let name = token.is_word() && !is_no_name(&token.key) && (always || token.capital);
        if !(name || ordinal) {
            return None;
        }
    }
    None
}

/// "Hauptstraße 12 b".
fn number_behind(page: &Page, items: &[Item], street: usize) -> Option<(usize, usize)> {
    let number = house_number(items, street + 1).filter(|number| page.together(street, number.first))?;
    let mut first = street;
    // "Alte Poststraße", "Berliner Straße": a name in capitals before the word.
    let before = street.checked_sub(1).filter(|before| page.together(street, *before));
    if let Some(before) = before.filter(|before| page.tokens[*before].is_word() && page.tokens[*before].capital) {
        let alone =
            matches!(page.word(street), Some("strasse" | "weg" | "platz" | "allee" | "gasse" | "ufer" | "damm"));
        if alone {
            first = before;
        }
    } else if matches!(page.word(street), Some("weg" | "platz" | "damm" | "ufer")) {
        return None;
    }
    let letter = page
        .tokens
        .get(number.last + 1)
        .and_then(super::token::Token::letter)
        .is_some_and(|c| ('a'..='h').contains(&c));
    let last = if letter && page.together(street, number.last + 1) { number.last + 1 } else { number.last };
    Some((first, last))
}

/// "12 bis, rue de la Paix", "calle Mayor, número 5".
fn street_first(page: &Page, items: &[Item], street: usize) -> Option<(usize, usize)> {
    let mut before = street.checked_sub(1)?;
    while page.together(street, before)
        && (page.tokens[before].is_mark(',') || matches!(page.word(before), Some("bis" | "ter")))
    {
        before = before.checked_sub(1)?;
    }
    let number = house_number(items, before).filter(|number| page.together(street, number.first));
    let mut name_end = street;
    let mut index = street + 1;
    let mut words = 0;
    // "place", "square" and "avenue" are English as well: what follows them names them only in capitals or behind a "de".
    let mut sure = !matches!(kind(&page.tokens[street].key), Some(Street::Last { .. }));
    while words < NAME && page.together(street, index) {
        let token = &page.tokens[index];
        let joint = token.is_mark('\'') || token.is_mark('’') || token.is_mark('-') || is_joint(&token.key);
        if joint {
            sure = true;
            index += 1;
            continue;
        }
        let name = token.is_word()
            && item::covering(items, index).is_none()
            && !is_verb(&token.key)
            && (token.capital || (words == 0 && sure));
        if !name {
            break;
        }
        words += 1;
        name_end = index;
        index += 1;
    }
    if words == 0 {
        return None;
    }
    let mut behind = name_end + 1;
    while page.together(street, behind)
        && (page.tokens[behind].is_mark(',')
            || matches!(page.word(behind), Some("numero" | "no" | "n" | "num" | "nr"))
            || page.tokens[behind].is_mark('º'))
    {
        behind += 1;
    }
    let after = house_number(items, behind).filter(|after| page.together(street, after.first));
    match (number, after) {
        // French and English say the number first; "calle" and "rua" take it behind.
        (_, Some(after)) if !is_french(&page.tokens[street].key) => Some((street, after.last)),
        (Some(number), _) if is_french(&page.tokens[street].key) => Some((number.first, name_end)),
        _ => None,
    }
}

/// What follows an address: a flat, a postal code and its town.
fn rest_of(page: &Page, items: &[Item], last: usize) -> usize {
    let mut end = last;
    let mut index = last + 1;
    while index < page.tokens.len().min(last + 12) && page.together(last, index) {
        let token = &page.tokens[index];
        if token.is_mark(',') {
            index += 1;
            continue;
        }
        let flat = matches!(
            token.key.as_str(),
            "apartment" | "apt" | "suite" | "flat" | "unit" | "floor" | "piso" | "andar" | "etage"
        );
        let next = item::covering(items, index + 1).filter(|_| flat && page.together(last, index + 1));
        let postal = item::covering(items, index).filter(|item| item.digits.len() == NUMBER && item.first == index);
        match (next, postal) {
            (Some(number), _) => end = number.last,
            (_, Some(number)) => {
                let town = number.last + 1;
                let named = page.together(last, town) && page.tokens[town].is_word() && page.tokens[town].capital;
                return if named { town } else { number.last };
            }
            _ => break,
        }
        index = end + 1;
    }
    end
}

fn is_french(key: &str) -> bool {
    matches!(
        key,
        "rue"
            | "chemin"
            | "impasse"
            | "allee"
            | "quai"
            | "faubourg"
            | "cours"
            | "avenue"
            | "boulevard"
            | "place"
            | "square"
    )
}

/// Small words inside of a street's name.
fn is_joint(key: &str) -> bool {
    matches!(
        key,
        "de" | "des"
            | "du"
            | "la"
            | "le"
            | "les"
            | "l"
            | "d"
            | "del"
            | "los"
            | "las"
            | "el"
            | "da"
            | "do"
            | "dos"
            | "das"
            | "e"
            | "y"
            | "et"
            | "san"
            | "saint"
    )
}

fn is_verb(key: &str) -> bool {
    matches!(
        key,
        "est"
            | "es"
            | "esta"
            | "fica"
            | "era"
            | "was"
            | "is"
            | "con"
            | "com"
            | "avec"
            | "que"
            | "e"
            | "y"
            | "a"
            | "en"
            | "em"
            | "no"
            | "na"
            | "por"
            | "pour"
    )
}

/// Words before "street" that name none.
fn is_no_name(key: &str) -> bool {
    matches!(
        key,
        "the"
            | "on"
            | "in"
            | "a"
            | "an"
            | "of"
            | "this"
            | "that"
            | "down"
            | "across"
            | "our"
            | "your"
            | "my"
            | "their"
            | "minute"
            | "minutes"
            | "hour"
            | "hours"
            | "mile"
            | "miles"
            | "block"
            | "blocks"
            | "people"
            | "years"
            | "cars"
            | "trees"
            | "houses"
            | "long"
            | "main"
            | "side"
            | "off"
            | "from"
            | "to"
            | "at"
            | "and"
            | "or"
            | "every"
            | "each"
            | "lane"
            | "more"
            | "percent"
            | "kids"
            | "shops"
            | "by"
            | "per"
            | "for"
            | "new"
    )
}
