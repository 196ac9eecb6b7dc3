//! The word that somebody meant who typed another: the nearest by Damerau and Levenshtein (letters that are wrong, left out, too many, or
//! swapped with their neighbour). Its one invariant: what is suggested is one of the words that were shown.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Deref,
};

use super::{
    keys::fold,
    memory::{Memory, letters},
    words::words,
};

/// Letters from which one mistake is looked past, and from which two are: shorter words have too many neighbours.
const ONE: usize = 4;
const TWO: usize = 8;

/// Distinct words of a call: half an hour has a thousand. What is more is not suggested.
const MOST: usize = 20_000;

/// The words of a call that a search may be led to, folded, each once: of letters, and as long as a word that may have a mistake.
pub fn vocabulary<'t>(texts: impl Iterator<Item = &'t str>) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for text in texts {
        let found = words(text).into_iter().map(|word| fold(&text[word])).filter(|word| is_suggested(word));
        known.extend(found.take(MOST - known.len()));
    }
    known
}

fn is_suggested(word: &str) -> bool {
    word.chars().count() >= ONE && word.chars().all(char::is_alphabetic)
}

/// What is looked for in place of a word that nobody said.
pub struct Nearest<'w> {
    sought: Vec<char>,
    letters: u32,
    /// How many mistakes may be there.
    most: usize,
    found: HashMap<&'w str, (usize, usize)>,
}

impl<'w> Nearest<'w> {
    /// For a word as it was typed; `None` where it is too short for a mistake, or is more than letters.
    pub fn to(word: &str) -> Option<Self> {
        let word = &fold(word);
        let sought: Vec<char> = word.chars().collect();
        let most = match sought.len() {
            TWO.. => 2,
            ONE.. => 1,
            _ => return None,
        };
        is_suggested(word).then(|| Self { letters: letters(word), sought, most, found: HashMap::new() })
    }

    /// Shows it the words of one call, each once.
    pub fn see<B: Deref<Target = Vec<u8>>>(&mut self, call: &'w Memory<B>) {
        // A mistake changes two letters of the alphabet at most.
        match self.most {
            1 => self.compare(call.words_with::<2>(self.letters)),
            _ => self.compare(call.words_with::<4>(self.letters)),
        }
    }

    fn compare(&mut self, words: impl Iterator<Item = &'w str>) {
        for word in words.filter(|word| word.len() <= (self.sought.len() + self.most) * 4) {
            let most = self.most + 1;
            let seen = self.found.entry(word).or_insert_with(|| (distance(&self.sought, word).min(most), 0));
            seen.1 += 1;
        }
    }

    /// The nearest of the words that it was shown; of equals, the one that most calls have, then the first by the alphabet.
    pub fn word(&self) -> Option<&'w str> {
        let near = self.found.iter().filter(|(_, (distance, _))| (1..=self.most).contains(distance));
        let best = near.min_by_key(|(word, (distance, calls))| (*distance, std::cmp::Reverse(*calls), **word));
        best.map(|(word, _)| *word)
    }
}

/// Mistakes between two words, where no piece is changed twice (optimal string alignment).
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        (before, last) = (last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{super::memory, *};

    fn nearest(asked: &str, calls: &[&[&str]]) -> Option<String> {
        let write = |words: &&[&str]| memory::write(1, words.iter().copied(), std::iter::empty());
        let calls: Vec<Vec<u8>> = calls.iter().map(write).collect();
        let calls: Vec<Memory<&Vec<u8>>> = calls.iter().filter_map(Memory::read).collect();
        let mut nearest = Nearest::to(asked)?;
        calls.iter().for_each(|call| nearest.see(call));
        nearest.word().map(str::to_owned)
    }

    #[test]
    fn letters_that_are_wrong_missing_too_many_or_swapped_are_looked_past() {
        let said: &[&[&str]] = &[&["invoice", "trombone", "shipment", "boat", "straße"]];
        for (asked, meant) in [
            ("invoce", "invoice"),
            ("invioce", "invoice"),
            ("tronbome", "trombone"),
            ("shipmennt", "shipment"),
            ("baot", "boat"),
        ] {
            assert_eq!(nearest(asked, said).as_deref(), Some(meant), "{asked}");
        }
        for far in ["tronb", "bat", "b0at", "xxxxxxxxx", "invxyce"] {
            assert_eq!(nearest(far, said), None, "{far}");
        }
    }

    #[test]
    fn a_call_is_remembered_by_its_words_of_letters_each_once() {
        let known = vocabulary(["The Straße, the STRASSE", "a Q3 boat on 4711"].into_iter());
        assert_eq!(known.into_iter().collect::<Vec<_>>(), ["boat", "strasse"]);
    }

    #[test]
    fn of_equals_the_one_that_most_calls_have_is_taken() {
        assert_eq!(nearest("boot", &[&["boat", "book"], &["book"]]).as_deref(), Some("book"));
        assert_eq!(nearest("boot", &[&["book"], &["boat"]]).as_deref(), Some("boat"));
        // Nearer comes first, however rare.
        assert_eq!(nearest("contracx", &[&["contract"], &["contacts"], &["contacts"]]).as_deref(), Some("contract"));
    }
}
