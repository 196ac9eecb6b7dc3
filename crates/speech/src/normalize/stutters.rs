//! What a speaker began twice is written once: words that were cut off ("w- what") and function words that were repeated
//! while the next word was looked for ("I I think").
//!
//! Invariant: only words of the lists below and words with a dash at their end are dropped. Whatever else is said twice
//! may be meant: digits of a number, "no no", "very very", words of languages written without spaces.

use crate::{align::SpokenWord, writing::unspaced};

/// Function words by language, in lower case. Left out are those that grammar doubles ("that that", "came in in", "die
/// die", "nous nous") and those that are answers too ("ja", "sí", Portuguese "no" and "é").
const FUNCTION_WORDS: [(&str, &[&str]); 5] = [
    (
        "en",
        &[
            "i", "i'm", "a", "an", "the", "to", "and", "or", "but", "of", "at", "for", "with", "is", "it", "it's",
            "we", "they", "she", "my", "if",
        ],
    ),
    ("de", &["ich", "und", "oder", "aber", "ein", "eine", "zu", "in", "im", "mit", "auf", "es", "wir", "er", "ist"]),
    (
        "fr",
        &["je", "j'ai", "le", "les", "un", "une", "de", "des", "et", "à", "il", "elle", "est", "on", "c'est", "pour"],
    ),
    ("es", &["yo", "el", "la", "los", "las", "un", "una", "de", "y", "a", "en", "es", "con", "por", "pero"]),
    ("pt", &["eu", "o", "a", "os", "as", "um", "uma", "de", "e", "em", "com", "por", "mas", "do", "da"]),
];

/// The words without their stutters.
pub(super) fn without_stutters(words: Vec<SpokenWord>) -> Vec<SpokenWord> {
    let keep: Vec<bool> = words
        .iter()
        .enumerate()
        .map(|(i, word)| !words.get(i + 1).is_some_and(|next| cut_off(word, next) || doubled(word, next)))
        .collect();
    words.into_iter().zip(keep).filter_map(|(word, keep)| keep.then_some(word)).collect()
}

/// "w- what": the word ends in a dash, and the next one begins with its letters.
fn cut_off(word: &SpokenWord, next: &SpokenWord) -> bool {
    let Some(start) = word.word.text.strip_suffix('-').map(bare) else { return false };
    !unspaced(&word.language) && is_alphabetic(&start) && bare(&next.word.text).starts_with(&start)
}

/// "I I": a function word, said again without a pause that punctuation would show.
fn doubled(word: &SpokenWord, next: &SpokenWord) -> bool {
    let text = bare(&word.word.text);
    let listed = FUNCTION_WORDS.iter().any(|(language, list)| word.language == *language && list.contains(&&*text));
    listed && word.word.text.ends_with(char::is_alphanumeric) && bare(&next.word.text) == text
}

/// The word in lower case, without the punctuation around it, with the typewriter's apostrophe.
fn bare(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('’', "'")
}

fn is_alphabetic(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Word;

    fn cleaned(language: &str, text: &str) -> String {
        let word = |text: &str| {
            let word = Word { text: text.into(), start_seconds: 0.0, end_seconds: 0.1, confidence: 1.0 };
            SpokenWord::new(word, language.into(), Some(0))
        };
        let kept = without_stutters(text.split(' ').map(word).collect());
        kept.iter().map(|w| w.word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn function_words_and_words_cut_off_are_said_once() {
        assert_eq!(cleaned("en", "I I I th- think it is is fine"), "I think it is fine");
        assert_eq!(cleaned("en", "The the price, I'm I’m sure"), "the price, I’m sure");
        assert_eq!(cleaned("de", "Ich ich habe ein ein Ang- Angebot"), "ich habe ein Angebot");
        assert_eq!(cleaned("fr", "je je veux le le devis"), "je veux le devis");
        assert_eq!(cleaned("es", "el el precio"), "el precio");
        assert_eq!(cleaned("pt", "eu eu acho"), "eu acho");
    }

    #[test]
    fn what_may_be_meant_twice_is_kept() {
        for (language, text) in [
            ("en", "call 4 4 7 7 0 0 2"),
            ("en", "no no that that was very very good"),
            ("en", "4- 4477"),
            ("en", "It is what it is, is it?"),
            ("es", "sí sí no no"),
            ("de", "ja ja die die da war"),
            ("zh", "谢 谢 I I"),
            ("ja", "い い え"),
        ] {
            assert_eq!(cleaned(language, text), text);
        }
    }
}
