//! Signals and files that the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    f64::consts::TAU,
    path::{Path, PathBuf},
};

pub(crate) const SAMPLE_RATE: usize = 16_000;

pub(crate) fn seconds(s: f64) -> usize {
    (s * SAMPLE_RATE as f64) as usize
}

fn data() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.data");
    std::env::var_os("SUBROSA_TEST_DATA").map_or_else(default, PathBuf::from)
}

fn present(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `cargo xtask models`", path.display());
    path
}

/// A small model that `cargo xtask models` puts in place.
pub(crate) fn model(name: &str) -> PathBuf {
    present(data().join("models").join(name))
}

/// A file of the real call that comes with the package `pyannote-audio`: `sample.wav`, `sample.rttm`, `sample.stm`.
pub(crate) fn sample(name: &str) -> PathBuf {
    present(data().join("samples").join(name))
}

/// The samples of the real call: 30 s, two speakers.
pub(crate) fn sample_call() -> Vec<f32> {
    let bytes = std::fs::read(sample("sample.wav")).unwrap();
    // RIFF, PCM of 16 bit, mono, 16 kHz.
    let data = bytes.windows(4).position(|w| w == b"data").unwrap() + 8;
    let (samples, _) = bytes[data..].as_chunks::<2>();
    samples.iter().map(|s| f32::from(i16::from_le_bytes(*s)) / 32_768.0).collect()
}

/// White noise of a given root mean square, always the same.
pub(crate) fn noise(length: f64, level: f32) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    // Twelve uniform numbers are nearly normal, with variance 1.
    (0..seconds(length)).map(|_| (0..12).map(|_| next()).sum::<f32>() * level).collect()
}

/// Sines of the frequencies in Hz that `at` names for a time in seconds.
pub(crate) fn tone(length: f64, at: impl Fn(f64) -> Vec<f64>) -> Vec<f32> {
    let sample = |i: usize| {
        let t = i as f64 / SAMPLE_RATE as f64;
        at(t).iter().map(|f| 0.2 * (TAU * f * t).sin()).sum::<f64>() as f32
    };
    (0..seconds(length)).map(sample).collect()
}

/// Music as on hold: chords and a melody of plucked notes with harmonics, a bass, and a drum on every beat.
pub(crate) fn music(length: f64) -> Vec<f32> {
    const BEAT: f64 = 0.5;
    const CHORDS: [[f64; 3]; 4] = [[60.0, 64.0, 67.0], [57.0, 60.0, 64.0], [53.0, 57.0, 60.0], [55.0, 59.0, 62.0]];
    const MELODY: [f64; 8] = [76.0, 74.0, 72.0, 74.0, 76.0, 79.0, 77.0, 74.0];
    let note = |midi: f64, since: f64, decay: f64, t: f64| {
        let hz = 440.0 * 2f64.powf((midi - 69.0) / 12.0);
        let partials = (1..=6).map(|k| (TAU * hz * f64::from(k) * t).sin() / f64::from(k * k)).sum::<f64>();
        partials * (1.0 - (-since * 200.0).exp()) * (-since / decay).exp()
    };
    let drum = noise(length, 0.2);
    let sample = |i: usize| {
        let t = i as f64 / SAMPLE_RATE as f64;
        let (bar, beat) = ((t / (4.0 * BEAT)) as usize % CHORDS.len(), (t / BEAT) as usize);
        let (in_bar, in_beat) = (t % (4.0 * BEAT), t % BEAT);
        let chord: f64 = CHORDS[bar].iter().map(|&m| 0.06 * note(m, in_bar, 1.5, t)).sum();
        let bass = 0.1 * note(CHORDS[bar][0] - 24.0, in_bar, 1.0, t);
        let melody = 0.12 * note(MELODY[beat * 5 % MELODY.len()], in_beat, 0.4, t);
        let hit = f64::from(drum[i]) * (-in_beat / 0.03).exp();
        (chord + bass + melody + hit) as f32
    };
    (0..seconds(length)).map(sample).collect()
}
