//! What a run shows on standard error: bars where that is a terminal, plain lines elsewhere, only errors when quiet.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use speech::transcribe::{Progress, Stage};

use crate::exit;

/// Plain lines come at most this often …
const LINE_EVERY_AT_MOST: Duration = Duration::from_secs(1);
/// … and at least this often,
const LINE_EVERY_AT_LEAST: Duration = Duration::from_secs(10);
/// in between whenever this share of the recording is done.
const LINE_EVERY_SHARE: f64 = 0.1;
/// Steps of a bar: finer than any terminal shows.
const BAR_STEPS: u64 = 1000;

/// Shows the progress of a run.
pub(super) enum Reporter {
    Quiet,
    Lines,
    Bars(MultiProgress),
}

impl Reporter {
    pub(super) fn new(quiet: bool) -> Self {
        match (quiet, io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, false) => Self::Lines,
            (false, true) => Self::Bars(MultiProgress::new()),
        }
    }

    /// A line that shows even when quiet.
    pub(super) fn error(&self, message: impl Display) {
        self.undrawn(|| exit::line(message));
    }

    /// A line that does not show when quiet.
    pub(super) fn note(&self, message: impl Display) {
        if !matches!(self, Self::Quiet) {
            self.error(message);
        }
    }

    /// Writes to standard output, which may be the terminal that shows the bars.
    pub(super) fn print(&self, bytes: &[u8]) -> io::Result<()> {
        self.undrawn(|| {
            let mut out = io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()
        })
    }

    fn undrawn<R>(&self, act: impl FnOnce() -> R) -> R {
        if let Self::Bars(bars) = self { bars.suspend(act) } else { act() }
    }

    /// Begins to show the recording `name`.
    pub(super) fn begin(&self, name: &str) -> Watched<'_> {
        let bar = match self {
            Self::Bars(bars) => Some(bars.add(bar(name))),
            Self::Quiet | Self::Lines => None,
        };
        Watched { reporter: self, name: name.to_owned(), began: Instant::now(), stage: None, line: None, bar }
    }
}

fn bar(name: &str) -> ProgressBar {
    // 34 columns, so that the longest message still fits into the 80 of a small terminal.
    let style = ProgressStyle::with_template("{prefix:<20!} {bar:12} {wide_msg}");
    let bar = ProgressBar::new(BAR_STEPS).with_prefix(name.to_owned());
    // The template is a constant; a mistake in it would cost the looks only.
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

/// The progress of one recording.
pub(super) struct Watched<'a> {
    reporter: &'a Reporter,
    name: String,
    began: Instant,
    /// The stage at work and when it began.
    stage: Option<(Stage, Instant)>,
    /// When the last plain line came, and the share that it told.
    line: Option<(Instant, f64)>,
    bar: Option<ProgressBar>,
}

impl Watched<'_> {
    /// Shows how far the recording has come.
    pub(super) fn update(&mut self, progress: Progress) {
        let now = Instant::now();
        let since = match self.stage {
            Some((stage, since)) if stage == progress.stage => since,
            _ => {
                self.stage = Some((progress.stage, now));
                self.line = None;
                now
            }
        };
        let share = share(&progress).unwrap_or(0.0);
        if let Some(bar) = &self.bar {
            bar.set_position((share * BAR_STEPS as f64) as u64);
            bar.set_message(describe(&progress, now - since));
        } else {
            let (last, told) = self.line.unwrap_or((since, 0.0));
            let due = (share - told >= LINE_EVERY_SHARE && now - last >= LINE_EVERY_AT_MOST)
                || now - last >= LINE_EVERY_AT_LEAST;
            if due {
                self.line = Some((now, share));
                self.reporter.note(format_args!("{}: {}", self.name, describe(&progress, now - since)));
            } else if self.line.is_none() {
                self.line = Some((since, 0.0));
            }
        }
    }

    /// Ends with a line on what was done.
    pub(super) fn done(self, audio_seconds: f64) {
        let took = self.began.elapsed();
        self.reporter.note(format_args!("{}: {}", self.name, pace(audio_seconds, took)));
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `0:30 of audio in 0:04 (7.5× real time)`
pub(super) fn pace(audio_seconds: f64, took: Duration) -> String {
    let speed = audio_seconds / took.as_secs_f64().max(0.001);
    format!("{} of audio in {} ({speed:.1}× real time)", clock(audio_seconds), clock(took.as_secs_f64()))
}

/// The share that is done, 0..=1, where the length is known.
fn share(progress: &Progress) -> Option<f64> {
    let total = progress.total_seconds.filter(|total| *total > 0.0)?;
    Some((progress.done_seconds / total).clamp(0.0, 1.0))
}

/// Stage, percent (or time, where the length is unknown), speed and time left.
fn describe(progress: &Progress, elapsed: Duration) -> String {
    let stage = match progress.stage {
        Stage::Recognising => "recognising",
        Stage::Diarizing => "diarizing",
    };
    let done = match share(progress) {
        Some(share) => format!("{:.0} %", share * 100.0),
        None => clock(progress.done_seconds),
    };
    let speed = progress.done_seconds / elapsed.as_secs_f64();
    if !speed.is_finite() || speed <= 0.0 {
        return format!("{stage} {done}");
    }
    let left = progress.total_seconds.map(|total| (total - progress.done_seconds).max(0.0) / speed);
    let left = left.map(|left| format!(", {} left", clock(left))).unwrap_or_default();
    format!("{stage} {done}, {speed:.1}× real time{left}")
}

/// `m:ss`, or `h:mm:ss` from an hour on.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done_seconds: f64, total_seconds: Option<f64>) -> Progress {
        Progress { stage: Stage::Recognising, done_seconds, total_seconds }
    }

    #[test]
    fn a_line_tells_stage_share_speed_and_time_left() {
        let line = describe(&progress(60.0, Some(240.0)), Duration::from_secs(5));
        assert_eq!(line, "recognising 25 %, 12.0× real time, 0:15 left");
    }

    #[test]
    fn a_stream_of_unknown_length_shows_the_time_that_is_done() {
        assert_eq!(describe(&progress(90.0, None), Duration::from_secs(9)), "recognising 1:30, 10.0× real time");
    }

    #[test]
    fn nothing_is_divided_by_zero_at_the_start() {
        assert_eq!(describe(&progress(0.0, Some(0.0)), Duration::ZERO), "recognising 0:00");
    }

    #[test]
    fn the_pace_of_a_long_call_shows_hours() {
        assert_eq!(pace(3_661.0, Duration::from_secs(366)), "1:01:01 of audio in 6:06 (10.0× real time)");
    }
}
