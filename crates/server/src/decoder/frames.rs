//! What the two processes say to each other. Its one invariant: a message that is not exactly as it should be is refused, before
//! more memory is taken than the longest right one needs.
//!
//! A message is its kind (1 byte), the length of what follows (4 bytes) and what follows; numbers are little-endian.

use std::io::{self, Read, Write};

/// Channels of a block, as [`speech`] allows.
pub const MAX_CHANNELS: usize = 32;

/// Samples of a block in one channel: a second at 16 kHz.
pub const MAX_FRAMES: usize = 16_000;

/// Bytes of the longest message: a block of all channels with its two counts.
pub const MAX_MESSAGE: usize = 4 + MAX_CHANNELS * MAX_FRAMES * 4;

/// Bytes that are asked for at once.
pub const MAX_READ: usize = 256 << 10;

/// The loudest sample: decoders clip there as well.
const LOUDEST: f32 = 8.0;

/// Length that stands for "these bytes cannot be read".
const UNREADABLE: u32 = u32::MAX;

/// Why a recording cannot be decoded, as the process tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// No sample in it.
    Empty = 1,
    /// No audio.
    NotAudio = 2,
    /// A container or codec that is not read.
    Unsupported = 3,
    /// Damaged beyond reading.
    Undecodable = 4,
    /// Longer than five hours.
    TooLong = 5,
    /// More than [`MAX_CHANNELS`].
    TooManyChannels = 6,
    /// A sample rate out of range.
    SampleRate = 7,
    /// A container without sound.
    NoAudioTrack = 8,
    /// Its bytes could not be had; not the recording's fault.
    Unreadable = 9,
    /// The process could not lock itself in; not the recording's fault.
    NoSandbox = 10,
}

impl Refusal {
    const ALL: [Self; 10] = [
        Self::Empty,
        Self::NotAudio,
        Self::Unsupported,
        Self::Undecodable,
        Self::TooLong,
        Self::TooManyChannels,
        Self::SampleRate,
        Self::NoAudioTrack,
        Self::Unreadable,
        Self::NoSandbox,
    ];

    /// The short code that the call's owner sees.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "audio_empty",
            Self::NotAudio => "audio_not_audio",
            Self::Unsupported => "audio_unsupported",
            Self::Undecodable => "audio_undecodable",
            Self::TooLong => "audio_too_long",
            Self::TooManyChannels => "audio_too_many_channels",
            Self::SampleRate => "audio_sample_rate",
            Self::NoAudioTrack => "audio_no_track",
            Self::Unreadable => "audio_unreadable",
            Self::NoSandbox => "decoder_no_sandbox",
        }
    }
}

/// What the decoding process says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// It wants bytes of the recording.
    Read {
        /// From here on.
        offset: u64,
        /// So many, 1 to [`MAX_READ`].
        length: u32,
    },
    /// What the recording is; comes once, before the first block.
    Info {
        /// 1 to [`MAX_CHANNELS`].
        channels: u16,
        /// Seconds, where the container tells.
        duration: Option<f64>,
    },
    /// Samples by channel: 1 to [`MAX_FRAMES`] in each, finite.
    Block(Vec<Vec<f32>>),
    /// There are no more samples.
    End {
        /// It ends before its container says so.
        truncated: bool,
        /// Packets that are silent because they could not be decoded.
        packets: u64,
    },
    /// It cannot be decoded.
    Refused(Refusal),
}

impl Message {
    /// Writes it.
    ///
    /// # Errors
    /// When the other side is gone.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Block(channels) => write_block(channels, to),
            Self::Read { offset, length } => {
                write(to, 1, &[&offset.to_le_bytes()[..], &length.to_le_bytes()[..]].concat())
            }
            Self::Info { channels, duration } => {
                let duration = duration.unwrap_or(f64::NAN).to_le_bytes();
                write(to, 2, &[&channels.to_le_bytes()[..], &duration[..]].concat())
            }
            Self::End { truncated, packets } => {
                write(to, 4, &[&[u8::from(*truncated)][..], &packets.to_le_bytes()[..]].concat())
            }
            Self::Refused(refusal) => write(to, 5, &[*refusal as u8]),
        }
    }

    /// Reads the next one.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is none; whatever reading fails with.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 5];
        from.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Self::parse(kind, &body).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The message of that kind; `None` when it is none.
    #[must_use]
    pub fn parse(kind: u8, body: &[u8]) -> Option<Self> {
        match (kind, body.len()) {
            (1, 12) => {
                let length = u32::from_le_bytes(field(body, 8)?);
                let in_range = (1..=MAX_READ as u32).contains(&length);
                in_range.then_some(Self::Read { offset: u64::from_le_bytes(field(body, 0)?), length })
            }
            (2, 10) => {
                let channels = u16::from_le_bytes(field(body, 0)?);
                let duration = Some(f64::from_le_bytes(field(body, 2)?)).filter(|seconds| !seconds.is_nan());
                let possible = duration.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0);
                let in_range = (1..=MAX_CHANNELS).contains(&usize::from(channels));
                (possible && in_range).then_some(Self::Info { channels, duration })
            }
            (3, _) => parse_block(body),
            (4, 9) => {
                let truncated = body.first().filter(|byte| **byte <= 1)? == &1;
                Some(Self::End { truncated, packets: u64::from_le_bytes(field(body, 1)?) })
            }
            (5, 1) => Some(Self::Refused(*Refusal::ALL.iter().find(|refusal| **refusal as u8 == body[0])?)),
            _ => None,
        }
    }
}

/// Writes samples without copying them into a message first.
///
/// # Errors
/// When the other side is gone.
pub fn write_block(channels: &[Vec<f32>], to: &mut impl Write) -> io::Result<()> {
    let frames = channels.first().map_or(0, Vec::len);
    let mut body = Vec::with_capacity(4 + channels.len() * frames * 4);
    body.extend((channels.len() as u16).to_le_bytes());
    body.extend((frames as u16).to_le_bytes());
    body.extend(channels.iter().flatten().flat_map(|sample| sample.to_le_bytes()));
    write(to, 3, &body)
}

fn parse_block(body: &[u8]) -> Option<Message> {
    let channels = usize::from(u16::from_le_bytes(field(body, 0)?));
    let frames = usize::from(u16::from_le_bytes(field(body, 2)?));
    let samples = body.get(4..)?;
    let in_range = (1..=MAX_CHANNELS).contains(&channels) && (1..=MAX_FRAMES).contains(&frames);
    if !in_range || samples.len() != channels * frames * 4 {
        return None;
    }
    let mut block = Vec::with_capacity(channels);
    for channel in samples.chunks_exact(frames * 4) {
        let samples = channel.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let samples: Vec<f32> = samples.collect();
        if !samples.iter().all(|sample| sample.abs() <= LOUDEST) {
            return None;
        }
        block.push(samples);
    }
    Some(Message::Block(block))
}

fn write(to: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<()> {
    let mut message = Vec::with_capacity(5 + body.len());
    message.push(kind);
    message.extend((body.len() as u32).to_le_bytes());
    message.extend(body);
    to.write_all(&message)
}

fn field<const N: usize>(body: &[u8], at: usize) -> Option<[u8; N]> {
    body.get(at..at + N)?.try_into().ok()
}

/// Answers a [`Message::Read`]; `None` when the bytes cannot be had.
///
/// # Errors
/// When the other side is gone.
pub fn write_bytes(bytes: Option<&[u8]>, to: &mut impl Write) -> io::Result<()> {
    let length = bytes.map_or(UNREADABLE, |bytes| bytes.len() as u32);
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes.unwrap_or_default())
}

/// Reads the answer to a [`Message::Read`] into `into`; returns how many bytes there were.
///
/// # Errors
/// When the bytes could not be had, or the answer is longer than what was asked for.
pub fn read_bytes(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length == UNREADABLE {
        return Err(io::Error::other("the recording cannot be read"));
    }
    let into = into.get_mut(..length as usize).ok_or(io::ErrorKind::InvalidData)?;
    from.read_exact(into)?;
    Ok(into.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> impl Strategy<Value = Message> {
        let block = (1usize..4, 1usize..40).prop_flat_map(|(channels, frames)| {
            prop::collection::vec(prop::collection::vec(-8.0f32..8.0, frames), channels)
        });
        prop_oneof![
            (any::<u64>(), 1..=MAX_READ as u32).prop_map(|(offset, length)| Message::Read { offset, length }),
            (1u16..=32, prop::option::of(0.0f64..1e9))
                .prop_map(|(channels, duration)| Message::Info { channels, duration }),
            block.prop_map(Message::Block),
            (any::<bool>(), any::<u64>()).prop_map(|(truncated, packets)| Message::End { truncated, packets }),
            prop::sample::select(&Refusal::ALL[..]).prop_map(Message::Refused),
        ]
    }

    fn written(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.write(&mut bytes).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(message in message()) {
            prop_assert_eq!(Message::read(&mut &written(&message)[..]).unwrap(), message);
        }

        #[test]
        fn a_message_that_is_cut_or_longer_than_it_says_is_refused(message in message(), cut in 1usize..40) {
            let bytes = written(&message);
            prop_assert!(Message::read(&mut &bytes[..bytes.len() - cut.min(bytes.len())]).is_err());
            let mut longer = bytes[5..].to_vec();
            longer.push(0);
            prop_assert_eq!(Message::parse(bytes[0], &longer), None);
        }

        #[test]
        fn foreign_bytes_are_refused_or_are_a_message_in_range(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(message) = Message::read(&mut &bytes[..]) {
                prop_assert_eq!(&written(&message)[..1], &bytes[..1]);
            }
        }
    }

    #[test]
    fn a_message_that_claims_more_than_the_longest_takes_no_memory() {
        let mut claim = vec![3];
        claim.extend(u32::MAX.to_le_bytes());
        assert_eq!(Message::read(&mut &claim[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn samples_that_are_no_numbers_or_louder_than_any_are_refused() {
        for sample in [f32::NAN, f32::INFINITY, 8.1] {
            assert_eq!(Message::parse(3, &written(&Message::Block(vec![vec![sample]]))[5..]), None);
        }
    }

    #[test]
    fn an_answer_that_is_longer_than_what_was_asked_for_is_refused() {
        let mut answer = Vec::new();
        write_bytes(Some(b"four"), &mut answer).unwrap();
        assert!(read_bytes(&mut &answer[..], &mut [0; 3]).is_err());
        let mut into = [0; 8];
        assert_eq!(read_bytes(&mut &answer[..], &mut into).unwrap(), 4);
        assert_eq!(&into[..4], b"four");
        answer.clear();
        write_bytes(None, &mut answer).unwrap();
        assert!(read_bytes(&mut &answer[..], &mut into).is_err());
    }
}
