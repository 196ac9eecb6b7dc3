//! One pass over a recording: decode, find speech, tell speakers apart, recognise, align, normalise.
//!
//! An [`Engine`] holds the models and a pool of recognisers; calls that run at the same time share that pool, and the
//! windows of several calls go through it in one batch. Memory does not grow with a recording's length: audio is
//! dropped as soon as its last reader is past it.

mod call;
mod front;
mod track;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use crate::{
    audio::{Blocks, Source},
    diarize::{Diarizer, SpeakerCount, Turn},
    net::NetError,
    transcript::Transcript,
    vad::Vad,
    voiceprint::{Unusable, VoiceScore, Voiceprint},
    whisper::Recogniser,
};

/// Where the model files are.
#[derive(Clone, Debug)]
pub struct ModelPaths {
    /// Directory of a Whisper model in CTranslate2 format.
    pub whisper: PathBuf,
    /// The name to show for the Whisper model, for example `base`.
    pub whisper_name: String,
    /// The Silero network (ONNX).
    pub vad: PathBuf,
    /// pyannote segmentation-3.0 (ONNX).
    pub segmentation: PathBuf,
    /// A speaker embedding network (ONNX).
    pub embedding: PathBuf,
    /// The name to show for the embedding model.
    pub embedding_name: String,
}

/// What the recognisers run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// One single-threaded replica a core, int8.
    #[default]
    Cpu,
    /// One replica on the first CUDA device, float16.
    Cuda,
}

/// How an [`Engine`] is laid out on the machine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Recogniser threads; at least 1.
    pub threads: usize,
    /// What the recognisers run on.
    pub device: Device,
}

/// What to do with the channels of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// One party a channel where there are two that differ, otherwise mix.
    #[default]
    Auto,
    /// Mix all channels into one.
    Mix,
    /// One party a channel.
    Split,
}

/// What the words are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// The language that is spoken.
    #[default]
    Transcribe,
    /// English, where the model can.
    Translate,
}

/// What a caller may ask of a transcription.
#[derive(Clone)]
pub struct Options {
    /// ISO 639-1 code of the one language spoken; detected window by window when absent.
    pub language: Option<String>,
    /// Transcribe or translate.
    pub task: Task,
    /// Channels to parties.
    pub channels: Channels,
    /// How many speakers there are, where that is known.
    pub speakers: SpeakerCount,
    /// Names and terms to expect, free text.
    pub hotwords: Option<String>,
    /// Text that the model is to take as having come before.
    pub initial_prompt: Option<String>,
    /// Beams of the search: 1 is greedy and fastest.
    pub beams: usize,
    /// The stages that clean the signal.
    pub stages: Stages,
    /// A voice to know again.
    pub voiceprint: Option<Arc<Voiceprint>>,
}

crate::unprinted! { Options }

impl Default for Options {
    fn default() -> Self {
        Self {
            language: None,
            task: Task::default(),
            channels: Channels::default(),
            speakers: SpeakerCount::default(),
            hotwords: None,
            initial_prompt: None,
            beams: 5,
            stages: Stages::default(),
            voiceprint: None,
        }
    }
}

/// The stages that clean a signal before it is listened to. None is on by default, because none was shown to lower word
/// errors (`docs/benchmarks.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Take out what is below 80 Hz: mains hum and handling noise.
    pub high_pass: bool,
    /// Bring each stretch of speech to −16 LUFS, not only those that are far from the rest.
    pub level: bool,
    /// Suppress steady noise.
    pub denoise: bool,
}

/// A transcript and the turns behind it.
#[derive(Clone, Debug)]
pub struct Transcription {
    /// Who said what and when.
    pub transcript: Transcript,
    /// Who spoke when, by the diarization; finer than the transcript's segments, and overlapping where people were.
    pub turns: Vec<Turn>,
    /// How much each speaker sounds like the voiceprint, where one was given; that it cannot be said fails nothing else.
    pub voices: Option<Result<Vec<VoiceScore>, Unusable>>,
}

/// How far a transcription has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The stage at work.
    pub stage: Stage,
    /// Seconds of the recording that are done in this stage.
    pub done_seconds: f64,
    /// Length of the recording in seconds, where its container tells.
    pub total_seconds: Option<f64>,
}

/// A stage that shows progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Words are being recognised; reading and diarization run alongside.
    Recognising,
    /// Speakers are being told apart.
    Diarizing,
}

/// What is to be transcribed.
pub enum Recording {
    /// A recording as it came, which is decoded here.
    Encoded(Source),
    /// One that is decoded elsewhere.
    Decoded(Box<dyn Blocks>),
}

impl From<Source> for Recording {
    fn from(source: Source) -> Self {
        Self::Encoded(source)
    }
}

/// Lets a caller watch a transcription and stop it.
pub struct Watch<'a> {
    /// Called from time to time on the calling thread.
    pub progress: &'a mut dyn FnMut(Progress),
    /// When it turns true the transcription ends with [`TranscribeError::Cancelled`].
    pub cancelled: &'a AtomicBool,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A model file is missing or is not what its name says.
    #[error("cannot load the {model} model from {path}: {reason}")]
    Model {
        /// Which model.
        model: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The device cannot be used.
    #[error("{0}")]
    Device(String),
}

/// Why a recording could not be transcribed.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// The recording could not be read.
    #[error(transparent)]
    Audio(#[from] crate::audio::AudioError),
    /// An option does not fit the model, for example an unknown language.
    #[error("{0}")]
    Option(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A network failed on this recording.
    #[error("the {stage} stage failed: {reason}")]
    Stage {
        /// Which stage.
        stage: &'static str,
        /// What went wrong; never content.
        reason: String,
    },
}

/// Models in memory, ready to transcribe; shared by all calls of a process.
pub struct Engine {
    vad: Vad,
    diarizer: Diarizer,
    recogniser: Recogniser,
    whisper_name: String,
    embedding_name: String,
}

impl Engine {
    /// Loads every model and starts the recognisers.
    ///
    /// # Errors
    /// [`EngineError`] when a model file is missing or broken, or the device cannot be used.
    pub fn load(paths: &ModelPaths, options: &EngineOptions) -> Result<Self, EngineError> {
        let network = |model, path: &Path, e: NetError| EngineError::Model {
            model,
            path: path.to_owned(),
            reason: e.to_string(),
        };
        let vad = Vad::load(&paths.vad).map_err(|e| network("voice activity", &paths.vad, e))?;
        let diarizer = Diarizer::load(&paths.segmentation, &paths.embedding)
            .map_err(|e| network("diarization", &paths.segmentation, e))?;
        let recogniser = Recogniser::load(&paths.whisper, options.device, options.threads).map_err(|reason| {
            match options.device {
                Device::Cpu => EngineError::Model { model: "Whisper", path: paths.whisper.clone(), reason },
                Device::Cuda => EngineError::Device(reason),
            }
        })?;
        Ok(Self {
            vad,
            diarizer,
            recogniser,
            whisper_name: paths.whisper_name.clone(),
            embedding_name: paths.embedding_name.clone(),
        })
    }

    /// Transcribes one recording. Callable from several threads at once; they share the recognisers.
    ///
    /// # Errors
    /// [`TranscribeError`] names what is wrong with the recording or the options; nothing is half-done.
    pub fn transcribe(
        &self,
        recording: impl Into<Recording>,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Transcription, TranscribeError> {
        self.check(options)?;
        call::Call::open(self, recording.into(), options, watch)?.run()
    }

    /// What the model cannot do is said before any work.
    fn check(&self, options: &Options) -> Result<(), TranscribeError> {
        if let Some(language) = &options.language
            && !self.recogniser.knows_language(language)
        {
            let message = format!("the model {} does not know the language '{language}'", self.whisper_name);
            return Err(TranscribeError::Option(message));
        }
        // Turbo was distilled without translation data; it would answer in the spoken language.
        let translates = self.recogniser.multilingual() && !self.whisper_name.contains("turbo");
        if options.task == Task::Translate && !translates {
            let message =
                format!("the model {} cannot translate; large-v3, medium, small and base can", self.whisper_name);
            return Err(TranscribeError::Option(message));
        }
        Ok(())
    }
}
