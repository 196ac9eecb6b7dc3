//! The sentences that say most, by the frequency of their words (Luhn 1958), raised where there is a task, an amount or a day. Its one
//! invariant: a summary is made of whole sentences of the call, in their order.

use std::collections::{BTreeMap, BTreeSet};

use super::Call;
use super::amount::amounts;
use super::document::{Bullet, DiscussionPoint, Importance, Phase};

/// Words of the shortest sentence worth quoting.
const SENTENCE_WORDS: usize = 6;

/// Sentences of the summary.
const SENTENCES: usize = 3;

/// Points of a call.
const POINTS: usize = 7;

/// Points of high importance.
const HIGH: usize = 3;

/// Seconds of call that a bullet stands for, between the fewest and the most.
const BULLET_SECONDS: f64 = 300.0;
const BULLETS: std::ops::RangeInclusive<usize> = 3..=10;

/// Shares of a call that are its opening and its closing.
pub(super) const OPENING: f64 = 0.2;
pub(super) const CLOSING: f64 = 0.8;

pub(super) struct Summary {
    pub(super) best: Option<String>,
    pub(super) text: Option<String>,
    pub(super) bullets: Vec<Bullet>,
    pub(super) points: Vec<DiscussionPoint>,
}

/// The phase of a call that `seconds` is in.
pub(super) fn phase(call: &Call<'_>, at: usize) -> Phase {
    let segment = &call.transcript.segments[call.sentences[at].segment];
    let share = segment.start_seconds / call.transcript.duration_seconds.max(f64::MIN_POSITIVE);
    match share {
        _ if share < OPENING => Phase::Opening,
        _ if share >= CLOSING => Phase::Closing,
        _ => Phase::Middle,
    }
}

/// Summarises a call; `weighty` are the sentences that say tasks.
pub(super) fn summary(call: &Call<'_>, weighty: &BTreeSet<usize>) -> Summary {
    let stems: Vec<Vec<String>> = (0..call.sentences.len()).map(|at| stems(call, at)).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for stem in stems.iter().flatten() {
        *counts.entry(stem).or_default() += 1;
    }
    let mut ranked: Vec<(usize, f64)> = (0..call.sentences.len())
        .filter(|at| is_quotable(call, *at, &stems[*at]))
        .map(|at| (at, score(call, at, &stems[at], &counts, weighty)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let quote = |at: usize| call.sentences[at].text.to_owned();
    let mut first: Vec<usize> = ranked.iter().take(SENTENCES).map(|(at, _)| *at).collect();
    first.sort_unstable();
    let text = (first.len() > 1).then(|| first.iter().map(|at| quote(*at)).collect::<Vec<_>>().join(" "));
    Summary {
        best: ranked.first().map(|(at, _)| quote(*at)),
        text,
        bullets: bullets(call, &ranked, &stems, &counts),
        points: points(call, &ranked, &stems, &counts),
    }
}

fn stems(call: &Call<'_>, at: usize) -> Vec<String> {
    (0..call.sentences[at].words.len()).filter_map(|word| call.stem(at, word)).collect()
}

fn is_quotable(call: &Call<'_>, at: usize, stems: &[String]) -> bool {
    let sentence = &call.sentences[at];
    sentence.words.len() >= SENTENCE_WORDS && stems.len() >= 2 && !sentence.question
}

/// The mean weight of the words that carry meaning, by the root of how many there are: neither the longest sentence nor the shortest.
fn score(
    call: &Call<'_>,
    at: usize,
    stems: &[String],
    counts: &BTreeMap<&str, usize>,
    weighty: &BTreeSet<usize>,
) -> f64 {
    let sentence = &call.sentences[at];
    let different: BTreeSet<&String> = stems.iter().collect();
    let weight: f64 = different.iter().map(|stem| (1.0 + counts[stem.as_str()] as f64).ln()).sum();
    let mut score = weight / (different.len() as f64).sqrt();
    if weighty.contains(&at) {
        score *= 1.5;
    }
    if !call.mentions[at].is_empty() || !amounts(sentence).is_empty() {
        score *= 1.2;
    }
    if sentence.lexicon().any("courtesy", &sentence.words) {
        score *= 0.5;
    }
    score
}

/// What of a sentence was said most often, as it was said.
fn subject(call: &Call<'_>, at: usize, stems: &[String], counts: &BTreeMap<&str, usize>) -> Option<String> {
    let most = stems.iter().max_by_key(|stem| (counts[stem.as_str()], stem.len()))?;
    let sentence = &call.sentences[at];
    let word = (0..sentence.words.len()).find(|word| call.stem(at, *word).as_ref() == Some(most))?;
    Some(sentence.words[word].raw.to_lowercase())
}

fn points(
    call: &Call<'_>,
    ranked: &[(usize, f64)],
    stems: &[Vec<String>],
    counts: &BTreeMap<&str, usize>,
) -> Vec<DiscussionPoint> {
    let mut best: Vec<(usize, usize)> = ranked.iter().take(POINTS).map(|(at, _)| *at).enumerate().collect();
    best.sort_by_key(|(_, at)| *at);
    let point = |(rank, at): (usize, usize)| DiscussionPoint {
        text: call.sentences[at].text.to_owned(),
        topic: subject(call, at, &stems[at], counts),
        phase: phase(call, at),
        importance: if rank < HIGH { Importance::High } else { Importance::Medium },
        source_segment_ids: call.cite([at]),
    };
    best.into_iter().map(point).collect()
}

/// The call in equal parts, each with the sentence that says most of it.
fn bullets(
    call: &Call<'_>,
    ranked: &[(usize, f64)],
    stems: &[Vec<String>],
    counts: &BTreeMap<&str, usize>,
) -> Vec<Bullet> {
    let duration = call.transcript.duration_seconds.max(f64::MIN_POSITIVE);
    let parts = ((duration / BULLET_SECONDS).ceil() as usize).clamp(*BULLETS.start(), *BULLETS.end());
    let start = |at: usize| call.transcript.segments[call.sentences[at].segment].start_seconds;
    let part = |at: usize| ((start(at) / duration * parts as f64) as usize).min(parts - 1);
    let best = |wanted: usize| ranked.iter().map(|(at, _)| *at).find(|at| part(*at) == wanted);
    let bullets = (0..parts).filter_map(best).filter_map(|at| {
        let seconds = start(at).max(0.0) as u64;
        Some(Bullet {
            header: subject(call, at, &stems[at], counts)?,
            start_timestamp: format!("{:02}:{:02}", seconds / 60, seconds % 60),
            paragraphs: vec![call.sentences[at].text.to_owned()],
        })
    });
    bullets.collect()
}
