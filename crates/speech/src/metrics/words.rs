//! Word errors: the fewest substitutions, deletions and insertions that turn the reference into the hypothesis.

use std::ops::Add;

/// Counts of words; add two to pool files, so that long ones weigh more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// Words that were replaced.
    pub substitutions: usize,
    /// Words that were left out.
    pub deletions: usize,
    /// Words that were added.
    pub insertions: usize,
    /// Words of the reference.
    pub reference_words: usize,
}

impl WordErrors {
    /// Errors by word of the reference; 0 where both are empty, infinite where only the reference is.
    pub fn rate(self) -> f64 {
        let errors = self.substitutions + self.deletions + self.insertions;
        if errors == 0 { 0.0 } else { errors as f64 / self.reference_words as f64 }
    }
}

impl Add for WordErrors {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            substitutions: self.substitutions + other.substitutions,
            deletions: self.deletions + other.deletions,
            insertions: self.insertions + other.insertions,
            reference_words: self.reference_words + other.reference_words,
        }
    }
}

/// Compares words that are already normalised (Levenshtein); memory grows with the hypothesis, time with the product.
pub fn word_errors<S: AsRef<str>, T: AsRef<str>>(reference: &[S], hypothesis: &[T]) -> WordErrors {
    let total = |e: &WordErrors| e.substitutions + e.deletions + e.insertions;
    // `row[j]`: the cheapest way from the reference words so far to the first j words of the hypothesis.
    let mut row: Vec<WordErrors> =
        (0..=hypothesis.len()).map(|insertions| WordErrors { insertions, ..WordErrors::default() }).collect();
    for word in reference {
        let mut diagonal = row[0];
        row[0].deletions += 1;
        for (j, heard) in hypothesis.iter().enumerate() {
            let wrong = usize::from(word.as_ref() != heard.as_ref());
            let replaced = WordErrors { substitutions: diagonal.substitutions + wrong, ..diagonal };
            let deleted = WordErrors { deletions: row[j + 1].deletions + 1, ..row[j + 1] };
            let inserted = WordErrors { insertions: row[j].insertions + 1, ..row[j] };
            diagonal = row[j + 1];
            row[j + 1] = [replaced, deleted, inserted].into_iter().min_by_key(total).unwrap_or(replaced);
        }
    }
    WordErrors { reference_words: reference.len(), ..row[hypothesis.len()] }
}

/// Words in lower case without punctuation; apostrophes inside a word stay. For tests: published numbers take Whisper's
/// own normaliser.
pub fn normalize_words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .replace('’', "'")
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\'').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(reference: &str, hypothesis: &str) -> [usize; 4] {
        let e = word_errors(&normalize_words(reference), &normalize_words(hypothesis));
        [e.substitutions, e.deletions, e.insertions, e.reference_words]
    }

    #[test]
    fn the_same_words_have_no_errors() {
        assert_eq!(errors("Oh, hello.", "oh hello"), [0, 0, 0, 2]);
    }

    #[test]
    fn each_kind_of_error_is_counted_once() {
        assert_eq!(errors("a b c d", "a x c d"), [1, 0, 0, 4]);
        assert_eq!(errors("a b c d", "a c d"), [0, 1, 0, 4]);
        assert_eq!(errors("a b c d", "a b b c d"), [0, 0, 1, 4]);
        assert_eq!(errors("a b c d", "b c e d f"), [0, 1, 2, 4]);
    }

    #[test]
    fn nothing_heard_is_all_deleted_and_nothing_said_is_all_inserted() {
        assert_eq!(errors("a b", ""), [0, 2, 0, 2]);
        assert_eq!(errors("", "a b"), [0, 0, 2, 0]);
        assert_eq!(word_errors::<&str, &str>(&[], &[]).rate(), 0.0);
    }

    #[test]
    fn files_are_pooled_by_their_words() {
        let long = word_errors(&["a"; 9], &["a"; 9]);
        let short = word_errors(&["a"], &["b"]);
        assert_eq!((long + short).rate(), 0.1);
    }

    #[test]
    fn an_apostrophe_belongs_to_its_word_and_quotes_do_not() {
        assert_eq!(normalize_words("‘I don’t know’ —'so'!"), ["i", "don't", "know", "so"].map(String::from));
    }
}
