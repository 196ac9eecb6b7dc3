//! Many recordings through one engine. As many are under way at once as keep the recognisers in windows; a recording that
//! fails ends alone.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::SystemTime,
};

use insight::{
    facts::Facts,
    quality,
    speakers::{self, Evidence},
};
use speech::transcribe::{Device, Engine, EngineOptions, Options, TranscribeError, Transcription, Watch};

use super::{
    failure::Failure,
    inputs::Input,
    interrupt::{self, Interrupt},
    outputs::Outputs,
    progress::{Reporter, Watched},
};
use crate::{exit, panics};

/// The most recordings under way at once: each holds up to two minutes of two channels (15 MB) and its decoder's buffers,
/// so that this many take 2 GB, beside which the models of as many recognisers are large.
const MAX_UNDER_WAY: usize = 64;
/// Recordings under way on a GPU: it takes 16 windows at once, a short recording has one, and the next 16 are made meanwhile.
const UNDER_WAY_ON_GPU: usize = 32;

/// A recording whose transcript was written.
pub(super) struct Done {
    pub(super) seconds: f64,
    /// Whether rules analyzed it because the model that was asked gave nothing.
    pub(super) is_fallback: bool,
}

/// All that the recordings of a run share.
pub(super) struct Batch<'a> {
    pub(super) engine: &'a Engine,
    pub(super) layout: &'a EngineOptions,
    pub(super) options: &'a Options,
    /// What is known of the calls, to name their speakers by.
    pub(super) facts: Option<&'a Facts>,
    pub(super) outputs: &'a Outputs,
    pub(super) reporter: &'a Reporter,
    pub(super) interrupt: &'a Interrupt,
}

impl Batch<'_> {
    /// Transcribes `inputs` and writes the transcripts; gives back how each ended that was begun, in no particular order.
    pub(super) fn run(&self, inputs: &[Input]) -> Vec<Result<Done, Failure>> {
        let (next, turns, ended) = (AtomicUsize::new(0), Turns::default(), Mutex::new(Vec::new()));
        let work = || {
            while !self.interrupt.asked() {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(input) = inputs.get(index) else { break };
                let result = self.one(index, input, &turns);
                ended.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            }
        };
        thread::scope(|scope| {
            for _ in 0..under_way(self.layout).min(inputs.len()) {
                scope.spawn(work);
            }
        });
        ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn one(&self, index: usize, input: &Input, turns: &Turns) -> Result<Done, Failure> {
        let name = input.name();
        let mut watched = self.reporter.begin(&name);
        // A defect that one recording brings to light must not take the others down.
        let transcription = guarded(|| self.transcribe(input, &mut watched));
        let _turn = self.outputs.ordered().then(|| turns.wait_for(index));
        let delivered = transcription.and_then(|transcription| {
            if self.interrupt.asked() {
                return Err(Failure::Interrupted);
            }
            let deliver = || self.outputs.deliver(input, &transcription, self.facts, self.reporter, self.interrupt);
            Ok((guarded(deliver)?, transcription.transcript))
        });
        match delivered {
            Ok((unanswered, transcript)) => {
                if let Some(code) = unanswered {
                    self.reporter.error(format_args!(
                        "{name}: the language model gave no analysis ({code}); the transcript is there, with what rules found"
                    ));
                }
                for warning in &transcript.pipeline.warnings {
                    self.reporter.note(format_args!("{name}: note: {}", quality::sentence(*warning)));
                }
                watched.done(transcript.duration_seconds);
                Ok(Done { seconds: transcript.duration_seconds, is_fallback: unanswered.is_some() })
            }
            Err(failure) => {
                match &failure {
                    // Nobody is left to read this transcript or another.
                    Failure::Closed => interrupt::end(exit::SUCCESS),
                    // Told once, at the end.
                    Failure::Interrupted => {}
                    other => self.reporter.error(format_args!("{name}: {other}")),
                }
                Err(failure)
            }
        }
    }

    fn transcribe(&self, input: &Input, watched: &mut Watched<'_>) -> Result<Transcription, Failure> {
        let source = input.open()?;
        let watch = Watch { progress: &mut |progress| watched.update(progress), cancelled: self.interrupt.flag() };
        match self.engine.transcribe(source, self.options, watch) {
            Ok(mut transcription) => {
                if let Some(facts) = self.facts {
                    let found = speakers::resolve(transcription.transcript, facts, &Evidence::default());
                    transcription.transcript = found;
                }
                transcription.transcript.created_at =
                    Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string());
                Ok(transcription)
            }
            Err(TranscribeError::Cancelled) => Err(Failure::Interrupted),
            Err(error) => Err(error.into()),
        }
    }
}

/// Recordings under way at once. The work on a recording of one window is either on its own thread or on a recogniser's, so
/// that it takes as many of them as there are recognisers to keep all cores busy.
fn under_way(layout: &EngineOptions) -> usize {
    match layout.device {
        Device::Cpu => layout.threads.min(MAX_UNDER_WAY),
        Device::Cuda => UNDER_WAY_ON_GPU,
    }
}

fn guarded<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panics::caught(act).unwrap_or_else(|place| Err(Failure::Defect { place }))
}

/// Lets threads pass in the order of their numbers, so that results that are ready early wait instead of piling up.
#[derive(Default)]
struct Turns {
    current: Mutex<usize>,
    changed: Condvar,
}

impl Turns {
    /// Blocks until every lower number has had its turn; the turn ends when the guard goes.
    fn wait_for(&self, number: usize) -> Turn<'_> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(current, |current| *current != number);
        Turn { current: waited.unwrap_or_else(PoisonError::into_inner), changed: &self.changed }
    }
}

struct Turn<'a> {
    current: MutexGuard<'a, usize>,
    changed: &'a Condvar,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.current += 1;
        self.changed.notify_all();
    }
}
