//! From packets to samples at the recording's own rate. Its one invariant: the samples given out so far are exactly the
//! recording's first `given / rate` seconds; what cannot be decoded, or is not there, is silence of the same length.

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::{
        CodecParameters,
        audio::{AudioCodecParameters, AudioDecoder, well_known as codec},
    },
    errors::Error,
    formats::{FormatReader, Track},
    packet::Packet,
    units::{Duration, TimeBase},
};

use super::{
    AudioError, Container, MAX_SECONDS, Source,
    container::{self, Opened, explain, guarded},
    input::Budget,
    mp4,
};

/// Bytes that may be read for one packet: uncompressed video frames between the audio are the largest that occur.
const MAX_PACKET_BYTES: u64 = 32 << 20;

/// How far, in seconds, a packet's time may lie from the samples' count before the difference is a gap: WebM rounds times
/// to milliseconds, and Vorbis, AAC and MP3 packets last up to 36 ms.
const MAX_JITTER: f64 = 0.04;

/// The longest gap in seconds that is filled with silence. A larger jump is a new clock, as after a cut.
const MAX_GAP: f64 = 3600.0;

/// How much of the announced length, in seconds, may be missing before the recording counts as cut off.
const MAX_MISSING: f64 = 0.25;

/// Packets in a row that may fail before the rest is given up; at 20 ms each, 20 seconds.
const MAX_FAILURES: u32 = 1000;

/// What a recording is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// How it is wrapped.
    pub container: Container,
    /// Its codec, for example `mp3` or `pcm_mulaw`.
    pub codec: &'static str,
    /// In Hz, before resampling.
    pub sample_rate: u32,
    /// How many channels it has.
    pub channels: usize,
    /// Its length in seconds where the container tells; an estimate for MP3 without a Xing header and for ADTS.
    pub duration: Option<f64>,
}

/// What was wrong with a recording that could be read all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// It ends before its container says so.
    pub truncated: bool,
    /// Packets that could not be decoded and are silent.
    pub packets: u64,
}

/// Decodes a recording block by block.
pub struct Decoder {
    format: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    budget: Budget,
    info: StreamInfo,
    track: Track,
    /// The time of the recording's first sample on the container's clock, in frames.
    origin: i64,
    /// Frames after which the rest is the encoder's padding.
    end: Option<u64>,
    /// Frames that the container announces, where it knows exactly.
    announced: Option<u64>,
    given: u64,
    /// Silent frames to give out before `block`.
    silence: u64,
    block: Vec<Vec<f32>>,
    quiet: Vec<Vec<f32>>,
    /// Whether `block` is still to be given out.
    pending: bool,
    failures: u32,
    /// Whether a packet was read, and whether one could be decoded.
    started: bool,
    decoded: bool,
    damage: Damage,
    ended: bool,
}

impl Decoder {
    /// Opens a recording of any format.
    ///
    /// # Errors
    /// Where it cannot be read; see [`AudioError`].
    pub fn open(source: Source) -> Result<Self, AudioError> {
        let Opened { container, format, track, moov, budget } = container::open(source)?;
        let params = audio_params(&track)?;
        let codec = container::decoder(params, &budget)?;
        let params = codec.codec_params();
        let (Some(sample_rate), Some(channels)) = (params.sample_rate, &params.channels) else {
            return Err(AudioError::malformed("its channels or sample rate are unknown"));
        };
        let channels = channels.count();
        if channels == 0 {
            return Err(AudioError::malformed("it has no channels"));
        }
        let name = codec.codec_info().short_name;
        let announced = announced(container, format.as_ref(), &track, sample_rate);
        // Matroska's duration is rounded, and does not say what to cut.
        let end = announced.filter(|_| container != Container::Matroska);
        let heard = moov.and_then(|moov| mp4::edit(&moov, track.id, sample_rate));
        let (origin, end) = heard.map_or((pre_skip(container, audio_params(&track)?), end), |edit| {
            let frames = |units: u64| to_frames(signed(units), TimeBase::try_from_recip(edit.timescale), sample_rate);
            let lead = frames(edit.lead);
            (frames(edit.skip) - lead, edit.keep.map(|keep| frames(keep).saturating_add(lead).unsigned_abs()))
        });
        let seconds = |frames: f64| frames / f64::from(sample_rate);
        let whole = || duration(format.as_ref(), &track, sample_rate).map(|frames| seconds(frames - origin as f64));
        let duration = end.map(|frames| seconds(frames as f64)).or_else(whole);
        if announced.is_some_and(|frames| frames > limit(sample_rate)) {
            return Err(AudioError::TooLong);
        }
        Ok(Self {
            info: StreamInfo { container, codec: name, sample_rate, channels, duration },
            end,
            announced,
            format,
            codec,
            budget,
            track,
            origin,
            given: 0,
            silence: 0,
            block: vec![Vec::new(); channels],
            quiet: vec![Vec::new(); channels],
            pending: false,
            failures: 0,
            started: false,
            decoded: false,
            damage: Damage::default(),
            ended: false,
        })
    }

    /// What the recording is.
    pub fn info(&self) -> &StreamInfo {
        &self.info
    }

    /// What was wrong with it so far; complete once [`next_block`](Self::next_block) returned `None`.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// The next samples: one vector a channel, all equally long, finite, in about −1..=1; at most one second of silence or
    /// one packet.
    ///
    /// # Errors
    /// Where nothing at all can be decoded, it goes on for too long, or changes its channels or sample rate.
    pub fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>, AudioError> {
        loop {
            if self.silence > 0 {
                let frames = self.silence.min(u64::from(self.info.sample_rate));
                self.silence -= frames;
                self.count(frames)?;
                for channel in &mut self.quiet {
                    channel.resize(usize::try_from(frames).unwrap_or(0), 0.0);
                }
                return Ok(Some(&self.quiet));
            }
            if std::mem::take(&mut self.pending) {
                self.count(self.block[0].len() as u64)?;
                return Ok(Some(&self.block));
            }
            if self.ended {
                return Ok(None);
            }
            self.read_packet()?;
        }
    }

    fn count(&mut self, frames: u64) -> Result<(), AudioError> {
        self.given += frames;
        if self.given > limit(self.info.sample_rate) { Err(AudioError::TooLong) } else { Ok(()) }
    }

    fn read_packet(&mut self) -> Result<(), AudioError> {
        self.budget.allow(MAX_PACKET_BYTES);
        match guarded(|| self.format.next_packet()) {
            Ok(Some(packet)) if packet.track_id == self.track.id => self.decode(packet),
            Ok(Some(_)) => Ok(()),
            Ok(None) => self.end(),
            Err(Error::ResetRequired) => self.restart(),
            Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                // A Matroska stream that cannot seek ends so in any case; its announced duration decides below.
                self.damage.truncated = self.info.container != Container::Matroska;
                self.end()
            }
            Err(error @ Error::IoError(_)) => Err(explain(error, &self.budget)),
            Err(error) => self.fail(error),
        }
    }

    /// A packet that cannot be found or decoded; a thousand in a row and the rest is given up.
    fn fail(&mut self, error: Error) -> Result<(), AudioError> {
        self.damage.packets += 1;
        self.failures += 1;
        if self.failures < MAX_FAILURES {
            return Ok(());
        }
        if !self.decoded {
            return Err(explain(error, &self.budget));
        }
        self.damage.truncated = true;
        self.end()
    }

    fn end(&mut self) -> Result<(), AudioError> {
        self.ended = true;
        if !self.decoded {
            return Err(match self.damage.packets {
                0 => AudioError::Empty,
                _ => AudioError::malformed("none of its packets can be decoded"),
            });
        }
        let slack = (MAX_MISSING * f64::from(self.info.sample_rate)) as u64;
        if self.announced.is_some_and(|announced| self.given + self.silence + slack < announced) {
            self.damage.truncated = true;
        }
        Ok(())
    }

    /// A new stream within the file, as when OGG files are joined: its clock starts at zero again.
    fn restart(&mut self) -> Result<(), AudioError> {
        let Some(track) = self.format.tracks().first().cloned() else { return self.end() };
        let codec = container::decoder(audio_params(&track)?, &self.budget)?;
        self.origin = pre_skip(self.info.container, audio_params(&track)?) - signed(self.given);
        (self.end, self.announced) = (None, None);
        (self.track, self.codec) = (track, codec);
        Ok(())
    }

    fn decode(&mut self, mut packet: Packet) -> Result<(), AudioError> {
        let trim_start = self.frames(packet.trim_start);
        let trim_end = self.frames(packet.trim_end);
        // Decoders would trim too, each in its own way; here it is done once, for all.
        packet.dur = packet.block_dur();
        (packet.trim_start, packet.trim_end) = (Duration::ZERO, Duration::ZERO);
        let lasts = self.frames(packet.dur);
        let clock = self.ticks(packet.pts.get());
        if !std::mem::replace(&mut self.started, true) && self.info.container == Container::Matroska && self.origin > 0
        {
            // Matroska's clock is zero at the first sample heard, but rounded to milliseconds: count from the packet's start.
            self.origin += clock.min(0);
        }
        let start = clock - self.origin;

        let codec = &mut self.codec;
        let (info, block) = (&self.info, &mut self.block);
        let decoded = guarded(|| codec.decode(&packet).and_then(|samples| copy(&samples, info, block)));
        let frames = match decoded {
            Ok(frames) => frames,
            Err(error) => {
                // Silence for as long as the packet lasts, within reason.
                let kept = lasts.saturating_sub(trim_start + trim_end).min(u64::from(self.info.sample_rate));
                self.silence = if start < 0 { 0 } else { kept };
                return self.fail(error);
            }
        };
        self.failures = 0;
        // The origin cuts what the encoder put before the first sample, even over several packets.
        let early = u64::try_from(-start).unwrap_or(0);
        let skip = trim_start.max(early).min(frames);
        let keep = (frames - skip).saturating_sub(trim_end);
        self.place(start + signed(skip), skip, keep);
        Ok(())
    }

    /// Puts `keep` of the block's frames, from `skip`, at `start` on the recording's clock.
    fn place(&mut self, start: i64, skip: u64, keep: u64) {
        let rate = f64::from(self.info.sample_rate);
        let expected = signed(self.given);
        let gap = (start - expected) as f64 / rate;
        if gap > MAX_GAP {
            self.origin += start - expected;
        } else if gap > MAX_JITTER && keep > 0 {
            self.silence = u64::try_from(start - expected).unwrap_or(0);
            // WebM and MP4 leave pauses out; the others only lose packets.
            self.damage.packets += u64::from(!matches!(self.info.container, Container::Matroska | Container::Mp4));
        }
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.given + self.silence));
        let keep = keep.min(left);
        let (skip, keep) = (usize::try_from(skip).unwrap_or(0), usize::try_from(keep).unwrap_or(0));
        for channel in &mut self.block {
            channel.truncate(skip + keep);
            channel.drain(..skip.min(channel.len()));
        }
        self.pending = keep > 0;
        self.decoded |= self.pending;
    }

    fn frames(&self, duration: Duration) -> u64 {
        u64::try_from(self.ticks(signed(duration.get()))).unwrap_or(0)
    }

    fn ticks(&self, ticks: i64) -> i64 {
        to_frames(ticks, self.track.time_base, self.info.sample_rate)
    }
}

/// Copies a decoder's samples, whatever their format, and counts them. Floating-point files may hold anything.
fn copy(samples: &GenericAudioBufferRef<'_>, info: &StreamInfo, block: &mut Vec<Vec<f32>>) -> Result<u64, Error> {
    /// More than 18 dB above full scale is no signal.
    const LOUDEST: f32 = 8.0;
    if samples.is_empty() {
        block.iter_mut().for_each(Vec::clear);
        return Ok(0);
    }
    if samples.spec().rate() != info.sample_rate || samples.num_planes() != info.channels {
        return Err(Error::Unsupported("a change of sample rate or channels within the recording"));
    }
    samples.copy_to_vecs_planar(block);
    for sample in block.iter_mut().flatten() {
        *sample = if sample.is_finite() { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 };
    }
    Ok(samples.frames() as u64)
}

fn audio_params(track: &Track) -> Result<&AudioCodecParameters, AudioError> {
    match &track.codec_params {
        Some(CodecParameters::Audio(params)) => Ok(params),
        _ => Err(AudioError::NoAudioTrack),
    }
}

/// Most frames of a recording.
fn limit(sample_rate: u32) -> u64 {
    MAX_SECONDS * u64::from(sample_rate)
}

fn to_frames(ticks: i64, base: Option<TimeBase>, rate: u32) -> i64 {
    let Some(base) = base else { return ticks };
    let frames = i128::from(ticks) * i128::from(base.numer.get()) * i128::from(rate);
    let denominator = i128::from(base.denom.get());
    // Half of what a sum of two of these can hold: times of strangers must not overflow.
    let bound = i128::from(i64::MAX / 4);
    i64::try_from(((frames + denominator / 2).div_euclid(denominator)).clamp(-bound, bound)).unwrap_or(0)
}

/// How many of the decoder's first frames are its encoder's (RFC 7845 §4.2), which Opus tells in its own header only.
fn pre_skip(container: Container, params: &AudioCodecParameters) -> i64 {
    let bytes = || params.extra_data.as_deref()?.get(10..12)?.try_into().ok();
    match (container, params.codec) {
        // The `dOps` box is big-endian.
        (Container::Mp4, codec::CODEC_ID_OPUS) => bytes().map_or(0, u16::from_be_bytes).into(),
        (_, codec::CODEC_ID_OPUS) => bytes().map_or(0, u16::from_le_bytes).into(),
        _ => 0,
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The track's length in frames, with what its encoder put before and behind it.
fn duration(format: &dyn FormatReader, track: &Track, rate: u32) -> Option<f64> {
    let frames = track.num_frames.map(|frames| frames as f64);
    let media = format.media_info();
    // Matroska tells the length of the whole only.
    let length =
        track.duration.map(|ticks| (ticks, track.time_base)).or(media.duration.map(|ticks| (ticks, media.time_base)));
    let ticks = || length.map(|(ticks, base)| to_frames(signed(ticks.get()), base, rate) as f64);
    frames.or_else(ticks)
}

/// The number of frames, where the container knows it exactly.
fn announced(container: Container, format: &dyn FormatReader, track: &Track, rate: u32) -> Option<u64> {
    match container {
        // Without the delay of a LAME header the number is an estimate from the bit rate.
        Container::Mpeg if track.delay.is_none() => None,
        Container::Adts | Container::Mp4 | Container::Ogg => None,
        Container::Matroska => duration(format, track, rate).map(|frames| frames as u64),
        // The time base is one frame.
        _ => track.num_frames.filter(|&frames| frames > 0 && rate > 0),
    }
}
