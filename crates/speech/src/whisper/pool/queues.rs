//! Where windows wait: for a thread, for their language, for the decoder.
//!
//! Invariant: a batch is in exactly one place: the queue of windows, the waiting room (its language is not decided
//! yet), the ready queue, or a thread's hands. Decoding goes before encoding, so encoded batches do not pile up.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
};

use super::{
    super::{decode::Request, language::LanguageTrack, network::Encoded, window::Window},
    Heard,
};

/// What the pool knows of a session.
pub(super) struct Stream {
    pub(super) request: Request,
    pub(super) language: Option<String>,
    pub(super) track: Mutex<LanguageTrack>,
    pub(super) results: Sender<Result<Heard, String>>,
    pub(super) abandoned: AtomicBool,
}

pub(super) struct Job {
    pub(super) stream: Arc<Stream>,
    pub(super) index: usize,
    pub(super) window: Window,
    pub(super) language: Option<String>,
}

pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    pub(super) encoded: Encoded,
}

impl Batch {
    pub(super) fn decided(&self) -> bool {
        self.jobs.iter().all(|job| job.language.is_some() || job.abandoned())
    }
}

impl Job {
    pub(super) fn abandoned(&self) -> bool {
        self.stream.abandoned.load(Ordering::Relaxed)
    }

    /// Whether two windows may be in one batch.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        // A batch is decoded when the last of its languages is decided, which may take the next window of its stream. A
        // caller that feeds several streams in turn would wait for one while the next window of another is still to come.
        let wait_alike =
            Arc::ptr_eq(&self.stream, &other.stream) || (self.language.is_some() && other.language.is_some());
        let (own, others) = (&self.stream.request, &other.stream.request);
        // The decoder wants the start of transcript at the same place in every prompt, and searches with as many beams.
        wait_alike && own.context.len() == others.context.len() && own.beams == others.beams
    }
}

#[derive(Default)]
pub(super) struct Queues {
    pub(super) windows: VecDeque<Job>,
    pub(super) waiting: Vec<Batch>,
    pub(super) ready: VecDeque<Batch>,
    pub(super) closed: bool,
}

pub(super) enum Work {
    Encode(Vec<Job>),
    Decode(Batch),
}

impl Work {
    pub(super) fn jobs(&self) -> &[Job] {
        match self {
            Self::Encode(jobs) | Self::Decode(Batch { jobs, .. }) => jobs,
        }
    }
}

impl Queues {
    /// Moves batches whose languages are all decided from the waiting room to the ready queue.
    pub(super) fn promote(&mut self) {
        let mut i = 0;
        while i < self.waiting.len() {
            if self.waiting[i].decided() {
                self.ready.push_back(self.waiting.remove(i));
            } else {
                i += 1;
            }
        }
    }

    pub(super) fn next(&mut self, batch: usize) -> Option<Work> {
        if let Some(batch) = self.ready.pop_front() {
            return Some(Work::Decode(batch));
        }
        let first = self.windows.pop_front()?;
        let mut jobs = vec![first];
        let mut i = 0;
        while jobs.len() < batch && i < self.windows.len() {
            if jobs[0].goes_with(&self.windows[i]) {
                jobs.extend(self.windows.remove(i));
            } else {
                i += 1;
            }
        }
        Some(Work::Encode(jobs))
    }
}

pub(super) fn fail(jobs: &[Job], reason: &str) {
    for job in jobs {
        let _ = job.stream.results.send(Err(reason.to_owned()));
    }
}
