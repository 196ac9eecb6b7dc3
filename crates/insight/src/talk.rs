//! Talk analytics: who spoke how much, how fast and over whom, measured from segments and never guessed. Its one invariant: numbers
//! only, so that they may be stored and summed where content may not.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use speech::transcript::{Segment, Transcript};

use crate::search::words::is_unspaced;

/// A speaker's own pause below which a monologue goes on, in seconds.
const MONOLOGUE_PAUSE: f64 = 2.0;

/// An overlap of less than this is a turn that was taken quickly, or the error of the diarization, in seconds.
const OVERLAP: f64 = 0.2;

/// Silence below this is the rhythm of speech, in seconds.
const SILENCE: f64 = 0.5;

/// An answer that takes longer than this is a silence and no answer, in seconds.
const LATEST_RESPONSE: f64 = 10.0;

/// What a call looks like from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TalkAnalytics {
    /// Length of the recording in seconds.
    pub duration_seconds: f64,
    /// Seconds in which anybody speaks.
    pub talk_seconds: f64,
    /// Seconds in which nobody does, in stretches of half a second and more.
    pub silence_seconds: f64,
    /// The longest of these.
    pub longest_silence_seconds: f64,
    /// Seconds in which more than one speaks.
    pub overlap_seconds: f64,
    /// Stretches of them.
    pub overlaps: usize,
    /// Turns that begin while somebody else speaks and outlast them.
    pub interruptions: usize,
    /// Changes of speaker.
    pub turns: usize,
    /// Questions asked.
    pub questions: usize,
    /// Words spoken. Absent where those of a speaker are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<usize>,
    /// Words a minute of speech. Absent where the words are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The longest of any speaker's.
    pub longest_monologue_seconds: f64,
    /// Median seconds from the end of a turn to the beginning of the next speaker's. Absent where nobody answers anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_latency_seconds: Option<f64>,
    /// Each speaker, in the transcript's order.
    pub speakers: Vec<SpeakerTalk>,
}

/// What one speaker's part looks like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpeakerTalk {
    /// `spk_1` …
    pub speaker_id: String,
    /// Seconds of speech; parts of the speaker's own that overlap count once.
    pub talk_seconds: f64,
    /// Share of what all speakers speak, 0..=1; the shares of those who speak add up to 1.
    pub talk_share: f64,
    /// Words spoken. Absent for who says anything in a script that puts no spaces between words: they cannot be counted there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<usize>,
    /// Words a minute of speech; 0 for who says nothing. Absent where the words are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The longest stretch without another speaker's turn and without a pause of two seconds.
    pub longest_monologue_seconds: f64,
    /// How often the speaker began while another spoke, and outlasted them.
    pub interruptions: usize,
    /// How often that was done to the speaker.
    pub interrupted: usize,
    /// Seconds in which the speaker speaks and somebody else does too.
    pub overlap_seconds: f64,
    /// Stretches of them.
    pub overlaps: usize,
    /// Seconds of the call's silences that the speaker ends, after another or after a pause of the speaker's own.
    pub silence_seconds: f64,
    /// The longest of these.
    pub longest_silence_seconds: f64,
    /// Questions asked.
    pub questions: usize,
    /// Turns taken.
    pub turns: usize,
    /// Median seconds from the end of another's turn to the beginning of the speaker's; 0 where the speaker came first. Absent where
    /// the speaker answers nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_latency_seconds: Option<f64>,
}

/// Measures `transcript`. Segments that end before they begin count as empty. It takes time in proportion to segments × speakers.
#[must_use]
pub fn measure(transcript: &Transcript) -> TalkAnalytics {
    let segments: Vec<Piece<'_>> = transcript.segments.iter().map(Piece::of).collect();
    let all = union(segments.iter().map(Piece::span));
    let silences = silences(&all, transcript.duration_seconds);
    let overlaps = overlaps(&transcript.speakers.iter().map(|one| own(&one.speaker_id, &segments)).collect::<Vec<_>>());
    let mut speakers: Vec<SpeakerTalk> = transcript
        .speakers
        .iter()
        .map(|speaker| speaker_talk(&speaker.speaker_id, &segments, &overlaps, &silences))
        .collect();
    let spoken: f64 = speakers.iter().map(|speaker| speaker.talk_seconds).sum();
    for speaker in &mut speakers {
        speaker.talk_share = if spoken > 0.0 { speaker.talk_seconds / spoken } else { 0.0 };
    }
    let words: Option<usize> = speakers.iter().map(|speaker| speaker.words).sum();
    TalkAnalytics {
        duration_seconds: transcript.duration_seconds,
        talk_seconds: total(&all),
        silence_seconds: total(&silences),
        longest_silence_seconds: longest(&silences),
        overlap_seconds: total(&overlaps),
        overlaps: overlaps.len(),
        interruptions: speakers.iter().map(|speaker| speaker.interruptions).sum(),
        turns: speakers.iter().map(|speaker| speaker.turns).sum(),
        questions: speakers.iter().map(|speaker| speaker.questions).sum(),
        words,
        words_per_minute: words.map(|words| per_minute(words, spoken)),
        longest_monologue_seconds: speakers.iter().map(|speaker| speaker.longest_monologue_seconds).fold(0.0, f64::max),
        response_latency_seconds: median(latencies(&segments, |_| true)),
        speakers,
    }
}

type Span = (f64, f64);

struct Piece<'t> {
    speaker: &'t str,
    start: f64,
    end: f64,
    words: Option<usize>,
    questions: usize,
}

impl<'t> Piece<'t> {
    fn of(segment: &'t Segment) -> Self {
        Self {
            speaker: &segment.speaker_id,
            start: segment.start_seconds,
            end: segment.end_seconds.max(segment.start_seconds),
            words: words(&segment.text),
            questions: questions(&segment.text),
        }
    }

    fn span(&self) -> Span {
        (self.start, self.end)
    }

    /// Whether this piece begins inside of `other` and goes on behind it.
    fn interrupts(&self, other: &Self) -> bool {
        self.speaker != other.speaker
            && self.start > other.start
            && self.start < other.end - OVERLAP
            && self.end > other.end
    }
}

/// Tibetan, which parts syllables by marks and phrases by spaces.
const TIBETAN: RangeInclusive<char> = '\u{F00}'..='\u{FFF}';

/// Words of `text`, where spaces part them. The script says whether they do, and not the label of a language, which may be wrong.
fn words(text: &str) -> Option<usize> {
    let is_spaced = !text.contains(|c| is_unspaced(c) || TIBETAN.contains(&c));
    is_spaced.then(|| text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count())
}

/// Runs of question marks of any script: "What?!" asks once.
fn questions(text: &str) -> usize {
    let is_mark = |c: char| matches!(c, '?' | '？' | '؟');
    let mut before = false;
    text.chars().filter(|&c| !std::mem::replace(&mut before, is_mark(c)) && is_mark(c)).count()
}

fn speaker_talk(id: &str, segments: &[Piece<'_>], overlaps: &[Span], silences: &[Span]) -> SpeakerTalk {
    let mine = || segments.iter().filter(|piece| piece.speaker == id);
    let spans = own(id, segments);
    let (talk_seconds, shared) = (total(&spans), shared(&spans, overlaps));
    let words: Option<usize> = mine().map(|piece| piece.words).sum();
    let ended: Vec<Span> = silences.iter().filter(|silence| ends(segments, silence, id)).copied().collect();
    // Each turn against those around it only: an interruption begins inside the one it breaks into.
    let breaks = |one: &Piece<'_>, by_me: bool| {
        let (mut count, from) = (0, segments.partition_point(|piece| piece.start < one.start));
        for other in segments[..from].iter().rev().take(NEAR) {
            let concerns = if by_me { one.speaker == id } else { other.speaker == id };
            count += usize::from(concerns && one.interrupts(other));
        }
        count.min(1)
    };
    SpeakerTalk {
        speaker_id: id.to_owned(),
        talk_seconds,
        talk_share: 0.0,
        words,
        words_per_minute: words.map(|words| per_minute(words, talk_seconds)),
        longest_monologue_seconds: longest_monologue(id, segments),
        interruptions: mine().map(|piece| breaks(piece, true)).sum(),
        interrupted: segments.iter().filter(|piece| piece.speaker != id).map(|piece| breaks(piece, false)).sum(),
        overlap_seconds: total(&shared),
        overlaps: shared.len(),
        silence_seconds: total(&ended),
        longest_silence_seconds: longest(&ended),
        questions: mine().map(|piece| piece.questions).sum(),
        turns: turns(segments).filter(|turn| turn[0].speaker == id).count(),
        response_latency_seconds: median(latencies(segments, |speaker| speaker == id)),
    }
}

/// Segments that are looked back over for one that is broken into; more people never speak at once.
const NEAR: usize = 16;

/// Stretches of one speaker.
fn turns<'s, 't>(segments: &'s [Piece<'t>]) -> impl Iterator<Item = &'s [Piece<'t>]> {
    segments.chunk_by(|a, b| a.speaker == b.speaker)
}

fn longest_monologue(id: &str, segments: &[Piece<'_>]) -> f64 {
    let mine = turns(segments).filter(|turn| turn[0].speaker == id);
    let stretches = mine.flat_map(|turn| turn.chunk_by(|a, b| b.start - a.end < MONOLOGUE_PAUSE));
    let lengths = stretches.map(|stretch| {
        let end = stretch.iter().map(|piece| piece.end).fold(f64::MIN, f64::max);
        end - stretch[0].start
    });
    lengths.fold(0.0, f64::max)
}

/// From the end of each turn to the beginning of the next speaker's, where that is one of those who are `meant`.
fn latencies(segments: &[Piece<'_>], meant: impl Fn(&str) -> bool) -> Vec<f64> {
    let turns: Vec<&[Piece<'_>]> = turns(segments).collect();
    let answers = turns.windows(2).filter(|pair| meant(pair[1][0].speaker));
    let waits = answers.map(|pair| {
        let end = pair[0].iter().map(|piece| piece.end).fold(f64::MIN, f64::max);
        (pair[1][0].start - end).max(0.0)
    });
    waits.filter(|wait| *wait <= LATEST_RESPONSE).collect()
}

/// The upper one of two in the middle.
fn median(mut seconds: Vec<f64>) -> Option<f64> {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}

fn own(id: &str, segments: &[Piece<'_>]) -> Vec<Span> {
    union(segments.iter().filter(|piece| piece.speaker == id).map(Piece::span))
}

/// Spans in order, none of which touches another.
fn union(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.filter(|(start, end)| end > start).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<Span> = Vec::new();
    for (start, end) in spans {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// Where two speakers or more speak at once, for longer than [`OVERLAP`].
fn overlaps(speakers: &[Vec<Span>]) -> Vec<Span> {
    let mut edges: Vec<(f64, i32)> =
        speakers.iter().flatten().flat_map(|(start, end)| [(*start, 1), (*end, -1)]).collect();
    edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut speaking, mut since, mut found) = (0, 0.0, Vec::new());
    for (at, change) in edges {
        if speaking >= 2 && speaking + change < 2 {
            found.push((since, at));
        }
        if speaking < 2 && speaking + change >= 2 {
            since = at;
        }
        speaking += change;
    }
    found.retain(|(start, end)| end - start >= OVERLAP);
    found
}

/// What is in `spans` of `overlaps`, both in order.
fn shared(spans: &[Span], overlaps: &[Span]) -> Vec<Span> {
    let (mut shared, mut from) = (Vec::new(), 0);
    for &(start, end) in overlaps {
        // One that ends before this overlap ends before every later one too.
        from += spans[from..].iter().take_while(|span| span.1 <= start).count();
        let within = spans[from..].iter().take_while(|span| span.0 < end);
        shared.extend(within.map(|span| (span.0.max(start), span.1.min(end))));
    }
    shared
}

/// Where nobody speaks, for [`SILENCE`] and longer.
fn silences(spoken: &[Span], duration: f64) -> Vec<Span> {
    let ends = std::iter::once(0.0).chain(spoken.iter().map(|span| span.1));
    let starts = spoken.iter().map(|span| span.0).chain(std::iter::once(duration));
    ends.zip(starts).filter(|(end, start)| start - end >= SILENCE).collect()
}

/// Whether `silence` ends because the speaker of this id speaks: the first, where several begin at once.
fn ends(segments: &[Piece<'_>], silence: &Span, id: &str) -> bool {
    let from = segments.partition_point(|piece| piece.start < silence.1);
    let next = segments[from..].iter().find(|piece| piece.end > piece.start);
    next.is_some_and(|piece| piece.speaker == id)
}

fn total(spans: &[Span]) -> f64 {
    spans.iter().map(|(start, end)| end - start).sum()
}

fn longest(spans: &[Span]) -> f64 {
    spans.iter().map(|(start, end)| end - start).fold(0.0, f64::max)
}

fn per_minute(words: usize, seconds: f64) -> f64 {
    if seconds > 0.0 { words as f64 * 60.0 / seconds } else { 0.0 }
}
