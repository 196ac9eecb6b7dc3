//! From bytes to the packets of one audio track. Its one invariant: what opens has a codec that can be decoded here, at
//! most [`MAX_CHANNELS`] channels and a sample rate in range.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

use symphonia::{
    core::{
        audio::Channels,
        codecs::{
            CodecParameters,
            audio::{
                AudioCodecParameters, AudioDecoder, AudioDecoderOptions, CODEC_ID_NULL_AUDIO, well_known as codec,
            },
            registry::CodecRegistry,
        },
        errors::{Error, Result as SymphoniaResult},
        formats::{FormatOptions, FormatReader, Track, TrackType},
        io::{
            MediaSource as _, MediaSourceStream, MediaSourceStreamOptions, ReadBytes as _, ReadOnlySource,
            SeekBuffered as _,
        },
    },
    default::{
        formats::{AdtsReader, AiffReader, FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader},
        register_enabled_codecs,
    },
};

use super::{
    AudioError, Container, MAX_CHANNELS, MAX_RATE, MIN_RATE, Source,
    amr::AmrReader,
    input::{Budget, hold},
    mp4,
    sniff::{HEAD_BYTES, sniff},
    telephone::TelephoneDecoder,
    wav::{self, Wav},
};

/// Bytes that may be read before the first packet: headers, sample tables of a five-hour MP4 (about 5 MB) and cover
/// pictures, which players accept up to 16 MB each.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// ID3v2 tags before the audio: real files have one, a few two.
const MAX_TAGS: usize = 8;

/// An opened container.
pub(super) struct Opened {
    pub(super) container: Container,
    pub(super) format: Box<dyn FormatReader>,
    pub(super) track: Track,
    /// The index of an MP4 file, for what the demuxer does not read of it.
    pub(super) moov: Option<Vec<u8>>,
    pub(super) budget: Budget,
}

/// Tells what `source` is and opens its audio track.
pub(super) fn open(source: Source) -> Result<Opened, AudioError> {
    let extension = source.extension();
    let (mut stream, budget) = source.into_stream()?;
    budget.allow(MAX_HEADER_BYTES);
    let head = skip_tags(&mut stream, &budget)?;
    let container = sniff(&head, extension.as_deref())?;
    if container == Container::Mp4 && stream.byte_len().is_none() {
        stream = hold(stream, &budget)?;
        budget.allow(MAX_HEADER_BYTES);
    }
    let mut moov = None;
    if let (Container::Mp4, Some(len)) = (container, stream.byte_len()) {
        let index = mp4::index(&mut stream, len);
        moov = index.moov;
        if index.cut_off && moov.is_some() {
            stream = unseekable(stream);
        }
    }
    if container == Container::Matroska {
        stream = unseekable(stream);
    }
    let format = demuxer(container, stream).map_err(|error| explain(error, &budget))?;
    let track = audio_track(format.as_ref()).map_err(|error| match moov.as_deref().and_then(mp4::sound_codec) {
        // The demuxer leaves out tracks whose codec it does not know.
        Some(codec) => AudioError::unsupported(sound_in_mp4(codec)),
        None => error,
    })?;
    Ok(Opened { container, format, track, moov, budget })
}

/// Passes over ID3v2 tags (which may hold gigabytes of pictures) and returns the first bytes behind them.
fn skip_tags(stream: &mut MediaSourceStream<'static>, budget: &Budget) -> Result<Vec<u8>, AudioError> {
    for _ in 0..MAX_TAGS {
        let head = peek(stream)?;
        let &[b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = head.as_slice() else { return Ok(head) };
        // ID3v2.4 §3.1: four bytes of seven bits, without the header of ten bytes and the footer of ten.
        let size = [a, b, c, d].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7f));
        let tag = 10 + size + if flags & 0x10 == 0 { 0 } else { 10 };
        budget.allow(tag + MAX_HEADER_BYTES);
        stream.ignore_bytes(tag).map_err(|_| AudioError::malformed("it ends within its ID3 tag"))?;
        budget.allow(MAX_HEADER_BYTES);
    }
    Err(AudioError::malformed("there is no end to its ID3 tags"))
}

/// The next [`HEAD_BYTES`], or all there are, without passing over them.
fn peek(stream: &mut MediaSourceStream<'static>) -> Result<Vec<u8>, AudioError> {
    let mut head = vec![0; HEAD_BYTES];
    let mut filled = 0;
    while filled < head.len() {
        match stream.read_buf(&mut head[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
    }
    stream.seek_buffered_rev(filled);
    head.truncate(filled);
    Ok(head)
}

/// Hides the file's length. Where they know it, the MP4 and Matroska readers refuse a last part that is cut off, which may
/// be all there is.
fn unseekable(stream: MediaSourceStream<'static>) -> MediaSourceStream<'static> {
    MediaSourceStream::new(Box::new(ReadOnlySource::new(stream)), MediaSourceStreamOptions::default())
}

fn demuxer(container: Container, mut stream: MediaSourceStream<'static>) -> SymphoniaResult<Box<dyn FormatReader>> {
    let options = FormatOptions::default();
    guarded(|| {
        Ok(match container {
            Container::Wav => match wav::open(stream)? {
                Wav::Samples(reader) => reader as Box<dyn FormatReader>,
                Wav::Mpeg(stream) => Box::new(MpaReader::try_new(stream, options)?),
            },
            Container::Aiff => Box::new(AiffReader::try_new(stream, options)?),
            Container::Mpeg => Box::new(MpaReader::try_new(stream, options)?),
            Container::Adts => Box::new(AdtsReader::try_new(stream, options)?),
            Container::Mp4 => {
                // The reader expects to stand where the probe found its marker: behind the length.
                stream.ignore_bytes(4)?;
                Box::new(IsoMp4Reader::try_new(stream, options)?)
            }
            Container::Ogg => Box::new(OggReader::try_new(stream, options)?),
            Container::Matroska => Box::new(MkvReader::try_new(stream, options)?),
            Container::Flac => Box::new(FlacReader::try_new(stream, options)?),
            Container::Amr => Box::new(AmrReader::try_new(stream)?),
        })
    })
}

/// Runs a step of the demuxers and decoders, which read bytes of strangers. They are safe Rust and fuzzed here and there,
/// but a panic in one (an index, an overflow) must end as an error of this recording, not of the batch it is in.
pub(super) fn guarded<T>(step: impl FnOnce() -> SymphoniaResult<T>) -> SymphoniaResult<T> {
    // Unwind safety: whatever the step left half-changed is dropped with the recording's decoder, or only yields noise.
    catch_unwind(AssertUnwindSafe(step)).unwrap_or(Err(Error::DecodeError("the decoder gave up")))
}

fn audio_track(format: &dyn FormatReader) -> Result<Track, AudioError> {
    let playable = |track: &&Track| matches!(&track.codec_params, Some(CodecParameters::Audio(params)) if params.codec != CODEC_ID_NULL_AUDIO);
    if let Some(track) = format.default_track(TrackType::Audio).filter(playable) {
        return Ok(track.clone());
    }
    if let Some(track) = format.tracks().iter().find(playable) {
        return Ok(track.clone());
    }
    match format.first_track(TrackType::Audio) {
        Some(_) => Err(AudioError::unsupported("its audio codec")),
        None => Err(AudioError::NoAudioTrack),
    }
}

/// The name of a codec by its sample entry in MP4 (the registry at <https://mp4ra.org>).
fn sound_in_mp4(codec: [u8; 4]) -> &'static str {
    match &codec {
        b"samr" => "AMR in 3GP or MP4",
        b"sawb" => "AMR-WB in 3GP or MP4",
        _ => "its audio codec",
    }
}

/// What a decoder does not read of its own codec.
fn beyond(params: &AudioCodecParameters) -> Option<&'static str> {
    match params.codec {
        codec::CODEC_ID_OPUS => Some("Opus with more than two channels"),
        codec::CODEC_ID_AAC => Some("AAC other than AAC-LC in mono or stereo (HE-AAC, for example)"),
        _ => None,
    }
}

/// The decoder of a track, once its channels and sample rate are known to be within the limits.
pub(super) fn decoder(params: &AudioCodecParameters, budget: &Budget) -> Result<Box<dyn AudioDecoder>, AudioError> {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    let codecs = CODECS.get_or_init(|| {
        let mut codecs = CodecRegistry::new();
        register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        codecs.register_audio_decoder::<TelephoneDecoder>();
        codecs
    });
    if let Some(found) = params.channels.as_ref().map(Channels::count).filter(|&found| found > MAX_CHANNELS) {
        return Err(AudioError::TooManyChannels { found });
    }
    if let Some(found) = params.sample_rate.filter(|rate| !(MIN_RATE..=MAX_RATE).contains(rate)) {
        return Err(AudioError::SampleRate { found });
    }
    let mut params = params.clone();
    if params.codec == codec::CODEC_ID_OPUS {
        // The adapter reads the pre-skip from here, wrongly so in MP4 (big-endian), and cuts it from one packet only.
        params.extra_data = None;
    }
    guarded(|| codecs.make_audio_decoder(&params, &AudioDecoderOptions::default())).map_err(|error| {
        match (error, beyond(&params)) {
            (Error::Unsupported(_), Some(what)) => AudioError::unsupported(what),
            (error, _) => explain(error, budget),
        }
    })
}

/// What a demuxer's or decoder's error means for the recording.
pub(super) fn explain(error: Error, budget: &Budget) -> AudioError {
    match error {
        Error::IoError(_) if budget.is_spent() => AudioError::malformed("its headers have no end"),
        Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            AudioError::malformed("it ends within its headers")
        }
        Error::IoError(error) => AudioError::Io(error),
        // So symphonia calls a file that ends before its index.
        Error::Unsupported(what) if what.contains("missing") => AudioError::malformed(what),
        Error::Unsupported(what) => AudioError::unsupported(what),
        Error::DecodeError(what) | Error::LimitError(what) => AudioError::malformed(what),
        Error::SeekError(_) | Error::ResetRequired => AudioError::malformed("its parts do not fit together"),
        _ => AudioError::malformed("it cannot be decoded"),
    }
}
