//! Many recordings through one engine. A few are under way at once, so that the recognisers always have windows of some
//! call; a recording that fails ends alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::SystemTime,
};

use insight::quality;
use speech::transcribe::{Engine, Options, TranscribeError, Transcription, Watch};

use super::{
    failure::Failure,
    inputs::Input,
    interrupt::Interrupt,
    outputs::Outputs,
    progress::{Reporter, Watched},
};

/// Recordings under way at once: one is decoded and diarized while windows of another are recognised. More would only
/// take memory.
const MAX_UNDER_WAY: usize = 4;

/// All that the recordings of a run share.
pub(super) struct Batch<'a> {
    pub(super) engine: &'a Engine,
    pub(super) threads: usize,
    pub(super) options: &'a Options,
    pub(super) outputs: &'a Outputs,
    pub(super) reporter: &'a Reporter,
    pub(super) interrupt: &'a Interrupt,
}

impl Batch<'_> {
    /// Transcribes `inputs` and writes the transcripts; gives back the seconds of audio, or the failure, of each that was
    /// begun, in no particular order.
    pub(super) fn run(&self, inputs: &[Input]) -> Vec<Result<f64, Failure>> {
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
            for _ in 0..self.threads.min(inputs.len()).min(MAX_UNDER_WAY) {
                scope.spawn(work);
            }
        });
        ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn one(&self, index: usize, input: &Input, turns: &Turns) -> Result<f64, Failure> {
        let name = input.name();
        let mut watched = self.reporter.begin(&name);
        let transcription = self.transcribe(input, &mut watched);
        let _turn = self.outputs.ordered().then(|| turns.wait_for(index));
        let delivered = transcription.and_then(|transcription| {
            if self.interrupt.asked() {
                return Err(Failure::Interrupted);
            }
            self.outputs.deliver(input, &transcription, self.reporter, self.interrupt)?;
            Ok(transcription.transcript)
        });
        match delivered {
            Ok(transcript) => {
                for warning in &transcript.pipeline.warnings {
                    self.reporter.note(format_args!("{name}: note: {}", quality::sentence(*warning)));
                }
                watched.done(transcript.duration_seconds);
                Ok(transcript.duration_seconds)
            }
            Err(failure) => {
                match &failure {
                    Failure::Closed => self.interrupt.stop(),
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
        // A defect that one recording brings to light must not take the others down.
        let transcribed = catch_unwind(AssertUnwindSafe(|| self.engine.transcribe(source, self.options, watch)));
        match transcribed {
            Ok(Ok(mut transcription)) => {
                transcription.transcript.created_at =
                    Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string());
                Ok(transcription)
            }
            Ok(Err(TranscribeError::Cancelled)) => Err(Failure::Interrupted),
            Ok(Err(error)) => Err(error.into()),
            Err(_panic) => Err(Failure::Defect),
        }
    }
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
