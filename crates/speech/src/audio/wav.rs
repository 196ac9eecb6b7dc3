//! WAVE files: RIFF, RF64 and BW64 (Microsoft RIFF 1991 and "Multiple channel audio data"; EBU Tech 3306).
//!
//! Telephone systems write headers that are wrong about lengths (zero, 4 GB, rounded), so the one invariant here: what the
//! header says about lengths never hides samples that are there, and never invents samples that are not.

use std::io;

use symphonia::core::{
    audio::Channels,
    codecs::{
        CodecParameters,
        audio::{AudioCodecId, AudioCodecParameters, well_known as codec},
    },
    errors::{Error, Result, SeekErrorKind},
    formats::{FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track, well_known::FORMAT_ID_WAVE},
    io::{MediaSource as _, MediaSourceStream, ReadBytes as _},
    meta::{Metadata, MetadataLog},
    packet::Packet,
    units::{Duration, Timestamp},
};

use super::{MAX_SECONDS, gsm, telephone};

/// Samples a packet holds at least: 64 ms at 16 kHz.
const PACKET_FRAMES: u64 = 1024;

/// Chunks before the samples: real files have a handful; a file of a million empty ones is not searched.
const MAX_CHUNKS: usize = 256;

/// The lengths that recorders write when they cannot go back to fill in the real one: ffmpeg and most others all ones
/// (which RF64 replaces by its own), sox 2 GiB less a page, some recorders zero.
const UNKNOWN_LENGTHS: [u32; 3] = [u32::MAX, 0x7fff_f000, 0];

/// What the `fmt ` chunk says.
struct Format {
    codec: AudioCodecId,
    channels: u16,
    rate: u32,
    /// Bytes that cannot be divided: one sample of each channel, or one block of a codec.
    block_bytes: u64,
    /// Samples a channel in such a block.
    block_frames: u64,
}

/// Reads packets of a WAVE file.
pub(super) struct WavReader {
    stream: MediaSourceStream<'static>,
    info: FormatInfo,
    media: MediaInfo,
    metadata: MetadataLog,
    tracks: Vec<Track>,
    format: Format,
    /// Bytes of samples not read yet; none where the header does not know.
    left: Option<u64>,
    next_frame: u64,
}

/// What a WAVE file turned out to hold.
pub(super) enum Wav {
    /// Samples in one of the codecs that have packets of constant size.
    Samples(Box<WavReader>),
    /// A stream of MPEG frames, as some call recorders write.
    Mpeg(MediaSourceStream<'static>),
}

/// Reads the chunks before the samples. `stream` stands at `RIFF`.
pub(super) fn open(mut stream: MediaSourceStream<'static>) -> Result<Wav> {
    stream.ignore_bytes(12)?;
    let (mut format, mut fact, mut long_data) = (None, None, None);
    for _ in 0..MAX_CHUNKS {
        let (name, bytes) = (stream.read_quad_bytes()?, stream.read_u32()?);
        let body = stream.pos();
        match &name {
            b"fmt " => format = Some(read_format(&mut stream, bytes)?),
            b"fact" if bytes >= 4 => fact = Some(u64::from(stream.read_u32()?)),
            b"ds64" if bytes >= 16 => {
                stream.ignore_bytes(8)?;
                long_data = Some(stream.read_u64()?);
            }
            b"data" => {
                let Some(format) = format else { return Err(Error::DecodeError("wav: samples before their format")) };
                let Some(format) = format else { return Ok(Wav::Mpeg(stream)) };
                let length = match (UNKNOWN_LENGTHS.contains(&bytes), long_data) {
                    (true, long) => long,
                    (false, _) => Some(u64::from(bytes)),
                };
                return Ok(Wav::Samples(Box::new(WavReader::new(stream, format, length, fact))));
            }
            _ => {}
        }
        // Chunks start at even offsets.
        let read = stream.pos() - body;
        stream.ignore_bytes((u64::from(bytes) + u64::from(bytes & 1)).saturating_sub(read))?;
    }
    Err(Error::DecodeError("wav: no samples within the first 256 chunks"))
}

/// The format, or none where the payload is an MPEG stream with frames of its own.
fn read_format(stream: &mut MediaSourceStream<'static>, bytes: u32) -> Result<Option<Format>> {
    if bytes < 14 {
        return Err(Error::DecodeError("wav: the format chunk is too short"));
    }
    let (mut tag, channels, rate) = (stream.read_u16()?, stream.read_u16()?, stream.read_u32()?);
    let _bytes_per_second = stream.read_u32()?;
    let block = u64::from(stream.read_u16()?);
    let bits = if bytes >= 16 { stream.read_u16()? } else { 8 };
    if tag == 0xfffe && bytes >= 40 {
        // WAVE_FORMAT_EXTENSIBLE: the tag opens the GUID after the extension's size, valid bits and channel mask.
        stream.ignore_bytes(8)?;
        tag = stream.read_u16()?;
    }
    if channels == 0 || rate == 0 {
        return Err(Error::DecodeError("wav: no channels or no sample rate"));
    }
    let each = u64::from(channels);
    // Samples of 12 or 20 bits lie in the upper bits of the next whole number of bytes.
    let (codec, block_bytes, block_frames) = match (tag, bits.div_ceil(8)) {
        (1, 1) => (codec::CODEC_ID_PCM_U8, each, 1),
        (1, 2) => (codec::CODEC_ID_PCM_S16LE, 2 * each, 1),
        (1, 3) => (codec::CODEC_ID_PCM_S24LE, 3 * each, 1),
        (1, 4) => (codec::CODEC_ID_PCM_S32LE, 4 * each, 1),
        (3, 4) => (codec::CODEC_ID_PCM_F32LE, 4 * each, 1),
        (3, 8) => (codec::CODEC_ID_PCM_F64LE, 8 * each, 1),
        (6, _) => (codec::CODEC_ID_PCM_ALAW, each, 1),
        (7, _) => (codec::CODEC_ID_PCM_MULAW, each, 1),
        // A block opens with 7 (Microsoft) or 4 (IMA) bytes a channel that hold two samples or one; then 4 bits a sample.
        (2, _) if channels <= 2 && block > 7 * each => {
            (codec::CODEC_ID_ADPCM_MS, block, (block - 7 * each) * 2 / each + 2)
        }
        (0x11, _) if channels <= 2 && block > 4 * each => {
            (codec::CODEC_ID_ADPCM_IMA_WAV, block, (block - 4 * each) * 2 / each + 1)
        }
        (0x50 | 0x55, _) => return Ok(None),
        (2 | 0x11, _) => return Err(Error::DecodeError("wav: the block size does not fit the codec")),
        (0x31, _) if channels == 1 => (telephone::GSM, gsm::PAIR_BYTES as u64, 2 * gsm::FRAME_SAMPLES as u64),
        (0x14 | 0x40 | 0x45 | 0x64 | 0x140, _) => return Err(Error::Unsupported("G.726 in WAV")),
        (0x28f | 0x65, _) => return Err(Error::Unsupported("G.722 in WAV")),
        (0x22 | 0x83 | 0x133, _) => return Err(Error::Unsupported("G.729 or TrueSpeech in WAV")),
        (0x42 | 0x111, _) => return Err(Error::Unsupported("G.723 in WAV")),
        _ => return Err(Error::Unsupported("this WAV codec")),
    };
    Ok(Some(Format { codec, channels, rate, block_bytes, block_frames }))
}

impl WavReader {
    fn new(stream: MediaSourceStream<'static>, format: Format, length: Option<u64>, fact: Option<u64>) -> Self {
        let blocks_a_packet = (PACKET_FRAMES / format.block_frames).max(1);
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(format.codec)
            .with_sample_rate(format.rate)
            .with_channels(Channels::Discrete(format.channels))
            .with_max_frames_per_packet(blocks_a_packet * format.block_frames)
            .with_frames_per_block(format.block_frames);
        let mut track = Track::new(0);
        track.with_codec_params(CodecParameters::Audio(params));
        // Never more than there is; of a stream, whose end is unknown, the header is believed within the limit only.
        let most = match stream.byte_len() {
            Some(bytes) => bytes.saturating_sub(stream.pos()),
            None => MAX_SECONDS * u64::from(format.rate) / format.block_frames * format.block_bytes,
        };
        if let Some(length) = length.map(|length| length.min(most)) {
            let frames = length / format.block_bytes * format.block_frames;
            // Codecs with blocks fill up the last one; `fact` tells how much of it is real.
            let real = fact.filter(|fact| (frames.saturating_sub(format.block_frames)..=frames).contains(fact));
            track.with_num_frames(real.unwrap_or(frames));
        }
        let info = FormatInfo { format: FORMAT_ID_WAVE, short_name: "wave", long_name: "WAVE" };
        let media = MediaInfo::from_track(&track);
        let metadata = MetadataLog::default();
        Self { stream, info, media, metadata, tracks: vec![track], format, left: length, next_frame: 0 }
    }
}

impl FormatReader for WavReader {
    fn format_info(&self) -> &FormatInfo {
        &self.info
    }

    fn media_info(&self) -> &MediaInfo {
        &self.media
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.metadata.metadata()
    }

    fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn seek(&mut self, _: SeekMode, _: SeekTo) -> Result<SeekedTo> {
        Err(Error::SeekError(SeekErrorKind::Unseekable))
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let Format { block_bytes, block_frames, .. } = self.format;
        let blocks = (PACKET_FRAMES / block_frames).max(1).min(self.left.unwrap_or(u64::MAX) / block_bytes);
        if blocks == 0 {
            return Ok(None);
        }
        let mut data = vec![0; usize::try_from(blocks * block_bytes).unwrap_or(0)];
        let mut filled = 0;
        while filled < data.len() {
            match self.stream.read_buf(&mut data[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error.into()),
            }
        }
        // What is left of a file that is cut off: whole blocks only.
        let whole = filled as u64 / block_bytes;
        if whole == 0 {
            return match self.left {
                Some(_) => Err(Error::IoError(io::ErrorKind::UnexpectedEof.into())),
                None => Ok(None),
            };
        }
        data.truncate(usize::try_from(whole * block_bytes).unwrap_or(0));
        let frames = whole * block_frames;
        let start = i64::try_from(self.next_frame).unwrap_or(i64::MAX);
        self.next_frame += frames;
        self.left = self.left.map(|left| left - whole * block_bytes);
        Ok(Some(Packet::new(0, Timestamp::new(start), Duration::new(frames), data)))
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.stream
    }
}
