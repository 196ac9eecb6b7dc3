//! The socket to the process that decodes. Its one invariant: whatever the process does or does not do, nothing here waits for it longer
//! than it may stay silent, longer than its recording gives it in all, or on after the call was given up.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::DecodeError;

/// Between two looks at whether the call was given up, while nothing comes.
const LOOK: Duration = Duration::from_millis(100);

/// This side of the socket.
pub(super) struct Line {
    socket: UnixStream,
    /// How long the process may stay silent.
    stall: Duration,
    /// How long it may still be waited for in all.
    left: Duration,
    cancelled: Arc<AtomicBool>,
}

impl Line {
    pub(super) fn new(
        socket: UnixStream,
        (stall, left): (Duration, Duration),
        cancelled: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let look = Some(LOOK.min(stall));
        socket.set_read_timeout(look)?;
        socket.set_write_timeout(look)?;
        Ok(Self { socket, stall, left, cancelled })
    }

    /// How long the process may stay silent.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// What was done for the process counts as waiting for it.
    pub(super) fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// Repeats a read or write until it gets through; a [`DecodeError`] is inside of the error where the process is to blame.
    fn wait(&mut self, mut transfer: impl FnMut(&UnixStream) -> io::Result<usize>) -> io::Result<usize> {
        let began = Instant::now();
        let done = loop {
            let waited = began.elapsed();
            if self.cancelled.load(Ordering::Relaxed) {
                break Err(io::Error::other(DecodeError::Cancelled));
            }
            if waited >= self.left {
                break Err(io::Error::other(DecodeError::TooSlow));
            }
            if waited >= self.stall {
                break Err(io::Error::other(DecodeError::Misbehaved("says nothing any more")));
            }
            match transfer(&self.socket) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                done => break done,
            }
        };
        self.spend(began.elapsed());
        done
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait(|mut socket| socket.read(into))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|mut socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
