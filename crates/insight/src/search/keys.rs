//! What a word is looked up by: the stem of its language, folded. Its one invariant: whoever asks need not know the language, because a
//! query asks for the stem of every language, and each stem says whose it is, so "news" in an English call is not the plural of a French
//! word.
//!
//! Accents: a word is kept under its folded stem and, where that differs, under the stem of its folded form, so that "reservacion" finds
//! "reservación" and "reservaciones" finds it as well. Words without accents have one key.

use std::borrow::Cow;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;

use super::words::is_invisible;

/// Languages whose stems are known (Snowball), by their ISO 639-1 codes.
const STEMMED: [(&str, Algorithm); 18] = [
    ("ar", Algorithm::Arabic),
    ("da", Algorithm::Danish),
    ("de", Algorithm::German),
    ("el", Algorithm::Greek),
    ("en", Algorithm::English),
    ("es", Algorithm::Spanish),
    ("fi", Algorithm::Finnish),
    ("fr", Algorithm::French),
    ("hu", Algorithm::Hungarian),
    ("it", Algorithm::Italian),
    ("nl", Algorithm::Dutch),
    ("no", Algorithm::Norwegian),
    ("pt", Algorithm::Portuguese),
    ("ro", Algorithm::Romanian),
    ("ru", Algorithm::Russian),
    ("sv", Algorithm::Swedish),
    ("ta", Algorithm::Tamil),
    ("tr", Algorithm::Turkish),
];

/// How words of a language are cut to stems.
pub struct Stems {
    label: &'static str,
    stemmer: Option<Stemmer>,
}

impl Stems {
    /// Those of a language, by its ISO 639-1 code; English where it is not known, whole words where it has no stems here.
    pub fn of(language: Option<&str>) -> Self {
        let language = match language.unwrap_or("en") {
            "nb" | "nn" => "no",
            other => other,
        };
        let known = STEMMED.iter().find(|(code, _)| *code == language);
        known.map_or(Self { label: "", stemmer: None }, |(code, algorithm)| Self::known(code, *algorithm))
    }

    /// Those of every language.
    pub fn all() -> Vec<Self> {
        let known = STEMMED.iter().map(|(code, algorithm)| Self::known(code, *algorithm));
        known.chain([Self { label: "", stemmer: None }]).collect()
    }

    /// What their keys begin with.
    pub(crate) fn label(&self) -> &'static str {
        self.label
    }

    fn known(label: &'static str, algorithm: Algorithm) -> Self {
        Self { label, stemmer: Some(Stemmer::create(algorithm)) }
    }

    /// What `word` is looked up by: one key, or two where accents make a difference. Keys hold the word.
    pub fn keys(&self, word: &str) -> Vec<String> {
        if word.is_ascii() {
            return vec![self.key(&word.to_ascii_lowercase())];
        }
        let lower: String = word.nfkc().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase).collect();
        let folded = fold(&lower);
        let mut keys = vec![self.key(&folded)];
        let accented = format!("{}:{}", self.label, fold(&self.stem(&lower)));
        if self.stemmer.is_some() && accented != keys[0] {
            keys.push(accented);
        }
        keys
    }

    fn key(&self, folded: &str) -> String {
        format!("{}:{}", self.label, self.stem(folded))
    }

    fn stem<'w>(&self, word: &'w str) -> Cow<'w, str> {
        self.stemmer.as_ref().map_or(Cow::Borrowed(word), |stemmer| stemmer.stem(word))
    }
}

/// `text` in lower case without what people leave out when they type: diacritics of Latin, Greek and Cyrillic letters, vowel points of
/// Arabic and Hebrew. The vowel signs of Indic scripts are letters and stay.
pub(super) fn fold(text: &str) -> String {
    let letters = text.nfkd().filter(|c| !is_left_out(*c)).flat_map(char::to_lowercase);
    letters.fold(String::with_capacity(text.len()), |mut folded, c| {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            _ => folded.push(c),
        }
        folded
    })
}

fn is_left_out(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{591}'..='\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether who asks for one word finds the other in a text of that language.
    fn finds(language: &str, asked: &str, said: &str) -> bool {
        let stems = Stems::of(Some(language));
        let kept = stems.keys(said);
        Stems::all().iter().flat_map(|stems| stems.keys(asked)).any(|key| kept.contains(&key))
    }

    #[test]
    fn a_word_is_found_by_its_other_forms_in_five_languages_whatever_language_it_was_asked_in() {
        for (language, asked, said) in [
            ("en", "invoice", "invoices"),
            ("en", "MEETINGS", "meeting"),
            ("de", "Vertrag", "Verträge"),
            ("de", "Kündigungen", "Kündigung"),
            ("fr", "réunion", "réunions"),
            ("es", "reservación", "reservaciones"),
            ("pt", "pagamento", "pagamentos"),
        ] {
            assert!(finds(language, asked, said), "{language}: {asked}, {said}");
        }
    }

    #[test]
    fn accents_may_be_left_out() {
        for (language, asked, said) in [
            ("es", "reservacion", "reservación"),
            ("fr", "reunion", "réunion"),
            ("de", "kundigung", "Kündigung"),
            ("de", "strasse", "Straße"),
            ("pt", "reuniao", "reunião"),
            ("pl", "zolw", "żółw"),
            ("ru", "еще", "ещё"),
            ("ar", "مرحبا", "مَرْحَبًا"),
        ] {
            assert!(finds(language, asked, said), "{language}: {asked}, {said}");
        }
    }

    #[test]
    fn a_word_finds_itself_in_every_language_and_no_word_of_another_sound() {
        for language in ["en", "de", "fr", "es", "pt", "ja", "hi", "tr", "xx"] {
            for word in ["Straße", "news", "कल", "İstanbul", "東", "42", "ﬁn"] {
                assert!(finds(language, word, word), "{language}: {word}");
            }
        }
        assert!(!finds("en", "news", "new") && !finds("hi", "कल", "काल") && !finds("en", "contract", "contact"));
    }
}
