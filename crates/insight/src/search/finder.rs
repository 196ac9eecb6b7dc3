//! Where what is sought stands in texts. Its one invariant: a word is cut to its stem once, however often it is said and in however many
//! texts: a few hundred words are most of what people say.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use super::{
    keys::Stems,
    query::{MAX_WORDS, Query},
    words::words,
};

/// Words of a query, a bit each.
type Sought = u16;
const _: () = assert!(MAX_WORDS <= Sought::BITS as usize, "every word of a query has a bit");

/// Finds a query in texts. No printable form: it knows words of them.
pub struct Finder<'q> {
    query: &'q Query,
    /// By the language of their stems, the words that were seen, and which words of the query each is.
    seen: HashMap<&'static str, HashMap<Box<str>, Sought>>,
}

impl<'q> Finder<'q> {
    /// Of one query.
    pub fn new(query: &'q Query) -> Self {
        Self { query, seen: HashMap::new() }
    }

    /// How many of the terms stand in a text of a language, and the bytes of all their words, in order.
    pub fn find(&mut self, text: &str, language: Option<&str>) -> (usize, Vec<Range<usize>>) {
        let stems = Stems::of(language);
        let seen = self.seen.entry(stems.label()).or_default();
        let said: Vec<(Range<usize>, Sought)> = words(text)
            .into_iter()
            .map(|place| {
                let word = &text[place.clone()];
                let known = seen.get(word).copied();
                let sought =
                    known.unwrap_or_else(|| *seen.entry(word.into()).or_insert(sought(self.query, &stems, word)));
                (place, sought)
            })
            .collect();
        if said.iter().all(|(_, sought)| *sought == 0) {
            return (0, Vec::new());
        }
        let (mut terms, mut first, mut marked) = (0, 0, BTreeSet::new());
        for term in &self.query.terms {
            let length = term.words.len();
            let is = |at: usize, word: usize| said.get(at).is_some_and(|(_, sought)| sought & (1 << word) != 0);
            let begins = |start: &usize| (0..length).all(|n| is(start + n, first + n));
            if !term.is_excluded {
                let starts: Vec<usize> = (0..said.len()).filter(begins).collect();
                terms += usize::from(!starts.is_empty());
                marked.extend(starts.into_iter().flat_map(|start| start..start + length));
            }
            first += length;
        }
        (terms, marked.into_iter().map(|at| said[at].0.clone()).collect())
    }
}

/// Which words of the query this one is.
fn sought(query: &Query, stems: &Stems, word: &str) -> Sought {
    let keys = stems.keys(word);
    let asked = query.terms.iter().flat_map(|term| &term.words).enumerate();
    asked.filter(|(_, asked)| keys.iter().any(|key| asked.contains(key))).fold(0, |sought, (n, _)| sought | 1 << n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str, texts: &[&'static str]) -> Vec<(usize, Vec<&'static str>)> {
        let query = Query::parse(query).unwrap();
        let mut finder = Finder::new(&query);
        let mut find = |text: &&'static str| {
            let (terms, places) = finder.find(text, Some("en"));
            (terms, places.into_iter().map(|place| &text[place]).collect())
        };
        texts.iter().map(&mut find).collect()
    }

    #[test]
    fn what_is_sought_is_found_in_a_text() {
        let found = |query: &str, text: &'static str| found(query, &[text]).remove(0);
        assert_eq!(found("invoice ann", "Ann sent the invoices."), (2, vec!["Ann", "invoices"]));
        assert_eq!(found("\"the invoice\"", "An invoice, the invoice!"), (1, vec!["the", "invoice"]));
        assert_eq!(found("\"invoice the\" sent", "the invoice was sent"), (1, vec!["sent"]));
        assert_eq!(found("-offer invoice", "the invoice, no offer"), (1, vec!["invoice"]));
        assert_eq!(found("offer -invoice", "the invoice"), (0, vec![]));
        assert_eq!(found("offer offer", "the offer"), (2, vec!["offer"]));
    }

    #[test]
    fn a_word_that_was_seen_in_one_text_is_known_in_the_next() {
        let texts = ["the invoice", "Invoices and the offer", "the invoice"];
        let marked = [vec!["invoice"], vec!["Invoices", "offer"], vec!["invoice"]];
        let terms = [1, 2, 1];
        assert_eq!(found("invoices offer", &texts), terms.into_iter().zip(marked).collect::<Vec<_>>());
    }

    #[test]
    fn a_word_is_told_apart_by_the_language_of_its_text() {
        let query = Query::parse("news").unwrap();
        let mut finder = Finder::new(&query);
        assert_eq!(finder.find("new", Some("fr")).0, finder.find("new", Some("fr")).0);
        assert_eq!(finder.find("news", Some("en")).0, 1);
        assert_eq!(finder.find("new", Some("en")).0, 0);
        assert_eq!(finder.find("news", Some("xx")).0, 1);
    }
}
