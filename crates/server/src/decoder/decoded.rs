//! A recording that another process decodes. Its one invariant: whatever that process says or does, this side ends with samples in
//! range, at most five hours of them, or with an error; and the process does not outlive it.

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    process::{Child, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use speech::{
    SAMPLE_RATE,
    audio::{AudioError, Blocks, Damage, MAX_SECONDS},
};

use super::{
    DecodeError, ReadAt,
    frames::{Message, Refusal, write_bytes},
    line::Line,
};

/// How often each byte of a recording may be asked for on average: its index and its samples lie apart, and demuxers look ahead.
const MAX_READS_OF_A_BYTE: u64 = 16;

/// Bytes that may be asked for besides: the headers of a short recording are read several times.
const MAX_EXTRA_BYTES: u64 = 64 << 20;

/// How long a process that closed its socket is given to be gone: its memory was given back before.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks at whether it is.
const LOOK: Duration = Duration::from_millis(2);

/// The parent's end of a decoding process.
pub struct Decoded {
    process: Child,
    line: Line,
    read_at: ReadAt,
    /// Bytes that may still be asked for.
    budget: u64,
    has_asked: bool,
    channels: usize,
    duration: Option<f64>,
    block: Vec<Vec<f32>>,
    frames: u64,
    damage: Damage,
    ended: bool,
    waited: Waited,
}

/// How long samples were waited for; counts on after the recording was handed on.
#[derive(Clone, Debug, Default)]
pub struct Waited(Arc<AtomicU64>);

impl Waited {
    /// Until now, to the millisecond.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn add(&self, waited: Duration) {
        self.0.fetch_add(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Decoded {
    /// Tells the process how long the recording is, and hears what it is.
    pub(super) fn open(process: Child, line: Line, length: u64, read_at: ReadAt) -> Result<Self, DecodeError> {
        let mut decoded = Self {
            process,
            line,
            read_at,
            budget: length.saturating_mul(MAX_READS_OF_A_BYTE).saturating_add(MAX_EXTRA_BYTES),
            has_asked: false,
            channels: 0,
            duration: None,
            block: Vec::new(),
            frames: 0,
            damage: Damage::default(),
            ended: false,
            waited: Waited::default(),
        };
        if let Err(error) = io::Write::write_all(&mut decoded.line, &length.to_le_bytes()) {
            return Err(decoded.explain(error));
        }
        match decoded.next_message()? {
            Message::Info { channels, duration } => {
                decoded.channels = usize::from(channels);
                decoded.duration = duration;
                Ok(decoded)
            }
            _ => Err(DecodeError::Misbehaved("began with something else than what the recording is")),
        }
    }

    /// How long its samples were waited for.
    #[must_use]
    pub fn waited(&self) -> Waited {
        self.waited.clone()
    }

    /// Serves reads until something else is said.
    fn next_message(&mut self) -> Result<Message, DecodeError> {
        let began = Instant::now();
        let message = loop {
            let message = Message::read(&mut self.line).map_err(|error| self.explain(error))?;
            match message {
                Message::Read { offset, length } => self.serve(offset, length)?,
                // Said before it asks for anything, or not believed.
                Message::Refused(Refusal::NoSandbox) if !self.has_asked => {
                    return Err(DecodeError::Io(io::Error::other("the process that decodes cannot be locked in")));
                }
                Message::Refused(Refusal::NoSandbox) => {
                    return Err(DecodeError::Misbehaved("says what makes no sense here"));
                }
                Message::Refused(refusal) => return Err(DecodeError::Refused(refusal)),
                message => break message,
            }
        };
        self.waited.add(began.elapsed());
        Ok(message)
    }

    fn serve(&mut self, offset: u64, length: u32) -> Result<(), DecodeError> {
        self.budget = self
            .budget
            .checked_sub(u64::from(length))
            .ok_or(DecodeError::Misbehaved("reads the recording again and again"))?;
        self.has_asked = true;
        let began = Instant::now();
        let read = (self.read_at)(offset, length as usize);
        self.line.spend(began.elapsed());
        let bytes = read.as_ref().ok().map(|bytes| &bytes[..bytes.len().min(length as usize)]);
        let answered = write_bytes(bytes, &mut self.line);
        read?;
        answered.map_err(|error| self.explain(error))
    }

    /// Why nothing sensible comes any more. A closed socket is the process's end, whose exit tells, or its last lie.
    fn explain(&mut self, error: io::Error) -> DecodeError {
        let error = match error.downcast() {
            Ok(known) => return known,
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::InvalidData {
            return DecodeError::Misbehaved("says what makes no sense");
        }
        let status = match self.end() {
            Ok(Some(status)) => status,
            Ok(None) => return DecodeError::Misbehaved("closed its socket and lived on"),
            Err(error) => return DecodeError::Io(error),
        };
        match status.signal().map(Signal::try_from) {
            Some(Ok(Signal::SIGKILL)) => DecodeError::Killed,
            Some(Ok(Signal::SIGSYS)) => DecodeError::Misbehaved("tried what it must not"),
            Some(Ok(Signal::SIGXCPU)) => DecodeError::Misbehaved("computed for too long"),
            Some(_) => DecodeError::Misbehaved("crashed"),
            None => DecodeError::Misbehaved("ended early"),
        }
    }

    /// How the process ended by itself; `None` when it did not within a moment, and was killed.
    fn end(&mut self) -> io::Result<Option<ExitStatus>> {
        let (began, grace) = (Instant::now(), GRACE.min(self.line.stall()));
        while began.elapsed() < grace {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(LOOK);
        }
        self.process.kill()?;
        self.process.wait()?;
        Ok(None)
    }

    fn advance(&mut self) -> Result<bool, DecodeError> {
        match self.next_message()? {
            Message::Block(block) if block.len() == self.channels => {
                self.frames += block[0].len() as u64;
                if self.frames > (MAX_SECONDS + 1) * u64::from(SAMPLE_RATE) {
                    return Err(DecodeError::Refused(Refusal::TooLong));
                }
                self.block = block;
                Ok(true)
            }
            Message::End { truncated, packets } => {
                self.damage = Damage { truncated, packets };
                self.ended = true;
                Ok(false)
            }
            _ => Err(DecodeError::Misbehaved("says what makes no sense here")),
        }
    }
}

impl Blocks for Decoded {
    fn channels(&self) -> usize {
        self.channels
    }

    fn duration(&self) -> Option<f64> {
        self.duration
    }

    fn damage(&self) -> Damage {
        self.damage
    }

    /// A [`DecodeError`] is inside of the [`AudioError::Io`] that it gives.
    fn next_block(&mut self) -> Result<Option<&[Vec<f32>]>, AudioError> {
        if self.ended {
            return Ok(None);
        }
        let more = self.advance().map_err(|error| AudioError::Io(io::Error::other(error)))?;
        Ok(more.then_some(&self.block[..]))
    }
}

impl Drop for Decoded {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
