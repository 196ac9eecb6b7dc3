//! Whether two channels are two parties of a call or one sound twice. Its one invariant: nothing is decided before enough
//! sound was heard, so that a call that opens with silence or one party's words is not misjudged.

use crate::SAMPLE_RATE;

/// Samples that are compared at once: one second, long enough to hold sound, short enough to follow a call.
const SPAN: usize = SAMPLE_RATE as usize;

/// The farthest that two microphones of one device hear a voice apart: 2 ms are 70 cm.
const MAX_LAG: usize = 32;

/// Root mean square below which a span is silence: −50 dBFS.
const SILENT_RMS: f64 = 0.003;

/// Seconds of sound before anything is decided: a greeting and an answer.
const ENOUGH_SPANS: u32 = 8;

/// Correlation, at the best lag and of either sign, from which two channels are one sound: 10 dB above what differs, which
/// the worst stereo codecs keep.
const SAME: f64 = 0.95;

/// Share of spans that must be the same sound.
const MOSTLY: f64 = 0.9;

/// The largest difference in level, in dB, within which two channels may be one sound. An echo is weaker than that.
const MAX_DIFFERENCE_DB: f64 = 12.0;

/// What two channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// One sound twice, perhaps louder, inverted or a little apart in one: to be read as mono.
    DualMono,
    /// All sound is in the channel of that index, 0 or 1; the other one was silent.
    OneSided(usize),
    /// Two parties, one a channel.
    Distinct,
}

/// Listens to two channels until it is sure.
#[derive(Default)]
pub struct LayoutDetector {
    a: Vec<f32>,
    b: Vec<f32>,
    /// Seconds with sound in either channel, those that were the same in both, and those with sound by channel.
    heard: u32,
    same: u32,
    sounding: [u32; 2],
}

impl LayoutDetector {
    /// Takes the next samples of both channels at 16 kHz, equally many.
    pub fn push(&mut self, a: &[f32], b: &[f32]) {
        self.a.extend_from_slice(a);
        self.b.extend_from_slice(b);
        let whole = self.a.len().min(self.b.len()) / SPAN * SPAN;
        let (a, b): (Vec<_>, Vec<_>) = (self.a.drain(..whole).collect(), self.b.drain(..whole).collect());
        for (a, b) in a.chunks_exact(SPAN).zip(b.chunks_exact(SPAN)) {
            self.judge(a, b);
        }
    }

    /// What the channels are, once enough was heard; [`Layout::OneSided`] is never sure before the end.
    pub fn decided(&self) -> Option<Layout> {
        (self.heard >= ENOUGH_SPANS && self.sounding != [self.heard, 0] && self.sounding != [0, self.heard])
            .then(|| self.decide())
    }

    /// The best answer at the end, whatever was heard.
    pub fn decide(&self) -> Layout {
        match self.sounding {
            [a, 0] if a > 0 => Layout::OneSided(0),
            [0, b] if b > 0 => Layout::OneSided(1),
            _ if self.heard > 0 && f64::from(self.same) >= MOSTLY * f64::from(self.heard) => Layout::DualMono,
            _ => Layout::Distinct,
        }
    }

    fn judge(&mut self, a: &[f32], b: &[f32]) {
        let energy = |samples: &[f32]| samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let (of_a, of_b) = (energy(a), energy(b));
        let sounds = |energy: f64| energy > SILENT_RMS * SILENT_RMS * SPAN as f64;
        self.sounding[0] += u32::from(sounds(of_a));
        self.sounding[1] += u32::from(sounds(of_b));
        if !sounds(of_a.max(of_b)) {
            return;
        }
        self.heard += 1;
        let alike_in_level = (10.0 * (of_a / of_b).log10()).abs() < MAX_DIFFERENCE_DB;
        if alike_in_level && correlation(a, b) > SAME * (of_a * of_b).sqrt() {
            self.same += 1;
        }
    }
}

/// The largest product of the two, of either sign, over all lags.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()).abs();
    let apart = |lag: usize| product(&a[lag..], b).max(product(a, &b[lag..]));
    (0..=MAX_LAG).map(apart).fold(0.0, f64::max)
}
