//! A sample of a voice, from its samples to a voiceprint. Its one invariant: a voiceprint is made only of a sample that is long enough,
//! clear, and of one person; the sample is zeroed when it is dropped.
//!
//! What the networks make of it on their way (features, windows) is ordinary memory, which is given back and not zeroed.

use std::path::Path;

use zeroize::Zeroizing;

use super::Voiceprint;
use crate::{
    SAMPLE_RATE,
    audio::{AudioError, Blocks, Meter},
    diarize::{Diarizer, SpeakerCount},
    net::NetError,
    vad::{self, Vad},
};

/// The shortest sample in seconds: the mean of fewer parts of a voice moves with what is said.
pub const MIN_SECONDS: usize = 15;
/// The longest sample in seconds.
pub const MAX_SECONDS: usize = 45;
/// Seconds of it that have to be speech.
pub const MIN_SPEECH_SECONDS: f64 = 10.0;
/// Level of speech above the background in dB, below which a voice is mixed with what is around it.
const MIN_SNR_DB: f64 = 10.0;
/// Share of clipped samples from which on the spectrum is that of the clipping as well; a tenth of it is audible.
const MAX_CLIPPED: f64 = 0.01;
/// Seconds of somebody else who is heard alone: less is a window's mistake.
const MAX_OTHERS: f64 = 1.5;

/// Why a sample makes no voiceprint.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// It cannot be decoded.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// It is shorter than [`MIN_SECONDS`].
    #[error("the sample is too short: {MIN_SECONDS} to {MAX_SECONDS} seconds are needed")]
    TooShort,
    /// It is longer than [`MAX_SECONDS`].
    #[error("the sample is too long: {MIN_SECONDS} to {MAX_SECONDS} seconds are needed")]
    TooLong,
    /// Less than [`MIN_SPEECH_SECONDS`] of it are speech.
    #[error("the sample holds too little speech: {MIN_SPEECH_SECONDS} seconds are needed")]
    TooLittleSpeech,
    /// More than one person speaks.
    #[error("more than one person speaks in the sample")]
    SeveralSpeakers,
    /// The voice does not stand out from the background.
    #[error("the sample is too noisy")]
    TooNoisy,
    /// The recording level was too high.
    #[error("the sample is clipped: record it at a lower level")]
    Clipped,
    /// A network failed.
    #[error(transparent)]
    Network(#[from] NetError),
}

/// A sample in memory: mono, 16 kHz, [`MIN_SECONDS`] to [`MAX_SECONDS`] long.
pub struct Sample(Zeroizing<Vec<f32>>);

crate::unprinted!(Sample);

impl Sample {
    /// Reads a sample; its channels are mixed. No more is held than the longest sample, however long the recording is.
    ///
    /// # Errors
    /// [`SampleError::Audio`], [`SampleError::TooShort`], [`SampleError::TooLong`].
    pub fn read(mut recording: impl Blocks) -> Result<Self, SampleError> {
        let (least, most) = (MIN_SECONDS * SAMPLE_RATE as usize, MAX_SECONDS * SAMPLE_RATE as usize);
        // All at once: a buffer that grows leaves what it held behind.
        let mut samples = Zeroizing::new(Vec::with_capacity(most));
        while let Some(block) = recording.next_block()? {
            let Some(first) = block.first() else { continue };
            if samples.len() + first.len() > most {
                return Err(SampleError::TooLong);
            }
            let mix = |i: usize| block.iter().filter_map(|channel| channel.get(i)).sum::<f32>() / block.len() as f32;
            samples.extend((0..first.len()).map(mix));
        }
        if samples.len() < least {
            return Err(SampleError::TooShort);
        }
        Ok(Self(samples))
    }
}

/// The networks that make voiceprints.
pub struct Enroller {
    vad: Vad,
    diarizer: Diarizer,
}

impl Enroller {
    /// Loads the Silero network, pyannote segmentation-3.0 and a speaker embedding network, each as ONNX.
    ///
    /// # Errors
    /// [`NetError`] when a file is missing or is another network.
    pub fn load(vad: &Path, segmentation: &Path, embedding: &Path) -> Result<Self, NetError> {
        Ok(Self { vad: Vad::load(vad)?, diarizer: Diarizer::load(segmentation, embedding)? })
    }

    /// The voiceprint of whom a sample is of.
    ///
    /// # Errors
    /// [`SampleError`] says why there is none.
    pub fn enrol(&self, sample: &Sample) -> Result<Voiceprint, SampleError> {
        self.check(&sample.0)?;
        let mut session = self.diarizer.session();
        session.push(&sample.0)?;
        let mut voices = session.finish(SpeakerCount::default())?.voices;
        voices.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        match &voices[..] {
            [] => Err(SampleError::TooLittleSpeech),
            [_, other, ..] if other.seconds >= MAX_OTHERS => Err(SampleError::SeveralSpeakers),
            [voice, ..] => Ok(Voiceprint::of(self.diarizer.voice_model(), voice)),
        }
    }

    /// Whether there is enough speech, and whether it is clear.
    fn check(&self, samples: &[f32]) -> Result<(), SampleError> {
        let mut stream = self.vad.stream();
        let mut spans = stream.push(samples)?;
        spans.extend(stream.finish()?);
        let (mut meter, mut speech, mut at) = (Meter::default(), 0, 0);
        for span in &spans {
            // Spans are padded; the frames themselves are not.
            let start = index(span.frames_start, samples).max(at);
            let end = index(span.frames_start + (span.probabilities.len() * vad::FRAME) as u64, samples).max(start);
            meter.push(&samples[at..start], Some(false));
            meter.push(&samples[start..end], Some(true));
            speech += end - start;
            at = end;
        }
        meter.push(&samples[at..], Some(false));
        let quality = meter.quality();
        if (speech as f64) < MIN_SPEECH_SECONDS * f64::from(SAMPLE_RATE) {
            return Err(SampleError::TooLittleSpeech);
        }
        if quality.clipped > MAX_CLIPPED {
            return Err(SampleError::Clipped);
        }
        if quality.snr_db.is_some_and(|snr| snr < MIN_SNR_DB) {
            return Err(SampleError::TooNoisy);
        }
        Ok(())
    }
}

fn index(sample: u64, samples: &[f32]) -> usize {
    usize::try_from(sample).unwrap_or(usize::MAX).min(samples.len())
}
