//! From the recording to a transcript, in one pass: decode, tell speakers apart, recognise, align, normalise. Its one invariant: what it
//! gives was made from the whole recording; it writes nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use speech::{
    audio::Blocks as _,
    diarize::SpeakerCount,
    transcribe::{Options, Progress, Stage as Listening, Task, Transcription, Watch},
    transcript::QualityWarning,
};
use uuid::Uuid;

use super::{
    Worker,
    failure::Failure,
    recording,
    stage::{Event, Stage},
    store::Hints,
    voice::Asked,
};
use crate::{
    calls::Recognition,
    db::{DbError, TenantTx, Write},
    queue::JobKind,
    vault::{blobs::BlobPlace, key::Key},
};

/// What is shared between a call's thread and the task that keeps its lease.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    /// Percent of the recording that was listened to.
    pub(super) progress: Arc<AtomicU8>,
    /// Somebody wants the thread to end.
    pub(super) cancelled: Arc<AtomicBool>,
}

/// What a pass gave.
pub(super) struct Recognised {
    pub(super) transcription: Transcription,
    pub(super) channels: i16,
    /// How long samples were waited for.
    decoding: Duration,
    /// How long everything took.
    pass: Duration,
}

/// What is asked of the engine for a call.
pub(super) fn options(kind: JobKind, hints: &Hints, wishes: Recognition, voice: Option<&Asked>) -> Options {
    Options {
        language: hints.language.clone(),
        task: if kind == JobKind::Translate { Task::Translate } else { Task::Transcribe },
        speakers: hints.has_direction.then(|| SpeakerCount::exactly(2)).flatten().unwrap_or_default(),
        initial_prompt: wishes.prompt,
        hotwords: wishes.hotwords,
        voiceprint: voice.and_then(Asked::voiceprint),
        ..Options::default()
    }
}

/// Listens to the recording of a call on a thread of its own.
pub(super) async fn run(
    worker: &Worker,
    (place, bytes): (BlobPlace, u64),
    (key, options): (Key, Options),
    signals: Signals,
) -> Result<Recognised, Failure> {
    let recogniser = worker.recogniser.clone().ok_or(Failure::last("model_missing"))?;
    let (length, read_at) =
        recording::open(worker.app.blobs.clone(), key, (place, bytes)).await.map_err(|error| Failure::from(&error))?;
    let decoder = worker.decoder.clone();
    let listen = move || {
        let began = Instant::now();
        let decoded =
            decoder.open(length, read_at, Arc::clone(&signals.cancelled)).map_err(|error| Failure::from(&error))?;
        let waited = decoded.waited();
        let channels = i16::try_from(decoded.channels()).unwrap_or(i16::MAX);
        let mut note = |progress: Progress| signals.progress.store(percent(&progress), Ordering::Relaxed);
        let watch = Watch { progress: &mut note, cancelled: &signals.cancelled };
        let transcription = recogniser.recognise(Box::new(decoded), &options, watch)?;
        Ok(Recognised { transcription, channels, decoding: waited.total(), pass: began.elapsed() })
    };
    tokio::task::spawn_blocking(listen).await.map_err(|_| Failure::again("internal_error"))?
}

/// Words come first; until the last stage is done it is not all.
fn percent(progress: &Progress) -> u8 {
    let share = progress.total_seconds.map_or(0.0, |total| progress.done_seconds / total.max(f64::EPSILON));
    let most = if progress.stage == Listening::Recognising { 95.0 } else { 99.0 };
    // Clamped, so the conversion keeps the value.
    (share * 100.0).clamp(0.0, most) as u8
}

impl Recognised {
    /// What is told of the stages that the pass was made of. Diarization ran beside recognition; what aligning and normalising took
    /// was not measured.
    pub(super) async fn record(&self, tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
        let made_by = &self.transcription.transcript.pipeline;
        Event::completed(Stage::AudioPreprocessed).by("local").took(self.decoding).record(tx, call).await?;
        let diarized = if made_by.warnings.contains(&QualityWarning::DiarizationFailed) {
            Event::failed(Stage::Diarized, "diarization_failed")
        } else {
            Event::completed(Stage::Diarized).took(self.pass)
        };
        diarized.by(&made_by.diarization_provider).record(tx, call).await?;
        let transcribed = Event::completed(Stage::Transcribed).took(self.pass);
        transcribed.by(&made_by.transcription_provider).record(tx, call).await?;
        for stage in [Stage::TranscriptAligned, Stage::TranscriptNormalized] {
            Event::completed(stage).by("local").record(tx, call).await?;
        }
        Ok(())
    }
}
