//! Words that are nowhere else, and how they may have been written down.
//!
//! Invariant: a word is made when it is asked for, so neither the program's own file nor an earlier search holds it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use uuid::Uuid;

/// Letters of a word: 112 bits, and nothing in it that redaction takes for a number.
const LETTERS: usize = 24;

/// Literals of PostgreSQL's own compression (pglz) that follow each of its control bytes, which is 0 before eight literals.
const PGLZ_LITERALS: usize = 8;

/// A word of lower-case letters that nobody has written before.
#[must_use]
pub fn word() -> String {
    let random = [Uuid::new_v4(), Uuid::new_v4()];
    let bytes = random.iter().flat_map(|id| id.as_bytes().iter());
    bytes.map(|byte| char::from(b'a' + byte % 26)).take(LETTERS).collect()
}

/// Something to look for.
#[derive(Clone)]
pub struct Needle {
    /// What it stands for, as a report names it: never the word itself.
    pub what: &'static str,
    pub(super) spellings: Vec<Vec<u8>>,
}

impl Needle {
    /// A text in every spelling: UTF-8, UTF-16, hexadecimal, base64 at each of its three offsets, percent and JSON escapes of each
    /// letter, and as PostgreSQL compresses it.
    #[must_use]
    pub fn text(what: &'static str, text: &str) -> Self {
        let mut needle = Self::bytes(what, text.as_bytes());
        let utf_16 = || text.encode_utf16();
        needle.spellings.extend([
            utf_16().flat_map(u16::to_le_bytes).collect(),
            utf_16().flat_map(u16::to_be_bytes).collect(),
            text.bytes().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect(),
            utf_16().flat_map(|unit| format!("\\u{unit:04x}").into_bytes()).collect(),
        ]);
        needle
    }

    /// Bytes as they are, in hexadecimal, in base64 and as PostgreSQL compresses them.
    #[must_use]
    pub fn bytes(what: &'static str, bytes: &[u8]) -> Self {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut spellings = vec![bytes.to_vec(), hex.into_bytes()];
        for offset in 0..3 {
            let shifted = [&vec![0; offset][..], bytes].concat();
            for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
                // The first digits and the last depend on what is around.
                let whole = encoded.as_bytes().get(offset + 1..encoded.len().saturating_sub(2)).unwrap_or_default();
                if !whole.is_empty() && !spellings.iter().any(|other| other == whole) {
                    spellings.push(whole.to_vec());
                }
            }
        }
        spellings.extend((1..=PGLZ_LITERALS).map(|first| compressed(bytes, first)));
        Self { what, spellings }
    }

    /// Bytes as they are and in no other spelling: what has to be found, so that a search that finds nothing else was not blind.
    #[must_use]
    pub fn exactly(what: &'static str, bytes: &[u8]) -> Self {
        Self { what, spellings: vec![bytes.to_vec()] }
    }

    /// The same in one spelling more.
    #[must_use]
    pub fn or(mut self, spelling: Vec<u8>) -> Self {
        self.spellings.push(spelling);
        self
    }
}

/// Bytes that repeat nothing before them as literals of PostgreSQL's compression, of which the first `first` still follow the control
/// byte before. What follows the last whole eight of many may be followed by a repetition, which its control byte would say.
fn compressed(bytes: &[u8], first: usize) -> Vec<u8> {
    let (head, rest) = bytes.split_at(first.min(bytes.len()));
    let certain = rest.len() / PGLZ_LITERALS * PGLZ_LITERALS;
    let rest = if certain > PGLZ_LITERALS { &rest[..certain] } else { rest };
    let literals = rest.chunks(PGLZ_LITERALS);
    literals.fold(head.to_vec(), |compressed, literals| [&compressed[..], &[0], literals].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four digits of a phone number are, in the catalogue of any PostgreSQL.
    #[test]
    fn no_spelling_is_so_short_that_it_is_found_by_chance() {
        for text in [word().as_str(), "30123456789"] {
            let Needle { spellings, .. } = Needle::text("a word", text);
            assert!(spellings.len() > 15);
            for spelling in spellings {
                assert!(spelling.len() >= 10, "{}", String::from_utf8_lossy(&spelling));
            }
        }
    }
}
