//! What a task is called and what it is about. Its one invariant: every word of a title was said, or is the name of the speaker whom
//! "you" or "me" stood for.

use std::collections::BTreeSet;

use crate::analysis::Call;

/// Words of the longest title.
const WORDS: usize = 14;

/// The words `first..end` of a sentence without its days and times, as a command: "Send a revised quote".
pub(super) fn title(call: &Call<'_>, at: usize, first: usize, end: usize) -> Option<String> {
    let sentence = &call.sentences[at];
    let mut kept: Vec<usize> = (first..end).filter(|index| !call.is_when(at, *index)).take(WORDS).collect();
    // "you", right behind the verb: whoever it is knows.
    if let Some(position) = kept.iter().position(|index| matches!(sentence.key(*index), "you" | "me"))
        && position == 1
        && kept.len() > 2
    {
        kept.remove(position);
    }
    let loose = |index: &usize| sentence.lexicon().holds("loose", sentence.key(*index));
    while kept.last().is_some_and(loose) {
        kept.pop();
    }
    let words: Vec<&str> = kept.iter().map(|index| sentence.words[*index].raw).collect();
    let text = words.join(" ");
    let mut letters = text.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}

/// The stems of the words `first..end` that carry meaning.
pub(super) fn about(call: &Call<'_>, at: usize, first: usize, end: usize) -> BTreeSet<String> {
    let words = (first..end).filter(|index| !call.is_when(at, *index));
    words.filter_map(|index| call.stem(at, index)).collect()
}
