//! Five hours of a real call through the program: how much memory. Run by `make soak`, or by hand for fewer minutes:
//! `SUBROSA_SOAK_MINUTES=5 cargo test --release -p subrosa --test soak -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests, though outside of a test function")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Instant,
};

/// The longest recording that is read.
const MINUTES: u64 = 300;
/// The aim for Whisper base with two recognisers, in MB.
const MOST_MB: u64 = 800;
/// What the words and voices of the last four fifths may add, in MB: a window more or less in hand takes as much.
const GROWTH_MB: u64 = 100;
/// Bytes of a second of the sample call: 16 kHz, 16 bits, one channel.
const SECOND: u64 = 32_000;

#[test]
#[expect(clippy::zombie_processes, reason = "wait4(2) waits, which tells the memory as well")]
#[ignore = "a soak test: recognises five hours of speech"]
fn five_hours_of_speech_take_bounded_memory_that_stays_flat() {
    let Some(data) = data_dir() else { return };
    let minutes = std::env::var("SUBROSA_SOAK_MINUTES").map_or(MINUTES, |minutes| minutes.parse().unwrap());
    let length = minutes * 60 * SECOND;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_subrosa"))
        .env("SUBROSA_DATA_DIR", &data)
        .args("transcribe - --quiet --model base --threads 2 --language en --output".split(' '))
        .arg(&out)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut call = Call::new(&data, child.stdin.take().unwrap(), length);
    // The program takes no more than it is at, so that what was written is what was heard, but for a minute.
    call.write_until(length / 5);
    let early = peak_so_far(&child);
    call.write_until(length);
    drop(call);
    let (code, peak) = wait(&child);
    let speed = minutes as f64 * 60.0 / started.elapsed().as_secs_f64();
    eprintln!("{minutes} minutes: peak {peak} MB, {early} MB after a fifth, {speed:.1} x real time");

    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    assert!((document["durationSeconds"].as_f64().unwrap() - minutes as f64 * 60.0).abs() < 1.0);
    assert!(peak <= MOST_MB, "{peak} MB");
    assert!(peak <= early + GROWTH_MB, "{early} MB after a fifth, {peak} MB in the end");
}

/// The sample call over and over, on its way into the program.
struct Call {
    samples: Vec<u8>,
    into: ChildStdin,
    written: u64,
}

impl Call {
    /// Writes the header of a recording of `length` bytes.
    fn new(data: &Path, mut into: ChildStdin, length: u64) -> Self {
        let wav = fs::read(data.join("samples/sample.wav")).unwrap();
        let samples = wav.windows(4).position(|name| name == b"data").unwrap() + 8;
        let length = u32::try_from(length).unwrap().to_le_bytes();
        into.write_all(&[&wav[..samples - 4], &length].concat()).unwrap();
        Self { samples: wav[samples..].to_vec(), into, written: 0 }
    }

    fn write_until(&mut self, end: u64) {
        while self.written < end {
            let from = &self.samples[(self.written % self.samples.len() as u64) as usize..];
            let left = usize::try_from(end - self.written).unwrap();
            let written = self.into.write(&from[..from.len().min(left)]).unwrap();
            self.written += written as u64;
        }
    }
}

/// The highest that the memory of a running process ever was, in MB.
fn peak_so_far(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024 / 1_000_000
}

/// Waits for a process: its exit code, and the highest that its memory ever was, in MB.
fn wait(child: &Child) -> (i32, u64) {
    let mut status = 0;
    // SAFETY: all zeros is a valid `rusage`, which is integers only.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the types that wait4(2) fills; the child was not waited for before.
    let waited = unsafe { libc::wait4(child.id().cast_signed(), &mut status, 0, &mut used) };
    assert_eq!(waited, child.id().cast_signed());
    assert!(libc::WIFEXITED(status), "killed");
    (libc::WEXITSTATUS(status), used.ru_maxrss.cast_unsigned() * 1024 / 1_000_000)
}

/// The data directory of the tests, where the models are in it.
fn data_dir() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.data");
    let data = std::env::var_os("SUBROSA_DATA_DIR").map_or_else(default, PathBuf::from);
    if !data.join("samples/sample.wav").exists() {
        eprintln!("skipped: no models in {}; `cargo xtask models` fetches them", data.display());
        return None;
    }
    data.canonicalize().ok()
}
