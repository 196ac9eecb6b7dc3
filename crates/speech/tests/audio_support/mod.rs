//! Sounds to encode, a WAVE writer, and measures of how alike two sounds are.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, though outside of a test function")]

pub mod wav;

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use speech::audio::{AudioError, Damage, Reader, Source};

/// Planar samples at a rate.
pub struct Sound {
    pub rate: u32,
    pub channels: Vec<Vec<f32>>,
}

impl Sound {
    /// Three seconds per channel of a gliding voice: harmonics of 90–220 Hz in syllables, unlike in every channel, within the
    /// band that every codec keeps.
    pub fn speech_like(rate: u32, channels: usize) -> Self {
        let voice = |channel: usize| {
            let offset = channel as f64;
            (0..3 * rate)
                .map(|n| {
                    let time = f64::from(n) / f64::from(rate);
                    // The integral of a pitch of 140 Hz that glides by 50.
                    let cycles = (140.0 + 10.0 * offset % 60.0) * time - 50.0 / 1.3 * (1.3 * time + offset).cos();
                    let harmonics = (1..8)
                        .map(|k| (f64::from(k) * std::f64::consts::TAU * cycles).sin() / f64::from(k))
                        .sum::<f64>();
                    let syllable = (std::f64::consts::PI * 2.2 * (time + 0.1 * offset)).sin().powi(2);
                    (0.25 * harmonics * (0.02 + syllable)) as f32
                })
                .collect()
        };
        Self { rate, channels: (0..channels).map(voice).collect() }
    }

    /// The sound as it should come out: the same function of time, sampled at 16 kHz.
    pub fn at_16k(&self) -> Vec<Vec<f32>> {
        Self::speech_like(16_000, self.channels.len()).channels
    }
}

/// The sound as `ffmpeg` encodes it; none where it is not installed.
pub fn convert(sound: &Sound, ending: &str, arguments: &str) -> Option<Vec<u8>> {
    encode(sound, ending, |from, to| {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(from).args(arguments.split_whitespace()).arg(to);
        ffmpeg
    })
}

/// A recording as `ffmpeg` packs it into another container; none where it is not installed.
pub fn pack(bytes: &[u8], ending: &str, other: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = [ending, other].map(|ending| folder.path().join(format!("recording-{ending}.{ending}")));
    fs::write(&from, bytes).unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(&from).args(["-c:a", "copy"]).arg(&to);
    run(ffmpeg).then(|| fs::read(to).unwrap())
}

/// The sound as `sox` encodes it, which knows AMR; none where it is not installed.
pub fn convert_by_sox(sound: &Sound, ending: &str, arguments: &str) -> Option<Vec<u8>> {
    encode(sound, ending, |from, to| {
        let mut sox = Command::new("sox");
        sox.args(["-V1", "-D"]).arg(from).args(arguments.split_whitespace()).arg(to);
        sox
    })
}

/// A recording as `sox` decodes it, as WAVE; none where it is not installed.
pub fn decode_by_sox(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join(name), folder.path().join("out.wav"));
    fs::write(&from, bytes).unwrap();
    let mut sox = Command::new("sox");
    sox.args(["-V1", "-D"]).arg(&from).args(["-e", "signed", "-b", "16"]).arg(&to);
    run(sox).then(|| fs::read(to).unwrap())
}

/// Whether the program is installed; it must not fail.
fn run(mut command: Command) -> bool {
    match command.status() {
        Ok(status) => {
            assert!(status.success(), "{command:?}");
            true
        }
        Err(error) => {
            println!("skipped: {} cannot be run: {error}", command.get_program().display());
            false
        }
    }
}

fn encode(sound: &Sound, ending: &str, command: impl Fn(&Path, &Path) -> Command) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in.wav"), folder.path().join(format!("out.{ending}")));
    fs::write(&from, wav::write(sound, wav::F32)).unwrap();
    run(command(&from, &to)).then(|| fs::read(to).unwrap())
}

/// Opens bytes as a file of that name.
pub fn open(name: &str, bytes: &[u8]) -> Result<Reader, AudioError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    Reader::open(Source::File { file: File::open(&path).unwrap(), path })
}

/// All of a recording, by channel.
pub fn read_all(reader: Result<Reader, AudioError>) -> Result<(Vec<Vec<f32>>, Damage), AudioError> {
    let mut reader = reader?;
    let mut all = vec![Vec::new(); reader.info().channels];
    while let Some(block) = reader.next_block()? {
        assert!(!block[0].is_empty() && block[0].len() <= 16_000, "a block has 1 to 16 000 samples");
        for (all, block) in all.iter_mut().zip(block) {
            all.extend_from_slice(block);
        }
    }
    Ok((all, reader.damage()))
}

/// By how many seconds `decoded` is late against `original` at 16 kHz, within 150 ms and to a hundredth of a sample, and its
/// SNR in dB once that is undone to the next sample (the first and last 50 ms left out).
pub fn compare(original: &[f32], decoded: &[f32]) -> (f64, f64) {
    const REACH: i64 = 2400;
    const EDGE: i64 = 800;
    let at =
        |samples: &[f32], n: i64| usize::try_from(n).ok().and_then(|n| samples.get(n)).map_or(0.0, |&x| f64::from(x));
    let range = REACH..original.len() as i64 - REACH;
    let correlation = |lag: i64| range.clone().step_by(7).map(|n| at(original, n) * at(decoded, n + lag)).sum::<f64>();
    let lag = (-REACH..=REACH).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b))).unwrap();
    let (before, here, after) = (correlation(lag - 1), correlation(lag), correlation(lag + 1));
    // The top of the parabola through three points.
    let fraction = 0.5 * (before - after) / (before - 2.0 * here + after);
    let power =
        |x: &dyn Fn(i64) -> f64| (EDGE..original.len() as i64 - EDGE - lag.max(0)).map(|n| x(n).powi(2)).sum::<f64>();
    let noise = power(&|n| at(original, n) - at(decoded, n + lag));
    let snr = 10.0 * (power(&|n| at(original, n)) / noise.max(1e-12)).log10();
    let shift = if fraction.abs() < 0.05 { lag as f64 } else { lag as f64 + fraction };
    (shift / 16_000.0, snr)
}
