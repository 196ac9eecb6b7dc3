//! Samples as a WAVE file: a header of 44 bytes that follows from how many there are, and the samples. Its one invariant: the byte `n` of
//! the file is the byte `n - 44` of the samples.

use std::ops::Range;

use speech::SAMPLE_RATE;

use super::silence::SAMPLE_BYTES;

/// Bytes of the header.
pub(super) const HEADER: u64 = 44;

/// The header of so many bytes of samples (Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991).
/// Five hours of two channels are 1.2 GB, well within its 32 bits.
pub(super) fn header(bytes: u64, channels: u16) -> [u8; HEADER as usize] {
    let data = u32::try_from(bytes).unwrap_or(u32::MAX);
    let frame = channels * SAMPLE_BYTES as u16;
    let mut header = [0; HEADER as usize];
    let mut fields = header.chunks_mut(4);
    for field in [
        *b"RIFF",
        data.saturating_add(36).to_le_bytes(),
        *b"WAVE",
        *b"fmt ",
        16u32.to_le_bytes(),
        // PCM, and the channels.
        (1 | u32::from(channels) << 16).to_le_bytes(),
        SAMPLE_RATE.to_le_bytes(),
        (SAMPLE_RATE * u32::from(frame)).to_le_bytes(),
        // Bytes of a frame, and bits of a sample.
        (u32::from(frame) | 16 << 16).to_le_bytes(),
        *b"data",
        data.to_le_bytes(),
    ] {
        if let Some(place) = fields.next() {
            place.copy_from_slice(&field);
        }
    }
    header
}

/// Which bytes of the header, and which of the samples, make up a range of the file.
pub(super) fn split(range: &Range<u64>) -> (Range<usize>, Range<u64>) {
    let header = |byte: u64| byte.min(HEADER) as usize;
    (header(range.start)..header(range.end), range.start.saturating_sub(HEADER)..range.end.saturating_sub(HEADER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_by_our_own_decoder() {
        let samples = [1i16, -2, 300, -32_768].map(i16::to_le_bytes).concat();
        let file = std::io::Cursor::new([&header(8, 2)[..], &samples].concat());
        let mut decoder = speech::audio::Decoder::open(speech::audio::Source::Random(Box::new(file))).unwrap();
        assert_eq!((decoder.info().channels, decoder.info().sample_rate), (2, 16_000));
        let block = decoder.next_block().unwrap().unwrap();
        assert_eq!(block[0], [1.0 / 32_768.0, 300.0 / 32_768.0]);
    }
}
