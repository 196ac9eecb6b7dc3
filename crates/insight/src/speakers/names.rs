//! Names in text. Its one invariant: a name is matched by whole tokens, with case, honorifics and diacritics folded, in any script that
//! puts spaces between words.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Words of the longest phrase of a list.
const PHRASE_WORDS: usize = 4;

/// Phrases of one of the lists.
pub(super) struct Phrases(HashSet<Vec<String>>);

impl Phrases {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let phrases = lines.flat_map(|line| line.split(',')).map(keys).filter(|phrase| !phrase.is_empty());
        Self(phrases.collect())
    }

    /// Tokens of the longest phrase that begins with the token `at`.
    pub(super) fn at(&self, tokens: &[Token], at: usize) -> Option<usize> {
        let most = PHRASE_WORDS.min(tokens.len().saturating_sub(at));
        (1..=most).rev().find(|count| {
            self.0.contains(&tokens[at..at + count].iter().map(|token| token.key.clone()).collect::<Vec<_>>())
        })
    }

    fn holds(&self, key: &str) -> bool {
        self.0.contains(std::slice::from_ref(&key.to_owned()))
    }
}

pub(super) static GREETING: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/greeting.txt")));
pub(super) static ANSWERING: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/answering.txt")));
static INTRODUCTION: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/introduction.txt")));
static OWN: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/own.txt")));
static SELF: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/self.txt")));
static HONORIFIC: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/honorific.txt")));
static AMBIGUOUS: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/ambiguous.txt")));

/// A word of a segment.
pub(super) struct Token {
    pub(super) key: String,
    capital: bool,
    /// It begins a sentence.
    first: bool,
}

/// The words of `text`. An apostrophe parts a word ("David's"), a mark of a script does not ("राम").
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut first = true;
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        first |= rest[..start].contains(['.', '?', '!', '।', '؟', '…']);
        rest = &rest[start..];
        let within = |c: char| c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '\u{200C}' | '\u{200D}');
        let end = rest.find(|c: char| !within(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        tokens.push(Token { key: fold(word), capital: word.starts_with(char::is_uppercase), first });
        first = false;
        rest = &rest[end..];
    }
    tokens
}

fn keys(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(|token| token.key).collect()
}

/// Lower case without diacritics of Latin, Greek, Cyrillic and Arabic letters. Vowel signs of Indic scripts are letters and stay.
fn fold(word: &str) -> String {
    let is_diacritic = |c: char| matches!(c, '\u{300}'..='\u{36F}' | '\u{610}'..='\u{61A}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{200C}' | '\u{200D}');
    word.nfkd().filter(|c| !is_diacritic(*c)).flat_map(char::to_lowercase).collect::<String>().replace('ß', "ss")
}

/// A party's name.
pub(super) struct Name {
    /// What is looked for: the whole name, and its first part.
    forms: Vec<Vec<String>>,
}

impl Name {
    /// `None` where nothing is left without honorifics.
    pub(super) fn of(name: &str) -> Option<Self> {
        let parts: Vec<String> = keys(name).into_iter().filter(|part| !HONORIFIC.holds(part)).collect();
        let first = parts.first().filter(|part| part.chars().count() >= 2)?.clone();
        let honoured = keys(name).first().is_some_and(|part| HONORIFIC.holds(part));
        let mut forms = vec![parts.clone()];
        // "Maria Lopez" is called Maria; "Mr Lopez Garcia" is not called Lopez alone.
        if !honoured {
            forms.push(vec![first]);
        }
        Some(Self { forms })
    }

    /// Whether the two may be mistaken for each other.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.forms.iter().any(|form| other.forms.contains(form))
    }

    /// Tokens of the name that begins at `at`.
    fn at(&self, tokens: &[Token], at: usize) -> Option<usize> {
        let said = |form: &&Vec<String>| {
            form.iter()
                .enumerate()
                .all(|(offset, part)| tokens.get(at + offset).is_some_and(|token| token.key == *part && is_name(token)))
        };
        self.forms.iter().filter(said).map(Vec::len).max()
    }

    /// Where somebody is called by the name in `tokens`: not where people say that it is their own.
    pub(super) fn called(&self, tokens: &[Token]) -> Vec<usize> {
        let called = |at: &usize| {
            let Some(length) = self.at(tokens, *at) else { return false };
            !introduces(tokens, *at) && SELF.at(tokens, at + length).is_none()
        };
        (0..tokens.len()).filter(called).collect()
    }
}

/// A word that is a name, too, is one with a capital letter inside of a sentence.
fn is_name(token: &Token) -> bool {
    !AMBIGUOUS.holds(&token.key) || (token.capital && !token.first)
}

/// Whether an introduction ends right before the token `at`, over honorifics: "this is Mr …".
pub(super) fn introduces(tokens: &[Token], at: usize) -> bool {
    let mut from = at;
    while from > 0 && HONORIFIC.holds(&tokens[from - 1].key) {
        from -= 1;
    }
    (1..=PHRASE_WORDS.min(from)).any(|back| OWN.at(tokens, from - back) == Some(back))
}

/// Whether what stands between a greeting and a name shows that the name is not whom it greets.
pub(super) fn diverts(between: &[Token]) -> bool {
    (0..between.len()).any(|at| INTRODUCTION.at(between, at).is_some())
}
