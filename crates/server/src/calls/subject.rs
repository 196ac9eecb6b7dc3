//! Whom a call was with, as keyed hashes by which a data subject is found (GDPR, article 15). Its one invariant: a call that says it is
//! indexed has the tokens of what its sealed document says; every change of the document makes them anew. A contact that goes by a number is
//! found by it, though the document keeps no more than its end.
//!
//! Numbers are compared as E.164 (ITU-T) where they say their country. One that does not is hashed by its digits without leading zeros, and
//! who looks for a number looks for every such way to write it: rather a call of another country with the same digits than none.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use insight::redact;
use phonenumber::Mode;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use super::{CallDocument, store};
use crate::{
    db::{TenantTx, Write},
    vault::{
        key::Key,
        keys::{IndexKey, Vault, VaultError},
    },
};

/// Calls of an older program that are indexed in one transaction: a second at most.
const BATCH: i64 = 100;

/// What is looked up: an HMAC-SHA-256.
pub type Token = [u8; 32];

/// Zeros of the digits that people write numbers with in the Gulf, in Iran and in India; NFKC makes ASCII of those of full width.
const ZEROS: [char; 3] = ['\u{660}', '\u{6f0}', '\u{966}'];

/// The letters of a text in their normal form, digits as ASCII.
fn normal(text: &str) -> impl Iterator<Item = char> {
    text.nfkc().map(|letter| {
        let digit =
            |zero: &char| u32::from(letter).checked_sub(u32::from(*zero)).and_then(|digit| char::from_digit(digit, 10));
        ZEROS.iter().find_map(digit).unwrap_or(letter)
    })
}

/// A number as it is compared; `None` when there is none in the text.
fn normal_number(text: &str) -> Option<String> {
    // What follows is an extension or a remark.
    let number =
        text.split(|letter: char| letter.is_alphabetic() || ";#".contains(letter)).find(|part| has_digit(part))?;
    let digits: String = normal(number).filter(char::is_ascii_digit).collect();
    let is_international = normal(number).find(|letter| !letter.is_whitespace() && *letter != '(') == Some('+');
    let rest = if is_international { Some(&digits[..]) } else { digits.strip_prefix("00") };
    if let Some(international) = rest
        && let Ok(parsed) = phonenumber::parse(None, format!("+{international}"))
    {
        return Some(parsed.format().mode(Mode::E164).to_string());
    }
    national(&digits)
}

fn has_digit(text: &str) -> bool {
    normal(text).any(|letter| letter.is_ascii_digit())
}

/// Digits that say no country.
fn national(digits: &str) -> Option<String> {
    let digits = digits.trim_start_matches('0');
    (!digits.is_empty()).then(|| digits.to_owned())
}

/// Every way in which a number with its country code may be stored; `None` for one without.
fn ways_to_write(text: &str) -> Option<BTreeSet<String>> {
    let international = normal_number(text)?;
    let parsed = phonenumber::parse(None, &international).ok().filter(|_| international.starts_with('+'))?;
    let within: String =
        parsed.format().mode(Mode::National).to_string().chars().filter(char::is_ascii_digit).collect();
    let bare = [international.trim_start_matches('+').to_owned(), parsed.national().to_string(), within];
    let bare = bare.iter().filter_map(|digits| national(digits)).collect::<BTreeSet<_>>();
    Some(bare.into_iter().chain([international]).collect())
}

/// A name as it is compared: its words in small letters, in the order of the alphabet; `None` when there is no word.
fn normal_name(text: &str) -> Option<String> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut words: Vec<&str> =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    (!words.is_empty()).then(|| words.join(" "))
}

fn token(tenant: &Key, index: IndexKey, text: &str) -> Token {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, index.derive(tenant).expose()), text.as_bytes());
    let mut token = [0; 32];
    token.copy_from_slice(tag.as_ref());
    token
}

/// The tokens by which calls with this number are found; `None` when it does not say its country.
#[must_use]
pub fn of_number(tenant: &Key, text: &str) -> Option<Vec<Token>> {
    Some(ways_to_write(text)?.iter().map(|way| token(tenant, IndexKey::Phone, way)).collect())
}

/// The token by which calls with somebody of this name are found; `None` when it has no word.
#[must_use]
pub fn of_name(tenant: &Key, text: &str) -> Option<Vec<Token>> {
    Some(vec![name(tenant, text)?])
}

/// Whether there is a number in the text.
#[must_use]
pub(crate) fn is_number(text: &str) -> bool {
    normal_number(text).is_some()
}

/// A number as the address book finds it.
pub(crate) struct Number {
    /// The number itself.
    pub(crate) own: Token,
    /// The same in every way to write it without its country; none when it does not say its country itself.
    pub(crate) bare: Vec<Token>,
}

/// The tokens of a number; `None` when there is none in the text.
#[must_use]
pub(crate) fn number(tenant: &Key, text: &str) -> Option<Number> {
    let own = normal_number(text)?;
    let ways = ways_to_write(text).unwrap_or_default();
    let bare = ways.iter().filter(|way| **way != own).map(|way| token(tenant, IndexKey::Phone, way)).collect();
    Some(Number { own: token(tenant, IndexKey::Phone, &own), bare })
}

/// The token of a name; `None` when it has no word.
#[must_use]
pub(crate) fn name(tenant: &Key, text: &str) -> Option<Token> {
    Some(token(tenant, IndexKey::Name, &normal_name(text)?))
}

/// The token of an e-mail address, in small letters.
#[must_use]
pub(crate) fn email(tenant: &Key, address: &str) -> Token {
    token(tenant, IndexKey::Email, &address.to_lowercase())
}

/// By what somebody is found who goes by this name: a number by its digits, everybody else by their words.
fn of_contact(tenant: &Key, text: &str) -> Option<Token> {
    if redact::contact_label(text).is_some() {
        return Some(token(tenant, IndexKey::Phone, &normal_number(text)?));
    }
    name(tenant, text)
}

/// What is stored of a name.
pub(super) enum Name {
    /// What is there already.
    AsBefore,
    /// This.
    Is(Option<Token>),
}

/// Writes the tokens of a call, in the transaction that stores its document.
///
/// # Errors
/// What a transaction may fail with.
pub async fn index(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    call: Uuid,
    document: &CallDocument,
) -> Result<(), VaultError> {
    let key = vault.tenant_key(tx).await?;
    let number = document.phone_number.as_deref().and_then(normal_number);
    let number = number.map(|number| token(&key, IndexKey::Phone, &number));
    let said = match document.contact_name.as_deref() {
        // What is left of a number says less than what the call came with.
        Some(text) if redact::is_contact_label(text) => Name::AsBefore,
        text => Name::Is(text.and_then(|text| of_contact(&key, text))),
    };
    Ok(store::put_tokens(tx, call, number.as_ref(), said).await?)
}

/// Indexes calls of the transaction's tenant that an older program left without tokens, those after `after`. Returns the last of them;
/// `None` when there were no more.
///
/// # Errors
/// What a transaction may fail with.
pub async fn index_more(tx: &mut TenantTx<Write>, vault: &Vault, after: Uuid) -> Result<Option<Uuid>, VaultError> {
    let calls = store::not_indexed(tx, after, BATCH).await?;
    let rows = store::among(tx, &calls).await?;
    let documents = store::open_all(tx, vault, &rows).await?;
    for (row, document) in rows.iter().zip(&documents) {
        index(tx, vault, row.id, document).await?;
    }
    Ok(calls.last().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_was_written() {
        let wanted = ways_to_write("+49 30 901820").unwrap();
        for written in [
            "+4930901820",
            "0049 (30) 90 18 20",
            "030/901820",
            "(030) 90-18-20",
            "4930901820",
            "+49 (0)30 901820",
            "+٤٩ ٣٠ ٩٠١٨٢٠",
            "+49 30 901820 ext. 5",
            "+４９ ３０ ９０１８２０",
        ] {
            assert!(wanted.contains(&normal_number(written).unwrap()), "{written}: {:?}", normal_number(written));
        }
        for other in ["+49 30 901821", "+43 30 901820", "040/901820", "+1 212 555 0199"] {
            assert!(!wanted.contains(&normal_number(other).unwrap()), "{other}");
        }
        let american = ways_to_write("+1 (212) 555-0199").unwrap();
        for written in ["212-555-0199", "1-212-555-0199", "+12125550199", "001 212 555 0199", "tel: 212.555.0199"] {
            assert!(american.contains(&normal_number(written).unwrap()), "{written}");
        }
    }

    #[test]
    fn a_number_without_its_country_is_not_looked_for() {
        for written in ["030 901820", "", "nobody", "+", "+000", "++"] {
            assert!(ways_to_write(written).is_none(), "{written}");
        }
    }

    #[test]
    fn a_name_is_the_same_in_any_order_and_case() {
        let wanted = normal_name("Ann-Marie Heron");
        assert!(["heron, ANN MARIE", "  Ann  Marie\tHeron "].iter().all(|written| normal_name(written) == wanted));
        assert!(normal_name("Ann Heron") != wanted && normal_name(" - ").is_none());
    }
}
