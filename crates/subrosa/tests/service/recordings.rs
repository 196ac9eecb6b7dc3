//! Recordings to upload, each of its own bytes: a recording that was sent before becomes no second call.

use std::{ops::Range, sync::OnceLock};

use bytes::Bytes;

use crate::program::models;

/// Bytes of a block, as a socket gives them.
const BLOCK: usize = 64 << 10;

/// Bytes of a second of the sample call: 16 kHz, 16 bits, one channel.
const SECOND: usize = 32_000;

/// Seconds of the sample call.
const SECONDS: usize = 30;

/// A WAV file: its number and much that says nothing in a chunk that readers skip (RIFF's own `JUNK`), then speech. So bytes are many
/// where a test wants many, and words are few.
#[derive(Clone)]
pub(crate) struct Recording {
    pub(crate) title: String,
    head: Bytes,
    padding: usize,
    speech: Bytes,
}

impl Recording {
    /// So many seconds of the sample call, from somewhere in it, and so many bytes of nothing.
    pub(crate) fn new(number: usize, seconds: usize, padding: usize) -> Self {
        let from = number * 7 % (SECONDS - seconds + 1);
        Self::of(number, from..from + seconds, padding)
    }

    fn of(number: usize, seconds: Range<usize>, padding: usize) -> Self {
        Self::saying(number, &sample().slice(seconds.start * SECOND..seconds.end * SECOND), padding)
    }

    fn saying(number: usize, speech: &[u8], padding: usize) -> Self {
        let word = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
        let padding = padding.next_multiple_of(2);
        let mut head = b"RIFF".to_vec();
        head.extend(word(padding + speech.len() + 60));
        head.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        head.extend([word(16_000), word(SECOND)].concat());
        head.extend(b"\x02\0\x10\0JUNK");
        head.extend([word(padding + 8), word(number), word(0)].concat());
        let speech = Bytes::from([b"data", &word(speech.len())[..], speech].concat());
        Self { title: format!("recording {number}"), head: head.into(), padding, speech }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.head.len() + self.padding + self.speech.len()
    }

    /// Its bytes in that range, in blocks; what says nothing is held once.
    pub(crate) fn blocks(&self, range: Range<usize>) -> Vec<Bytes> {
        static NOTHING: [u8; BLOCK] = [0; BLOCK];
        let nothing = (0..self.padding).step_by(BLOCK).map(|at| (self.padding - at).min(BLOCK));
        let nothing = nothing.map(|length| Bytes::from_static(&NOTHING[..length]));
        let (mut at, mut blocks) = (0, Vec::new());
        for block in [self.head.clone()].into_iter().chain(nothing).chain([self.speech.clone()]) {
            let (from, to) = (range.start.max(at), range.end.min(at + block.len()));
            if from < to {
                blocks.push(block.slice(from - at..to - at));
            }
            at += block.len();
        }
        blocks
    }
}

/// Hundredths of a second of the sample call in which one of the two speaks alone (`sample.rttm`).
const ALONE: [Range<usize>; 4] = [755..832, 1003..1057, 1470..1792, 2178..2785];

/// Twenty seconds of one person, as a file: ten, twice.
pub(crate) fn voice() -> Vec<u8> {
    let alone = ALONE.iter().flat_map(|at| sample().slice(at.start * SECOND / 100..at.end * SECOND / 100));
    let speech: Vec<u8> = alone.collect();
    let speech: Vec<u8> = speech.iter().copied().cycle().take(20 * SECOND).collect();
    let voice = Recording::saying(0, &speech, 0);
    voice.blocks(0..voice.bytes()).concat()
}

/// The samples of the sample call.
fn sample() -> Bytes {
    static SAMPLE: OnceLock<Bytes> = OnceLock::new();
    let read = || {
        let wav = std::fs::read(models().unwrap().join("samples/sample.wav")).unwrap();
        let start = wav.windows(4).position(|name| name == b"data").unwrap() + 8;
        Bytes::from(wav).slice(start..start + SECONDS * SECOND)
    };
    SAMPLE.get_or_init(read).clone()
}
