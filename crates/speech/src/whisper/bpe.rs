//! Byte-level byte-pair encoding as GPT-2 defined it: text is cut into words, each word's bytes are written as printable
//! characters, and pairs are merged in the order in which training found them.

use std::collections::HashMap;

/// The longest word that is merged as one, in bytes: merging takes the square of it, and no language's words are longer.
const MAX_WORD_BYTES: usize = 256;

/// The merges of a vocabulary.
pub(super) struct Merges {
    /// Pair to rank: lower ranks merge first.
    ranks: HashMap<(String, String), usize>,
    alphabet: [char; 256],
}

impl Merges {
    /// Takes pairs in the order in which they merge.
    pub(super) fn new(pairs: impl Iterator<Item = (String, String)>) -> Self {
        Self { ranks: pairs.enumerate().map(|(rank, pair)| (pair, rank)).collect(), alphabet: byte_alphabet() }
    }

    /// The tokens of a text. A run of letters of more than [`MAX_WORD_BYTES`] is cut.
    pub(super) fn encode(&self, text: &str) -> Vec<String> {
        let words = split(text).into_iter().flat_map(|word| word.as_bytes().chunks(MAX_WORD_BYTES));
        words.flat_map(|word| self.merge(word)).collect()
    }

    fn merge(&self, word: &[u8]) -> Vec<String> {
        let mut symbols: Vec<String> = word.iter().map(|&b| self.alphabet[usize::from(b)].to_string()).collect();
        loop {
            let best = (1..symbols.len())
                .filter_map(|i| {
                    let rank = self.ranks.get(&(symbols[i - 1].clone(), symbols[i].clone()))?;
                    Some((*rank, i))
                })
                .min();
            let Some((_, at)) = best else { return symbols };
            let right = symbols.remove(at);
            symbols[at - 1].push_str(&right);
        }
    }
}

/// GPT-2's reversible map from bytes to printable characters: printable Latin-1 stands for itself, every other byte for
/// a character from U+0100 on.
pub(super) fn byte_alphabet() -> [char; 256] {
    let mut next = 0x100..;
    std::array::from_fn(|byte| match byte as u8 {
        printable @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) => char::from(printable),
        // 68 bytes are left, and U+0100 to U+0143 are all characters.
        _ => next.next().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER),
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    if c.is_alphabetic() {
        Class::Letter
    } else if c.is_numeric() {
        Class::Number
    } else if c.is_whitespace() {
        Class::Space
    } else {
        Class::Other
    }
}

/// English contractions that stand alone after their apostrophe.
const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// Cuts a text as GPT-2's pattern does: contractions; runs of letters, of digits or of other characters, each with the
/// one space before it; runs of white space.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (word, behind) = rest.split_at(word_length(rest, first));
        words.push(word);
        rest = behind;
    }
    words
}

fn word_length(rest: &str, first: char) -> usize {
    if let Some(contraction) = CONTRACTIONS.iter().find(|c| rest.starts_with(**c)) {
        return contraction.len();
    }
    let run = |from: usize, wanted: Class| {
        rest[from..].char_indices().find(|(_, c)| class(*c) != wanted).map_or(rest.len(), |(at, _)| from + at)
    };
    match rest[first.len_utf8()..].chars().next() {
        Some(second) if first == ' ' && class(second) != Class::Space => run(1, class(second)),
        _ if class(first) == Class::Space => {
            let end = run(0, Class::Space);
            // The last space belongs to the word that follows it.
            let last = rest[..end].chars().next_back().map_or(0, char::len_utf8);
            if end < rest.len() && end > last { end - last } else { end }
        }
        _ => run(0, class(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_like_the_reference_pattern() {
        assert_eq!(split("I'll pay $99,  ok"), ["I", "'ll", " pay", " $", "99", ",", " ", " ok"]);
        assert_eq!(split(" été 2024\n"), [" été", " 2024", "\n"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn pairs_merge_in_rank_order_and_bytes_are_kept() {
        let pairs = [("l", "o"), ("lo", "w"), ("Ġ", "low")];
        let merges = Merges::new(pairs.map(|(a, b)| (a.into(), b.into())).into_iter());
        assert_eq!(merges.encode(" low lo"), ["Ġlow", "Ġ", "lo"]);
        assert_eq!(merges.encode("é"), ["Ã", "©"]);
    }

    #[test]
    fn a_word_without_end_is_cut_and_nothing_of_it_is_lost() {
        let doubles = (0..10).map(|i| "a".repeat(1 << i)).map(|half| (half.clone(), half));
        let tokens = Merges::new(doubles).encode(&"a".repeat(5_001));
        assert!(tokens.iter().all(|token| token.len() <= MAX_WORD_BYTES));
        assert_eq!(tokens.concat(), "a".repeat(5_001));
    }

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let mut alphabet = byte_alphabet().to_vec();
        alphabet.sort_unstable();
        alphabet.dedup();
        assert_eq!(alphabet.len(), 256);
        assert_eq!(byte_alphabet()[usize::from(b' ')], 'Ġ');
    }
}
