//! The log-mel spectrogram that Whisper listens to: 25 ms Hann frames every 10 ms, Slaney mel bands, base-10 logarithm
//! clamped to 80 dB below the loudest band. Same numbers as the reference implementation (Radford et al. 2022,
//! `whisper/audio.py`); frames of the silence that pads a window to 30 s are filled in, not computed.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use crate::SAMPLE_RATE;

/// Samples of one frame: 25 ms.
const FRAME: usize = 400;
/// Samples from one frame to the next: 10 ms.
const HOP: usize = 160;
/// Frames of a full window: 30 s.
pub(super) const FRAMES: usize = 3_000;
/// Encoder states of a full window: one for 20 ms.
pub(super) const POSITIONS: usize = FRAMES / 2;
/// Samples of a full window: 30 s.
pub(super) const WINDOW_SAMPLES: usize = FRAMES * HOP;
/// Log-mel value of an empty band before clamping: log10 of the floor 1e-10.
const FLOOR: f32 = -10.0;

/// Turns samples into log-mel features.
pub(super) struct MelFrontEnd {
    bands: usize,
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    /// For each band: its first FFT bin and the weights from there on.
    filters: Vec<(usize, Vec<f32>)>,
}

impl MelFrontEnd {
    /// A front end with `bands` mel bands (80, or 128 since large-v3).
    pub(super) fn new(bands: usize) -> Self {
        let hann = (0..FRAME)
            .map(|i| (0.5 - 0.5 * (2.0 * std::f64::consts::PI * i as f64 / FRAME as f64).cos()) as f32)
            .collect();
        Self { bands, fft: RealFftPlanner::new().plan_fft_forward(FRAME), hann, filters: mel_filters(bands) }
    }

    /// Number of mel bands.
    pub(super) fn bands(&self) -> usize {
        self.bands
    }

    /// Writes the features of `samples` (16 kHz mono, at most 30 s; the rest of the window is silence) into `out`,
    /// laid out `[bands, FRAMES]`.
    pub(super) fn compute(&self, samples: &[f32], out: &mut [f32]) {
        assert_eq!(out.len(), self.bands * FRAMES, "one full window of features");
        let samples = &samples[..samples.len().min(WINDOW_SAMPLES)];
        let mut frame = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0f32; FRAME / 2 + 1];
        // A frame reaches 200 samples to either side of its centre; later ones see only padding.
        let voiced = (samples.len() + FRAME / 2).div_ceil(HOP).min(FRAMES);
        let mut loudest = FLOOR;
        out.fill(FLOOR);
        for t in 0..voiced {
            self.fill_frame(samples, t, &mut frame);
            if self.fft.process_with_scratch(&mut frame, &mut spectrum, &mut scratch).is_err() {
                unreachable!("the buffers were made by this plan");
            }
            for (p, c) in power.iter_mut().zip(&spectrum) {
                *p = Complex::norm_sqr(c);
            }
            for (band, (first, weights)) in self.filters.iter().enumerate() {
                let energy: f32 = weights.iter().zip(&power[*first..]).map(|(w, p)| w * p).sum();
                let value = energy.max(1e-10).log10();
                loudest = loudest.max(value);
                out[band * FRAMES + t] = value;
            }
        }
        let floor = loudest - 8.0;
        for value in out {
            *value = (value.max(floor) + 4.0) / 4.0;
        }
    }

    /// Frame `t` is centred on sample `t * HOP`; the start is mirrored, the end is silence.
    fn fill_frame(&self, samples: &[f32], t: usize, frame: &mut [f32]) {
        let start = (t * HOP) as isize - (FRAME / 2) as isize;
        for (i, (value, window)) in frame.iter_mut().zip(&self.hann).enumerate() {
            let at = (start + i as isize).unsigned_abs();
            *value = samples.get(at).copied().unwrap_or(0.0) * window;
        }
    }
}

/// Triangular filters on the Slaney mel scale with area normalisation, as `librosa.filters.mel(sr=16000, n_fft=400)`.
fn mel_filters(bands: usize) -> Vec<(usize, Vec<f32>)> {
    let bins = FRAME / 2 + 1;
    let hz_of_bin = |bin: usize| bin as f64 * f64::from(SAMPLE_RATE) / FRAME as f64;
    let top = hz_to_mel(f64::from(SAMPLE_RATE) / 2.0);
    let edges: Vec<f64> = (0..bands + 2).map(|i| mel_to_hz(top * i as f64 / (bands + 1) as f64)).collect();
    edges
        .windows(3)
        .map(|e| {
            let [low, centre, high] = [e[0], e[1], e[2]];
            let weight = |bin| {
                let hz = hz_of_bin(bin);
                let rising = (hz - low) / (centre - low);
                let falling = (high - hz) / (high - centre);
                (rising.min(falling).max(0.0) * 2.0 / (high - low)) as f32
            };
            let first = (0..bins).find(|&b| weight(b) > 0.0).unwrap_or(0);
            let weights = (first..bins).map(weight).take_while(|&w| w > 0.0).collect();
            (first, weights)
        })
        .collect()
}

const MEL_BREAK_HZ: f64 = 1_000.0;
const MEL_PER_HZ: f64 = 3.0 / 200.0;
/// ln(6.4) / 27: the logarithmic part of the Slaney scale.
const MEL_LOG_STEP: f64 = 0.068_751_777_420_949_12;

fn hz_to_mel(hz: f64) -> f64 {
    if hz < MEL_BREAK_HZ {
        hz * MEL_PER_HZ
    } else {
        MEL_BREAK_HZ * MEL_PER_HZ + (hz / MEL_BREAK_HZ).ln() / MEL_LOG_STEP
    }
}

fn mel_to_hz(mel: f64) -> f64 {
    let break_mel = MEL_BREAK_HZ * MEL_PER_HZ;
    if mel < break_mel { mel / MEL_PER_HZ } else { MEL_BREAK_HZ * ((mel - break_mel) * MEL_LOG_STEP).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_flat_at_the_floor() {
        let front = MelFrontEnd::new(80);
        let mut out = vec![0.0; 80 * FRAMES];
        front.compute(&[0.0; 16_000], &mut out);
        assert!(out.iter().all(|v| (v - (FLOOR + 4.0) / 4.0).abs() < 1e-6));
    }

    #[test]
    fn a_tone_lights_the_band_around_it_and_no_frame_after_it() {
        let front = MelFrontEnd::new(80);
        let tone: Vec<f32> =
            (0..16_000).map(|i| (i as f32 * 1_000.0 * std::f32::consts::TAU / 16_000.0).sin() * 0.5).collect();
        let mut out = vec![0.0; 80 * FRAMES];
        front.compute(&tone, &mut out);
        let loudest = |t: usize| (0..80).max_by(|&a, &b| out[a * FRAMES + t].total_cmp(&out[b * FRAMES + t])).unwrap();
        let centre_hz = mel_to_hz(hz_to_mel(8_000.0) * (loudest(50) + 1) as f64 / 81.0);
        assert!((centre_hz - 1_000.0).abs() < 60.0, "{centre_hz}");
        assert!((0..80).all(|b| out[b * FRAMES + 200] <= out[b * FRAMES + 2_000] + 1e-6));
    }

    #[test]
    fn filters_match_the_reference_filter_bank() {
        // librosa.filters.mel(sr=16000, n_fft=400, n_mels=80): first weights of bands 0 and 1, and the widest band's sum.
        let filters = mel_filters(80);
        assert_eq!(filters[0].0, 1);
        assert!((filters[0].1[0] - 0.024_862_9).abs() < 1e-5, "{}", filters[0].1[0]);
        assert!(filters.iter().all(|(_, w)| !w.is_empty()));
    }
}
