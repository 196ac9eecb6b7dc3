//! What somebody asks for. Its one invariant: a query that is accepted asks for at least one word and for at most [`MAX_WORDS`].
//!
//! Words are separated by spaces, and a call has to hold all of them. Words in quotation marks stand one behind the other, and so do those
//! that no space separates ("follow-up", "2.5", 東京). A minus in front of a word or quotation leaves out the calls that hold it.

use std::{collections::BTreeSet, ops::Range};

use super::{keys::Stems, words::words};

/// Words of a query, those of phrases and those left out included: each costs a walk through the calls that hold it.
pub const MAX_WORDS: usize = 16;

/// Quotation marks of any language, opening or closing.
const QUOTES: [char; 9] = ['"', '“', '”', '„', '‟', '«', '»', '「', '」'];

/// Why a query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// More words than are looked for.
    #[error("a search has at most {MAX_WORDS} words")]
    TooManyWords,
    /// No word at all, or only such as are to be left out.
    #[error("a search has at least one word that is to be found")]
    NothingSought,
}

/// The keys of one word, in every language.
pub type Keys = BTreeSet<String>;

/// A word or a phrase.
pub struct Term {
    /// Its words, each by its keys.
    pub words: Vec<Keys>,
    /// Calls that hold it are left out.
    pub is_excluded: bool,
    /// It stood in quotation marks: a call holds it as it is, or is not found.
    pub is_quoted: bool,
}

/// A query. No printable form: it is content.
pub struct Query {
    /// What a call has to hold, and what not.
    pub terms: Vec<Term>,
    /// What stands neither in quotation marks nor behind a minus, for search by meaning; empty where there is nothing.
    pub free: String,
    /// Where the words of that are in what was typed.
    pub free_words: Vec<Range<usize>>,
}

impl Query {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// When it asks for no word, or for too many.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let stems = Stems::all();
        let mut query = Self { terms: Vec::new(), free: String::new(), free_words: Vec::new() };
        let mut count = 0;
        for Chunk { at, is_excluded, is_quoted } in chunks(text) {
            let chunk = &text[at.clone()];
            let found = words(chunk);
            count += found.len();
            if count > MAX_WORDS {
                return Err(QueryError::TooManyWords);
            }
            if found.is_empty() {
                continue;
            }
            if !is_excluded && !is_quoted {
                query.free.push_str(if query.free.is_empty() { "" } else { " " });
                query.free.push_str(chunk);
                query.free_words.extend(found.iter().map(|word| at.start + word.start..at.start + word.end));
            }
            let keys = |word: Range<usize>| stems.iter().flat_map(|stems| stems.keys(&chunk[word.clone()])).collect();
            query.terms.push(Term { words: found.into_iter().map(keys).collect(), is_excluded, is_quoted });
        }
        if query.terms.iter().all(|term| term.is_excluded) {
            return Err(QueryError::NothingSought);
        }
        Ok(query)
    }
}

/// What stands between spaces or quotation marks.
struct Chunk {
    /// Its bytes in what was typed.
    at: Range<usize>,
    /// Whether a minus stands in front of it.
    is_excluded: bool,
    is_quoted: bool,
}

fn chunks(text: &str) -> Vec<Chunk> {
    let (mut chunks, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let is_excluded = rest.starts_with('-');
        let body = rest.strip_prefix('-').unwrap_or(rest);
        let quoted = body.strip_prefix(QUOTES);
        let (chunk, behind) = match quoted {
            // What is not closed goes to the end.
            Some(quoted) => quoted.split_once(QUOTES).unwrap_or((quoted, "")),
            None => body.split_at(body.find(|c: char| c.is_whitespace() || QUOTES.contains(&c)).unwrap_or(body.len())),
        };
        // A piece of the text, all of which behind it is `quoted` or `body`.
        let start = text.len() - quoted.unwrap_or(body).len();
        chunks.push(Chunk { at: start..start + chunk.len(), is_excluded, is_quoted: quoted.is_some() });
        rest = behind.trim_start();
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words of each term, and whether it is left out.
    fn shape(text: &str) -> Result<Vec<(usize, bool)>, QueryError> {
        let query = Query::parse(text)?;
        Ok(query.terms.iter().map(|term| (term.words.len(), term.is_excluded)).collect())
    }

    #[test]
    fn words_phrases_and_what_is_left_out_are_told_apart() {
        assert_eq!(shape("two words"), Ok(vec![(1, false), (1, false)]));
        assert_eq!(shape("\"a whole phrase\" -not -„not this“"), Ok(vec![(3, false), (1, true), (2, true)]));
        assert_eq!(shape("follow-up 東京"), Ok(vec![(2, false), (2, false)]));
        assert_eq!(shape("word\"never closed"), Ok(vec![(1, false), (2, false)]));
        for nothing in ["", " ", "-", "\"\"", "-word", "…?!"] {
            assert_eq!(shape(nothing), Err(QueryError::NothingSought), "{nothing}");
        }
        assert_eq!(shape(&"w ".repeat(17)), Err(QueryError::TooManyWords));
    }

    #[test]
    fn what_may_be_paraphrased_or_typed_wrong_is_neither_quoted_nor_left_out() {
        let typed = " -not \u{201E}as it is\u{201C} follow-up of\"x\" Ann’s";
        let query = Query::parse(typed).unwrap();
        assert_eq!(query.free, "follow-up of Ann’s");
        let words: Vec<&str> = query.free_words.iter().map(|word| &typed[word.clone()]).collect();
        assert_eq!(words, ["follow", "up", "of", "Ann"]);
        assert!(Query::parse("\"quoted\" -not").unwrap().free.is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_refused(text in ".{0,80}") {
            if let Ok(query) = Query::parse(&text) {
                let count: usize = query.terms.iter().map(|term| term.words.len()).sum();
                prop_assert!((1..=MAX_WORDS).contains(&count));
            }
        }
    }
}
