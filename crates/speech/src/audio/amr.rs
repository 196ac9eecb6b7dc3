//! AMR files in the storage format of RFC 4867 §5: a magic line, then frames of 20 ms, one after another. Its one
//! invariant: a packet is one frame.

use symphonia::core::{
    audio::Channels,
    codecs::{CodecParameters, audio::AudioCodecParameters},
    common::FourCc,
    errors::{Error, Result, SeekErrorKind},
    formats::{FormatId, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::{MediaSourceStream, ReadBytes as _, SeekBuffered as _},
    meta::{Metadata, MetadataLog},
    packet::Packet,
    units::{Duration, Timestamp},
};

use super::{
    opencore::Amr,
    telephone::{AMR_NB, AMR_WB},
};

const INFO: FormatInfo =
    FormatInfo { format: FormatId::new(FourCc::new(*b"amr ")), short_name: "amr", long_name: "AMR storage format" };

/// Reads the frames of an AMR file.
pub(super) struct AmrReader {
    stream: MediaSourceStream<'static>,
    media: MediaInfo,
    metadata: MetadataLog,
    tracks: Vec<Track>,
    wide: bool,
    next: Timestamp,
}

impl AmrReader {
    /// Reads the magic line, at which `stream` stands.
    pub(super) fn try_new(mut stream: MediaSourceStream<'static>) -> Result<Self> {
        stream.ignore_bytes("#!AMR".len() as u64)?;
        let wide = match stream.read_byte()? {
            b'\n' => false,
            b'-' if stream.read_quad_bytes()?.starts_with(b"WB\n") => {
                // Four bytes were read at once, the last of which opens the first frame.
                stream.seek_buffered_rev(1);
                true
            }
            _ => return Err(Error::Unsupported("AMR with more than one channel")),
        };
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(if wide { AMR_WB } else { AMR_NB })
            .with_sample_rate(if wide { 16_000 } else { 8_000 })
            .with_channels(Channels::Discrete(1));
        let mut track = Track::new(0);
        track.with_codec_params(CodecParameters::Audio(params));
        let media = MediaInfo::from_track(&track);
        Ok(Self { stream, media, metadata: MetadataLog::default(), tracks: vec![track], wide, next: Timestamp::ZERO })
    }
}

impl FormatReader for AmrReader {
    fn format_info(&self) -> &FormatInfo {
        &INFO
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
        // The file ends where a frame would start; anywhere else it is cut off.
        let header = match self.stream.read_byte() {
            Ok(header) => header,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(bytes) = Amr::frame_bytes(self.wide, header) else {
            return Err(Error::DecodeError("amr: a frame of an unknown type"));
        };
        let mut frame = vec![header; bytes];
        self.stream.read_buf_exact(&mut frame[1..])?;
        let start = self.next;
        let lasts = Duration::new(Amr::frame_samples(self.wide) as u64);
        self.next = start.saturating_add(lasts);
        Ok(Some(Packet::new(0, start, lasts, frame)))
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.stream
    }
}
