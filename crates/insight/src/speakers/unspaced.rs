//! Words of scripts that put no spaces around them: Han, kana, Thai, Lao, Myanmar, Khmer, and Hangul, which joins titles and endings to
//! names. Its one invariant: a name is found only where its run of letters ends, or goes on with a word that is known to stand beside
//! names; 王伟 is not in 王伟明.

use unicode_normalization::char::is_combining_mark;

/// Those scripts with their extensions and compatibility forms.
const SCRIPTS: [(char, char); 9] = [
    ('\u{E00}', '\u{EFF}'),
    ('\u{1000}', '\u{109F}'),
    ('\u{1780}', '\u{17FF}'),
    ('\u{3005}', '\u{30FF}'),
    ('\u{3400}', '\u{4DBF}'),
    ('\u{4E00}', '\u{9FFF}'),
    ('\u{AC00}', '\u{D7A3}'),
    ('\u{F900}', '\u{FAFF}'),
    ('\u{20000}', '\u{3FFFF}'),
];

/// Whether `text` holds a letter of such a script.
pub(super) fn is_in(text: &str) -> bool {
    text.chars().any(|c| SCRIPTS.iter().any(|(first, last)| (*first..=*last).contains(&c)))
}

/// What a piece of a run of letters is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A name that was looked for, as far as its neighbours allow it.
    Name,
    /// A title, which is known and hides what is beside it.
    Title,
    /// A word of the lists.
    Known,
    /// Anything else.
    Unknown,
}

/// Cuts `run`, which is folded, into the longest of the words that `is_a` knows, and what is between them.
pub(super) fn cut(run: &str, is_a: impl Fn(&str) -> Piece) -> Vec<(&str, Piece)> {
    let mut pieces: Vec<(&str, Piece)> = Vec::new();
    let (mut at, mut unknown) = (0, 0);
    while at < run.len() {
        let ends = run[at..].char_indices().map(|(start, c)| at + start + c.len_utf8()).take(LONGEST);
        // A vowel sign belongs to the letter in front.
        let whole = ends.filter(|end| !run[*end..].starts_with(is_combining_mark));
        let longest = whole.map(|end| (end, is_a(&run[at..end]))).filter(|(_, piece)| *piece != Piece::Unknown).last();
        let Some((end, piece)) = longest else {
            at += run[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if unknown < at {
            pieces.push((&run[unknown..at], Piece::Unknown));
        }
        pieces.push((&run[at..end], piece));
        (at, unknown) = (end, end);
    }
    if unknown < run.len() {
        pieces.push((&run[unknown..], Piece::Unknown));
    }
    pieces
}

/// Characters of the longest word that is looked for.
const LONGEST: usize = 24;

/// Whether the piece `at` is a name: on both sides, over titles, the run ends or a known word stands.
pub(super) fn stands_alone(pieces: &[(&str, Piece)], at: usize) -> bool {
    let beside = |piece: Option<&(&str, Piece)>| piece.is_none_or(|(_, piece)| *piece == Piece::Known);
    let over_titles = |(_, piece): &&(&str, Piece)| *piece != Piece::Title;
    pieces[at].1 == Piece::Name
        && beside(pieces[..at].iter().rev().find(over_titles))
        && beside(pieces[at + 1..].iter().find(over_titles))
}
