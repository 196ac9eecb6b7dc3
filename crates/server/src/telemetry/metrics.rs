//! Numbers for Prometheus. Its one invariant: a label is an enum or the template of a route, so that there are as many series as the
//! program has routes, and none holds anybody's data.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use axum::{
    extract::MatchedPath,
    http::{Method, StatusCode},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::{http::class::Class, queue::Counts};

/// Requests by route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: Route,
    method: Verb,
    status: Status,
}

/// Durations by route: without the status, which would make five times the series.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    route: Route,
    method: Verb,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    class: ClassLabel,
}

/// The template of a route, which only the router makes; what is no route has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Route(Option<MatchedTemplate>);

/// `/api/calls/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct MatchedTemplate(std::sync::Arc<str>);

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.as_ref().map_or("none", |template| &*template.0).encode(encoder)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ClassLabel(Class);

impl EncodeLabelValue for ClassLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.as_str().encode(encoder)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Verb {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl From<&Method> for Verb {
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Status {
    Success,
    Redirect,
    ClientError,
    ServerError,
}

impl From<StatusCode> for Status {
    fn from(status: StatusCode) -> Self {
        match status.as_u16() {
            ..300 => Self::Success,
            300..400 => Self::Redirect,
            400..500 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

/// What is measured when somebody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// Age of the key that seals.
    pub key_age: Option<Duration>,
    /// Whether Redis answers; `None` without one.
    pub is_redis_up: Option<bool>,
    /// What waits for workers.
    pub jobs: Option<Counts>,
    /// Age in seconds of the oldest recording that is still there.
    pub recordings_age: Option<f64>,
}

/// What is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Timed, Histogram>,
    in_flight: Gauge,
    refused: Family<Refused, Counter>,
    key_age: Gauge,
    redis_up: Gauge,
    local_limits: Gauge,
    jobs_waiting: Gauge,
    jobs_running: Gauge,
    jobs_age: Gauge<f64, AtomicU64>,
    recordings_age: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        // From 1 ms to 65 s, each twice the one before: what is faster or slower needs no histogram.
        let histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 17));
        let mut registry = Registry::with_prefix("subrosa");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            refused: Family::default(),
            key_age: Gauge::default(),
            redis_up: Gauge::default(),
            local_limits: Gauge::default(),
            jobs_waiting: Gauge::default(),
            jobs_running: Gauge::default(),
            jobs_age: Gauge::default(),
            recordings_age: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests that were answered", metrics.requests.clone());
        let durations = metrics.durations.clone();
        registry.register_with_unit("http_request_duration", "Until an answer began", Unit::Seconds, durations);
        registry.register("http_requests_in_flight", "Requests that are being answered", metrics.in_flight.clone());
        registry.register("http_requests_rate_limited", "Requests that were too many", metrics.refused.clone());
        registry.register_with_unit("key_age", "Age of the key that seals", Unit::Seconds, metrics.key_age.clone());
        registry.register("redis_up", "Whether Redis answers; 0 without one as well", metrics.redis_up.clone());
        let local = "Whether this process counts requests for itself";
        registry.register("rate_limit_local", local, metrics.local_limits.clone());
        registry.register("jobs_waiting", "Calls that wait for a worker", metrics.jobs_waiting.clone());
        registry.register("jobs_running", "Calls that a worker has", metrics.jobs_running.clone());
        let waited = "For how long the oldest call that is due has waited";
        registry.register_with_unit("jobs_oldest", waited, Unit::Seconds, metrics.jobs_age.clone());
        let oldest = "Age of the oldest recording: above worker.audio_ttl, by how much the sweeper is late";
        registry.register_with_unit("recordings_oldest", oldest, Unit::Seconds, metrics.recordings_age.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A request begins; it ends when what this gives is dropped, whatever becomes of it.
    #[must_use]
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// A request was answered.
    pub fn answered(&self, route: Option<&MatchedPath>, method: &Method, status: StatusCode, took: Duration) {
        let route = Route(route.map(|path| MatchedTemplate(path.as_str().into())));
        let (method, status) = (method.into(), status.into());
        self.durations.get_or_create(&Timed { route: route.clone(), method }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { route, method, status }).inc();
    }

    /// A request was one too many.
    pub fn rate_limited(&self, class: Class) {
        self.refused.get_or_create(&Refused { class: ClassLabel(class) }).inc();
    }

    /// Everything, as OpenMetrics text.
    #[must_use]
    pub fn text(&self, observed: Observed) -> String {
        if let Some(age) = observed.key_age {
            self.key_age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        }
        // What the database does not say now stays as it was; that it does not answer is what readiness and health tell.
        if let Some(jobs) = observed.jobs {
            self.jobs_waiting.set(jobs.waiting);
            self.jobs_running.set(jobs.running);
            self.jobs_age.set(jobs.oldest_seconds);
        }
        if let Some(age) = observed.recordings_age {
            self.recordings_age.set(age);
        }
        let is_up = observed.is_redis_up == Some(true);
        self.redis_up.set(i64::from(is_up));
        self.local_limits.set(i64::from(!is_up));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A request that is being answered.
pub struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
