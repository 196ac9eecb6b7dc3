//! Numbers that belong together: digits that somebody dictates, with the fillers, acknowledgements and repetitions between them, over
//! segments and speakers. Its one invariant: what may stand between two numbers of a run is bounded in words, segments and seconds.

use super::gap::{is_acknowledgement, is_and, is_correction, is_filler};
use super::item::{Item, Style};
use super::token::{Form, Page};

/// Words that may stand between two numbers of a run: "okay, got it, go on".
const GAP_WORDS: usize = 6;
/// Tokens between two numbers of a run, marks included.
const GAP_TOKENS: usize = 14;
/// Seconds of silence in which somebody may look for the rest of a number.
const GAP_SECONDS: f64 = 30.0;

/// Numbers that follow each other, as indices of items.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) first: usize,
    /// The item behind the last.
    pub(super) end: usize,
}

impl Run {
    pub(super) fn items(self, items: &[Item]) -> &[Item] {
        &items[self.first..self.end]
    }

    pub(super) fn digits(self, items: &[Item]) -> String {
        self.items(items).iter().map(|item| item.digits.as_str()).collect()
    }

    /// Its first and its last token.
    pub(super) fn tokens(self, items: &[Item]) -> (usize, usize) {
        (items[self.first].first, items[self.end - 1].last)
    }
}

impl Run {
    /// Its pieces, cut behind each item (by index) that `ends` one.
    pub(super) fn split(self, ends: impl Fn(usize) -> bool) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = Some(self);
        while let Some(run) = rest {
            let (piece, behind) = run.split_where(&ends);
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }

    /// Its first piece, and what follows.
    pub(super) fn split_where(self, ends: impl Fn(usize) -> bool) -> (Self, Option<Self>) {
        let cut = (self.first..self.end - 1).find(|index| ends(*index)).map(|index| index + 1);
        let piece = Self { end: cut.unwrap_or(self.end), ..self };
        (piece, cut.map(|cut| Self { first: cut, ..self }))
    }
}

/// All runs of a page.
pub(super) fn runs(page: &Page, items: &[Item]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for index in 0..items.len() {
        match runs.last_mut() {
            Some(run) if goes_on(page, &items[index - 1], &items[index]) => run.end = index + 1,
            _ => runs.push(Run { first: index, end: index + 1 }),
        }
    }
    runs
}

/// Whether only what may stand inside of a number stands between two items.
fn goes_on(page: &Page, one: &Item, other: &Item) -> bool {
    let (from, to) = (one.last + 1, other.first);
    let pause =
        page.places[page.tokens[to].segment].start_seconds - page.places[page.tokens[one.last].segment].end_seconds;
    if to - from > GAP_TOKENS || pause > GAP_SECONDS {
        return false;
    }
    let dictated = |item: &Item| match item.style {
        Style::Digit | Style::Group => true,
        Style::Written => !is_year(&item.digits),
        Style::Quantity => false,
    };
    let crosses = page.tokens[one.last].segment != page.tokens[to].segment;
    let mut words = 0;
    (from..to).all(|index| {
        let token = &page.tokens[index];
        match token.form {
            Form::Mark(mark) => joins(page, index, mark),
            Form::Word => {
                words += 1;
                words <= GAP_WORDS
                    && (is_filler(&token.key)
                        || (crosses && is_acknowledgement(&token.key))
                        || ((is_and(&token.key) || is_correction(&token.key)) && dictated(one) && dictated(other)))
            }
            Form::Digits | Form::Placeholder(_) => false,
        }
    })
}

/// Whether a mark may stand inside of a number. A colon between digits is that of a clock.
fn joins(page: &Page, index: usize, mark: char) -> bool {
    let tight = page.tokens[index].glued && page.tokens.get(index + 1).is_some_and(|next| next.glued);
    match mark {
        ':' => !tight,
        '-'
        | '\u{2010}'..='\u{2015}'
        | '.'
        | ','
        | '/'
        | '('
        | ')'
        | '+'
        | '…'
        | ';'
        | '!'
        | '?'
        | '\''
        | '"'
        | '·'
        | '•'
        | '['
        | ']'
        | '~'
        | '_'
        | '|'
        | '*'
        | '’' => true,
        _ => false,
    }
}

/// A number of four digits that people say for a year.
pub(super) fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}
