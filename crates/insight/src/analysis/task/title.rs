//! What a task is called and what it is about. Its one invariant: every word of a title was said, or is the name of the speaker whom
//! "you" or "me" stood for.

use std::collections::BTreeSet;

use crate::analysis::Call;
use crate::analysis::sentence::Sentence;

/// Words of the longest title.
const WORDS: usize = 14;

/// The words `first..end` of a sentence without its days and times, as a command: "Send a revised quote".
pub(super) fn title(call: &Call<'_>, at: usize, first: usize, end: usize) -> Option<String> {
    let sentence = &call.sentences[at];
    let mut kept: Vec<usize> = meant(call, at, first, end).take(WORDS).collect();
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

/// What something is done to.
#[derive(Default)]
pub(super) struct About {
    /// The stems of the words that carry meaning.
    pub(super) stems: BTreeSet<String>,
    /// That of the thing itself: "draft" in "the lease draft for Anna".
    pub(super) thing: Option<String>,
    /// It begins with "it": what was spoken of.
    pub(super) spoken_of: bool,
}

impl About {
    pub(super) fn is_empty(&self) -> bool {
        self.stems.is_empty()
    }

    /// Whether both name the same thing: one says nothing that the other does not, but for what stands around the thing.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (less, more) = if self.stems.len() <= other.stems.len() { (self, other) } else { (other, self) };
        // "Send it to Anna" may be any thing.
        let thing = less.thing.is_none() || more.thing.as_ref().is_none_or(|thing| less.stems.contains(thing));
        less.stems.is_subset(&more.stems) && thing
    }
}

/// What the words `first..end` behind a verb are about.
pub(super) fn about(call: &Call<'_>, at: usize, first: usize, end: usize) -> About {
    let sentence = &call.sentences[at];
    let spoken_of = first < end && sentence.lexicon().find("it", &sentence.words, first).is_some();
    let mut about = About { spoken_of, ..About::default() };
    let mut behind = false;
    for index in meant(call, at, first, end) {
        behind |= sentence.lexicon().holds("preposition", sentence.key(index));
        let stem = call.stem(at, index);
        if !behind && stem.is_some() {
            about.thing.clone_from(&stem);
            behind = sentence.words[index].pause;
        }
        about.stems.extend(stem);
    }
    about
}

/// The words `first..end` without those that say when, and without what is put right: "on the ninth, not the tenth".
fn meant(call: &Call<'_>, at: usize, first: usize, end: usize) -> impl Iterator<Item = usize> {
    let sentence = &call.sentences[at];
    let mut right = true;
    (first..end).filter(move |index| {
        let paused = index.checked_sub(1).is_some_and(|before| sentence.words[before].pause);
        let behind_day = *index > first && call.is_when(at, index - 1);
        let contrasts = *index > first && (paused || behind_day) && contrasts(sentence, *index);
        right = (right || paused) && !contrasts;
        right && !call.is_when(at, *index)
    })
}

/// Whether "not" at `at` puts something right, and does not deny what is to be done.
fn contrasts(sentence: &Sentence<'_>, at: usize) -> bool {
    sentence.lexicon().holds("negation", sentence.key(at)) && sentence.key(at + 1) != "to"
}
