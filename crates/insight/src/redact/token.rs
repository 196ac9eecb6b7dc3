//! Text to tokens: words, runs of digits, marks, and placeholders of an earlier redaction. Its one invariant: a token knows the bytes of
//! its segment that it stands for, and tokens are in the order in which they are read.

use speech::transcript::Transcript;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use super::Kind;
use super::numeral::Language;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Letters; the key is theirs, folded.
    Word,
    /// Decimal digits of any script; the key has them as ASCII.
    Digits,
    /// A character that is neither.
    Mark(char),
    /// What an earlier redaction has put here; nothing looks into it or across it.
    Placeholder(Kind),
}

/// A piece of a segment's text.
pub(super) struct Token {
    pub(super) form: Form,
    /// The index of the segment.
    pub(super) segment: usize,
    /// The first byte of the segment's text.
    pub(super) start: usize,
    /// The byte behind the last.
    pub(super) end: usize,
    /// Lower case, without diacritics; digits as ASCII; empty for marks.
    pub(super) key: String,
    /// Nothing stands between it and the token before it, or nothing but the space that Whisper puts in "555 -0142" and "1 .299".
    pub(super) glued: bool,
    /// It begins with an upper-case letter.
    pub(super) capital: bool,
}

impl Token {
    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.form == Form::Mark(mark)
    }

    pub(super) fn is_word(&self) -> bool {
        self.form == Form::Word
    }

    /// A letter by itself, as people spell.
    pub(super) fn letter(&self) -> Option<char> {
        let mut chars = self.key.chars();
        let letter = chars.next().filter(|_| self.is_word())?;
        chars.next().is_none().then_some(letter)
    }
}

/// A segment as the detectors see it.
pub(super) struct Place {
    /// Which speaker, as an index.
    pub(super) speaker: usize,
    pub(super) start_seconds: f64,
    pub(super) end_seconds: f64,
    /// Languages to read numbers in, the likeliest first.
    pub(super) languages: Vec<Language>,
}

/// A transcript taken apart.
pub(super) struct Page {
    pub(super) tokens: Vec<Token>,
    pub(super) places: Vec<Place>,
}

impl Page {
    pub(super) fn of(transcript: &Transcript) -> Self {
        let speaker_of =
            |id: &str| transcript.speakers.iter().position(|one| one.speaker_id == id).unwrap_or(usize::MAX);
        let places = transcript.segments.iter().map(|segment| Place {
            speaker: speaker_of(&segment.speaker_id),
            start_seconds: segment.start_seconds,
            end_seconds: segment.end_seconds,
            languages: Language::likely(segment.language.as_deref(), transcript.language.as_deref()),
        });
        let places = places.collect();
        let mut tokens = Vec::new();
        for (index, segment) in transcript.segments.iter().enumerate() {
            tokenize(index, &segment.text, &mut tokens);
        }
        Self { tokens, places }
    }

    /// The tokens of `first..=last` that are words, folded.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.tokens.get(index).filter(|token| token.is_word()).map(|token| token.key.as_str())
    }

    pub(super) fn languages(&self, index: usize) -> &[Language] {
        &self.places[self.tokens[index].segment].languages
    }

    /// Whether both stand in the same segment.
    pub(super) fn together(&self, a: usize, b: usize) -> bool {
        self.tokens.get(b).is_some_and(|other| other.segment == self.tokens[a].segment)
    }
}

/// `text` in lower case without diacritics, as keys are.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let folded = text.nfd().filter(|&c| !is_combining_mark(c)).flat_map(char::to_lowercase);
    folded.fold(String::with_capacity(text.len()), |mut key, c| {
        match c {
            'ß' => key.push_str("ss"),
            _ => key.push(c),
        }
        key
    })
}

/// The decimal digit that `c` is: ASCII, Arabic-Indic, Persian, Devanagari, Bengali, Thai or full-width.
pub(super) fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 7] = [0x30, 0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10];
    let zero = ZEROS.into_iter().find(|zero| (*zero..zero + 10).contains(&u32::from(c)))?;
    char::from_digit(u32::from(c) - zero, 10)
}

/// Marks that belong to the letters on both sides of them say nothing: soft hyphens, zero-width joiners.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

fn tokenize(segment: usize, text: &str, tokens: &mut Vec<Token>) {
    let mut at = 0;
    let mut glued = false;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() || is_invisible(c) {
            glued &= is_invisible(c);
            at += c.len_utf8();
            continue;
        }
        let (form, length) = match Kind::placeholder_at(&text[at..]) {
            Some(kind) => (Form::Placeholder(kind), kind.placeholder().len()),
            None if digit(c).is_some() => (Form::Digits, span(&text[at..], |c| digit(c).is_some())),
            None if c.is_alphabetic() => {
                (Form::Word, span(&text[at..], |c| (c.is_alphabetic() || is_combining_mark(c)) && digit(c).is_none()))
            }
            None => (Form::Mark(c), c.len_utf8()),
        };
        let piece = &text[at..at + length];
        let key = match form {
            Form::Word => fold(piece),
            Form::Digits => piece.chars().filter_map(digit).collect(),
            Form::Mark(_) | Form::Placeholder(_) => String::new(),
        };
        let inside = matches!(c, '-' | '.' | ',')
            && tokens.last().is_some_and(|last| last.form == Form::Digits && last.segment == segment)
            && text[at + length..].chars().next().is_some_and(|next| digit(next).is_some());
        glued |= inside;
        tokens.push(Token { form, segment, start: at, end: at + length, key, glued, capital: c.is_uppercase() });
        at += length;
        glued = true;
    }
}

/// Bytes of the longest beginning of `text` whose characters all pass.
fn span(text: &str, pass: impl Fn(char) -> bool) -> usize {
    text.char_indices().find(|(_, c)| !pass(*c)).map_or(text.len(), |(at, _)| at)
}
