//! Takes out what lies below the voice: hum, wind and handling. Its one invariant: the filter is stateful, so one of it
//! serves one channel from the start to the end, block by block.

use std::f64::consts::TAU;

use crate::SAMPLE_RATE;

/// The lowest voices speak at 80 Hz; mains hum is at 50 and 60.
const CUTOFF_HZ: f64 = 80.0;

/// Fourth-order Butterworth high-pass: 24 dB an octave below 80 Hz, flat above, late by less than 6 ms at the cutoff and
/// less than 0.5 ms above 300 Hz.
#[derive(Clone, Debug)]
pub struct HighPass {
    sections: [Section; 2],
}

/// A second-order section in transposed direct form II, after R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad
/// filter coefficients". In f64: at 80 Hz of 16 kHz the poles lie so near the circle that f32 rounds audibly.
#[derive(Clone, Debug)]
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    memory: [f64; 2],
}

impl Default for HighPass {
    fn default() -> Self {
        // The pole pairs of a fourth-order Butterworth filter lie at π/8 and 3π/8.
        let quality = |angle: f64| 1.0 / (2.0 * angle.cos());
        let eighth = TAU / 16.0;
        Self { sections: [Section::new(quality(eighth)), Section::new(quality(3.0 * eighth))] }
    }
}

impl HighPass {
    /// Filters the next samples in place.
    pub fn process(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let value = self.sections.iter_mut().fold(f64::from(*sample), |value, section| section.step(value));
            *sample = value as f32;
        }
    }
}

impl Section {
    fn new(quality: f64) -> Self {
        let angle = TAU * CUTOFF_HZ / f64::from(SAMPLE_RATE);
        let alpha = angle.sin() / (2.0 * quality);
        let scale = 1.0 / (1.0 + alpha);
        let b = (1.0 + angle.cos()) / 2.0 * scale;
        Self { b: [b, -2.0 * b, b], a: [-2.0 * angle.cos() * scale, (1.0 - alpha) * scale], memory: [0.0; 2] }
    }

    fn step(&mut self, input: f64) -> f64 {
        let output = self.b[0] * input + self.memory[0];
        self.memory[0] = self.b[1] * input - self.a[0] * output + self.memory[1];
        self.memory[1] = self.b[2] * input - self.a[1] * output;
        output
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_1_SQRT_2;

    use super::*;

    fn gain_db(hz: f64) -> f64 {
        let tone = |n: i32| (TAU * hz * f64::from(n) / f64::from(SAMPLE_RATE)).sin() as f32;
        let mut samples: Vec<f32> = (0..32_000).map(tone).collect();
        let power = |samples: &[f32]| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let before = power(&samples[16_000..]);
        HighPass::default().process(&mut samples);
        10.0 * (power(&samples[16_000..]) / before).log10()
    }

    #[test]
    fn hum_is_taken_out_and_the_voice_is_left() {
        assert!((gain_db(80.0) - 20.0 * FRAC_1_SQRT_2.log10()).abs() < 0.1, "3 dB at the cutoff: {}", gain_db(80.0));
        assert!(gain_db(40.0) < -23.0, "24 dB an octave: {}", gain_db(40.0));
        assert!(gain_db(160.0).abs() < 0.1, "flat above: {}", gain_db(160.0));
        assert!(gain_db(3000.0).abs() < 0.01);
    }
}
