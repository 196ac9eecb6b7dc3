//! What the program tells about itself: logs, traces, metrics.
//!
//! Invariant: what is told is of a type that may be told ([`told`]); a request is told of by its id, the template of its route, its status
//! and its duration. Paths, queries, headers and bodies are in nothing here.

pub mod fault;
pub mod labels;
pub(crate) mod log;
pub mod mask;
pub mod metrics;
pub mod observed;
pub mod reports;
pub mod told;
pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Config, LogFormat};
use reports::Reports;
use traces::Traces;

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The exporter of traces cannot be made.
    #[error("traces cannot be sent to traces.endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Something logs already.
    #[error("the log was set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What tells of the program to others, for as long as it runs.
pub struct Telemetry {
    traces: Traces,
    reports: Reports,
}

impl Telemetry {
    /// Sends what waits; to be called outside of any runtime.
    pub fn finish(self) {
        self.traces.finish();
        self.reports.finish();
    }
}

/// Sets up the log on standard error, traces where there is a collector, and reports of faults where they are wanted; to be called once, outside of any runtime, before there
/// is anything to tell. What it gives is kept until the end, and flushed then.
///
/// # Errors
/// See [`TelemetryError`].
pub fn start(config: &Config) -> Result<Telemetry, TelemetryError> {
    // The configuration was checked by the same parser.
    let filter = EnvFilter::try_new(&config.log.level).unwrap_or_default();
    let is_json = match config.log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(mask::Masked);
    let lines = if is_json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.with_target(false).boxed()
    };
    let traces = Traces::new(&config.traces)?;
    let reports = Reports::new(config.errors.clone());
    let lines = lines.with_filter(filter);
    tracing_subscriber::registry().with(lines).with(traces.layer()).with(reports.layer()).try_init()?;
    log_panics();
    Ok(Telemetry { traces, reports })
}

/// Logs the place of a panic and never its message, which may quote what a request held.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            log::error!(place = *place, "a panic: a defect of the program");
        }
    }));
}
