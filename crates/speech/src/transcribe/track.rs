//! One party's signal on its way to words: voice activity finds spans, spans are packed into windows, windows go to the
//! recognisers. Audio is held only until the windows that need it are made.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{Engine, TranscribeError};
use crate::{
    SAMPLE_RATE,
    audio::level,
    net::NetError,
    vad::{self, VadStream},
    whisper::{Heard, Session, SessionOptions, Span, Window},
};

/// How often a wait for the recognisers looks whether the caller wants to stop.
const CANCEL_CHECK: Duration = Duration::from_millis(100);
/// Voice activity is sure of a span whose frames have this mean probability.
const SURE: f32 = 0.8;
/// A piece of speech is not cut into less than this, in samples: half a second holds a word.
const MIN_PIECE: u64 = SAMPLE_RATE as u64 / 2;

/// The recent past of a signal.
#[derive(Default)]
pub(super) struct History {
    samples: VecDeque<f32>,
    start: u64,
}

impl History {
    fn push(&mut self, samples: &[f32]) {
        self.samples.extend(samples);
    }

    fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }

    /// Forgets everything before a sample.
    fn forget_before(&mut self, sample: u64) {
        let count = sample.clamp(self.start, self.end()) - self.start;
        self.samples.drain(..count as usize);
        self.start += count;
    }

    /// The samples of a range, as far as they are still known.
    pub(super) fn range(&self, start: u64, end: u64) -> Vec<f32> {
        let from = start.clamp(self.start, self.end()) - self.start;
        let to = end.clamp(self.start, self.end()) - self.start;
        self.samples.range(from as usize..to.max(from) as usize).copied().collect()
    }
}

/// The loudness of a party's spans. A window holds several, and next to a loud one a quiet one is lost.
///
/// One gain serves a whole span: a jump where the speaker changes is heard as an error of the line.
struct Balance {
    /// Bring every span to the same loudness, not only the odd one.
    level: bool,
    /// The loudness of the last spans in LUFS, as they came in.
    recent: VecDeque<f64>,
}

impl Balance {
    /// Spans that differ from the usual by less than this, in dB, are left alone: people differ by as much, and raising
    /// them was not found to help (`docs/benchmarks.md`).
    const TOLERANCE: f64 = 12.0;
    /// The most by which a span is raised or lowered, in dB: more would make speech of the background.
    const MAX_GAIN: f64 = 30.0;
    /// Spans whose median is the usual loudness: one shout or whisper does not move it, even as the first, and half a
    /// minute of conversation does.
    const RECENT: usize = 9;

    fn new(level: bool) -> Self {
        Self { level, recent: VecDeque::with_capacity(Self::RECENT) }
    }

    /// Brings a span to its loudness; returns the gain as a factor.
    fn apply(&mut self, audio: &mut [f32]) -> f32 {
        let mut levelled = audio.to_vec();
        let measured = level(&mut levelled);
        if self.level {
            audio.copy_from_slice(&levelled);
            return factor(measured.db);
        }
        let Some(loudness) = measured.loudness else { return 1.0 };
        let usual = self.usual().unwrap_or(loudness);
        self.recent.truncate(Self::RECENT - 1);
        self.recent.push_front(loudness);
        if (loudness - usual).abs() < Self::TOLERANCE {
            return 1.0;
        }
        let gain = factor((usual - loudness).clamp(-Self::MAX_GAIN, Self::MAX_GAIN));
        audio.iter_mut().for_each(|x| *x = (*x * gain).clamp(-1.0, 1.0));
        gain
    }

    /// The median of the last spans, in LUFS.
    fn usual(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.recent.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let upper = sorted.get(sorted.len() / 2)?;
        Some(sorted[(sorted.len() - 1) / 2].midpoint(*upper))
    }
}

fn factor(db: f64) -> f32 {
    10f64.powf(db / 20.0) as f32
}

/// One party's signal.
pub(super) struct Track<'e> {
    vad: Option<VadStream<'e>>,
    history: History,
    waiting: VecDeque<vad::Span>,
    window: Window,
    last_end: u64,
    session: Session,
    in_flight: usize,
    balance: Balance,
    /// What was recognised, in the order in which it got done.
    pub(super) heard: Vec<Heard>,
    /// Speech in seconds, without padding.
    pub(super) speech: Vec<(f64, f64)>,
}

impl<'e> Track<'e> {
    pub(super) fn new(engine: &'e Engine, options: &SessionOptions, level: bool) -> Self {
        Self {
            vad: Some(engine.vad.stream()),
            history: History::default(),
            waiting: VecDeque::new(),
            window: Window::default(),
            last_end: 0,
            session: engine.recogniser.session(options),
            in_flight: engine.recogniser.in_flight(),
            balance: Balance::new(level),
            heard: Vec::new(),
            speech: Vec::new(),
        }
    }

    /// Takes the next samples.
    pub(super) fn push(&mut self, samples: &[f32]) -> Result<(), NetError> {
        self.history.push(samples);
        if let Some(vad) = &mut self.vad {
            self.waiting.extend(vad.push(samples)?);
        }
        Ok(())
    }

    /// Ends the signal.
    pub(super) fn end(&mut self) -> Result<(), NetError> {
        if let Some(vad) = self.vad.take() {
            self.waiting.extend(vad.finish()?);
        }
        Ok(())
    }

    /// The next span of speech that ends before `known_until` (seconds).
    pub(super) fn next_span(&mut self, known_until: f64) -> Option<vad::Span> {
        self.waiting.pop_front_if(|span| seconds(span.end) <= known_until)
    }

    /// The first sample that is still needed.
    pub(super) fn needed_from(&self) -> u64 {
        let open = self.vad.as_ref().map_or(self.history.end(), |vad| vad.open_since().unwrap_or(vad.horizon()));
        // A span that opens next is padded backwards, and the pause before it is heard.
        self.waiting.front().map_or(open, |span| span.start).saturating_sub(u64::from(SAMPLE_RATE))
    }

    pub(super) fn forget_before(&mut self, sample: u64) {
        self.history.forget_before(sample);
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Packs a span, cut at `changes` (seconds at which the speaker changes), into windows.
    pub(super) fn recognise(&mut self, span: &vad::Span, changes: &[f64]) {
        let start = span.frames_start;
        let end = start + (span.probabilities.len() * vad::FRAME) as u64;
        self.speech.push((seconds(start), seconds(end.min(span.end))));
        let mut audio = self.history.range(span.start, span.end);
        let gain = self.balance.apply(&mut audio);
        let mean = span.probabilities.iter().sum::<f32>() / span.probabilities.len().max(1) as f32;
        let sure = mean >= SURE;
        let mut from = 0;
        for cut in cuts(span, changes).into_iter().chain([span.end]) {
            let to = ((cut - span.start) as usize).min(audio.len());
            self.pack(span.start + from as u64, &audio[from..to], gain, sure);
            from = to;
        }
    }

    fn pack(&mut self, start: u64, audio: &[f32], gain: f32, sure: bool) {
        let piece = Span { start, end: start + audio.len() as u64, sure };
        if audio.is_empty() {
            return;
        }
        let pause = piece.start.saturating_sub(self.last_end);
        if !self.window.fits(piece.samples(), pause) {
            self.submit();
        }
        let mut pause = self.history.range(piece.start - self.window.heard_of(pause), piece.start);
        pause.iter_mut().for_each(|x| *x = (*x * gain).clamp(-1.0, 1.0));
        self.window.push(piece, &pause, audio);
        self.last_end = piece.end;
    }

    fn submit(&mut self) {
        if !self.window.is_empty() {
            self.session.submit(std::mem::take(&mut self.window));
        }
    }

    /// No span follows.
    pub(super) fn finish(&mut self) {
        self.submit();
        self.session.finish();
    }

    /// Windows that are being recognised.
    pub(super) fn pending(&self) -> usize {
        self.session.pending()
    }

    /// Where the latest recognised window ends, in seconds.
    pub(super) fn recognised_until(&self) -> f64 {
        self.heard.iter().map(|heard| heard.end).fold(0.0, f64::max)
    }

    /// Collects results: those that are there, and with `all` those that are to come; otherwise waits only while too
    /// many are under way.
    pub(super) fn collect(&mut self, all: bool, cancelled: &AtomicBool) -> Result<(), TranscribeError> {
        let limit = if all { 0 } else { self.in_flight };
        let before = self.heard.len();
        while let Some(result) = self.session.try_next() {
            self.heard.push(result.map_err(recognition)?);
        }
        while self.session.pending() > limit && self.heard.len() == before {
            if cancelled.load(Ordering::Relaxed) {
                return Err(TranscribeError::Cancelled);
            }
            if let Some(result) = self.session.next_within(CANCEL_CHECK) {
                self.heard.push(result.map_err(recognition)?);
            }
        }
        Ok(())
    }
}

fn recognition(reason: String) -> TranscribeError {
    TranscribeError::Stage { stage: "recognition", reason }
}

/// Samples at which to cut a span: the least voiced point near each change of speaker.
fn cuts(span: &vad::Span, changes: &[f64]) -> Vec<u64> {
    /// A change is known to about this many samples: a quarter of a second.
    const REACH: u64 = SAMPLE_RATE as u64 / 4;
    let mut cuts = Vec::new();
    let mut last = span.start;
    for &change in changes {
        let at = (change * f64::from(SAMPLE_RATE)) as u64;
        if at < last + MIN_PIECE || at + MIN_PIECE > span.end {
            continue;
        }
        let cut = span.least_voiced(at - REACH.min(at), at + REACH);
        if cut >= last + MIN_PIECE && cut + MIN_PIECE <= span.end {
            cuts.push(cut);
            last = cut;
        }
    }
    cuts
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gains in dB of spans of a second each, whose peaks are `levels` dB below full scale.
    fn gains(levels: &[f64]) -> Vec<f64> {
        let mut balance = Balance::new(false);
        let tone = |i: u32| (f64::from(i) * std::f64::consts::TAU * 0.05).sin();
        let span = |db: &f64| (0..SAMPLE_RATE).map(|i| factor(-db) * tone(i) as f32).collect::<Vec<_>>();
        let gains = levels.iter().map(|db| balance.apply(&mut span(db)));
        gains.map(|gain| (20.0 * f64::from(gain).log10()).round()).collect()
    }

    #[test]
    fn a_first_shout_is_not_what_later_spans_are_raised_to() {
        assert_eq!(gains(&[0.0, 20.0, 20.0, 20.0, 20.0]), [0.0, 20.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_span_far_from_the_rest_is_brought_to_it_and_by_30_db_at_most() {
        assert_eq!(gains(&[10.0, 10.0, 10.0, 28.0, 10.0, 50.0]), [0.0, 0.0, 0.0, 18.0, 0.0, 30.0]);
    }
}
