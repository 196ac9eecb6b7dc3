//! Spans of requests for a collector of OpenTelemetry, over OTLP/HTTP.
//!
//! Invariant: what leaves is spans of this program and not of its dependencies, whose fields hold ids, templates and numbers.

use crate::telemetry::log;
use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, registry::LookupSpan};

use crate::config;

/// How long a collector may take for a batch before it is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Only ours, and no more than the log has by default.
const SPANS: &str = "off,server=info,subrosa=info";

/// Where spans go, if anywhere.
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends to the collector of the configuration, on a thread of its own. What a collector that is down misses is dropped: at most
    /// 2,048 spans wait (the SDK's default).
    ///
    /// # Errors
    /// When the exporter cannot be made.
    pub fn new(config: &config::Traces) -> Result<Self, ExporterBuildError> {
        let Some(endpoint) = &config.endpoint else { return Ok(Self(None)) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(PATIENCE)
            .build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder_empty().with_service_name("subrosa").with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::TraceIdRatioBased(f64::from(config.per_mille) / 1000.0))
            .with_resource(resource)
            .build();
        Ok(Self(Some(provider)))
    }

    /// What turns spans of the program into traces.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let tracer = self.0.as_ref()?.tracer("subrosa");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
        Some(layer.with_filter(EnvFilter::new(SPANS)))
    }

    /// Sends what waits; to be called outside of any runtime.
    pub fn finish(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            log::warning!(fault = &error, "the last traces were not sent");
        }
    }
}
