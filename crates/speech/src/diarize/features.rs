//! What the embedding networks hear: 100 frames of band energies a second, computed once for a whole window.
//!
//! Two recipes, chosen by the network. GE2E: 40 mel bands of power, no logarithm, as Resemblyzer takes them from librosa
//! (`melspectrogram(sr=16000, n_fft=400, hop_length=160, n_mels=40)`). WeSpeaker: 80 log mel bands as in Kaldi
//! (`fbank --num-mel-bins=80 --window-type=hamming --dither=0`) on samples scaled to 16-bit integers.
//! Invariant: frame `i` starts at sample `i * HOP` (Kaldi) or is centred there (librosa).

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Samples between frames (10 ms).
pub(super) const HOP: usize = 160;
/// Samples a frame (25 ms).
const FRAME: usize = 400;

const SAMPLE_RATE: f32 = crate::SAMPLE_RATE as f32;

/// Which recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipe {
    /// librosa's power mel bands, for GE2E.
    MelPower,
    /// Kaldi's log mel filter bank, for WeSpeaker.
    KaldiFbank,
}

/// A band: weights of the FFT bins from `first` on.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

/// Computes the frames of one recipe.
pub(super) struct Features {
    recipe: Recipe,
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Band>,
}

impl Features {
    pub(super) fn new(recipe: Recipe) -> Self {
        let (fft_size, window, bands) = match recipe {
            Recipe::MelPower => (FRAME, cosine_window(0.5, FRAME), slaney_bands(40)),
            // Kaldi rounds 400 up to 512 and spreads the symmetric window over n - 1.
            Recipe::KaldiFbank => (512, cosine_window(0.54, FRAME - 1), kaldi_bands(80, 512)),
        };
        Self { recipe, fft: RealFftPlanner::new().plan_fft_forward(fft_size), window, bands }
    }

    /// Bands a frame.
    pub(super) fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The frames of `samples`, one after the other, [`Features::bands`] values each.
    pub(super) fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let (frames, lead) = match self.recipe {
            Recipe::MelPower => (samples.len() / HOP + 1, FRAME / 2),
            Recipe::KaldiFbank => ((samples.len() + HOP).saturating_sub(FRAME) / HOP, 0),
        };
        let mut out = Vec::with_capacity(frames * self.bands.len());
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        for frame in 0..frames {
            self.cut(samples, frame * HOP, lead, &mut input);
            // The three buffers were made for this plan, so their lengths fit, which is all that can be wrong.
            let _ = self.fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch);
            out.extend(self.bands.iter().map(|band| {
                let bins = &spectrum[band.first..band.first + band.weights.len()];
                let power: f32 = bins.iter().zip(&band.weights).map(|(c, w)| c.norm_sqr() * w).sum();
                match self.recipe {
                    Recipe::MelPower => power,
                    Recipe::KaldiFbank => power.max(f32::EPSILON).ln(),
                }
            }));
        }
        out
    }

    /// Writes the windowed frame that starts `lead` samples before `at` to `frame`; beyond the ends there is silence.
    fn cut(&self, samples: &[f32], at: usize, lead: usize, frame: &mut [f32]) {
        frame.fill(0.0);
        for (i, out) in frame.iter_mut().take(FRAME).enumerate() {
            *out = (at + i).checked_sub(lead).and_then(|i| samples.get(i)).copied().unwrap_or(0.0);
        }
        if self.recipe == Recipe::KaldiFbank {
            let mean = frame[..FRAME].iter().sum::<f32>() / FRAME as f32;
            frame[..FRAME].iter_mut().for_each(|x| *x = (*x - mean) * 32_768.0);
            for i in (1..FRAME).rev() {
                frame[i] -= 0.97 * frame[i - 1];
            }
            frame[0] -= 0.97 * frame[0];
        }
        frame.iter_mut().zip(&self.window).for_each(|(x, w)| *x *= w);
    }
}

/// `offset - (1 - offset) cos(2πi / period)`: Hann for .5, Hamming for .54.
fn cosine_window(offset: f64, period: usize) -> Vec<f32> {
    let turn = std::f64::consts::TAU / period as f64;
    (0..FRAME).map(|i| (offset - (1.0 - offset) * (turn * i as f64).cos()) as f32).collect()
}

/// librosa's default bands: Slaney's mel scale (linear to 1 kHz, then logarithmic) from 0 to 8 kHz, each of unit area.
fn slaney_bands(count: usize) -> Vec<Band> {
    const LINEAR: f32 = 200.0 / 3.0;
    let log_step = 6.4f32.ln() / 27.0;
    let mel = |hz: f32| if hz < 1_000.0 { hz / LINEAR } else { 15.0 + (hz / 1_000.0).ln() / log_step };
    let hz = |mel: f32| if mel < 15.0 { mel * LINEAR } else { 1_000.0 * ((mel - 15.0) * log_step).exp() };
    let top = mel(SAMPLE_RATE / 2.0);
    let edge = |i: usize| hz(top * i as f32 / (count + 1) as f32);
    (0..count)
        .map(|i| {
            let (low, centre, high) = (edge(i), edge(i + 1), edge(i + 2));
            let bins = (0..=FRAME / 2).map(|bin| bin as f32 * SAMPLE_RATE / FRAME as f32);
            band(bins.map(|f| ((f - low) / (centre - low)).min((high - f) / (high - centre)) * 2.0 / (high - low)))
        })
        .collect()
}

/// Kaldi's bands: triangles on the mel scale from 20 Hz to 8 kHz; the Nyquist bin is left out.
fn kaldi_bands(count: usize, fft_size: usize) -> Vec<Band> {
    let mel = |hz: f32| 1_127.0 * (hz / 700.0).ln_1p();
    let (bottom, top) = (mel(20.0), mel(SAMPLE_RATE / 2.0));
    let step = (top - bottom) / (count + 1) as f32;
    (0..count)
        .map(|i| {
            let centre = bottom + (i + 1) as f32 * step;
            let bins = (0..fft_size / 2).map(|bin| mel(bin as f32 * SAMPLE_RATE / fft_size as f32));
            band(bins.map(|m| 1.0 - (m - centre).abs() / step))
        })
        .collect()
}

/// Keeps the positive weights, which lie side by side.
fn band(weights: impl Iterator<Item = f32>) -> Band {
    let weights: Vec<f32> = weights.collect();
    let first = weights.iter().position(|&w| w > 0.0).unwrap_or(0);
    Band { first, weights: weights.into_iter().skip(first).take_while(|&w| w > 0.0).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tenth of a second of a rising tone.
    fn chirp() -> Vec<f32> {
        let phase = |n: f64| 0.02 * n + 2e-4 * n * n;
        (0..1_600).map(|n| (0.3 * phase(f64::from(n)).sin()) as f32).collect()
    }

    fn assert_near(recipe: Recipe, golden: &[(usize, usize, f32)]) {
        let features = Features::new(recipe);
        let values = features.compute(&chirp());
        for &(frame, band, expected) in golden {
            let found = values[frame * features.bands() + band];
            let close = (found - expected).abs() <= 2e-3 * expected.abs() + 1e-6;
            assert!(close, "{recipe:?} frame {frame} band {band}: {found}, not {expected}");
        }
    }

    #[test]
    fn the_filter_bank_is_kaldis() {
        // kaldi-native-fbank 1.x: 80 bins, hamming, no dither, snip edges, samples times 32768.
        let golden = [(0, 0, 16.280_52), (0, 40, 10.188_274), (3, 10, 14.202_615), (7, 79, 12.599_283)];
        assert_near(Recipe::KaldiFbank, &golden);
        assert_eq!(Features::new(Recipe::KaldiFbank).compute(&chirp()).len(), 8 * 80);
    }

    #[test]
    fn the_mel_bands_are_librosas() {
        // numpy, by the formulas of librosa.feature.melspectrogram with centred frames and zeros beyond the ends.
        let golden = [(0, 5, 1.231_98e-3), (4, 8, 6.494_771), (10, 12, 1.158_283e-2)];
        assert_near(Recipe::MelPower, &golden);
        assert_eq!(Features::new(Recipe::MelPower).compute(&chirp()).len(), 11 * 40);
    }

    #[test]
    fn too_little_audio_has_no_kaldi_frames() {
        assert!(Features::new(Recipe::KaldiFbank).compute(&[0.1; 399]).is_empty());
        assert!(Features::new(Recipe::KaldiFbank).compute(&[]).is_empty());
    }
}
