//! Where the words of a text are, in any language. Its one invariant: this depends on the text alone and never on its language, so that a
//! query, whose language nobody knows, falls into the same words.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use crate::redact::Kind;

/// Scripts without spaces between words: each letter is a word of its own there, and several in a row are looked for as a phrase, which
/// finds what a dictionary would find and more. Thai, Lao, Myanmar, Khmer, kana, CJK with its extensions and compatibility forms.
const UNSPACED: [(char, char); 8] = [
    ('\u{E00}', '\u{EFF}'),
    ('\u{1000}', '\u{109F}'),
    ('\u{1780}', '\u{17FF}'),
    ('\u{3040}', '\u{30FF}'),
    ('\u{3400}', '\u{4DBF}'),
    ('\u{4E00}', '\u{9FFF}'),
    ('\u{F900}', '\u{FAFF}'),
    ('\u{20000}', '\u{3FFFF}'),
];

/// The bytes of each word of `text`, in order: runs of letters and digits. Placeholders of redaction are no words, nor is the "s" behind
/// an apostrophe.
pub fn words(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if let Some(kind) = Kind::placeholder_at(rest) {
            kind.placeholder().len()
        } else if !is_letter(c) {
            c.len_utf8()
        } else {
            let length = length(rest, c);
            if !is_possessive(&text[..at], &rest[..length]) {
                found.push(at..at + length);
            }
            length
        };
        at += length;
    }
    found
}

/// Bytes of the word that `text` begins with.
fn length(text: &str, first: char) -> usize {
    let alone = is_unspaced(first);
    let goes_on = |(at, c): &(usize, char)| {
        *at == 0 || is_combining_mark(*c) || (!alone && (is_letter(*c) || is_invisible(*c)) && !is_unspaced(*c))
    };
    text.char_indices().take_while(goes_on).last().map_or(0, |(at, c)| at + c.len_utf8())
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric()
}

/// Whether `c` is of a script without spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    UNSPACED.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Soft hyphens and joiners stand inside of words without being of them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

/// "Ann's" is Ann.
fn is_possessive(before: &str, word: &str) -> bool {
    word.eq_ignore_ascii_case("s") && before.ends_with(['\'', '’']) && {
        let owner = before.trim_end_matches(['\'', '’']);
        owner.ends_with(is_letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| &text[word]).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_any_script() {
        assert_eq!(of("Ann’s follow-up: Q3, 2.5 %!"), ["Ann", "follow", "up", "Q3", "2", "5"]);
        assert_eq!(of("l'avocat d’Émile"), ["l", "avocat", "d", "Émile"]);
        assert_eq!(of("नमस्ते दुनिया"), ["नमस्ते", "दुनिया"]);
        assert_eq!(of("東京とAI"), ["東", "京", "と", "AI"]);
        assert_eq!(of("Ruf [phone number] an"), ["Ruf", "an"]);
        assert_eq!(of("co\u{AD}operate"), ["co\u{AD}operate"]);
        assert_eq!(of(" -- … 's "), ["s"]);
    }
}
