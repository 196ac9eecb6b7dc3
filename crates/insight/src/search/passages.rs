//! What of a call means one thing: a few texts in a row. Its one invariant: the same texts fall into the same passages, so that a passage
//! is known by its number and its words again.

/// Words of a passage, about: 80 pieces of words, of which the model takes 256. Of 15, 25, 40, 60 and 100 these found most
/// (`docs/benchmarks.md`).
const WORDS: usize = 60;

/// Passages of a call: fourteen hours at 250 words a minute; what is behind is found by its words alone.
const MOST: usize = 3500;

/// A few texts in a row, or a part of a long one. No printable form: it is content.
#[derive(Clone, PartialEq, Eq)]
pub struct Passage {
    /// The text that it begins in, counted from 0.
    pub first: usize,
    /// What is said there.
    pub text: String,
}

/// The passages of texts, each with whether it goes on with the one before; texts that are `None` are in no passage.
pub fn passages<'a>(texts: impl Iterator<Item = Option<(&'a str, bool)>>) -> Vec<Passage> {
    let mut passages: Vec<(Passage, usize)> = Vec::new();
    let mut is_broken = true;
    for (first, text) in texts.enumerate() {
        let Some((text, goes_on)) = text else {
            is_broken = true;
            continue;
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        for (part, words) in words.chunks(WORDS).enumerate() {
            let fits = |(_, count): &&mut (Passage, usize)| {
                goes_on && !is_broken && part == 0 && *count + words.len() <= WORDS
            };
            if let Some((passage, count)) = passages.last_mut().filter(fits) {
                passage.text.push(' ');
                passage.text.push_str(&words.join(" "));
                *count += words.len();
            } else if passages.len() < MOST {
                passages.push((Passage { first, text: words.join(" ") }, words.len()));
            }
            is_broken = false;
        }
    }
    passages.into_iter().map(|(passage, _)| passage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_come_together_and_long_ones_are_cut() {
        let long = "so ".repeat(100);
        let texts = [
            Some(("A title", false)),
            Some(("One.", false)),
            Some(("Two.", true)),
            None,
            Some(("Three.", true)),
            Some((&long[..], true)),
        ];
        let found = passages(texts.into_iter());
        let shape: Vec<_> = found.iter().map(|one| (one.first, one.text.split(' ').count())).collect();
        assert_eq!(shape, [(0, 2), (1, 2), (4, 1), (5, 60), (5, 40)]);
        assert_eq!(found[1].text, "One. Two.");
    }

    #[test]
    fn a_call_without_end_is_bounded() {
        let long = "so ".repeat(60 * (MOST + 3));
        assert_eq!(passages([Some((&long[..], true)), Some(("more", true))].into_iter()).len(), MOST);
    }
}
