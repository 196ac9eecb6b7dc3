//! How far a download has come: a bar on a terminal; elsewhere a line every tenth of a large file.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Plain lines for a whole file.
const LINES: u64 = 10;

/// Bytes from which a file is worth plain lines: about a second on a slow line.
const LARGE: u64 = 10_000_000;

/// The progress of one file.
pub(super) struct Progress {
    name: String,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts to show a file of `total` bytes.
    pub(super) fn new(name: String, total: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            bar.with_style(style).with_message(name.clone())
        });
        Self { name, total, done: 0, bar }
    }

    /// Shows that `done` bytes are here; fewer than before after a restart.
    pub(super) fn set(&mut self, done: u64) {
        let lines = |bytes: u64| bytes * LINES / self.total.max(1);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.total >= LARGE && lines(done) > lines(self.done) {
            let (done, total) = (DecimalBytes(done), DecimalBytes(self.total));
            // A closed standard error is no reason to stop.
            let _ = writeln!(io::stderr(), "{}: {done} of {total}", self.name);
        }
        self.done = done;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
