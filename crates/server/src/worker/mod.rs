//! Takes calls from the queue and makes transcripts of them. Its one invariant: it has at most `capacity` calls, each under a lease,
//! and writes nothing for a call but in a transaction that holds that lease.
//!
//! `attempt` is one try at a call from claim to commit, `pipeline` the order of its stages, [`stage`] their names and events; each
//! stage that exists has a file: `recognise`, `voice`, `redact`, `analyze`; `keep` is for tenants that keep recordings. [`sweep`] ends calls whose recording is too old.

mod analyze;
mod attempt;
mod failure;
mod index;
mod keep;
mod pipeline;
mod recognise;
mod recording;
mod redact;
pub mod stage;
mod store;
pub mod sweep;
mod voice;

use std::{pin::pin, sync::Arc, time::Duration};

use speech::{
    audio::Blocks,
    transcribe::{Engine, Options, Recording, TranscribeError, Transcription, Watch},
};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use uuid::Uuid;

use crate::{analysis_provider, app::App, decoder::Decoder, queue, telemetry::log};

/// What makes a transcript of samples.
pub trait Recognise: Send + Sync {
    /// Listens to a recording on the calling thread.
    ///
    /// # Errors
    /// As [`Engine::transcribe`].
    fn recognise(
        &self,
        recording: Box<dyn Blocks>,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Transcription, TranscribeError>;
}

impl Recognise for Engine {
    fn recognise(
        &self,
        recording: Box<dyn Blocks>,
        options: &Options,
        watch: Watch<'_>,
    ) -> Result<Transcription, TranscribeError> {
        self.transcribe(Recording::Decoded(recording), options, watch)
    }
}

/// How long things take. A worker that dies leaves its calls to others after `lease`, and they look every `poll`: 35 s.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// For how long a call belongs to its worker without a sign of life.
    pub lease: Duration,
    /// Between signs of life.
    pub heartbeat: Duration,
    /// Between two looks into the queue when nobody says that there is work.
    pub poll: Duration,
    /// Between two reports of progress.
    pub progress: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            poll: Duration::from_secs(5),
            progress: Duration::from_secs(1),
        }
    }
}

/// A worker's parts. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    /// The installation.
    pub app: App,
    /// The models; `None` fails calls with `model_missing`.
    pub recogniser: Option<Arc<dyn Recognise>>,
    /// How recordings are decoded.
    pub decoder: Decoder,
    /// Who says what calls were about.
    pub analyst: analysis_provider::Engine,
    /// Calls of tenants of this region are taken.
    pub region: String,
    /// Calls at once. Each has a thread and a decoding process; the engine's recognisers are shared.
    pub capacity: usize,
    /// How long things take.
    pub timing: Timing,
}

impl Worker {
    /// Works until `stop`, and then hands back what it has: the calls under way are tried again elsewhere, from the last stage that
    /// was committed, and no attempt is counted. Dropped instead, it leaves them to the end of their leases.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let id = Uuid::now_v7();
        let stopping = watch::Sender::new(false);
        let mut jobs = self.app.changes.watch_jobs();
        let mut calls = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            jobs.mark_unchanged();
            while calls.len() < self.capacity {
                let Some(lease) = self.claim(id).await else { break };
                calls.spawn(attempt::run(self.clone(), lease, stopping.subscribe()));
            }
            tokio::select! {
                () = &mut stop => break,
                _ = calls.join_next(), if !calls.is_empty() => {}
                _ = jobs.changed(), if calls.len() < self.capacity => {}
                () = sleep(self.timing.poll) => {}
            }
        }
        stopping.send_replace(true);
        while calls.join_next().await.is_some() {}
    }

    async fn claim(&self, id: Uuid) -> Option<queue::Lease> {
        queue::claim(&self.app.database, &self.region, id, self.timing.lease)
            .await
            .inspect_err(|error| log::warning!(fault = error, "the queue cannot be read"))
            .ok()?
    }
}
