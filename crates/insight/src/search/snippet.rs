//! The sentence that shows why a call was found. Its one invariant: a snippet is a piece of its text, and what is marked in it are whole
//! words.

use std::ops::Range;

/// Bytes of a snippet, about: two lines on a screen.
const LENGTH: usize = 240;

/// What stands where text was left out.
const CUT: char = '…';

/// A piece of a text. No printable form: it is content.
pub struct Snippet {
    /// The piece; "…" where the text goes on.
    pub text: String,
    /// What was sought, in bytes of the piece.
    pub marked: Vec<Range<usize>>,
}

/// The piece of `text` around the places, given in order, that holds most of them.
pub fn snippet(text: &str, places: &[Range<usize>]) -> Snippet {
    let (from, to) = window(text, places);
    let mut piece = String::with_capacity(to - from + 2 * CUT.len_utf8());
    if from > 0 {
        piece.push(CUT);
    }
    let moved = piece.len();
    piece.push_str(&text[from..to]);
    if to < text.len() {
        piece.push(CUT);
    }
    let inside = places.iter().filter(|place| from <= place.start && place.end <= to);
    let marked = inside.map(|place| place.start - from + moved..place.end - from + moved).collect();
    Snippet { text: piece, marked }
}

/// Where the piece begins and ends: between words.
fn window(text: &str, places: &[Range<usize>]) -> (usize, usize) {
    if text.len() <= LENGTH {
        return (0, text.len());
    }
    let held =
        |first: &usize| places[*first..].iter().take_while(|place| place.end <= places[*first].start + LENGTH).count();
    // The first of equals.
    let best = (0..places.len()).rev().max_by_key(held);
    let Some(first) = best else { return (0, space_before(text, LENGTH)) };
    let (start, end) = (places[first].start, places[first + held(&first) - 1].end);
    let spare = LENGTH.saturating_sub(end - start) / 2;
    let from = if start <= spare { 0 } else { space_before(text, start - spare) };
    let to = if end + spare >= text.len() { text.len() } else { space_before(text, end + spare) };
    (from, to.max(end))
}

/// The last place between two words that is not behind `at`; `at` itself, or close before it, where words have no spaces.
fn space_before(text: &str, at: usize) -> usize {
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..at].rfind(' ').filter(|space| at - space < LENGTH / 4).map_or(at, |space| space + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::{finder::Finder, query::Query};

    #[test]
    fn a_short_text_is_shown_whole() {
        let found = snippet("We sent the offer.", &[3..7, 12..17]);
        assert_eq!((found.text.as_str(), found.marked), ("We sent the offer.", vec![3..7, 12..17]));
    }

    #[test]
    fn of_a_long_text_the_part_with_most_of_what_was_sought_is_shown() {
        let text =
            format!("One offer. {} Then an offer and an offer. {}", "So it went. ".repeat(40), "And on. ".repeat(40));
        let (_, places) = Finder::new(&Query::parse("offer").unwrap()).find(&text, Some("en"));
        let found = snippet(&text, &places);
        assert!(found.text.len() < LENGTH + 20 && found.text.starts_with(CUT) && found.text.ends_with(CUT));
        assert_eq!(found.marked.iter().map(|place| &found.text[place.clone()]).collect::<Vec<_>>(), ["offer", "offer"]);
    }

    proptest! {
        #[test]
        fn what_is_marked_is_what_was_sought(text in "[a-zäöüß東京 ]{0,600}") {
            // Nothing that ends in a suffix has this stem but itself: "aed" has that of "a".
            let (_, places) = Finder::new(&Query::parse("q 東").unwrap()).find(&text, None);
            let found = snippet(&text, &places);
            prop_assert!(found.marked.iter().all(|place| ["q", "東"].contains(&&found.text[place.clone()])));
            prop_assert_eq!(found.marked.is_empty(), places.is_empty());
        }
    }
}
