//! Speech probabilities in, spans out: hysteresis, least lengths, padding, and a greatest length.
//!
//! Invariant: the padding of neighbours never overlaps, because it is at most half the silence between them.

use super::FRAME;

/// A frame at or above this starts a span (Silero's own default).
const ON: f32 = 0.5;
/// A frame below this may end one; Silero puts it .15 under [`ON`].
const OFF: f32 = 0.35;
/// Frames below [`OFF`] that end a span: 416 ms, so that the pauses inside a sentence do not.
const MIN_SILENCE: usize = 13;
/// Frames that a span has at least, 256 ms: shorter than "yes" it is a click.
const MIN_SPEECH: usize = 8;
/// A span's surest frame reaches at least this; what never does is breath or noise.
const SURE: f32 = 0.7;
/// Samples added on both sides, 200 ms: soft consonants and breath score low.
const PAD: u64 = 3_200;
/// Frames after which a span is cut, 28 s: with padding it still fits into one 30 s window of Whisper.
const MAX_FRAMES: usize = 875;

const _: () = assert!(2 * PAD <= (MIN_SILENCE * FRAME) as u64, "padding must not overlap");

/// A stretch of speech, in samples from the start of the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// First sample.
    pub start: u64,
    /// One past the last sample.
    pub end: u64,
    /// Sample at which the first frame of [`Span::probabilities`] starts; at or after `start`.
    pub frames_start: u64,
    /// Probability of speech, 0..=1, of every [`FRAME`] samples from `frames_start`.
    pub probabilities: Vec<f32>,
}

impl Span {
    /// The middle of the least voiced frame among those that lie within `from..to`; the middle of the range where none does.
    pub fn least_voiced(&self, from: u64, to: u64) -> u64 {
        let frame = FRAME as u64;
        let first = from.saturating_sub(self.frames_start).div_ceil(frame) as usize;
        let last = (to.saturating_sub(self.frames_start) / frame) as usize;
        least_voiced(&self.probabilities, first, last)
            .map_or(from.midpoint(to), |i| self.frames_start + i as u64 * frame + frame / 2)
    }
}

/// Index of the least voiced of `probabilities[first..last]`, smoothed over three frames (a pause, not a plosive).
fn least_voiced(probabilities: &[f32], first: usize, last: usize) -> Option<usize> {
    let smooth = |i: usize| {
        let around = &probabilities[i.saturating_sub(1)..(i + 2).min(probabilities.len())];
        around.iter().sum::<f32>() / around.len() as f32
    };
    (first..last.min(probabilities.len())).min_by(|&a, &b| smooth(a).total_cmp(&smooth(b)))
}

/// Turns a stream of frame probabilities into spans.
#[derive(Default)]
pub(super) struct SpanBuilder {
    /// Frames seen.
    frames: u64,
    /// End of the last span, in samples.
    last_end: u64,
    open: Option<Open>,
}

/// A span that has begun.
struct Open {
    /// First frame.
    start: u64,
    /// It goes on from a span that was cut: no padding before it.
    continued: bool,
    probabilities: Vec<f32>,
    /// Index into `probabilities` of the frame at which silence set in.
    silent_from: Option<usize>,
}

impl SpanBuilder {
    /// Takes the next frame; returns the span that it ends, if any.
    pub(super) fn push(&mut self, probability: f32) -> Option<Span> {
        let frame = self.frames;
        self.frames += 1;
        let Some(open) = &mut self.open else {
            if probability >= ON {
                let probabilities = vec![probability];
                self.open = Some(Open { start: frame, continued: false, probabilities, silent_from: None });
            }
            return None;
        };
        if probability >= ON {
            open.silent_from = None;
        } else if probability < OFF {
            open.silent_from.get_or_insert(open.probabilities.len());
        }
        open.probabilities.push(probability);
        match open.silent_from {
            Some(from) if open.probabilities.len() - from >= MIN_SILENCE => self.close(u64::MAX),
            _ if open.probabilities.len() >= MAX_FRAMES => self.split(),
            _ => None,
        }
    }

    /// Ends the stream, which is `samples` long.
    pub(super) fn finish(mut self, samples: u64) -> Option<Span> {
        self.close(samples)
    }

    pub(super) fn open_since(&self) -> Option<u64> {
        self.open.as_ref().map(|open| self.start_of(open))
    }

    fn start_of(&self, open: &Open) -> u64 {
        let start = open.start * FRAME as u64;
        if open.continued { start } else { start.saturating_sub(PAD).max(self.last_end) }
    }

    /// Ends the open span where its silence set in, and no later than the stream does.
    fn close(&mut self, samples: u64) -> Option<Span> {
        let mut open = self.open.take()?;
        open.probabilities.truncate(open.silent_from.unwrap_or(open.probabilities.len()));
        let sure = open.probabilities.iter().any(|&p| p >= SURE);
        // What goes on from a span that was cut is speech however short it is, unless silence set in before the cut.
        let long_enough = open.probabilities.len() >= if open.continued { 1 } else { MIN_SPEECH };
        if !long_enough || !(sure || open.continued) {
            return None;
        }
        let end = (open.start + open.probabilities.len() as u64) * FRAME as u64 + PAD;
        Some(self.span(open, end.min(samples)))
    }

    /// Cuts the open span at the least voiced frame of its second half; the rest stays open.
    fn split(&mut self) -> Option<Span> {
        let mut open = self.open.take()?;
        let cut = least_voiced(&open.probabilities, MAX_FRAMES / 2, MAX_FRAMES)?;
        let rest = open.probabilities.split_off(cut);
        let next = open.start + cut as u64;
        let silent_from = open.silent_from.map(|from| from.saturating_sub(cut));
        let span = self.span(open, next * FRAME as u64);
        self.open = Some(Open { start: next, continued: true, probabilities: rest, silent_from });
        Some(span)
    }

    fn span(&mut self, open: Open, end: u64) -> Span {
        let start = self.start_of(&open);
        self.last_end = end;
        Span { start, end, frames_start: open.start * FRAME as u64, probabilities: open.probabilities }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans of runs of `(frames, probability)`.
    fn spans(runs: &[(usize, f32)]) -> Vec<Span> {
        let mut builder = SpanBuilder::default();
        let frames: usize = runs.iter().map(|r| r.0).sum();
        let frames_of = |&(n, p): &(usize, f32)| std::iter::repeat_n(p, n);
        let mut spans: Vec<_> = runs.iter().flat_map(frames_of).filter_map(|p| builder.push(p)).collect();
        spans.extend(builder.finish((frames * FRAME) as u64));
        spans
    }

    #[test]
    fn a_span_is_padded_on_both_sides() {
        let found = spans(&[(50, 0.0), (40, 0.9), (50, 0.0)]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].end), (50 * 512 - 3_200, 90 * 512 + 3_200));
        assert_eq!((found[0].frames_start, found[0].probabilities.len()), (50 * 512, 40));
    }

    #[test]
    fn padding_stays_inside_the_stream() {
        let found = spans(&[(20, 0.9)]);
        assert_eq!((found[0].start, found[0].end), (0, 20 * 512));
    }

    #[test]
    fn a_short_pause_does_not_end_a_span_and_a_long_one_does() {
        assert_eq!(spans(&[(20, 0.9), (12, 0.1), (20, 0.9)]).len(), 1);
        assert_eq!(spans(&[(20, 0.9), (13, 0.1), (20, 0.9)]).len(), 2);
    }

    #[test]
    fn neighbours_do_not_overlap() {
        let found = spans(&[(20, 0.9), (13, 0.1), (20, 0.9)]);
        assert!(found[0].end <= found[1].start);
    }

    #[test]
    fn a_click_and_an_unsure_murmur_are_not_speech() {
        assert_eq!(spans(&[(20, 0.0), (7, 1.0), (20, 0.0)]), []);
        assert_eq!(spans(&[(20, 0.0), (60, 0.6), (20, 0.0)]), []);
    }

    #[test]
    fn a_long_span_is_cut_at_its_least_voiced_point_and_nothing_is_lost() {
        let found = spans(&[(600, 0.9), (3, 0.4), (600, 0.9)]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].end, 601 * 512);
        assert_eq!(found[1].start, found[0].end);
        assert_eq!(found[1].end, 1_203 * 512);
    }

    #[test]
    fn the_short_tail_of_a_span_that_was_cut_is_kept() {
        let found = spans(&[(868, 0.9), (3, 0.2), (4, 0.6), (20, 0.1)]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].start, found[1].end), (found[0].end, 875 * 512 + 3_200));
    }

    #[test]
    fn the_least_voiced_point_of_a_range_is_its_pause() {
        let found = spans(&[(100, 0.9), (3, 0.4), (100, 0.9)]);
        assert_eq!(found[0].least_voiced(0, 203 * 512), 101 * 512 + 256);
    }
}
