//! Takes out steady noise with RNNoise (J.-M. Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech
//! Enhancement", 2018; crate `nnnoiseless`). Its one invariant: as many samples come out as went in, at the same time;
//! the network's frame and the two resamplers on the way to its 48 kHz and back are compensated.

use nnnoiseless::DenoiseState;

use super::{AudioError, Resampler};
use crate::SAMPLE_RATE;

/// The rate that the network was trained at, in Hz.
const NETWORK_RATE: u32 = 48_000;

/// The network was trained on samples in the range of 16 bits.
const FULL_SCALE: f32 = 32_768.0;

/// Denoises one channel, block by block.
pub struct Denoiser {
    up: Resampler,
    down: Resampler,
    network: Box<DenoiseState<'static>>,
    /// At 48 kHz, not a whole frame yet.
    waiting: Vec<Vec<f32>>,
    /// Whether the network's first frame, which holds no input yet, was dropped.
    primed: bool,
    taken: usize,
    given: usize,
}

impl Denoiser {
    /// A denoiser at the start of a channel.
    ///
    /// # Errors
    /// None in practice: both rates are served by [`Resampler`].
    pub fn new() -> Result<Self, AudioError> {
        Ok(Self {
            up: Resampler::between(SAMPLE_RATE, NETWORK_RATE, 1)?,
            down: Resampler::new(NETWORK_RATE, 1)?,
            network: DenoiseState::new(),
            waiting: vec![Vec::new()],
            primed: false,
            taken: 0,
            given: 0,
        })
    }

    /// Takes 16 kHz samples and appends what is ready, about 0.1 s behind, to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.taken += samples.len();
        self.up.push(&[samples.to_vec()], &mut self.waiting);
        self.run(out);
    }

    /// Flushes the end: afterwards as many samples have come out as went in.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        self.up.finish(&mut self.waiting);
        // One frame for the network's delay, and one to fill up the last.
        let padding = 2 * DenoiseState::FRAME_SIZE;
        let padded = self.waiting[0].len() + padding;
        self.waiting[0].resize(padded, 0.0);
        self.run(out);
        let mut end = vec![Vec::new()];
        self.down.finish(&mut end);
        end[0].resize(self.taken - self.given, 0.0);
        self.given = self.taken;
        out.append(&mut end[0]);
    }

    fn run(&mut self, out: &mut Vec<f32>) {
        let mut clean = Vec::new();
        let (frames, rest) = self.waiting[0].as_chunks::<{ DenoiseState::FRAME_SIZE }>();
        for frame in frames {
            let mut output = [0.0; DenoiseState::FRAME_SIZE];
            self.network.process_frame(&mut output, &frame.map(|sample| sample * FULL_SCALE));
            if std::mem::replace(&mut self.primed, true) {
                clean.extend(output.map(|sample| sample / FULL_SCALE));
            }
        }
        self.waiting[0] = rest.to_vec();
        let mut ready = vec![Vec::new()];
        self.down.push(&[clean], &mut ready);
        ready[0].truncate(self.taken - self.given);
        self.given += ready[0].len();
        out.append(&mut ready[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hiss_is_taken_out_and_the_time_is_kept() {
        let mut seed = 1u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 16_777_216.0 - 0.5
        };
        let voice = |n: usize| {
            let time = n as f32 / 16_000.0;
            let loud = if time % 1.0 < 0.6 { 0.2 } else { 0.0 };
            (1..12).map(|k| (k as f32 * 900.0 * time + 30.0 * (3.0 * time).sin()).sin() / k as f32).sum::<f32>() * loud
        };
        let clean: Vec<f32> = (0..80_123).map(voice).collect();
        let noisy: Vec<f32> = clean.iter().map(|sample| sample + 0.05 * noise()).collect();
        let (mut denoiser, mut out) = (Denoiser::new().unwrap(), Vec::new());
        for block in noisy.chunks(3333) {
            denoiser.push(block, &mut out);
        }
        denoiser.finish(&mut out);
        assert_eq!(out.len(), noisy.len());

        let rms = |samples: &[f32]| (samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32).sqrt();
        let pause = 60_800..63_200;
        assert!(rms(&out[pause.clone()]) < 0.25 * rms(&noisy[pause]), "the pause is quieter");
        let product = |lag: usize| (40_000..70_000).map(|n| out[n + lag - 400] * clean[n]).sum::<f32>();
        let best = (0..800).max_by(|&a, &b| product(a).total_cmp(&product(b))).unwrap();
        assert!(best.abs_diff(400) <= 1, "shifted by {} samples", best as i64 - 400);
    }
}
