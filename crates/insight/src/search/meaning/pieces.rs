//! Pieces of words, as BERT has them (WordPiece; Devlin et al., NAACL 2019): the longest piece that the vocabulary has, then the longest of
//! what is left. Its one invariant: every number is one of the vocabulary, and there are at most [`MOST`].

use std::collections::HashMap;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::network::VOCABULARY;

/// Pieces of a text, those around it included: what the model was trained with (`max_seq_length`).
const MOST: usize = 256;

/// Those that stand around every text.
pub(super) const FRAME: usize = 2;

/// Letters of a word; a longer one is unknown (`max_input_chars_per_word`).
const LONGEST: usize = 100;

/// The pieces that mean something to the model, by their names in the vocabulary.
const UNKNOWN: &str = "[UNK]";
const BEGIN: &str = "[CLS]";
const END: &str = "[SEP]";

/// Ideographs, each of which is a word to BERT: first and last of a block.
const IDEOGRAPHS: [(char, char); 8] = [
    ('\u{4E00}', '\u{9FFF}'),
    ('\u{3400}', '\u{4DBF}'),
    ('\u{20000}', '\u{2A6DF}'),
    ('\u{2A700}', '\u{2B73F}'),
    ('\u{2B740}', '\u{2B81F}'),
    ('\u{2B920}', '\u{2CEAF}'),
    ('\u{F900}', '\u{FAFF}'),
    ('\u{2F800}', '\u{2FA1F}'),
];

/// The vocabulary.
pub(super) struct Pieces {
    known: HashMap<String, u32>,
    unknown: u32,
    begin: u32,
    end: u32,
}

/// What is read of `tokenizer.json`.
#[derive(Deserialize)]
struct Tokenizer {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, u32>,
}

impl Pieces {
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let Tokenizer { model: Model { vocab: known } } =
            serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if known.values().any(|piece| *piece as usize >= VOCABULARY) {
            return Err(format!("a piece has a number above {VOCABULARY}"));
        }
        let find = |name: &str| known.get(name).copied().ok_or_else(|| format!("it has no {name}"));
        let (unknown, begin, end) = (find(UNKNOWN)?, find(BEGIN)?, find(END)?);
        Ok(Self { known, unknown, begin, end })
    }

    /// The numbers of the pieces of a text.
    pub(super) fn of(&self, text: &str) -> Vec<u32> {
        let (mut pieces, mut word) = (vec![self.begin], String::new());
        // Decomposed, so that accents can be left out.
        let letters = text.chars().filter(|c| !is_nothing(*c)).nfd().filter(|c| !is_accent(*c));
        for c in letters.flat_map(char::to_lowercase) {
            if pieces.len() >= MOST {
                break;
            }
            let stands_alone = is_punctuation(c) || is_ideograph(c);
            if stands_alone || c.is_whitespace() {
                self.push(&word, &mut pieces);
                word.clear();
            }
            if stands_alone {
                self.push(c.encode_utf8(&mut [0; 4]), &mut pieces);
            } else if !c.is_whitespace() && word.len() <= LONGEST * 4 {
                word.push(c);
            }
        }
        self.push(&word, &mut pieces);
        pieces.truncate(MOST - 1);
        pieces.push(self.end);
        pieces
    }

    /// Adds the pieces of a word: the unknown one where it does not fall into any.
    fn push(&self, word: &str, pieces: &mut Vec<u32>) {
        let before = pieces.len();
        let mut rest = word;
        while !rest.is_empty() {
            let is_first = rest.len() == word.len();
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let longest = ends.into_iter().find_map(|end| {
                let piece = if is_first {
                    self.known.get(&rest[..end])
                } else {
                    self.known.get(&format!("##{}", &rest[..end]))
                };
                Some((end, *piece?))
            });
            let Some((end, piece)) = longest.filter(|_| word.chars().nth(LONGEST).is_none()) else {
                pieces.truncate(before);
                pieces.push(self.unknown);
                return;
            };
            pieces.push(piece);
            rest = &rest[end..];
        }
    }
}

/// Control and format characters, save those that separate words.
fn is_nothing(c: char) -> bool {
    let is_other = c.general_category_group() == GeneralCategoryGroup::Other;
    (is_other && !matches!(c, '\t' | '\n' | '\r')) || c == '\u{FFFD}'
}

fn is_accent(c: char) -> bool {
    c.general_category() == GeneralCategory::NonspacingMark
}

/// Everything of ASCII that is neither letter nor digit, and what Unicode calls punctuation.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || c.general_category_group() == GeneralCategoryGroup::Punctuation
}

fn is_ideograph(c: char) -> bool {
    IDEOGRAPHS.iter().any(|(first, last)| (*first..=*last).contains(&c))
}
