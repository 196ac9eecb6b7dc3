//! Samples without what was redacted. Its one invariant: where a finding may have been said, with a margin around it, every sample of every
//! channel is zero, and no other sample is changed.

use std::{cmp::min, ops::Range};

use api::redactions::Finding;
use speech::SAMPLE_RATE;

/// Around what may be heard of a finding, in milliseconds: words are found in the attention of the recogniser, whose steps are 20 ms, and
/// begin or end within a quarter of a second of where they are said.
pub const MARGIN_MS: u64 = 250;

/// What has to be silent for something that was said between these times (`insight::redact::reaches`), in milliseconds.
#[must_use]
pub fn around((start, end): (f64, f64)) -> (u64, u64) {
    // Outwards; times are those of a recording of five hours at most.
    (((start * 1000.0).floor() as u64).saturating_sub(MARGIN_MS), (end * 1000.0).ceil() as u64 + MARGIN_MS)
}

/// Frames of a millisecond.
const FRAMES_A_MS: u64 = SAMPLE_RATE as u64 / 1000;

/// Bytes of a sample.
pub const SAMPLE_BYTES: usize = 2;

/// Where it is silent: frames from the start of the recording, in order, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silences(Vec<Range<u64>>);

impl Silences {
    /// What has to be silent for these findings.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let frames = |finding: &Finding| {
            finding.silent_from_ms.saturating_mul(FRAMES_A_MS)..finding.silent_to_ms.saturating_mul(FRAMES_A_MS)
        };
        let mut spans: Vec<Range<u64>> = findings.iter().map(frames).collect();
        spans.sort_unstable_by_key(|span| span.start);
        spans.dedup_by(|next, span| {
            let meets = next.start <= span.end;
            if meets {
                span.end = span.end.max(next.end);
            }
            meets
        });
        Self(spans)
    }

    /// Silences `bytes`, which are those of interleaved samples of `channels` from the byte `at` on; they may begin and end anywhere.
    pub fn silence(&self, bytes: &mut [u8], at: u64, channels: usize) {
        let frame = (channels * SAMPLE_BYTES) as u64;
        let end = at + bytes.len() as u64;
        let first = self.0.partition_point(|span| span.end.saturating_mul(frame) <= at);
        for span in &self.0[first..] {
            let (from, to) = (span.start.saturating_mul(frame).max(at), min(span.end.saturating_mul(frame), end));
            if from >= end {
                break;
            }
            // Both are within `bytes`.
            bytes[(from - at) as usize..(to - at) as usize].fill(0);
        }
    }
}

/// Makes samples of 16 bits of blocks of a recording, silent where they have to be. More than two channels become one: conferences, whose
/// parties are told apart nowhere in what is played.
pub struct Samples {
    silences: Silences,
    channels: usize,
    at: u64,
}

impl Samples {
    /// Of a recording with so many channels.
    #[must_use]
    pub fn new(silences: Silences, channels: usize) -> Self {
        Self { silences, channels: played_channels(channels), at: 0 }
    }

    /// The next samples, of as many frames as the block has.
    #[must_use]
    pub fn next(&mut self, block: &[Vec<f32>]) -> Vec<u8> {
        let frames = block.first().map_or(0, Vec::len);
        let mut bytes = Vec::with_capacity(frames * self.channels * SAMPLE_BYTES);
        for frame in 0..frames {
            if self.channels == block.len() {
                bytes.extend(block.iter().flat_map(|channel| sample(channel[frame]).to_le_bytes()));
            } else {
                let sum: f32 = block.iter().map(|channel| channel[frame]).sum();
                bytes.extend(sample(sum / block.len() as f32).to_le_bytes());
            }
        }
        self.silences.silence(&mut bytes, self.at, self.channels);
        self.at += bytes.len() as u64;
        bytes
    }
}

/// How many channels of a recording are played.
#[must_use]
pub fn played_channels(channels: usize) -> usize {
    if channels == 2 { 2 } else { 1 }
}

/// A float of -1 to 1 as decoders make it of 16 bits, and back; clamped, so the conversion keeps the value.
fn sample(value: f32) -> i16 {
    (value * 32_768.0).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::redactions::FindingKind;
    use proptest::prelude::*;

    fn finding(silent_from_ms: u64, silent_to_ms: u64) -> Finding {
        let (start_ms, end_ms) = (silent_from_ms, silent_to_ms);
        let kind = FindingKind::PhoneNumber;
        Finding { kind, segment_id: String::new(), word: None, start_ms, end_ms, silent_from_ms, silent_to_ms }
    }

    #[test]
    fn findings_that_touch_are_one_silence() {
        let silences = Silences::of(&[finding(2000, 2450), finding(0, 300), finding(4000, 5000), finding(300, 2200)]);
        assert_eq!(silences.0, [0..2450 * 16, 4000 * 16..5000 * 16]);
        assert_eq!((around((0.1, 0.2)), around((7.62, 12.7))), ((0, 450), (7370, 12_950)));
    }

    #[test]
    fn samples_of_sixteen_bits_come_back_as_they_were() {
        let block: Vec<f32> = (i16::MIN..=i16::MAX).map(|value| f32::from(value) / 32_768.0).collect();
        let bytes = Samples::new(Silences::default(), 1).next(&[block]);
        let back: Vec<i16> = bytes.chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        assert_eq!(back, (i16::MIN..=i16::MAX).collect::<Vec<_>>());
        let three = Samples::new(Silences::default(), 3).next(&[vec![0.3], vec![0.0], vec![0.0]]);
        assert_eq!(three, sample(0.1).to_le_bytes());
    }

    proptest! {
        /// However the bytes are cut, those of the silences are zero and the others as they were.
        #[test]
        fn a_byte_is_silent_exactly_where_a_finding_is(
            found in prop::collection::vec((0u64..3000, 0u64..400), 0..6),
            cuts in prop::collection::vec(1usize..9000, 1..40),
            channels in 1usize..3,
        ) {
            let findings: Vec<Finding> = found.iter().map(|(at, long)| finding(*at, at + long)).collect();
            let silences = Silences::of(&findings);
            let mut at = 0;
            for length in cuts {
                let mut bytes = vec![1; length];
                silences.silence(&mut bytes, at, channels);
                for (place, byte) in bytes.iter().enumerate() {
                    let ms = (at + place as u64) / (channels as u64 * 2) / 16;
                    let silent = findings.iter().any(|f| f.silent_from_ms <= ms && ms < f.silent_to_ms);
                    prop_assert_eq!(*byte == 0, silent, "byte {} of {} channels", at + place as u64, channels);
                }
                at += length as u64;
            }
        }
    }
}
