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

use super::observed::{Backlog, Observed};
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queued {
    state: JobState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum JobState {
    Waiting,
    Running,
}

/// What the database counts: NaN while it does not answer, so that nobody takes an old number for a new one.
type Counted = Gauge<f64, AtomicU64>;

/// What waits to be done, and for how long.
#[derive(Default)]
struct Waiting {
    jobs: Family<Queued, Counted>,
    oldest_job: Counted,
    recording_age: Counted,
    retention_lag: Counted,
    deletion_lag: Counted,
    walk_age: Counted,
    orphans: Counted,
    strangers: Counted,
    missing: Counted,
}

impl Waiting {
    fn register(&self, registry: &mut Registry) {
        registry.register("jobs", "Calls that wait for a worker or have one", self.jobs.clone());
        for (name, help, gauge) in [
            ("job_oldest_due", "Since the oldest job that nobody has was due", &self.oldest_job),
            ("recording_age", "Age of the oldest recording that is still there", &self.recording_age),
            ("retention_lag", "By which the oldest call is older than its tenant keeps it", &self.retention_lag),
            ("deletion_lag", "Since the oldest deletion whose bytes are still there", &self.deletion_lag),
            ("object_walk_age", "Since all objects were last compared with the database", &self.walk_age),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        }
        for (name, help, gauge) in [
            ("objects_orphaned", "Objects that nothing named and that were removed, ever since", &self.orphans),
            (
                "objects_strange",
                "Objects of tenants that this installation never had, in the last walk",
                &self.strangers,
            ),
            ("objects_missing", "Recordings that had a row and no object, in the last walk", &self.missing),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    fn set(&self, backlog: Option<Backlog>) {
        let value = |of: fn(Backlog) -> f64| backlog.map_or(f64::NAN, of);
        let counts = |of: fn(Counts) -> i64| backlog.map_or(f64::NAN, |backlog| of(backlog.jobs) as f64);
        self.jobs.get_or_create(&Queued { state: JobState::Waiting }).set(counts(|jobs| jobs.waiting));
        self.jobs.get_or_create(&Queued { state: JobState::Running }).set(counts(|jobs| jobs.running));
        self.oldest_job.set(value(|backlog| backlog.jobs.oldest_seconds));
        self.recording_age.set(value(|backlog| backlog.recording_age));
        self.retention_lag.set(value(|backlog| backlog.retention_lag));
        self.deletion_lag.set(value(|backlog| backlog.deletion_lag));
        self.walk_age.set(value(|backlog| backlog.walk.age_seconds));
        self.orphans.set(value(|backlog| backlog.walk.orphans as f64));
        self.strangers.set(value(|backlog| backlog.walk.strangers as f64));
        self.missing.set(value(|backlog| backlog.walk.missing as f64));
    }
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
    waiting: Waiting,
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
            waiting: Waiting::default(),
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
        metrics.waiting.register(&mut registry);
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
        let is_up = observed.is_redis_up == Some(true);
        self.redis_up.set(i64::from(is_up));
        self.local_limits.set(i64::from(!is_up));
        self.waiting.set(observed.backlog);
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
