//! Puts placeholders into segments and words. Its one invariant: the words of a segment spell its text up to spaces, before and after,
//! and no time changes but that words which share a placeholder become one, from the start of the first to the end of the last.

use std::ops::Range;

use speech::transcript::{Segment, Transcript, Word};

use super::claim::Claim;
use super::token::Page;
use super::{Finding, Kind};

/// A placeholder and the bytes of the text that it replaces.
struct Change {
    kind: Kind,
    bytes: Range<usize>,
}

/// Drops the words of segments whose text they do not spell.
pub(super) fn drop_strange_words(transcript: &mut Transcript) {
    transcript.segments.iter_mut().for_each(drop_if_strange);
}

fn drop_if_strange(segment: &mut Segment) {
    if extents(&segment.text, &segment.words).is_none() {
        segment.words.clear();
    }
}

/// Replaces what is claimed. Claims are in the order of the text.
pub(super) fn replace(transcript: &mut Transcript, page: &Page, claims: &[Claim]) {
    let of_segment = |claim: &Claim| page.tokens[claim.first].segment;
    for claims in claims.chunk_by(|a, b| of_segment(a) == of_segment(b)) {
        let segment = &mut transcript.segments[of_segment(&claims[0])];
        let changes: Vec<Change> = claims
            .iter()
            .map(|claim| Change {
                kind: claim.kind,
                bytes: page.tokens[claim.first].start..page.tokens[claim.last].end,
            })
            .collect();
        segment.words = words(segment, &changes);
        segment.text = changed(&segment.text, 0..segment.text.len(), &changes);
        drop_if_strange(segment);
    }
}

/// The bytes `range` of `text` with `changes`, each of which lies inside or outside of it.
fn changed(text: &str, range: Range<usize>, changes: &[Change]) -> String {
    let mut out = String::with_capacity(range.len());
    let mut at = range.start;
    for change in changes.iter().filter(|change| range.start <= change.bytes.start && change.bytes.end <= range.end) {
        out.push_str(&text[at..change.bytes.start]);
        out.push_str(change.kind.placeholder());
        at = change.bytes.end;
    }
    out.push_str(&text[at..range.end]);
    out
}

/// The words of a segment, those that share a change made one.
fn words(segment: &Segment, changes: &[Change]) -> Vec<Word> {
    let Some(extents) = extents(&segment.text, &segment.words) else { return Vec::new() };
    let mut words: Vec<Word> = Vec::with_capacity(extents.len());
    let mut changes_left = changes;
    let mut index = 0;
    while index < extents.len() {
        while changes_left.first().is_some_and(|change| change.bytes.end <= extents[index].start) {
            changes_left = &changes_left[1..];
        }
        let touches =
            |change: &Change, extent: &Range<usize>| change.bytes.start < extent.end && extent.start < change.bytes.end;
        if !changes_left.first().is_some_and(|change| touches(change, &extents[index])) {
            words.push(segment.words[index].clone());
            index += 1;
            continue;
        }
        // As long as a change reaches into the next word, or the next change into this one.
        let (mut end, mut until) = (index + 1, extents[index].end);
        let start = changes_left.first().map_or(usize::MAX, |change| change.bytes.start).min(extents[index].start);
        let mut reach = until;
        for change in changes_left {
            if change.bytes.start >= until {
                break;
            }
            reach = reach.max(change.bytes.end);
            while end < extents.len() && extents[end].start < reach {
                until = until.max(extents[end].end);
                end += 1;
            }
        }
        let cluster = &segment.words[index..end];
        words.push(Word {
            text: changed(&segment.text, start..until.max(reach), changes),
            start_seconds: cluster.iter().map(|word| word.start_seconds).fold(f64::INFINITY, f64::min),
            end_seconds: cluster.iter().map(|word| word.end_seconds).fold(f64::NEG_INFINITY, f64::max),
            confidence: cluster.iter().map(|word| word.confidence).fold(f32::INFINITY, f32::min),
        });
        index = end;
    }
    words
}

/// The bytes of `text` that each word stands for, its punctuation included; `None` where the letters and digits of the words are not
/// those of the text.
fn extents(text: &str, words: &[Word]) -> Option<Vec<Range<usize>>> {
    exact(text, words).or_else(|| by_letters(text, words))
}

/// Words that are the text but for spaces, as our own engine writes them.
fn exact(text: &str, words: &[Word]) -> Option<Vec<Range<usize>>> {
    let mut at = 0;
    let mut extents = Vec::with_capacity(words.len());
    for word in words {
        let rest = text[at..].trim_start();
        let start = text.len() - rest.len();
        at = text.len() - rest.strip_prefix(word.text.as_str())?.len();
        extents.push(start..at);
    }
    (words.is_empty() || text[at..].trim().is_empty()).then_some(extents)
}

/// Words that lack the punctuation of the text, as some providers send them. A word without letters and digits has no bytes.
fn by_letters(text: &str, words: &[Word]) -> Option<Vec<Range<usize>>> {
    let mut cores: Vec<Range<usize>> = Vec::with_capacity(words.len());
    let mut letters = text.char_indices().filter(|(_, c)| c.is_alphanumeric());
    let mut at = 0;
    for word in words {
        let mut core = at..at;
        for (number, c) in word.text.chars().filter(|c| c.is_alphanumeric()).enumerate() {
            let (place, same) = letters.next()?;
            if same != c {
                return None;
            }
            if number == 0 {
                core.start = place;
            }
            core.end = place + c.len_utf8();
        }
        at = core.end;
        cores.push(core);
    }
    if letters.next().is_some() && !words.is_empty() {
        return None;
    }
    Some(with_punctuation(text, cores))
}

/// What is glued to a word belongs to it; between two words that are glued, to the first.
fn with_punctuation(text: &str, mut cores: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut behind = 0;
    let starts: Vec<usize> = cores.iter().map(|core| core.start).collect();
    for (index, core) in cores.iter_mut().enumerate() {
        if core.start >= core.end {
            continue;
        }
        let head = &text[behind..core.start];
        core.start = behind
            + head.rfind(char::is_whitespace).map_or(0, |at| at + head[at..].chars().next().map_or(0, char::len_utf8));
        let next = starts[index + 1..].iter().copied().find(|start| *start >= core.end).unwrap_or(text.len());
        let tail = &text[core.end..next.max(core.end)];
        core.end += tail.find(char::is_whitespace).unwrap_or(tail.len());
        behind = core.end;
    }
    cores
}

/// All placeholders of a transcript.
pub(super) fn findings(transcript: &Transcript) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, segment) in transcript.segments.iter().enumerate() {
        if segment.words.is_empty() {
            findings.extend(placeholders(&segment.text).map(|kind| Finding {
                kind,
                segment: index,
                word: None,
                start_seconds: segment.start_seconds,
                end_seconds: segment.end_seconds,
            }));
        }
        for (place, word) in segment.words.iter().enumerate() {
            findings.extend(placeholders(&word.text).map(|kind| Finding {
                kind,
                segment: index,
                word: Some(place),
                start_seconds: word.start_seconds,
                end_seconds: word.end_seconds,
            }));
        }
    }
    findings
}

fn placeholders(text: &str) -> impl Iterator<Item = Kind> + '_ {
    text.match_indices('[').filter_map(|(at, _)| Kind::placeholder_at(&text[at..]))
}
