//! Words to turns: each word belongs to the speaker whose turns overlap it most. Where two speak at once the sentence
//! decides, because one voice at a time makes it into the text.
//!
//! Invariant: afterwards every word has a speaker.

use crate::{diarize::Turn, transcript::Word, writing::ends_sentence};

/// The version of these rules, for the transcript.
pub const ALIGNMENT_VERSION: u32 = 1;

/// A pause this long in seconds ends a sentence whatever its punctuation.
const SENTENCE_PAUSE: f64 = 1.0;
/// A sentence of this many seconds ends in any case, at some eighty words: text without punctuation would else be one
/// sentence, in which who speaks most takes every short answer of the others.
const MAX_SENTENCE: f64 = 30.0;
/// A run of words against its sentence is a timing error if it lasts less than this, in seconds.
const MAX_STRAY_SECONDS: f64 = 0.6;

/// A word on its way to a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct SpokenWord {
    /// The word.
    pub word: Word,
    /// The language that it is written in, as an ISO 639-1 code.
    pub language: String,
    /// Its speaker, as in [`Turn::speaker`]; known beforehand where each party has a channel.
    pub speaker: Option<usize>,
    /// Whether it lies in a turn of its speaker.
    pub inside: bool,
}

impl SpokenWord {
    /// A word of a known or unknown speaker.
    pub fn new(word: Word, language: String, speaker: Option<usize>) -> Self {
        Self { word, language, inside: speaker.is_some(), speaker }
    }
}

/// Gives every word without a speaker the one whose turns overlap it most, or the nearest one.
pub fn assign(words: &mut [SpokenWord], turns: &[Turn]) {
    let turns = Turns::new(turns);
    let mut unknown: Vec<&mut SpokenWord> = words.iter_mut().filter(|w| w.speaker.is_none()).collect();
    unknown.sort_by(|a, b| a.word.start_seconds.total_cmp(&b.word.start_seconds));
    let mut previous = None;
    for word in &mut unknown {
        let (speaker, inside) = turns.speaker_of(&word.word, previous).unwrap_or((0, false));
        (word.speaker, word.inside) = (Some(speaker), inside);
        previous = Some(speaker);
    }
    let mut from = 0;
    for to in 1..=unknown.len() {
        if to == unknown.len() || is_boundary(unknown[from], unknown[to - 1], unknown[to]) {
            settle(&mut unknown[from..to], &turns);
            from = to;
        }
    }
}

/// Turns in the order of their start.
struct Turns<'a> {
    turns: &'a [Turn],
    /// The length of the longest, in seconds.
    longest: f64,
    /// Of the turns up to each, the one that ends last; turns overlap, so it need not be the one that started last.
    last_to_end: Vec<usize>,
}

impl<'a> Turns<'a> {
    fn new(turns: &'a [Turn]) -> Self {
        let later = |last: &mut usize, (i, turn): (usize, &Turn)| {
            if turn.end > turns[*last].end {
                *last = i;
            }
            Some(*last)
        };
        let last_to_end = turns.iter().enumerate().scan(0, later).collect();
        Self { turns, longest: turns.iter().map(|t| t.end - t.start).fold(0.0, f64::max), last_to_end }
    }

    /// The turns that may overlap a word or be the nearest to it, and all that follow.
    fn from(&self, word: &Word) -> &'a [Turn] {
        // Of those that end a second before the word, only the last to end can be the nearest.
        let past = self.turns.partition_point(|t| t.start + self.longest < word.start_seconds - 1.0);
        &self.turns[past.checked_sub(1).map_or(0, |i| self.last_to_end[i])..]
    }

    /// The speaker of a word and whether a turn of that speaker holds it; of equals the one who spoke before.
    fn speaker_of(&self, word: &Word, previous: Option<usize>) -> Option<(usize, bool)> {
        /// Overlaps that differ by less than a frame of the diarization are equal.
        const EQUAL: f64 = 0.02;
        /// A turn that starts this many seconds later is farther away than any that is worth a look.
        const FAR: f64 = 30.0;
        // By speaker the seconds of overlap, summed over turns; for those without, minus the distance of the nearest.
        let mut shares: Vec<(usize, f64)> = Vec::new();
        for turn in self.from(word) {
            // Turns are in order of their start: once one is near, none that starts long after the word can do better.
            if !shares.is_empty() && turn.start > word.end_seconds + FAR {
                break;
            }
            let here = overlap(turn, word);
            match shares.iter_mut().find(|(speaker, _)| *speaker == turn.speaker) {
                Some((_, share)) if here > 0.0 && *share > 0.0 => *share += here,
                Some((_, share)) => *share = share.max(here),
                None => shares.push((turn.speaker, here)),
            }
        }
        let most = shares.iter().map(|(_, share)| *share).fold(f64::NEG_INFINITY, f64::max);
        let mut equals = shares.iter().filter(|(_, share)| *share > most - EQUAL);
        let first = equals.clone().next()?;
        let (speaker, share) = equals.find(|(speaker, _)| Some(*speaker) == previous).unwrap_or(first);
        Some((*speaker, *share > 0.0))
    }

    /// Whether a turn of the speaker holds a part of the word.
    fn hold(&self, word: &Word, speaker: usize) -> bool {
        let mut near = self.from(word).iter().take_while(|t| t.start < word.end_seconds);
        near.any(|t| t.speaker == speaker && overlap(t, word) > 0.0)
    }
}

/// Seconds for which a turn overlaps a word; where it does not, minus the distance between them.
fn overlap(turn: &Turn, word: &Word) -> f64 {
    turn.end.min(word.end_seconds) - turn.start.max(word.start_seconds)
}

/// Whether a sentence that starts with `first` ends between `word` and `next`.
fn is_boundary(first: &SpokenWord, word: &SpokenWord, next: &SpokenWord) -> bool {
    ends_sentence(&word.word.text)
        || next.word.start_seconds - word.word.end_seconds > SENTENCE_PAUSE
        || next.word.end_seconds - first.word.start_seconds > MAX_SENTENCE
}

/// Short runs against the speaker of most of the sentence are errors of timing at its edges.
fn settle(sentence: &mut [&mut SpokenWord], turns: &Turns<'_>) {
    let seconds = |w: &SpokenWord| (w.word.end_seconds - w.word.start_seconds).max(0.01);
    let mut shares: Vec<(usize, f64)> = Vec::new();
    for word in sentence.iter() {
        let speaker = word.speaker.unwrap_or(0);
        match shares.iter_mut().find(|(s, _)| *s == speaker) {
            Some((_, share)) => *share += seconds(word),
            None => shares.push((speaker, seconds(word))),
        }
    }
    let total: f64 = shares.iter().map(|(_, share)| share).sum();
    let Some(&(main, share)) = shares.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
    if shares.len() == 1 || share < total * 0.6 {
        return;
    }
    let mut from = 0;
    while from < sentence.len() {
        let speaker = sentence[from].speaker;
        let to = (from..sentence.len()).find(|&i| sentence[i].speaker != speaker).unwrap_or(sentence.len());
        let length: f64 = sentence[from..to].iter().map(|w| seconds(w)).sum();
        if speaker != Some(main) && length < MAX_STRAY_SECONDS {
            for word in &mut sentence[from..to] {
                (word.speaker, word.inside) = (Some(main), turns.hold(&word.word, main));
            }
        }
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: f64, end: f64) -> SpokenWord {
        let word = Word { text: text.into(), start_seconds: start, end_seconds: end, confidence: 1.0 };
        SpokenWord::new(word, "en".into(), None)
    }

    fn turn(speaker: usize, start: f64, end: f64) -> Turn {
        Turn { speaker, start, end }
    }

    fn speakers(mut words: Vec<SpokenWord>, turns: &[Turn]) -> Vec<usize> {
        assign(&mut words, turns);
        words.iter().map(|w| w.speaker.unwrap()).collect()
    }

    #[test]
    fn a_word_goes_to_the_turn_that_overlaps_it_most() {
        let turns = [turn(0, 0.0, 1.0), turn(1, 1.0, 3.0)];
        assert_eq!(speakers(vec![word("yes.", 0.2, 0.6), word("No.", 0.9, 1.4)], &turns), [0, 1]);
    }

    #[test]
    fn a_word_in_no_turn_goes_to_the_nearest() {
        let turns = [turn(0, 0.0, 1.0), turn(1, 5.0, 6.0)];
        assert_eq!(speakers(vec![word("so.", 1.5, 1.8), word("Well.", 4.5, 4.9)], &turns), [0, 1]);
    }

    #[test]
    fn a_word_far_from_every_turn_goes_to_the_nearest() {
        let turns = [turn(0, 0.0, 1.0), turn(1, 5.0, 6.0)];
        assert_eq!(speakers(vec![word("late.", 90.0, 90.4)], &turns), [1]);
        let turns = [turn(0, 0.0, 1.0), turn(1, 95.0, 96.0)];
        assert_eq!(speakers(vec![word("early.", 10.0, 10.4), word("later.", 80.0, 80.4)], &turns), [0, 1]);
    }

    #[test]
    fn the_nearest_turn_is_the_last_to_end_and_not_the_last_to_start() {
        let turns = [turn(0, 0.0, 10.0), turn(1, 5.0, 5.5)];
        assert_eq!(speakers(vec![word("late.", 90.0, 90.4)], &turns), [0]);
    }

    #[test]
    fn where_two_speak_at_once_the_sentence_goes_on() {
        let turns = [turn(0, 0.0, 4.0), turn(1, 1.0, 2.0)];
        let words = vec![word("we", 0.5, 0.9), word("can", 1.1, 1.4), word("go.", 1.5, 1.9)];
        assert_eq!(speakers(words, &turns), [0, 0, 0]);
    }

    #[test]
    fn a_stray_word_at_the_edge_of_a_sentence_follows_it() {
        let turns = [turn(0, 0.0, 1.3), turn(1, 1.3, 4.0)];
        let words = vec![word("And", 1.0, 1.25), word("then", 1.4, 1.8), word("we", 1.9, 2.2), word("left.", 2.3, 3.0)];
        assert_eq!(speakers(words, &turns), [1; 4]);
    }

    #[test]
    fn the_turns_of_a_speaker_count_together() {
        // Speaker 1 has 0.3 s in one piece, speaker 0 0.4 s in two.
        let turns = [turn(0, 0.0, 0.2), turn(1, 0.2, 0.5), turn(0, 0.5, 0.7)];
        assert_eq!(speakers(vec![word("well.", 0.0, 0.7)], &turns), [0]);
    }

    #[test]
    fn a_word_that_follows_its_sentence_lies_outside_of_its_speakers_turns() {
        let turns = [turn(0, 0.0, 1.3), turn(1, 1.3, 4.0)];
        let mut words =
            vec![word("And", 1.0, 1.25), word("then", 1.4, 1.8), word("we", 1.9, 2.2), word("left.", 2.3, 3.0)];
        assign(&mut words, &turns);
        assert_eq!(words.iter().map(|w| w.inside).collect::<Vec<_>>(), [false, true, true, true]);
    }

    #[test]
    fn without_punctuation_a_long_monologue_does_not_take_the_answer_behind_it() {
        let turns = [turn(0, 0.0, 60.0), turn(1, 60.0, 60.4)];
        let mut words: Vec<_> = (0..200).map(|i| word("so", f64::from(i) * 0.3, f64::from(i) * 0.3 + 0.3)).collect();
        words.push(word("yes", 60.0, 60.4));
        assert_eq!(speakers(words, &turns)[199..], [0, 1]);
    }

    #[test]
    fn an_answer_of_one_word_keeps_its_speaker() {
        let turns = [turn(0, 0.0, 2.0), turn(1, 2.1, 2.5), turn(0, 2.6, 4.0)];
        let words = vec![word("Ready?", 1.0, 1.9), word("Yes.", 2.1, 2.5), word("Good.", 2.7, 3.2)];
        assert_eq!(speakers(words, &turns), [0, 1, 0]);
    }

    #[test]
    fn without_turns_everything_is_one_speaker() {
        assert_eq!(speakers(vec![word("hello", 0.0, 0.5), word("there", 0.5, 1.0)], &[]), [0, 0]);
    }
}
