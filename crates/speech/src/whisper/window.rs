//! Windows: up to 30 s of speech for the recogniser, packed from spans that voice activity found. Silence between spans
//! is shortened, so a window holds several utterances; the map back to the recording is exact.
//!
//! Invariant: pieces lie one behind the other in the window and in the recording, and never overlap.

use super::mel::WINDOW_SAMPLES;
use crate::SAMPLE_RATE;

/// A stretch of speech in the recording, in samples at 16 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First sample.
    pub start: u64,
    /// One past the last sample.
    pub end: u64,
    /// Whether voice activity is sure of it.
    pub sure: bool,
}

impl Span {
    /// Length in samples.
    pub fn samples(self) -> u64 {
        self.end - self.start
    }

    /// Its first moment, in seconds.
    pub(super) fn start_seconds(self) -> f64 {
        seconds(self.start)
    }

    /// Its last moment, in seconds.
    pub(super) fn end_seconds(self) -> f64 {
        seconds(self.end)
    }

    /// The part of `[start, end)` (seconds) inside this span, in seconds.
    fn overlap(self, start: f64, end: f64) -> f64 {
        (end.min(seconds(self.end)) - start.max(seconds(self.start))).max(0.0)
    }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

/// A span, where its first sample stands in the window, and how many samples of pause stand before it.
#[derive(Clone, Copy, Debug)]
struct Piece {
    span: Span,
    at: usize,
    pause: usize,
}

/// Up to 30 s of speech, ready to be recognised.
#[derive(Clone, Debug, Default)]
pub struct Window {
    samples: Vec<f32>,
    pieces: Vec<Piece>,
}

/// The pause that is left between two spans, in samples: long enough to hear a sentence end, short enough to waste
/// little of a window.
const MAX_PAUSE: usize = SAMPLE_RATE as usize * 3 / 10;
/// The pause that is left before the first span, in samples.
const LEAD: usize = SAMPLE_RATE as usize / 10;

impl Window {
    /// Whether a span of `samples` samples, `pause` samples behind the one before it, still fits.
    pub fn fits(&self, samples: u64, pause: u64) -> bool {
        self.samples.len() + self.heard_of(pause) as usize + samples as usize <= WINDOW_SAMPLES
    }

    /// How many of the `pause` samples of the recording before a span the window takes: a natural pause is heard as the end of
    /// a sentence, digital silence as the end of the recording, and a first word that nothing comes before as another word.
    pub fn heard_of(&self, pause: u64) -> u64 {
        pause.min(if self.pieces.is_empty() { LEAD } else { MAX_PAUSE } as u64)
    }

    /// Appends the audio of a span behind a pause; what goes over the window's end is cut off.
    pub fn push(&mut self, span: Span, pause: &[f32], audio: &[f32]) {
        debug_assert_eq!(span.samples(), audio.len() as u64, "audio of exactly this span");
        let room = WINDOW_SAMPLES - self.samples.len();
        let pause = &pause[..pause.len().min(room)];
        self.samples.extend_from_slice(pause);
        let at = self.samples.len();
        let room = WINDOW_SAMPLES - self.samples.len();
        self.samples.extend_from_slice(&audio[..audio.len().min(room)]);
        self.pieces.push(Piece { span, at, pause: pause.len() });
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The audio: 16 kHz mono, at most 30 s.
    pub(super) fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Seconds of speech in the window, pauses left out.
    pub(super) fn speech_seconds(&self) -> f64 {
        self.pieces.iter().map(|p| seconds(p.span.samples())).sum()
    }

    /// Whether voice activity is sure of most of the window's speech.
    pub(super) fn sure(&self) -> bool {
        let sure: f64 = self.spans().filter(|span| span.sure).map(|span| seconds(span.samples())).sum();
        sure * 2.0 > self.speech_seconds()
    }

    /// The spans of the window, in order.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.pieces.iter().map(|p| p.span)
    }

    /// Where the window ends in the recording, in seconds.
    pub fn end(&self) -> f64 {
        self.pieces.last().map_or(0.0, |p| seconds(p.span.end))
    }

    /// Maps a stretch of window time (seconds) to the recording: to the span that holds most of it, clamped to it.
    pub(super) fn to_recording(&self, start: f64, end: f64) -> (f64, f64) {
        let rate = f64::from(SAMPLE_RATE);
        let distance = |p: &Piece| {
            let from = p.at as f64 / rate;
            let to = from + seconds(p.span.samples());
            let overlap = end.min(to) - start.max(from);
            // Outside every span the nearest one takes the word: a negative overlap is a distance.
            if overlap > 0.0 { -overlap } else { (start - to).max(from - end).max(0.0) }
        };
        let Some(piece) = self.pieces.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))) else {
            return (start, end);
        };
        let offset = seconds(piece.span.start) - piece.at as f64 / rate;
        let clamp = |t: f64| (t + offset).clamp(seconds(piece.span.start), seconds(piece.span.end));
        (clamp(start), clamp(end))
    }

    /// The spans in which no word was heard although there was time for one: candidates for a second decode.
    /// `words` are (start, end) in seconds of the recording, in order.
    pub(super) fn uncovered(&self, words: &[(f64, f64)], min_seconds: f64) -> Vec<Span> {
        self.spans()
            .filter(|span| seconds(span.samples()) >= min_seconds)
            .filter(|span| words.iter().map(|&(start, end)| span.overlap(start, end)).sum::<f64>() < 0.05)
            .collect()
    }

    /// The longest span of at least `min_seconds` in which fewer tokens a second were heard than `rate`. What a decoder skips is often a
    /// sentence, over whose time the words around it are stretched. `words` are (start, end, tokens), in seconds of the recording.
    pub(super) fn thinnest(&self, words: &[(f64, f64, f64)], min_seconds: f64, rate: f64) -> Option<Span> {
        let tokens = |span: &Span| -> f64 {
            let inside = words.iter().filter(|(start, end, _)| end > start);
            inside.map(|&(start, end, tokens)| tokens * span.overlap(start, end) / (end - start)).sum()
        };
        let length = |span: &Span| seconds(span.samples());
        let thin = self.spans().filter(|span| length(span) >= min_seconds && tokens(span) < rate * length(span));
        thin.max_by_key(|span| span.samples())
    }

    /// A window of some spans of this one.
    pub(super) fn extract(&self, wanted: impl Fn(Span) -> bool) -> Self {
        let mut window = Self::default();
        for piece in self.pieces.iter().filter(|p| wanted(p.span)) {
            let end = (piece.at + piece.span.samples() as usize).min(self.samples.len());
            // Before the pause stands a span that may not be wanted.
            let pause = window.heard_of(piece.pause as u64) as usize;
            let pause = &self.samples[piece.at.saturating_sub(pause)..piece.at.min(end)];
            window.push(piece.span, pause, &self.samples[piece.at.min(end)..end]);
        }
        window
    }

    /// The window cut in two: at the pause nearest to the middle of its speech, or, where it is one span, at the quietest
    /// point near the middle. `None` if it is too short for that.
    pub(super) fn halves(&self) -> Option<(Self, Self)> {
        if let [only] = self.pieces[..] {
            return self.cut(only);
        }
        let middle = self.samples.len() / 2;
        let at = (1..self.pieces.len()).min_by_key(|&i| self.pieces[i].at.abs_diff(middle))?;
        let boundary = self.pieces[at].span.start;
        Some((self.extract(|s| s.start < boundary), self.extract(|s| s.start >= boundary)))
    }

    /// Cuts the window's only piece at the quietest point of its middle third.
    fn cut(&self, Piece { span, at, .. }: Piece) -> Option<(Self, Self)> {
        /// Samples over which loudness is taken: 60 ms are longer than a plosive's closure and shorter than a pause.
        const QUIET: usize = SAMPLE_RATE as usize * 6 / 100;
        let audio = &self.samples[at..];
        let third = audio.len() / 3;
        let energy = |i: &usize| audio[*i..*i + QUIET].iter().map(|x| x * x).sum::<f32>();
        let candidates = (third..(2 * third).saturating_sub(QUIET)).step_by(QUIET / 4);
        let cut = candidates.min_by(|a, b| energy(a).total_cmp(&energy(b)))? + QUIET / 2;
        let half = |audio: &[f32], from: usize| {
            let start = span.start + from as u64;
            let mut window = Self::default();
            window.push(Span { start, end: start + audio.len() as u64, ..span }, &[], audio);
            window
        };
        Some((half(&audio[..cut], 0), half(&audio[cut..], cut)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of spans (start, samples), each of a value of its own, with pauses of zeros and none before the first.
    fn window(spans: &[(u64, u64)]) -> Window {
        let mut window = Window::default();
        for (i, &(start, samples)) in spans.iter().enumerate() {
            let pause = window.pieces.last().map_or(0, |last| start - last.span.end);
            let pause = vec![0.0; window.heard_of(pause) as usize];
            let span = Span { start, end: start + samples, sure: true };
            window.push(span, &pause, &vec![i as f32 + 1.0; samples as usize]);
        }
        window
    }

    #[test]
    fn words_are_led_back_to_where_they_were_spoken() {
        let window = window(&[(16_000, 16_000), (160_000, 32_000)]);
        assert_eq!(window.to_recording(0.25, 0.5), (1.25, 1.5));
        // One second of speech, 0.3 s of pause, then the second span.
        let (start, end) = window.to_recording(1.8, 2.3);
        assert!((start - 10.5).abs() < 1e-9 && (end - 11.0).abs() < 1e-9, "{start} {end}");
    }

    #[test]
    fn a_word_in_a_pause_is_moved_to_the_nearest_span() {
        let window = window(&[(0, 16_000), (160_000, 16_000)]);
        assert_eq!(window.to_recording(1.02, 1.08), (1.0, 1.0));
    }

    #[test]
    fn what_is_taken_out_of_a_window_holds_nothing_of_its_neighbours() {
        let whole = window(&[(0, 16_000), (16_000, 16_000), (32_000, 16_000)]);
        let part = whole.extract(|span| span.start != 16_000);
        assert_eq!(part.samples().len(), 32_000);
        assert!(part.samples().iter().all(|x| *x != 2.0));
        assert_eq!(part.to_recording(1.5, 1.6), (2.5, 2.6));
    }

    #[test]
    fn a_sentence_is_missed_where_stretched_words_cover_its_time() {
        let window = window(&[(0, 64_000), (70_000, 80_000), (160_000, 16_000)]);
        // Ten tokens in the first four seconds; the last of them and the next span's first reach over the five seconds between.
        let said = |last: f64, first: f64| {
            let mut words: Vec<_> = (0..9).map(|i| (0.4 * f64::from(i), 0.4 * f64::from(i + 1), 1.0)).collect();
            words.extend([(3.6, last, 1.0), (first, 10.4, 1.0), (10.4, 11.0, 1.0)]);
            words
        };
        let missed = window.thinnest(&said(7.0, 7.0), 3.0, 1.2);
        assert_eq!(missed.map(|span| (span.start, span.end)), Some((70_000, 150_000)));
        let mut heard = said(4.0, 10.1);
        heard.extend((0..8).map(|i| (4.5 + 0.6 * f64::from(i), 5.1 + 0.6 * f64::from(i), 1.0)));
        assert_eq!(window.thinnest(&heard, 3.0, 1.2), None);
    }

    #[test]
    fn a_span_that_does_not_fit_is_said_to() {
        let window = window(&[(0, 16_000 * 29)]);
        assert!(window.fits(16_000 * 7 / 10, 16_000));
        assert!(!window.fits(16_000 * 8 / 10, 16_000));
        assert!(window.fits(16_000, 0));
    }

    #[test]
    fn a_lone_long_span_is_cut_at_its_quietest_point_near_the_middle() {
        let mut audio = vec![0.5; 16_000 * 20];
        audio[16_000 * 2..16_000 * 3].fill(0.0);
        audio[16_000 * 9..16_000 * 9 + 1_600].fill(0.1);
        let mut window = Window::default();
        window.push(Span { start: 32_000, end: 32_000 + audio.len() as u64, sure: true }, &[], &audio);
        let (first, second) = window.halves().unwrap();
        let spans: Vec<Span> = first.spans().chain(second.spans()).collect();
        assert!((11.0..11.1).contains(&spans[0].end_seconds()), "{spans:?}");
        assert_eq!((spans[0].start, spans[0].end, spans[1].end), (32_000, spans[1].start, 32_000 + 320_000));
        assert_eq!([first.samples(), second.samples()].concat(), audio);
    }

    #[test]
    fn several_spans_are_cut_between_two_and_a_moment_is_not_cut() {
        let (first, second) = window(&[(0, 16_000), (32_000, 16_000), (64_000, 16_000)]).halves().unwrap();
        assert_eq!((first.spans().count(), second.spans().count()), (1, 2));
        assert!(window(&[(0, 1_600)]).halves().is_none());
    }
}
