//! Word lists: one data file a language under `words/`, in sections. Its one invariant: a phrase is compared folded, as words of
//! sentences are, and the longest phrase wins.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::sentence::Word;
use crate::redact::numeral::Language;
use crate::redact::token::fold;

/// Words in front of a phrase among which a denial counts: "I don't think that it is too high".
const DENIED_WITHIN: usize = 6;

/// The lists of one language.
pub(super) struct Lexicon {
    sections: HashMap<&'static str, List>,
}

/// The phrases of a section.
#[derive(Default)]
struct List {
    /// With what their lines say in front of the colon.
    phrases: HashMap<String, i64>,
    /// Words of the longest phrase by its first word: of most words of a call, none begins a phrase.
    longest: HashMap<String, usize>,
    /// The words of all phrases.
    words: HashSet<String>,
}

impl List {
    fn add(&mut self, phrase: &str, value: i64) {
        let phrase = fold(phrase);
        let first = phrase.split(' ').next().unwrap_or_default();
        let longest = self.longest.entry(first.to_owned()).or_default();
        *longest = phrase.split(' ').count().max(*longest);
        self.words.extend(phrase.split(' ').map(str::to_owned));
        self.phrases.insert(phrase, value);
    }
}

/// A phrase that was found.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    /// What its line says in front of the colon; 0 where it says nothing.
    pub(super) value: i64,
    /// Words that it is long.
    pub(super) words: usize,
}

static LEXICONS: LazyLock<[Lexicon; 5]> = LazyLock::new(|| {
    [
        include_str!("words/en.txt"),
        include_str!("words/de.txt"),
        include_str!("words/fr.txt"),
        include_str!("words/es.txt"),
        include_str!("words/pt.txt"),
    ]
    .map(Lexicon::parse)
});

impl Lexicon {
    pub(super) fn of(language: Language) -> &'static Self {
        &LEXICONS[match language {
            Language::En => 0,
            Language::De => 1,
            Language::Fr => 2,
            Language::Es => 3,
            Language::Pt => 4,
        }]
    }

    /// Lines are `[section]`, `# comment`, `phrase, phrase` or `value: phrase, phrase`.
    fn parse(text: &'static str) -> Self {
        let mut sections: HashMap<&'static str, List> = HashMap::new();
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name;
                continue;
            }
            let (value, phrases) = match line.split_once(": ") {
                Some((value, phrases)) => (value.parse().unwrap_or_default(), phrases),
                None => (0, line),
            };
            let list = sections.entry(section).or_default();
            phrases.split(',').for_each(|phrase| list.add(phrase.trim(), value));
        }
        Self { sections }
    }

    /// The longest phrase of `section` that begins with the word `at`.
    pub(super) fn find(&self, section: &str, words: &[Word<'_>], at: usize) -> Option<Hit> {
        let list = self.sections.get(section)?;
        let most = (*list.longest.get(&words.get(at)?.key)?).min(words.len() - at);
        (1..=most).rev().find_map(|count| {
            let phrase = words[at..at + count].iter().map(|word| word.key.as_str()).collect::<Vec<_>>().join(" ");
            list.phrases.get(&phrase).map(|value| Hit { value: *value, words: count })
        })
    }

    /// The first place at which a phrase of `section` begins, and the phrase.
    pub(super) fn first(&self, section: &str, words: &[Word<'_>]) -> Option<(usize, Hit)> {
        (0..words.len()).find_map(|at| Some((at, self.find(section, words, at)?)))
    }

    /// Whether a phrase of `section` is anywhere among `words`.
    pub(super) fn any(&self, section: &str, words: &[Word<'_>]) -> bool {
        self.first(section, words).is_some()
    }

    /// The first phrase of `section` that is said and not denied: "there is a risk", not "there is no risk".
    pub(super) fn affirmed(&self, section: &str, words: &[Word<'_>]) -> Option<Hit> {
        (0..words.len()).find_map(|at| self.find(section, words, at).filter(|_| !self.is_denied(words, at)))
    }

    /// Whether what begins at `at` is denied in its own clause.
    fn is_denied(&self, words: &[Word<'_>], at: usize) -> bool {
        let same_clause = |back: &usize| !words[*back].pause && !self.holds("clause", &words[*back].key);
        let clause = (0..at).rev().take_while(same_clause).take(DENIED_WITHIN);
        clause.into_iter().any(|back| self.find("denial", words, back).is_some())
    }

    /// Whether `key` is a phrase of `section`.
    pub(super) fn holds(&self, section: &str, key: &str) -> bool {
        self.sections.get(section).is_some_and(|list| list.phrases.contains_key(key))
    }

    /// Whether `word` is a word of any phrase of `section`.
    pub(super) fn has_word(&self, section: &str, word: &str) -> bool {
        self.sections.get(section).is_some_and(|list| list.words.contains(word))
    }

    /// The phrases of `section` with their values.
    pub(super) fn entries(&self, section: &str) -> impl Iterator<Item = (&str, i64)> {
        self.sections
            .get(section)
            .into_iter()
            .flat_map(|list| &list.phrases)
            .map(|(phrase, value)| (phrase.as_str(), *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the longest phrase in any list.
    const PHRASE_WORDS: usize = 7;

    #[test]
    fn every_line_of_every_list_is_read() {
        for lexicon in LEXICONS.iter() {
            assert!(lexicon.sections.values().all(|list| {
                list.phrases.keys().all(|phrase| !phrase.is_empty() && phrase.split(' ').count() <= PHRASE_WORDS)
            }));
            assert_eq!(lexicon.entries("weekday").map(|(_, value)| value).max(), Some(6));
            assert_eq!(lexicon.entries("month").map(|(_, value)| value).max(), Some(12));
            assert_eq!(lexicon.entries("ordinal").map(|(_, value)| value).max(), Some(31));
        }
    }
}
