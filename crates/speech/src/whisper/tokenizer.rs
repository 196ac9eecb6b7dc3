//! Text to Whisper's tokens and back. Tokens are byte-level BPE (GPT-2): a token may end inside a character, so text is
//! assembled from bytes, and a word ends only where a character does.

use std::{collections::HashMap, fs, path::Path};

use serde::Deserialize;

use super::bpe::{Merges, byte_alphabet};
use crate::writing::{is_spaced, unspaced};

/// The token table of one model.
pub(super) struct Tokenizer {
    ids: HashMap<String, usize>,
    tokens: Vec<String>,
    merges: Merges,
    byte_of: HashMap<char, u8>,
    eot: usize,
    multilingual: bool,
}

/// The parts of a `tokenizer.json` that Whisper needs.
#[derive(Deserialize)]
struct TokenizerFile {
    model: BpeModel,
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct BpeModel {
    vocab: HashMap<String, usize>,
    merges: Vec<Merge>,
}

/// Older files write a merge as one string, newer ones as a pair.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Joined(String),
    Pair(String, String),
}

#[derive(Deserialize)]
struct AddedToken {
    id: usize,
    content: String,
}

/// The most tokens of a table: Whisper has 51,866.
const MAX_TOKENS: usize = 1 << 20;

/// Tokens of one word, with its text.
#[derive(Clone, PartialEq)]
pub(super) struct WordTokens {
    /// The text; starts with a space where the word does.
    pub(super) text: String,
    /// How many tokens it takes.
    pub(super) tokens: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model directory.
    pub(super) fn load(model: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(model.join("tokenizer.json")).map_err(|e| format!("tokenizer.json: {e}"))?;
        let file: TokenizerFile = serde_json::from_str(&text).map_err(|e| format!("tokenizer.json: {e}"))?;
        let mut ids = file.model.vocab;
        ids.extend(file.added_tokens.into_iter().map(|t| (t.content, t.id)));
        let size = ids.values().max().map_or(0, |id| id.saturating_add(1));
        if size > MAX_TOKENS {
            return Err(format!("tokenizer.json numbers its tokens up to {size}"));
        }
        let mut tokens = vec![String::new(); size];
        for (token, &id) in &ids {
            tokens[id].clone_from(token);
        }
        let merges = file.model.merges.into_iter().filter_map(|merge| match merge {
            Merge::Pair(left, right) => Some((left, right)),
            Merge::Joined(both) => both.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned())),
        });
        let merges = Merges::new(merges);
        let eot = *ids.get("<|endoftext|>").ok_or("tokenizer.json has no <|endoftext|>")?;
        // The English-only models have one token fewer in front of <|endoftext|>, and nothing to detect a language with.
        let multilingual = eot >= 50_257;
        let byte_of = byte_alphabet().into_iter().enumerate().map(|(byte, c)| (c, byte as u8)).collect();
        Ok(Self { ids, tokens, merges, byte_of, eot, multilingual })
    }

    /// Whether the model knows more than English.
    pub(super) fn multilingual(&self) -> bool {
        self.multilingual
    }

    /// Id of a special token such as `<|en|>`.
    pub(super) fn special(&self, token: &str) -> Option<usize> {
        self.ids.get(token).copied()
    }

    /// Whether the model can be told to hear `language` (an ISO 639-1 code).
    pub(super) fn knows_language(&self, language: &str) -> bool {
        if !self.multilingual {
            return language == "en";
        }
        // Languages stand between these two; other special tokens look like them.
        let [Some(first), Some(last)] = ["<|startoftranscript|>", "<|translate|>"].map(|token| self.special(token))
        else {
            return false;
        };
        self.special(&format!("<|{language}|>")).is_some_and(|id| first < id && id < last)
    }

    /// The tokens of a text, as the strings of the vocabulary.
    pub(super) fn encode(&self, text: &str) -> Vec<String> {
        let mut tokens = self.merges.encode(text);
        tokens.retain(|token| self.ids.contains_key(token));
        tokens
    }

    /// The text of text tokens; special tokens are left out, broken characters become U+FFFD.
    pub(super) fn decode(&self, ids: &[usize]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Splits text tokens into words; punctuation that stands alone is a word of its own here. In languages written without
    /// spaces every character that stands alone is a word, and every Latin word or number among them.
    pub(super) fn split_words(&self, ids: &[usize], language: &str) -> Vec<WordTokens> {
        let mut words: Vec<WordTokens> = Vec::new();
        for piece in self.split_characters(ids) {
            let goes_on = |word: &WordTokens| {
                if unspaced(language) {
                    word.text.ends_with(is_spaced) && piece.text.starts_with(is_spaced)
                } else {
                    !piece.text.starts_with(' ') && !piece.text.trim().chars().all(|c| c.is_ascii_punctuation())
                }
            };
            match words.last_mut() {
                Some(word) if goes_on(word) => {
                    word.text.push_str(&piece.text);
                    word.tokens += piece.tokens;
                }
                _ => words.push(piece),
            }
        }
        words
    }

    /// The smallest runs of tokens that end on a character boundary.
    fn split_characters(&self, ids: &[usize]) -> Vec<WordTokens> {
        let mut pieces = Vec::new();
        let mut bytes = Vec::new();
        let mut tokens = 0;
        for (i, &id) in ids.iter().enumerate() {
            bytes.extend(self.bytes(id));
            tokens += 1;
            if std::str::from_utf8(&bytes).is_ok() || i + 1 == ids.len() {
                pieces.push(WordTokens { text: String::from_utf8_lossy(&bytes).into_owned(), tokens });
                bytes.clear();
                tokens = 0;
            }
        }
        pieces
    }

    fn bytes(&self, id: usize) -> Vec<u8> {
        if id >= self.eot {
            return Vec::new();
        }
        let token = self.tokens.get(id).map_or("", String::as_str);
        token.chars().filter_map(|c| self.byte_of.get(&c).copied()).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A multilingual tokenizer of these text tokens, numbered from 0, and special tokens in the order of Whisper's table.
    pub(in super::super) fn tokenizer(texts: &[&str], special: &[&str]) -> Tokenizer {
        let alphabet = byte_alphabet();
        let token = |text: &&str| text.bytes().map(|b| alphabet[usize::from(b)]).collect::<String>();
        let vocab: HashMap<String, usize> = texts.iter().map(token).zip(0..).collect();
        let added = |(i, content): (usize, &&str)| serde_json::json!({ "id": 50_257 + i, "content": content });
        let added: Vec<_> = special.iter().enumerate().map(added).collect();
        let file = serde_json::json!({ "model": { "vocab": vocab, "merges": [] }, "added_tokens": added });
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        Tokenizer::load(folder.path()).unwrap()
    }

    fn split(texts: &[&str], language: &str) -> Vec<String> {
        let ids: Vec<usize> = (0..texts.len()).collect();
        let words = tokenizer(texts, &["<|endoftext|>"]).split_words(&ids, language);
        assert_eq!(words.iter().map(|w| w.tokens).sum::<usize>(), texts.len());
        words.into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn only_languages_are_known_as_languages() {
        let special =
            ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|yue|>", "<|translate|>", "<|transcribe|>"];
        let tokenizer = tokenizer(&["a"], &special);
        assert!(tokenizer.knows_language("en") && tokenizer.knows_language("yue"));
        for other in ["transcribe", "translate", "startoftranscript", "endoftext", "a", "", "xx"] {
            assert!(!tokenizer.knows_language(other), "{other}");
        }
    }

    #[test]
    fn words_start_at_spaces_and_punctuation_stands_alone() {
        assert_eq!(split(&[" he", "llo", ",", " wor", "ld"], "en"), [" hello", ",", " world"]);
    }

    #[test]
    fn languages_without_spaces_are_split_into_characters_and_latin_words() {
        assert_eq!(
            split(&["我", "用", " Goo", "gle", " Meet", "3", ".", "5", "。"], "zh"),
            ["我", "用", " Google", " Meet3.5", "。"]
        );
    }
}
