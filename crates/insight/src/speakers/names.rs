//! Names in text. Its one invariant: a name is matched by whole tokens, with case, honorifics and diacritics folded; what a token is in a
//! script without spaces between words: `unspaced.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use super::unspaced::{self, Piece};

/// Words of the longest phrase of a list.
const PHRASE_WORDS: usize = 4;

/// Phrases of one of the lists.
pub(super) struct Phrases(HashSet<Vec<String>>);

impl Phrases {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let phrases =
            lines.flat_map(|line| line.split(',')).map(|phrase| runs(phrase).map(|(_, run)| fold(run)).collect());
        Self(phrases.filter(|phrase: &Vec<String>| !phrase.is_empty()).collect())
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
pub(super) static ANSWERING_ALONE: LazyLock<Phrases> =
    LazyLock::new(|| Phrases::parse(include_str!("words/answering_alone.txt")));
pub(super) static ASKED_FOR: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/asked_for.txt")));
pub(super) static RINGING: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/ringing.txt")));
static INTRODUCTION: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/introduction.txt")));
static OWN: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/own.txt")));
static SELF: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/self.txt")));
static HONORIFIC: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/honorific.txt")));
static AMBIGUOUS: LazyLock<Phrases> = LazyLock::new(|| Phrases::parse(include_str!("words/ambiguous.txt")));

/// Titles, and the words of scripts without spaces that stand beside names.
static KNOWN: LazyLock<HashMap<String, Piece>> = LazyLock::new(|| {
    let beside = [
        include_str!("words/beside.txt"),
        include_str!("words/greeting.txt"),
        include_str!("words/answering.txt"),
        include_str!("words/introduction.txt"),
        include_str!("words/own.txt"),
        include_str!("words/self.txt"),
    ];
    let words = |list: &'static str| {
        let lines = list.lines().filter(|line| !line.starts_with('#'));
        lines.flat_map(|line| line.split(',')).flat_map(str::split_whitespace).map(fold)
    };
    let beside = beside.into_iter().flat_map(words).filter(|word| unspaced::is_in(word));
    let titles = words(include_str!("words/honorific.txt")).map(|word| (word, Piece::Title));
    beside.map(|word| (word, Piece::Known)).chain(titles).collect()
});

/// A word of a segment.
pub(super) struct Token {
    pub(super) key: String,
    capital: bool,
    /// It begins a sentence.
    pub(super) first: bool,
}

/// The runs of letters in `text` with what is in front of each. An apostrophe parts a word ("David's"), a mark of a script does not ("राम").
fn runs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(char::is_alphanumeric)?;
        let (before, found) = rest.split_at(start);
        let within = |c: char| c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '\u{200C}' | '\u{200D}');
        let (run, behind) = found.split_at(found.find(|c: char| !within(c)).unwrap_or(found.len()));
        rest = behind;
        Some((before, run))
    })
}

/// The words of `text`, in which these parties may be named.
pub(super) fn tokens(text: &str, parties: &[&Name]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut first = true;
    for (before, run) in runs(text) {
        first |= before.contains(['.', '?', '!', '।', '؟', '…', '。', '？', '！']);
        let (key, capital) = (fold(run), run.starts_with(char::is_uppercase));
        if unspaced::is_in(&key) {
            let keys = pieces(&key, parties).into_iter();
            tokens.extend(keys.map(|key| Token { key, capital: false, first }));
        } else {
            tokens.push(Token { key, capital, first });
        }
        first = false;
    }
    tokens
}

/// The words of a run without spaces. Each character of what nobody knows is one of its own, so that it never counts as few words.
fn pieces(run: &str, parties: &[&Name]) -> Vec<String> {
    let is_a = |word: &str| if parties.iter().any(|name| name.has(word)) { Piece::Name } else { known(word) };
    let cut = unspaced::cut(run, is_a);
    let keys = cut.iter().enumerate().flat_map(|(at, (text, piece))| {
        let whole = matches!(piece, Piece::Known | Piece::Title) || unspaced::stands_alone(&cut, at);
        if whole { vec![(*text).to_owned()] } else { text.chars().map(String::from).collect() }
    });
    keys.collect()
}

fn known(word: &str) -> Piece {
    KNOWN.get(word).copied().unwrap_or(Piece::Unknown)
}

/// The words of a name without titles, and whether it begins with one.
fn parts(name: &str) -> (Vec<String>, bool) {
    let (mut parts, mut honoured) = (Vec::new(), false);
    for run in runs(name).map(|(_, run)| fold(run)) {
        let all = if unspaced::is_in(&run) { unspaced::cut(&run, known) } else { vec![(&*run, known(&run))] };
        let is_title = |(_, piece): &(&str, Piece)| *piece == Piece::Title;
        let leading = all.iter().take_while(|piece| is_title(piece)).count();
        let trailing = all[leading..].iter().rev().take_while(|piece| is_title(piece)).count();
        honoured |= parts.is_empty() && leading > 0;
        let part: String = all[leading..all.len() - trailing].iter().map(|(text, _)| *text).collect();
        parts.extend(Some(part).filter(|part| !part.is_empty()));
    }
    (parts, honoured)
}

/// Lower case without diacritics of Latin, Greek, Cyrillic and Arabic letters. Vowel signs of Indic scripts are letters and stay, and a
/// syllable of Hangul is one character.
fn fold(word: &str) -> String {
    let is_diacritic = |c: char| matches!(c, '\u{300}'..='\u{36F}' | '\u{610}'..='\u{61A}' | '\u{640}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{200C}' | '\u{200D}');
    word.nfkd().filter(|c| !is_diacritic(*c)).flat_map(char::to_lowercase).nfc().collect::<String>().replace('ß', "ss")
}

/// Characters of the shortest name; a vowel sign is none of its own.
const NAME_CHARS: usize = 2;

fn is_long(part: &str) -> bool {
    part.chars().filter(|c| !is_combining_mark(*c)).count() >= NAME_CHARS
}

/// A party's name.
pub(super) struct Name {
    /// What is looked for: the whole name, and its first part.
    forms: Vec<Vec<String>>,
    /// What people may say that they are called, family names among it.
    parts: Vec<String>,
}

impl Name {
    /// `None` where nothing is left without honorifics, or too little to be told from a word.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (parts, honoured) = parts(name);
        let first = parts.first()?.clone();
        let whole = parts.concat();
        let mut forms = vec![parts];
        // "Maria Lopez" is called Maria; "Mr Lopez Garcia" is not called Lopez alone.
        if !honoured {
            forms.push(vec![first.clone()]);
        }
        if unspaced::is_in(&whole) {
            // 田中 太郎 is written 田中太郎, too; and 王 is no name, nor a part of one that could be told from another word's.
            forms.push(vec![whole]);
            forms.retain(|form| form.iter().all(|part| is_long(part)));
        } else if !is_long(&first) {
            forms.clear();
        }
        let parts = forms.iter().flatten().filter(|part| is_long(part)).cloned().collect();
        (!forms.is_empty()).then_some(Self { forms, parts })
    }

    /// Whether the two may be mistaken for each other: by a form of both, or by one that another goes on from without a space.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let words = |name: &Self| name.forms.iter().map(|form| form.concat()).collect::<Vec<_>>();
        let (ours, theirs) = (words(self), words(other));
        let goes_on = |one: &String, other: &String| unspaced::is_in(one) && other.contains(one.as_str());
        let alike = |one, other| one == other || goes_on(one, other) || goes_on(other, one);
        ours.iter().any(|one| theirs.iter().any(|other| alike(one, other)))
    }

    /// Whether `word` is a part of the name that may stand without spaces around it.
    fn has(&self, word: &str) -> bool {
        self.forms.iter().flatten().any(|part| part == word)
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
        let called = |at: &usize| self.at(tokens, *at).is_some_and(|length| !is_own(tokens, *at, at + length));
        (0..tokens.len()).filter(called).collect()
    }

    /// Whether somebody says in `tokens` that they are called by the name, or by a part of it.
    pub(super) fn is_own(&self, tokens: &[Token]) -> bool {
        tokens
            .iter()
            .enumerate()
            .any(|(at, token)| self.parts.contains(&token.key) && is_name(token) && is_own(tokens, at, at + 1))
    }
}

/// A word that is a name, too, is one with a capital letter inside of a sentence.
fn is_name(token: &Token) -> bool {
    !AMBIGUOUS.holds(&token.key) || (token.capital && !token.first)
}

/// Whether people say that the name from `at` to `end` is their own.
fn is_own(tokens: &[Token], at: usize, end: usize) -> bool {
    // 田中さんです
    let titles = tokens[end..].iter().take_while(|token| HONORIFIC.holds(&token.key)).count();
    introduces(tokens, at) || (end..=end + titles).any(|behind| SELF.at(tokens, behind).is_some())
}

/// Whether an introduction ends right before the token `at`, over honorifics: "this is Mr …".
fn introduces(tokens: &[Token], at: usize) -> bool {
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
