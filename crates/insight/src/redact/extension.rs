//! Extensions behind telephone numbers: "404 555 0139, extension two two four", "poste 312". Its one invariant: an extension belongs to the
//! number that it stands behind, with nothing but marks and its own name between them.

use super::item::Item;
use super::run::Run;
use super::token::{Form, Page};

/// Digits of the longest extension that telephone systems give out.
const DIGITS: usize = 6;
/// Tokens between a number and its extension: marks, "and then the extension is".
const BETWEEN: usize = 6;

/// The number with its extension, where one follows.
pub(super) fn with_extension(page: &Page, items: &[Item], run: Run) -> Run {
    let Some(next) = items.get(run.end).filter(|next| is_named(page, items[run.end - 1].last + 1, next.first)) else {
        return run;
    };
    let mut end = run.end + 1;
    let mut digits = next.digits.len();
    // What is dictated goes on until something stands between.
    while let Some(more) = items.get(end).filter(|more| {
        more.first == items[end - 1].last + 1
            && page.together(more.first, items[end - 1].last)
            && digits + more.digits.len() <= DIGITS
    }) {
        digits += more.digits.len();
        end += 1;
    }
    if digits <= DIGITS { Run { end, ..run } } else { run }
}

/// Whether the tokens between a number and the next say that this is its extension.
fn is_named(page: &Page, from: usize, to: usize) -> bool {
    let mut words = page.tokens[from..to].iter().filter(|token| token.form == Form::Word).peekable();
    to - from <= BETWEEN
        && page.together(from - 1, to)
        && page.tokens[from..to]
            .iter()
            .all(|token| matches!(token.form, Form::Word | Form::Mark(',' | '.' | '-' | ':')))
        && words.peek().is_some()
        && words.clone().any(|word| is_extension(&word.key))
        && words.all(|word| is_extension(&word.key) || is_beside(&word.key))
}

fn is_extension(key: &str) -> bool {
    matches!(
        key,
        "extension" | "ext" | "x" | "durchwahl" | "nebenstelle" | "apparat" | "poste" | "interne" | "interno" | "anexo"
    ) || matches!(key, "extensao" | "ramal")
}

/// What is said around its name.
fn is_beside(key: &str) -> bool {
    matches!(
        key,
        "and"
            | "then"
            | "at"
            | "the"
            | "is"
            | "number"
            | "und"
            | "dann"
            | "die"
            | "ist"
            | "et"
            | "puis"
            | "le"
            | "y"
            | "la"
    ) || matches!(key, "e" | "o" | "el" | "es" | "uh" | "um")
}
