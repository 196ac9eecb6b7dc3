//! Ctrl-C and polite kills: the engine is asked to stop, and where it does not answer soon (it may wait for a pipe, or be
//! in the middle of loading a model) the process ends anyway, though never while a file is being put in place.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};

use super::failure::Failure;
use crate::exit;

/// How long the engine has to stop by itself: a window of speech takes less on most machines.
const GRACE: Duration = Duration::from_secs(2);

/// Whether the user wants the process to end.
#[derive(Clone, Default)]
pub(super) struct Interrupt {
    asked: Arc<AtomicBool>,
    writing: Arc<Mutex<()>>,
}

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP.
    pub(super) fn install() -> io::Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let Self { asked, writing } = interrupt.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if signals.forever().next().is_some() {
                asked.store(true, Ordering::SeqCst);
                thread::sleep(GRACE);
                let _no_file_is_being_written = writing.lock().unwrap_or_else(PoisonError::into_inner);
                exit::report(Failure::Interrupted, exit::INTERRUPTED);
                end(exit::INTERRUPTED);
            }
        })?;
        Ok(interrupt)
    }

    /// For the engine, which looks at it between windows.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Holds off the end of the process while a temporary file exists.
    pub(super) fn hold_off(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process where it is: other recordings may be waiting for a pipe. Without exit handlers, as native threads may
/// still be computing.
pub(super) fn end(code: u8) -> ! {
    low_level::exit(i32::from(code))
}
