//! Recordings are decoded in a process of their own: decoders of untrusted media are where remote code execution comes from. Its one
//! invariant: the process that decodes has one socket to this one and nothing else, and neither side trusts a byte of the other's.
//!
//! This program is started again ([`Decoder::this_program`]) and runs [`child`], which locks itself in ([`sandbox`]) before it sees a
//! byte of the recording. It asks for bytes (`read(offset, length)`: an MP4 keeps its index at the end) and answers with samples
//! ([`frames`]); [`Decoded`] turns those into [`Blocks`] for the engine.

pub mod child;
mod decoded;
pub mod frames;
mod line;
pub mod sandbox;

use std::{
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
use line::Line;

pub use decoded::{Decoded, Waited};
pub use frames::Refusal;

#[cfg(doc)]
use speech::audio::Blocks;

/// How long the process may say nothing while it is waited for: no packet takes half a minute to decode.
const STALL: Duration = Duration::from_secs(30);

/// How long a process may be waited for at the least, its bytes included: five hours of audio decode in two minutes.
const BASE: Duration = Duration::from_secs(5 * 60);

/// Bytes for each of which a second is added: far slower than any store, or any codec on a busy machine.
const BYTES_A_SECOND: u64 = 16 << 10;

/// How long a process may be waited for at the most: twice the CPU time that it is given.
const MOST: Duration = Duration::from_secs(60 * 60);

/// Bytes of a recording from an offset, at most so many as asked for; empty at its end.
pub type ReadAt = Box<dyn FnMut(u64, usize) -> io::Result<Bytes> + Send>;

/// How the decoding process is started.
#[derive(Clone, Debug)]
pub struct Decoder {
    program: PathBuf,
    arguments: Vec<OsString>,
    stall: Duration,
    most: Duration,
}

impl Decoder {
    /// The running program with the hidden subcommand `decode`, whatever lies at its path by now.
    #[must_use]
    pub fn this_program() -> Self {
        // It uses no directory, but without a home the command line asks for one.
        Self::new("/proc/self/exe", ["--data-dir=/", "decode"])
    }

    /// A program that ends up in [`child::run`] with the socket as its standard input.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, stall: STALL, most: MOST }
    }

    /// Waits less before a silent process counts as stuck; for tests.
    #[must_use]
    pub fn stalled_after(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// Waits less for a process in all; for tests.
    #[must_use]
    pub fn within(self, most: Duration) -> Self {
        Self { most, ..self }
    }

    /// Starts a process for a recording of `length` bytes and waits until it has said what the recording is. Blocks, here and while
    /// samples are asked for, until `cancelled`.
    ///
    /// # Errors
    /// [`DecodeError`], with the recording to blame or not.
    pub fn open(&self, length: u64, read_at: ReadAt, cancelled: Arc<AtomicBool>) -> Result<Decoded, DecodeError> {
        let (ours, theirs) = UnixStream::pair()?;
        let patience = (BASE + Duration::from_secs(length / BYTES_A_SECOND)).min(self.most);
        let line = Line::new(ours, (self.stall, patience), cancelled)?;
        let process = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Decoded::open(process, line, length, read_at)
    }
}

/// Why a recording is not decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The process says that it cannot be: the recording is to blame.
    #[error("the recording cannot be decoded: {}", .0.code())]
    Refused(Refusal),
    /// The process died on it, tried what it must not, or said nothing sensible: the recording is to blame.
    #[error("the process that decodes {0}")]
    Misbehaved(&'static str),
    /// The process was killed from outside, as by a system without memory: worth another attempt.
    #[error("the process that decodes was killed")]
    Killed,
    /// It was waited for longer than such a recording can take, although it went on: the recording or the machine is to blame.
    #[error("the recording takes too long to be decoded")]
    TooSlow,
    /// Whoever asked for the recording gave it up.
    #[error("the recording was given up while it was decoded")]
    Cancelled,
    /// The recording's bytes cannot be read, or no process be started: worth another attempt.
    #[error("the recording cannot be read or no process be started: {0}")]
    Io(#[from] io::Error),
}
