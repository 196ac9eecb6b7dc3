//! Token alignment to words with times: tokens are grouped into words, punctuation joins its word, and times are mapped
//! from the window to the recording.

use super::{
    network::Alignment,
    tokenizer::{Tokenizer, WordTokens},
    window::Window,
};
use crate::{transcript::Word, writing::ends_sentence};

/// Seconds of one encoder frame.
const FRAME_SECONDS: f64 = 0.02;
/// Opening punctuation belongs to the word that follows.
const OPENING: &str = "\"'“¿([{-«„‹";
/// Closing punctuation belongs to the word before it.
const CLOSING: &str = "\"'.。,，!！?？:：;”)]}、»“‹›…";

/// The words of a decoded window in order, with times in seconds of the recording.
pub(super) fn words(
    tokenizer: &Tokenizer,
    tokens: &[usize],
    language: &str,
    aligned: &Alignment,
    window: &Window,
) -> Vec<Word> {
    let groups = tokenizer.split_words(tokens, language);
    let starts = token_starts(aligned, tokens.len());
    let mut words = Vec::with_capacity(groups.len());
    let mut token = 0;
    for WordTokens { text, tokens: count } in groups {
        let range = token..token + count;
        token += count;
        let (start, end) = (starts[range.start], starts[range.end]);
        let probs = aligned.probs.get(range).unwrap_or_default();
        let confidence = probs.iter().sum::<f32>() / probs.len().max(1) as f32;
        words.push(Word { text, start_seconds: start, end_seconds: end, confidence });
    }
    let mut words = join_punctuation(words);
    limit_durations(&mut words);
    for word in &mut words {
        let (start, end) = window.to_recording(word.start_seconds, word.end_seconds);
        (word.start_seconds, word.end_seconds) = (start, end);
        word.text = word.text.trim().to_owned();
    }
    words.retain(|w| !w.text.is_empty());
    words
}

/// When each token starts in the window, in seconds, and (one more entry) when the last one ends.
fn token_starts(aligned: &Alignment, tokens: usize) -> Vec<f64> {
    let mut starts = vec![f64::NAN; tokens + 1];
    for &(token, frame) in &aligned.path {
        if let Some(start) = starts.get_mut(token)
            && start.is_nan()
        {
            *start = frame as f64 * FRAME_SECONDS;
        }
    }
    let mut last = 0.0;
    for start in &mut starts {
        if start.is_nan() {
            *start = last;
        }
        last = *start;
    }
    starts
}

/// Joins punctuation that stands alone to the word it belongs to.
fn join_punctuation(words: Vec<Word>) -> Vec<Word> {
    let mut joined: Vec<Word> = Vec::with_capacity(words.len());
    let mut opening: Option<Word> = None;
    for mut word in words {
        let mark = word.text.trim().to_owned();
        let alone = |set: &str| !mark.is_empty() && mark.chars().all(|c| set.contains(c));
        if alone(CLOSING)
            && !word.text.starts_with(' ')
            && let Some(previous) = joined.last_mut()
        {
            previous.text.push_str(&mark);
        } else if alone(OPENING) && word.text.starts_with(' ') {
            opening = Some(word);
        } else {
            if let Some(mark) = opening.take() {
                word.text = format!("{}{}", mark.text, word.text.trim_start());
            }
            joined.push(word);
        }
    }
    joined
}

/// Alignment gives the silence around a word to the word. A word much longer than its neighbours keeps the end that
/// touches the next word, or its start when it ends a sentence.
fn limit_durations(words: &mut [Word]) {
    let mut durations: Vec<f64> = words.iter().map(|w| w.end_seconds - w.start_seconds).filter(|d| *d > 0.0).collect();
    durations.sort_by(f64::total_cmp);
    let median = durations.get(durations.len() / 2).copied().unwrap_or(0.0).min(0.7);
    let longest = (median * 2.0).max(0.4);
    for word in words {
        if word.end_seconds - word.start_seconds > longest {
            if ends_sentence(&word.text) || word.text.ends_with(',') {
                word.end_seconds = word.start_seconds + longest;
            } else {
                word.start_seconds = word.end_seconds - longest;
            }
        }
    }
}
