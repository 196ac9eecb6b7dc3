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
}

/// A query. No printable form: it is content.
pub struct Query {
    /// What a call has to hold, and what not.
    pub terms: Vec<Term>,
}

impl Query {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// When it asks for no word, or for too many.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let stems = Stems::all();
        let (mut terms, mut count) = (Vec::new(), 0);
        for (is_excluded, chunk) in chunks(text) {
            let found = words(chunk);
            count += found.len();
            if count > MAX_WORDS {
                return Err(QueryError::TooManyWords);
            }
            let keys = |word: Range<usize>| stems.iter().flat_map(|stems| stems.keys(&chunk[word.clone()])).collect();
            if !found.is_empty() {
                terms.push(Term { words: found.into_iter().map(keys).collect(), is_excluded });
            }
        }
        if terms.iter().all(|term| term.is_excluded) {
            return Err(QueryError::NothingSought);
        }
        Ok(Self { terms })
    }
}

/// What stands between spaces or quotation marks, and whether a minus stands in front of it.
fn chunks(text: &str) -> Vec<(bool, &str)> {
    let (mut chunks, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let is_excluded = rest.starts_with('-');
        let body = rest.strip_prefix('-').unwrap_or(rest);
        let (chunk, behind) = match body.strip_prefix(QUOTES) {
            // What is not closed goes to the end.
            Some(quoted) => quoted.split_once(QUOTES).unwrap_or((quoted, "")),
            None => body.split_at(body.find(|c: char| c.is_whitespace() || QUOTES.contains(&c)).unwrap_or(body.len())),
        };
        chunks.push((is_excluded, chunk));
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
