//! Brings speech segments to one loudness, so that a whisper beside a shout in one window is not lost (a window of clips
//! 30 dB apart costs Whisper most of the quiet ones). Its one invariant: nothing clips, and silence stays silent.

use ebur128::{EbuR128, Mode};

use crate::SAMPLE_RATE;

/// The loudness to reach, in LUFS: speech for listening, as in EBU R 128 s2 for streaming.
const TARGET_LUFS: f64 = -16.0;

/// The most that a segment is raised, in dB: 30 covers a far party on a call; more would raise the noise of silence.
const MAX_RAISE_DB: f64 = 30.0;

/// Quieter than this, in LUFS, is no speech, and is left as it is.
const SILENCE_LUFS: f64 = -60.0;

/// From here on, peaks are bent instead of cut: 2 dB below full scale, so that resampling between samples does not clip.
const KNEE: f32 = 0.8;

/// What was done to a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Its loudness before, in LUFS; none where it was too short or silent.
    pub loudness: Option<f64>,
    /// By how much it was raised, in dB.
    pub db: f64,
}

/// Brings one speech segment of 16 kHz samples, 0.1 to 30 s long, to −16 LUFS in place.
///
/// Loudness is ITU-R BS.1770-4 (K-weighted, gated); segments shorter than its blocks of 400 ms are measured whole.
pub fn level(samples: &mut [f32]) -> Gain {
    let loudness = loudness(samples).filter(|&lufs| lufs > SILENCE_LUFS);
    let db = loudness.map_or(0.0, |lufs| (TARGET_LUFS - lufs).min(MAX_RAISE_DB));
    let factor = 10f64.powf(db / 20.0) as f32;
    for sample in samples {
        *sample = limit(*sample * factor);
    }
    Gain { loudness, db }
}

/// Below the knee as it was; above it ever flatter, never beyond 1. Memoryless: a limiter with a release would pump.
fn limit(sample: f32) -> f32 {
    let over = sample.abs() - KNEE;
    if over <= 0.0 { sample } else { (KNEE + (1.0 - KNEE) * (over / (1.0 - KNEE)).tanh()).copysign(sample) }
}

fn loudness(samples: &[f32]) -> Option<f64> {
    /// The standard's block, and the shortest segment that has a loudness at all, in ms.
    const BLOCK_MS: usize = 400;
    const SHORTEST_MS: usize = 50;
    let mut meter = EbuR128::new(1, SAMPLE_RATE, Mode::I).ok()?;
    meter.add_frames_f32(samples).ok()?;
    let ms = samples.len() * 1000 / SAMPLE_RATE as usize;
    let lufs = match ms {
        ..SHORTEST_MS => return None,
        SHORTEST_MS..BLOCK_MS => meter.loudness_window(u32::try_from(ms).ok()?).ok()?,
        _ => meter.loudness_global().ok()?,
    };
    lufs.is_finite().then_some(lufs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(seconds: f32, amplitude: f32) -> Vec<f32> {
        let length = (seconds * SAMPLE_RATE as f32) as usize;
        (0..length).map(|n| amplitude * (n as f32 * 0.4).sin()).collect()
    }

    #[test]
    fn quiet_and_loud_segments_come_to_the_same_loudness() {
        for seconds in [0.2, 1.0, 10.0] {
            for amplitude in [0.01, 0.1, 0.9] {
                let mut samples = tone(seconds, amplitude);
                level(&mut samples);
                let reached = loudness(&samples).unwrap();
                assert!((reached - TARGET_LUFS).abs() < 0.5, "{seconds} s at {amplitude}: {reached} LUFS");
            }
        }
    }

    #[test]
    fn nothing_clips_and_silence_is_not_raised() {
        let mut samples = tone(2.0, 0.01);
        samples[1000] = 0.9;
        level(&mut samples);
        assert!(samples.iter().all(|sample| sample.abs() <= 1.0));

        let mut faint = tone(1.0, 0.0002);
        assert_eq!(level(&mut faint).db, 0.0);
        assert_eq!(level(&mut []), Gain { loudness: None, db: 0.0 });
        assert_eq!(level(&mut [0.0; 16_000]), Gain { loudness: None, db: 0.0 });
    }
}
