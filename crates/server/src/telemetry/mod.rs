//! What the program tells about itself: logs, traces, metrics.
//!
//! Invariant: a request is told of by its id, the template of its route, its status and its duration. Paths, queries, headers and
//! bodies are in nothing here, and labels of metrics are enums.

pub mod mask;
pub mod metrics;
pub mod observed;
pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Config, LogFormat};
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

/// Sets up the log on standard error, and traces where there is a collector; to be called once, outside of any runtime, before there
/// is anything to tell. What it gives is kept until the end, and flushed then.
///
/// # Errors
/// See [`TelemetryError`].
pub fn start(config: &Config) -> Result<Traces, TelemetryError> {
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
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces.layer()).try_init()?;
    log_panics();
    Ok(traces)
}

/// Logs the place of a panic and never its message, which may quote what a request held.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "a panic: a defect of the program");
    }));
}
