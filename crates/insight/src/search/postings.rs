//! What is kept of a call to find it by. Its one invariant: words of different texts never adjoin, so a phrase is found within a segment
//! and not across two people's.

use std::collections::BTreeMap;

use super::{keys::Stems, words::words};

/// Words of a call that are looked up: five hours at 250 a minute are 75,000; what is behind that many is not found.
const MAX_WORDS: u32 = 200_000;

/// How much a word of a text counts beside one that was said (BM25F; Robertson, Zaragoza and Taylor, CIKM 2004): a title is short, and
/// what it says is what the call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// What was said, summaries, notes.
    Said = 1,
    /// Titles and names.
    Title = 3,
}

/// One key of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    /// How often the word is there, weighted; stops counting at 32,767.
    pub frequency: i16,
    /// Where it is, in ascending order.
    pub positions: Vec<u32>,
}

/// The keys of a call.
#[derive(Default)]
pub struct Postings {
    keys: BTreeMap<String, Posting>,
    words: u32,
    next: u32,
}

impl Postings {
    /// Adds a text in a language (ISO 639-1), where it is known.
    pub fn add(&mut self, text: &str, language: Option<&str>, weight: Weight) {
        let stems = Stems::of(language);
        for word in words(text) {
            if self.words >= MAX_WORDS {
                return;
            }
            for key in stems.keys(&text[word]) {
                let posting = self.keys.entry(key).or_default();
                posting.frequency = posting.frequency.saturating_add(weight as i16);
                posting.positions.push(self.next);
            }
            self.words += 1;
            self.next += 1;
        }
        // The next text begins behind a gap.
        self.next += 1;
    }

    /// How many words the call has.
    pub fn words(&self) -> u32 {
        self.words
    }

    /// Keys and where they are.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Posting)> {
        self.keys.iter().map(|(key, posting)| (key.as_str(), posting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_by_weight_and_texts_do_not_adjoin() {
        let mut postings = Postings::default();
        postings.add("Offer", Some("en"), Weight::Title);
        postings.add("an offer, two offers", Some("en"), Weight::Said);
        let (_, offer) = postings.iter().find(|(key, _)| *key == "en:offer").unwrap();
        assert_eq!(*offer, Posting { frequency: 5, positions: vec![0, 3, 5] });
        assert_eq!(postings.words(), 5);
    }

    #[test]
    fn a_call_without_end_is_bounded() {
        let mut postings = Postings::default();
        postings.add(&"so ".repeat(MAX_WORDS as usize + 10), Some("en"), Weight::Said);
        postings.add("more", Some("en"), Weight::Said);
        assert_eq!((postings.words(), postings.iter().count()), (MAX_WORDS, 1));
        assert_eq!(postings.iter().next().unwrap().1.frequency, i16::MAX);
    }
}
