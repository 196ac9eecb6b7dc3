//! Segments cut into subtitles that can be read in time: at most two lines of 42 columns and 7 s, cut between words, as
//! broadcasters' guidelines have it (BBC Subtitle Guidelines; Netflix Timed Text Style Guide).
//!
//! The invariant: every word of the transcript stands in exactly one cue, cues are sorted by start, and each ends after
//! it starts. Cues of speakers who talk at the same time overlap.

use speech::{
    transcript::{Segment, Transcript, Word},
    writing::ends_sentence,
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{speaker_name, text};

/// Columns of a line; East Asian wide characters take two.
const LINE_COLUMNS: usize = 42;
/// The longest a cue stays, in milliseconds.
const MAX_CUE_MS: u64 = 7_000;
/// The shortest a cue stays, in milliseconds: less cannot be read.
const MIN_CUE_MS: u64 = 500;
/// A silence between words that ends a cue, in milliseconds.
const PAUSE_MS: u64 = 2_000;
/// The most tokens in a cue: every token takes a column, unless it consists of combining marks only.
const MAX_CUE_TOKENS: usize = 2 * LINE_COLUMNS;

/// One subtitle.
pub(super) struct Cue {
    /// Who speaks; not part of `lines`.
    pub(super) speaker: String,
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    /// One or two lines. The first is empty where the speaker's name leaves no room for a word.
    pub(super) lines: Vec<Line>,
}

/// A line of a cue, as its pieces of text.
#[derive(Clone, PartialEq)]
pub(super) struct Line(Vec<Token>);

impl Line {
    /// The line without line breaks or control characters.
    pub(super) fn text(&self) -> String {
        join(&self.0)
    }

    /// Each piece of the line with the space before it and the time at which it is said, in milliseconds.
    pub(super) fn timed(&self) -> impl Iterator<Item = (&'static str, &str, u64)> {
        self.0.iter().enumerate().map(|(i, token)| (space(i, token), token.text.as_str(), token.start_ms))
    }
}

/// Whether the speaker's name and a colon stand in front of the first line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Shown,
    Hidden,
}

/// A piece of text that no line break divides.
#[derive(Clone, PartialEq)]
struct Token {
    text: String,
    /// No space stands between this token and the one before it.
    glued: bool,
    start_ms: u64,
    end_ms: u64,
}

/// The cues of a whole transcript.
pub(super) fn cues(transcript: &Transcript, prefix: Prefix) -> Vec<Cue> {
    let mut cues = Vec::new();
    for segment in &transcript.segments {
        let speaker = speaker_name(transcript, segment);
        let prefix_columns = if prefix == Prefix::Shown { speaker.width() + ": ".width() } else { 0 };
        let mut tokens: &[Token] = &tokens(segment);
        while !tokens.is_empty() {
            let (lines, rest) = next_cue(tokens, prefix_columns);
            let (start_ms, end_ms) = (tokens[0].start_ms, tokens[tokens.len() - rest.len() - 1].end_ms);
            let end_ms = end_ms.clamp(start_ms + MIN_CUE_MS, start_ms + MAX_CUE_MS);
            cues.push(Cue { speaker: speaker.clone(), start_ms, end_ms, lines });
            tokens = rest;
        }
    }
    cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
    cues
}

/// Takes as many tokens as one cue holds, at least one; gives back its lines and the tokens that are left.
fn next_cue(tokens: &[Token], prefix_columns: usize) -> (Vec<Line>, &[Token]) {
    let start_ms = tokens[0].start_ms;
    let mut lines = layout(&tokens[..1], prefix_columns).unwrap_or_else(|| vec![&tokens[..1]]);
    let mut taken = 1;
    while let Some(next) = tokens.get(taken).filter(|_| taken < MAX_CUE_TOKENS) {
        let last = &tokens[taken - 1];
        let sentence_done = lines.len() > 1 && ends_sentence(&last.text);
        let pause = next.start_ms.saturating_sub(last.end_ms) > PAUSE_MS;
        if sentence_done || pause || next.end_ms.saturating_sub(start_ms) > MAX_CUE_MS {
            break;
        }
        let Some(longer) = layout(&tokens[..=taken], prefix_columns) else { break };
        lines = longer;
        taken += 1;
    }
    (lines.into_iter().map(|line| Line(line.to_vec())).collect(), &tokens[taken..])
}

/// One line where that is enough, else the two lines of the most even length, else nothing.
fn layout(tokens: &[Token], prefix_columns: usize) -> Option<Vec<&[Token]>> {
    let width = |line: &[Token]| join(line).width();
    if prefix_columns + width(tokens) <= LINE_COLUMNS {
        return Some(vec![tokens]);
    }
    let first_break = if prefix_columns > 0 { 0 } else { 1 };
    (first_break..tokens.len())
        .map(|at| tokens.split_at(at))
        .map(|lines| (prefix_columns + width(lines.0), width(lines.1), lines))
        // A name alone may be wider than a line; the text may not.
        .filter(|(first, second, lines)| (*first <= LINE_COLUMNS || lines.0.is_empty()) && *second <= LINE_COLUMNS)
        .min_by_key(|(first, second, _)| *first.max(second))
        .map(|(_, _, lines)| vec![lines.0, lines.1])
}

fn join(tokens: &[Token]) -> String {
    tokens.iter().enumerate().flat_map(|(i, token)| [space(i, token), &token.text]).collect()
}

/// What stands in front of a line's token.
fn space(index: usize, token: &Token) -> &'static str {
    if index > 0 && !token.glued { " " } else { "" }
}

/// The tokens of a segment in time order, none wider than a line. The text decides what is shown; where the words spell
/// it, they give the times, otherwise (there are none, or a person has corrected the text) time is shared out by length.
fn tokens(segment: &Segment) -> Vec<Token> {
    let text = text::clean(&segment.text);
    let tokens = from_words(&text, &segment.words).unwrap_or_else(|| {
        let (start_ms, end_ms) = (text::millis(segment.start_seconds), text::millis(segment.end_seconds));
        let words = text.split(' ').filter(|word| !word.is_empty()).map(|word| (word.to_owned(), false));
        share_time(words.collect(), start_ms, end_ms)
    });
    let mut latest = 0;
    let mut narrow = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        token.start_ms = token.start_ms.max(latest);
        token.end_ms = token.end_ms.max(token.start_ms);
        latest = token.start_ms;
        if token.text.width() > LINE_COLUMNS { narrow.extend(split(&token)) } else { narrow.push(token) }
    }
    narrow
}

/// Tokens of `words`, if they spell `text` up to spaces.
fn from_words(text: &str, words: &[Word]) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(words.len());
    let mut rest = text;
    for word in words {
        let shown = text::clean(&word.text);
        let unspaced = rest.trim_start();
        let glued = unspaced.len() == rest.len();
        rest = unspaced.strip_prefix(&shown)?;
        if !shown.is_empty() {
            let (start_ms, end_ms) = (text::millis(word.start_seconds), text::millis(word.end_seconds));
            tokens.push(Token { text: shown, glued, start_ms, end_ms });
        }
    }
    rest.trim().is_empty().then_some(tokens)
}

/// Cuts a token that is wider than a line, never in front of a combining mark.
fn split(token: &Token) -> Vec<Token> {
    let mut pieces = vec![(String::new(), token.glued)];
    let mut columns = 0;
    for c in token.text.chars() {
        let width = c.width().unwrap_or(0);
        if columns + width > LINE_COLUMNS {
            pieces.push((String::new(), true));
            columns = 0;
        }
        columns += width;
        if let Some((piece, _)) = pieces.last_mut() {
            piece.push(c);
        }
    }
    share_time(pieces, token.start_ms, token.end_ms)
}

/// Tokens of `pieces` (text, glued) that share the time from `start_ms` to `end_ms` by their number of characters.
fn share_time(pieces: Vec<(String, bool)>, start_ms: u64, end_ms: u64) -> Vec<Token> {
    let total: usize = pieces.iter().map(|(text, _)| text.chars().count()).sum();
    let length = u128::from(end_ms.saturating_sub(start_ms));
    // In 128 bits the product cannot overflow, and the quotient is at most `length`.
    let at = |chars: usize| start_ms + (length * chars as u128 / total.max(1) as u128) as u64;
    let mut done = 0;
    pieces
        .into_iter()
        .map(|(text, glued)| {
            let before = done;
            done += text.chars().count();
            Token { text, glued, start_ms: at(before), end_ms: at(done) }
        })
        .collect()
}
