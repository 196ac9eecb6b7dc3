//! Five hours through the reader: how much memory, how fast. Run by `make soak`, or by hand, one test after the other because
//! they share a process and its memory is measured:
//! `cargo test --release -p speech --test audio_soak -- --ignored --nocapture --test-threads 1`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, though outside of a test function")]

mod audio_support;

use std::{
    fs,
    io::{self, Cursor, Read},
    time::Instant,
};

use audio_support::{Sound, convert, wav};
use speech::audio::{Reader, Source};

/// The process's memory in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Samples of a minute at 16 kHz.
const MINUTE: u64 = 60 * 16_000;

/// Reads everything, and returns the seconds of audio and the process's memory after each minute, in KiB.
fn drain(read: impl Read + Send + Sync + 'static) -> (u64, Vec<u64>) {
    let mut reader = Reader::open(Source::Stream(Box::new(read))).unwrap();
    let (mut frames, mut memory) = (0u64, Vec::new());
    while let Some(block) = reader.next_block().unwrap() {
        frames += block[0].len() as u64;
        if frames / MINUTE > memory.len() as u64 {
            memory.push(resident());
        }
    }
    (frames / 16_000, memory)
}

#[test]
#[ignore = "a soak test: five hours of audio"]
fn five_hours_pass_in_bounded_memory() {
    let header = wav::header(7, 2, 8_000, 8, u32::MAX);
    let samples = Sound::speech_like(8_000, 2);
    let minute = wav::write(&samples, wav::MULAW)[44..].repeat(20);
    let minutes = Repeat { bytes: minute, times: 300, at: 0 };
    let started = Instant::now();
    let (seconds, memory) = drain(Cursor::new(header).chain(minutes));
    assert_eq!((seconds, memory.len()), (18_000, 300));
    let growth = memory.iter().max().unwrap().saturating_sub(memory[0]);
    println!(
        "mulaw stereo: {seconds} s, {:.0} x real time, +{growth} KiB",
        seconds as f64 / started.elapsed().as_secs_f64()
    );
    assert!(growth < 1024, "memory grew by {growth} KiB");
}

#[test]
#[ignore = "a measurement"]
fn how_fast_recordings_are_read() {
    let sound = Sound::speech_like(44_100, 2);
    let ten_minutes =
        Sound { rate: 44_100, channels: sound.channels.iter().map(|channel| channel.repeat(200)).collect() };
    for (ending, arguments) in [("mp3", "-b:a 128k"), ("opus", "-ac 1 -b:a 32k"), ("flac", ""), ("m4a", "-b:a 96k")] {
        let Some(bytes) = convert(&ten_minutes, ending, arguments) else { return };
        let started = Instant::now();
        let (seconds, _) = drain(Cursor::new(bytes));
        println!("{ending} {arguments}: {:.0} x real time", seconds as f64 / started.elapsed().as_secs_f64());
    }
}

/// The same bytes a number of times.
struct Repeat {
    bytes: Vec<u8>,
    times: usize,
    at: usize,
}

impl Read for Repeat {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() * self.times {
            return Ok(0);
        }
        let from = &self.bytes[self.at % self.bytes.len()..];
        let read = from.len().min(into.len());
        into[..read].copy_from_slice(&from[..read]);
        self.at += read;
        Ok(read)
    }
}
