//! Numbers for Prometheus, with labels of [`super::labels`]: there are as many series as the program has routes, and none holds
//! anybody's data.

use std::{sync::atomic::AtomicU64, time::Duration};

use api::webhooks::DeliveryOutcome;
use axum::http::StatusCode;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{
    labels::{About, By, Label, Labels},
    observed::{Backlog, Observed},
    told::Operation,
};
use crate::{analysis_provider::chat::Usage, http::class::Class, queue::Counts};

/// Of an answer.
fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..300 => "Success",
        300..400 => "Redirect",
        400..500 => "ClientError",
        _ => "ServerError",
    }
}

/// Whether a job has a worker.
#[derive(Clone, Copy)]
enum JobState {
    Waiting,
    Running,
}

impl From<JobState> for Labels<1> {
    fn from(state: JobState) -> Self {
        let word = match state {
            JobState::Waiting => "Waiting",
            JobState::Running => "Running",
        };
        Self([("state", Label::Word(word))])
    }
}

/// What the database counts: NaN while it does not answer, so that nobody takes an old number for a new one.
type Counted = Gauge<f64, AtomicU64>;

/// What waits to be done, and for how long.
#[derive(Default)]
struct Waiting {
    jobs: By<1, Counted>,
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
            ("deletion_lag", "Since the oldest bytes that are still there should have gone", &self.deletion_lag),
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
        self.jobs.get_or_create(&JobState::Waiting.into()).set(counts(|jobs| jobs.waiting));
        self.jobs.get_or_create(&JobState::Running.into()).set(counts(|jobs| jobs.running));
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
    requests: By<3, Counter>,
    /// Without the status, which would make five times the series.
    durations: By<2, Histogram>,
    in_flight: Gauge,
    refused: By<1, Counter>,
    key_age: Gauge,
    redis_up: Gauge,
    local_limits: Gauge,
    tokens: By<1, Counter>,
    webhooks: By<1, Counter>,
    waiting: Waiting,
}

impl Default for Metrics {
    fn default() -> Self {
        // From 1 ms to 65 s, each twice the one before: what is faster or slower needs no histogram.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 17));
        let mut registry = Registry::with_prefix("subrosa");
        let build = About::new(Labels([("version", Label::Word(env!("CARGO_PKG_VERSION")))]));
        registry.register("build", "The program", build);
        let metrics = Self {
            requests: By::default(),
            durations: By::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            refused: By::default(),
            key_age: Gauge::default(),
            redis_up: Gauge::default(),
            local_limits: Gauge::default(),
            tokens: By::default(),
            webhooks: By::default(),
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
        registry.register("analysis_tokens", "Tokens that the language model counted", metrics.tokens.clone());
        registry.register("webhook_deliveries", "Attempts to tell webhook endpoints", metrics.webhooks.clone());
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
    pub fn answered(&self, operation: &Operation, status: StatusCode, took: Duration) {
        let route = ("route", Label::Route(operation.template.clone()));
        let method = ("method", Label::Word(operation.verb));
        self.durations.get_or_create(&Labels([route.clone(), method.clone()])).observe(took.as_secs_f64());
        self.requests.get_or_create(&Labels([route, method, ("status", Label::Word(outcome(status)))])).inc();
    }

    /// A request was one too many.
    pub fn rate_limited(&self, class: Class) {
        self.refused.get_or_create(&Labels([("class", Label::Word(class.as_str()))])).inc();
    }

    /// A language model counted what it read and wrote.
    pub fn analysis_tokens(&self, Usage { prompt, answer }: Usage) {
        for (kind, tokens) in [("Prompt", prompt), ("Answer", answer)] {
            self.tokens.get_or_create(&Labels([("kind", Label::Word(kind))])).inc_by(tokens);
        }
    }

    /// An attempt to tell an endpoint ended.
    pub fn webhook_delivered(&self, outcome: DeliveryOutcome) {
        let word = match outcome {
            DeliveryOutcome::Accepted => "Accepted",
            DeliveryOutcome::Refused => "Refused",
            DeliveryOutcome::Gone => "Gone",
            DeliveryOutcome::Unreachable => "Unreachable",
            DeliveryOutcome::TooSlow => "TooSlow",
            DeliveryOutcome::AddressNotAllowed => "AddressNotAllowed",
            DeliveryOutcome::Disabled => "Disabled",
        };
        self.webhooks.get_or_create(&Labels([("outcome", Label::Word(word))])).inc();
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
