//! The recogniser pool: one thread a core, one queue for all calls. A window is encoded, its language is decided (in
//! order, with its successor in view), then it is decoded; on a GPU the windows of several calls make one batch.

mod queues;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{
    decode::{Decoder, Member, Request, mel_bands},
    encoder::Encoder,
    tokenizer::Tokenizer,
    window::Window,
};
use crate::{
    transcribe::{Device, Task},
    transcript::Word,
};
use queues::{Batch, Job, Queues, Stream, Work, fail};

/// Windows in one batch on a GPU: enough to fill it with a small model, 1.5 GB of encoder states with a large one.
const CUDA_BATCH: usize = 16;
/// The most tokens of context in front of a window: half the decoder's positions, as in the reference implementation.
const MAX_CONTEXT_TOKENS: usize = 223;

/// A Whisper model and the threads that run it.
pub struct Recogniser {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What one call asks for.
#[derive(Clone, Default)]
pub struct SessionOptions {
    /// ISO 639-1 code of the one language spoken; detected when absent.
    pub language: Option<String>,
    /// What the words are written in.
    pub task: Task,
    /// Beams of the first attempt; 0 is taken as 1, greedy.
    pub beams: usize,
    /// Text that the model is to take as having come before.
    pub initial_prompt: Option<String>,
    /// Names and terms to expect.
    pub hotwords: Option<String>,
}

crate::unprinted! { SessionOptions }

/// The words of one window.
#[derive(Debug)]
pub struct Heard {
    /// Which window of the session: they count from 0 in the order of submission.
    pub index: usize,
    /// The language that its words are written in: the one spoken, English where that was translated.
    pub language: String,
    /// Its words in time order, with times in seconds of the recording.
    pub words: Vec<Word>,
    /// Where the window ends in the recording, in seconds.
    pub end: f64,
}

/// A stream of windows from one call or one channel of it. Dropping it abandons what was not recognised yet.
pub struct Session {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    results: Receiver<Result<Heard, String>>,
    submitted: usize,
    received: usize,
}

struct Shared {
    tokenizer: Arc<Tokenizer>,
    /// Windows in one batch: on a GPU many, on a CPU each core is busy with one.
    batch: usize,
    queues: Mutex<Queues>,
    work: Condvar,
}

impl Recogniser {
    /// Loads a model directory and starts `threads` recognisers.
    ///
    /// # Errors
    /// A message without content when the model cannot be loaded or the device cannot be used.
    pub fn load(model: &Path, device: Device, threads: usize) -> Result<Self, String> {
        let (threads, batch) = match device {
            Device::Cpu => (threads.max(1), 1),
            Device::Cuda => (1, CUDA_BATCH),
        };
        let tokenizer = Arc::new(Tokenizer::load(model)?);
        let decoders = load_decoders(model, device, threads, &tokenizer)?;
        let shared = Arc::new(Shared { tokenizer, batch, queues: Mutex::default(), work: Condvar::new() });
        let threads = decoders
            .into_iter()
            .enumerate()
            .map(|(i, decoder)| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new().name(format!("recognise-{i}")).spawn(move || shared.run(&decoder))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(Self { shared, threads })
    }

    /// Whether the model can be told to hear `language` (an ISO 639-1 code).
    pub fn knows_language(&self, language: &str) -> bool {
        self.shared.tokenizer.knows_language(language)
    }

    /// Whether the model knows more than English.
    pub fn multilingual(&self) -> bool {
        self.shared.tokenizer.multilingual()
    }

    /// Windows to keep in flight so that no recogniser waits.
    pub fn in_flight(&self) -> usize {
        // One in hand and one queued a thread, and one of look-ahead for the language.
        2 * self.threads.len() * self.shared.batch + 1
    }

    /// Opens a stream of windows.
    pub fn session(&self, options: &SessionOptions) -> Session {
        let (results, receiver) = channel();
        let tokenizer = &self.shared.tokenizer;
        let request = Request { task: options.task, beams: options.beams.max(1), context: context(tokenizer, options) };
        let english_only = (!tokenizer.multilingual()).then(|| "en".to_owned());
        let stream = Arc::new(Stream {
            request,
            language: options.language.clone().or(english_only),
            track: Mutex::default(),
            results,
            abandoned: AtomicBool::new(false),
        });
        Session { shared: Arc::clone(&self.shared), stream, results: receiver, submitted: 0, received: 0 }
    }
}

impl Drop for Recogniser {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            // A recogniser that panicked has already failed its session; there is nothing to add here.
            let _ = thread.join();
        }
    }
}

impl Session {
    /// Queues a window.
    pub fn submit(&mut self, window: Window) {
        let job = Job {
            stream: Arc::clone(&self.stream),
            index: self.submitted,
            window,
            language: self.stream.language.clone(),
        };
        self.submitted += 1;
        self.shared.lock().windows.push_back(job);
        self.shared.work.notify_one();
    }

    /// Windows that were submitted and not received yet.
    pub fn pending(&self) -> usize {
        self.submitted - self.received
    }

    /// Says that no window follows: the last one's language no longer waits for a successor.
    pub fn finish(&mut self) {
        let decided = lock(&self.stream.track).finish(self.submitted);
        self.shared.settle(&self.stream, decided);
    }

    /// Waits for the next result, in whatever order windows get done; `None` when none came in time.
    ///
    /// # Errors
    /// A message without content when the network failed on a window.
    pub fn next_within(&mut self, timeout: Duration) -> Option<Result<Heard, String>> {
        let result = self.results.recv_timeout(timeout).ok()?;
        self.received += 1;
        Some(result)
    }

    /// A result that is there already.
    ///
    /// # Errors
    /// A message without content when the network failed on a window.
    pub fn try_next(&mut self) -> Option<Result<Heard, String>> {
        let result = self.results.try_recv().ok()?;
        self.received += 1;
        Some(result)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stream.abandoned.store(true, Ordering::Relaxed);
        let mut queues = self.shared.lock();
        queues.windows.retain(|job| !job.abandoned());
        // A batch of several calls may have waited for this one only.
        queues.promote();
        drop(queues);
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        lock(&self.queues)
    }

    /// A recogniser's life.
    fn run(&self, decoder: &Decoder) {
        loop {
            let mut queues = self.lock();
            let work = loop {
                if queues.closed {
                    return;
                }
                if let Some(work) = queues.next(self.batch) {
                    break work;
                }
                queues = self.work.wait(queues).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queues);
            let streams: Vec<_> = work.jobs().iter().map(|job| Arc::clone(&job.stream)).collect();
            // A panic in the engine costs the windows in hand, not the thread and with it every later call.
            let outcome = catch_unwind(AssertUnwindSafe(|| match work {
                Work::Encode(jobs) => self.encode(decoder, jobs),
                Work::Decode(batch) => self.decode(decoder, batch),
            }));
            if outcome.is_err() {
                for stream in streams {
                    let _ = stream.results.send(Err("the recogniser panicked".to_owned()));
                }
            }
        }
    }

    fn encode(&self, decoder: &Decoder, jobs: Vec<Job>) {
        let windows: Vec<&Window> = jobs.iter().map(|job| &job.window).collect();
        let forced = jobs.iter().all(|job| job.language.is_some());
        let encoded = match decoder.encode(&windows) {
            Ok(encoded) => encoded,
            Err(reason) => return fail(&jobs, &reason),
        };
        if forced {
            return self.decode(decoder, Batch { jobs, encoded });
        }
        let detected = match decoder.detect(&encoded) {
            Ok(detected) => detected,
            Err(reason) => return fail(&jobs, &reason),
        };
        let heard: Vec<_> = jobs.iter().map(|job| (Arc::clone(&job.stream), job.index)).zip(detected).collect();
        self.lock().waiting.push(Batch { jobs, encoded });
        for ((stream, index), probabilities) in heard {
            let decided = lock(&stream.track).observe(index, probabilities);
            self.settle(&stream, decided);
        }
    }

    /// Writes decided languages into the waiting windows and readies the batches that waited for them.
    fn settle(&self, stream: &Arc<Stream>, decided: Vec<(usize, String)>) {
        let mut queues = self.lock();
        for (index, language) in decided {
            let job = queues
                .waiting
                .iter_mut()
                .flat_map(|batch| &mut batch.jobs)
                .find(|job| job.index == index && Arc::ptr_eq(&job.stream, stream));
            if let Some(job) = job {
                job.language.get_or_insert(language);
            }
        }
        queues.promote();
        drop(queues);
        self.work.notify_all();
    }

    fn decode(&self, decoder: &Decoder, batch: Batch) {
        let Batch { jobs, encoded } = batch;
        if jobs.iter().all(Job::abandoned) {
            return;
        }
        let members: Vec<Member<'_>> = jobs
            .iter()
            .map(|job| Member {
                window: &job.window,
                language: job.language.as_deref().unwrap_or("en"),
                request: &job.stream.request,
            })
            .collect();
        match decoder.decode(&encoded, &members) {
            Ok(heard) => {
                for ((job, member), words) in jobs.iter().zip(&members).zip(heard) {
                    let language = member.text_language().to_owned();
                    // The session may be gone; then nobody wants the words.
                    let _ =
                        job.stream.results.send(Ok(Heard { index: job.index, language, words, end: job.window.end() }));
                }
            }
            Err(reason) => fail(&jobs, &reason),
        }
    }
}

/// One decoder a thread, loaded side by side.
fn load_decoders(
    model: &Path,
    device: Device,
    threads: usize,
    tokenizer: &Arc<Tokenizer>,
) -> Result<Vec<Decoder>, String> {
    std::thread::scope(|scope| {
        let encoder = scope.spawn(|| native_encoder(model, device, tokenizer));
        let load = || Decoder::load(model, device, Arc::clone(tokenizer));
        let loading: Vec<_> = (0..threads).map(|_| scope.spawn(load)).collect();
        let panicked = "the engine panicked while it was loading";
        let encoder = encoder.join().unwrap_or_else(|_| Err(panicked.to_owned()))?;
        loading
            .into_iter()
            .map(|thread| Ok(thread.join().unwrap_or_else(|_| Err(panicked.to_owned()))?.encode_with(encoder.clone())))
            .collect()
    })
}

/// The native encoder, where this machine runs it and the model is laid out for it.
fn native_encoder(model: &Path, device: Device, tokenizer: &Tokenizer) -> Result<Option<Arc<Encoder>>, String> {
    if device != Device::Cpu || !Encoder::available() {
        return Ok(None);
    }
    Ok(Encoder::load(model, mel_bands(model, tokenizer)?)?.map(Arc::new))
}

/// The tokens to put in front of each window of a session.
fn context(tokenizer: &Tokenizer, options: &SessionOptions) -> Vec<String> {
    let texts = [options.initial_prompt.as_deref(), options.hotwords.as_deref()];
    let mut tokens: Vec<_> =
        texts.into_iter().flatten().flat_map(|text| tokenizer.encode(&format!(" {}", text.trim()))).collect();
    let surplus = tokens.len().saturating_sub(MAX_CONTEXT_TOKENS);
    tokens.split_off(surplus)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves no half-made state behind a lock: every critical section only moves whole values.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
