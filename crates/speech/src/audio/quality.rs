//! How good a recording is: how much of it is clipped, and how far the voice stands above the background. Its one
//! invariant: memory does not grow; levels are counted in bins of one decibel.

use crate::SAMPLE_RATE;

/// Samples a level is measured over: 20 ms.
const FRAME: usize = SAMPLE_RATE as usize / 50;

/// From here on a sample is at the end of its scale. µ-law ends at .980; resampling rounds flat tops by a few percent.
const FULL_SCALE: f32 = 0.97;

/// Bins of one decibel, from −100 dBFS up; digital silence is below.
const BINS: usize = 101;

/// The largest signal-to-noise ratio that is told, in dB: beyond it the background is digital silence.
const MAX_SNR_DB: f64 = 60.0;

/// What the meter found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Share of the samples with sound that are clipped, 0..=1.
    pub clipped: f64,
    /// Level of speech above the background in dB, 0..=60; none where one of them was not heard.
    pub snr_db: Option<f64>,
}

/// Measures one channel, block by block.
pub struct Meter {
    frame: Vec<f32>,
    clipped: u64,
    sounding: u64,
    /// Frames by level: speech, background, and not known which.
    levels: [[u64; BINS]; 3],
}

impl Default for Meter {
    fn default() -> Self {
        Self { frame: Vec::new(), clipped: 0, sounding: 0, levels: [[0; BINS]; 3] }
    }
}

impl Meter {
    /// Takes the next samples at 16 kHz. `speech` says whether they are speech, where a voice detector knows; frames of
    /// unknown kind are told apart by their level at the end.
    pub fn push(&mut self, samples: &[f32], speech: Option<bool>) {
        let kind = speech.map_or(2, |speech| usize::from(!speech));
        for &sample in samples {
            self.frame.push(sample);
            if self.frame.len() == FRAME {
                self.count(kind);
                self.frame.clear();
            }
        }
    }

    /// What was found so far.
    pub fn quality(&self) -> Quality {
        let clipped = if self.sounding == 0 { 0.0 } else { self.clipped as f64 / self.sounding as f64 };
        let [speech, background, unknown] = &self.levels;
        let known = || Some((percentile(speech, 0.5)?, percentile(background, 0.5)?));
        // A call is speech for more than a tenth of its time, and silent for more than a tenth.
        let guessed = || Some((percentile(unknown, 0.9)?, percentile(unknown, 0.1)?));
        let snr_db = known().or_else(guessed).map(|(speech, background)| {
            let ratio = 10f64.powf((speech - background) / 10.0) - 1.0;
            (10.0 * ratio.max(1.0).log10()).min(MAX_SNR_DB)
        });
        Quality { clipped, snr_db }
    }

    fn count(&mut self, kind: usize) {
        let power = self.frame.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / FRAME as f64;
        let db = 10.0 * (power + 1e-12).log10();
        let bin = (db + 100.0).clamp(0.0, (BINS - 1) as f64) as usize;
        self.levels[kind][bin] += 1;
        if db > -60.0 {
            self.sounding += FRAME as u64;
            self.clipped += self.frame.iter().filter(|sample| sample.abs() >= FULL_SCALE).count() as u64;
        }
    }
}

/// The level in dBFS below which that share of the frames lies.
fn percentile(levels: &[u64; BINS], share: f64) -> Option<f64> {
    let total: u64 = levels.iter().sum();
    let mut below = 0;
    let bin = levels.iter().position(|&frames| {
        below += frames;
        below > 0 && below as f64 >= share * total as f64
    })?;
    Some(bin as f64 - 99.5)
}
