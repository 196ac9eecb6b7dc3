//! What an installation is told: one typed struct from defaults, a file, the environment and flags.
//!
//! Invariant: a [`Config`] exists only when every setting is known, has a sensible value, and fits the others. Secrets are
//! [`SecretString`]s, and no message and no listing shows one.

mod layers;
mod values;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};

pub use layers::{Layers, Settings, Source};
pub use values::{AnalysisEngine, Endpoint, Forwarded, LogFormat, Origin, Quota};

use crate::db::Tls;
use layers::Reader;
use values::Bytes;

/// The shortest token that lets a monitor in: 32 random characters of base64 are 192 bits.
const MIN_TOKEN: usize = 32;

/// The API's listener and what stands in front of it.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who is believed about the clients behind them.
    pub trusted_proxies: Vec<IpNet>,
    /// The header by which they say so.
    pub forwarded: Forwarded,
    /// Whether plaintext may leave the machine.
    pub allow_plaintext: bool,
    /// What people type.
    pub public_url: Option<String>,
    /// Pages that may call.
    pub cors_origins: Vec<Origin>,
    /// Whom somebody tells of a hole.
    pub security_contact: Option<String>,
}

impl Http {
    /// Whether clients come by TLS, as far as they are told.
    #[must_use]
    pub fn is_behind_tls(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// How much of anything.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a JSON body.
    pub json_body: u64,
    /// Bytes of a body with a recording.
    pub upload_body: u64,
    /// Bytes of a request's headers.
    pub headers: u64,
    /// Until the headers are there.
    pub header_time: Duration,
    /// Between two pieces of a body.
    pub body_pause: Duration,
    /// Until an answer begins.
    pub request_time: Duration,
    /// The same for one that carries a recording.
    pub upload_time: Duration,
    /// Open connections.
    pub connections: u32,
    /// Requests at once.
    pub requests: u32,
    /// Uploads at once, beside them.
    pub uploads: u32,
    /// Those of one caller.
    pub uploads_each: u32,
    /// Until requests are cut off after the program was told to stop.
    pub shutdown_time: Duration,
}

/// Requests of one caller, by kind of route.
#[derive(Clone, Debug)]
pub struct Rates {
    /// What anybody may ask.
    pub public: Quota,
    /// Reads.
    pub read: Quota,
    /// Changes.
    pub write: Quota,
    /// Recordings.
    pub upload: Quota,
    /// Passwords and refresh tokens.
    pub sign_in: Quota,
}

/// PostgreSQL.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// As the runtime login.
    pub url: Option<SecretString>,
    /// As the owner of the schema.
    pub owner_url: Option<SecretString>,
    /// Where its notices are heard, when `url` names a pooler.
    pub listen_url: Option<SecretString>,
    /// What the way to it over TCP needs.
    pub tls: Tls,
    /// Size of the pool.
    pub connections: u32,
}

/// Where keys come from, beside the variable `SUBROSA_KEYS`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// A file.
    pub file: Option<PathBuf>,
    /// A shell command.
    pub command: Option<String>,
}

/// Who makes transcripts in this process.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Whether anybody does.
    pub enabled: bool,
    /// The Whisper model.
    pub model: String,
    /// Calls at once.
    pub calls: u32,
    /// Recogniser threads; 0: one a core.
    pub threads: u32,
    /// Calls of tenants of this region are taken.
    pub region: String,
    /// How old a recording may get.
    pub audio_ttl: Duration,
}

/// Who says what a call was about.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// By what.
    pub engine: AnalysisEngine,
    /// Where the model is.
    pub url: Option<Endpoint>,
    /// What it is called there.
    pub model: Option<String>,
    /// Who asks.
    pub key: Option<SecretString>,
    /// Whether transcripts may leave the machine.
    pub remote: bool,
    /// Where the endpoint is, as tenants allow it.
    pub region: Option<String>,
    /// Tokens of the context.
    pub context: u32,
    /// Tokens of an answer.
    pub answer: u32,
    /// Until an answer is there.
    pub time: Duration,
}

/// Voices that are known again.
#[derive(Clone, Copy, Debug)]
pub struct VoiceProfiles {
    /// Whether users can have themselves known by their voice.
    pub enabled: bool,
}

/// Endpoints that are told what ends.
#[derive(Clone, Copy, Debug)]
pub struct Webhooks {
    /// Whether they may be without TLS.
    pub allow_http: bool,
    /// Whether they may be elsewhere than on the public internet.
    pub allow_private_addresses: bool,
}

/// What is logged.
#[derive(Clone, Debug)]
pub struct Log {
    /// A filter of `tracing-subscriber`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// OpenTelemetry.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The collector.
    pub endpoint: Option<String>,
    /// Of a thousand requests, how many.
    pub per_mille: u32,
}

/// Every setting; `config.default.toml` says what each means.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the sections of config.default.toml")]
pub struct Config {
    pub http: Http,
    pub limits: Limits,
    pub rates: Rates,
    pub redis: Option<SecretString>,
    pub database: Postgres,
    pub objects: Option<String>,
    pub keys: Keys,
    pub first_owner: SecretString,
    pub health_token: Option<SecretString>,
    pub debug_call_events: bool,
    pub worker: WorkerSettings,
    pub analysis: Analysis,
    pub voice_profiles: VoiceProfiles,
    pub webhooks: Webhooks,
    pub log: Log,
    pub metrics: Option<SocketAddr>,
    pub traces: Traces,
    pub errors: Option<sentry::types::Dsn>,
}

/// One thing that is wrong, without the value that is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {kind}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// The file is not TOML.
    #[error("{path}:{line}: not TOML; https://toml.io shows how it is written")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// No such setting.
    #[error("{source_of} names {key}, which is no setting{}", near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// What it names.
        key: String,
        /// Who does.
        source_of: Source,
        /// What comes nearest.
        near: Option<String>,
    },
    /// A value that cannot be.
    #[error("{key} (from {source_of}) must be {expected}")]
    Wrong {
        /// Which setting.
        key: &'static str,
        /// Whose value.
        source_of: Source,
        /// What it should be.
        expected: &'static str,
    },
    /// Others can read a secret.
    #[error("{path} holds {key}, a secret, and has mode {mode:04o}: chmod 600 it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The secret.
        key: &'static str,
        /// Its mode.
        mode: u32,
    },
    /// Settings that do not fit each other.
    #[error("{0}")]
    Together(&'static str),
}

/// All that is wrong, a line each.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Faults {}

impl Config {
    /// Joins the layers; gives the settings with their sources as well.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn load(layers: &Layers) -> Result<(Self, Settings), Faults> {
        let (settings, faults) = layers.join();
        let mut reader = Reader::new(settings, faults);
        let config = Self::read(&mut reader);
        config.check(&mut reader);
        reader.finish().map(|settings| (config, settings))
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            http: Http {
                listen: reader.get("http.listen"),
                trusted_proxies: reader.get("http.trusted_proxies"),
                forwarded: reader.get("http.forwarded"),
                allow_plaintext: reader.get("http.allow_plaintext"),
                public_url: reader.get::<Option<values::WebUrl>>("http.public_url").map(|url| url.0),
                cors_origins: reader.get("http.cors_origins"),
                security_contact: reader
                    .get::<Option<values::Contact>>("http.security_contact")
                    .map(|contact| contact.0),
            },
            limits: Limits {
                json_body: reader.get::<Bytes>("limits.json_body").0,
                upload_body: reader.get::<Bytes>("limits.upload_body").0,
                headers: reader.get::<Bytes>("limits.headers").0,
                header_time: reader.get("limits.header_time"),
                body_pause: reader.get("limits.body_pause"),
                request_time: reader.get("limits.request_time"),
                upload_time: reader.get("limits.upload_time"),
                connections: reader.get("limits.connections"),
                requests: reader.get("limits.requests"),
                uploads: reader.get("limits.uploads"),
                uploads_each: reader.get("limits.uploads_each"),
                shutdown_time: reader.get("limits.shutdown_time"),
            },
            rates: Rates {
                public: reader.get("rates.public"),
                read: reader.get("rates.read"),
                write: reader.get("rates.write"),
                upload: reader.get("rates.upload"),
                sign_in: reader.get("rates.sign_in"),
            },
            redis: reader.secret("redis.url"),
            database: Postgres {
                url: reader.secret("database.url"),
                owner_url: reader.secret("database.owner_url"),
                listen_url: reader.secret("database.listen_url"),
                tls: reader.get("database.tls"),
                connections: reader.get("database.connections"),
            },
            objects: reader.get("objects.bucket"),
            keys: Keys { file: reader.get("keys.file"), command: reader.get("keys.command") },
            first_owner: reader.get::<String>("first.owner").into(),
            health_token: reader.secret("health.token"),
            debug_call_events: reader.get("debug.call_events"),
            worker: WorkerSettings {
                enabled: reader.get("worker.enabled"),
                model: reader.get("worker.model"),
                calls: reader.get("worker.calls"),
                threads: reader.get::<values::UpToThousand>("worker.threads").0,
                region: reader.get("worker.region"),
                audio_ttl: reader.get("worker.audio_ttl"),
            },
            analysis: Analysis {
                engine: reader.get("analysis.engine"),
                url: reader.get("analysis.url"),
                model: reader.get("analysis.model"),
                key: reader.secret("analysis.key"),
                remote: reader.get("analysis.remote"),
                region: reader.get("analysis.region"),
                context: reader.get("analysis.context"),
                answer: reader.get("analysis.answer"),
                time: reader.get("analysis.time"),
            },
            voice_profiles: VoiceProfiles { enabled: reader.get("voice_profiles.enabled") },
            webhooks: Webhooks {
                allow_http: reader.get("webhooks.allow_http"),
                allow_private_addresses: reader.get("webhooks.allow_private_addresses"),
            },
            log: Log { level: reader.get::<values::Filter>("log.level").0, format: reader.get("log.format") },
            metrics: reader.get("metrics.listen"),
            traces: Traces {
                endpoint: reader.get::<Option<values::WebUrl>>("traces.endpoint").map(|url| url.0),
                per_mille: reader.get::<values::UpToThousand>("traces.per_mille").0,
            },
            errors: reader.get("errors.dsn"),
        }
    }

    /// What single values cannot say.
    fn check(&self, reader: &mut Reader) {
        let Http { listen, trusted_proxies, allow_plaintext, .. } = &self.http;
        let rules = [
            (
                !listen.ip().is_loopback() && trusted_proxies.is_empty() && !allow_plaintext,
                "http.listen is not a loopback address, and the API speaks plaintext: put a proxy that ends TLS in front and \
                 name its network in http.trusted_proxies, or set http.allow_plaintext where the network is private",
            ),
            (
                self.database.owner_url.is_some() && self.database.url.is_none(),
                "database.owner_url is set and database.url is not: the program needs both, or neither for its own PostgreSQL",
            ),
            (
                self.health_token.as_ref().is_some_and(|token| token.expose_secret().len() < MIN_TOKEN),
                "health.token is shorter than 32 characters: make one with openssl rand -base64 32",
            ),
            (
                self.traces.endpoint.as_deref().is_some_and(|url| !url.starts_with("http://")),
                "traces.endpoint must be an http:// address: a collector on this machine, which sends them on by TLS",
            ),
            (
                self.analysis.engine == AnalysisEngine::Llm
                    && (self.analysis.url.is_none() || self.analysis.model.is_none()),
                "analysis.engine is llm: it needs analysis.url and analysis.model",
            ),
            (
                self.analysis.url.as_ref().is_some_and(|url| !url.is_local)
                    && (!self.analysis.remote || self.analysis.region.is_none()),
                "analysis.url is not on this machine: set analysis.remote where transcripts may leave it, and analysis.region to where they go",
            ),
            (
                self.analysis.answer >= self.analysis.context,
                "analysis.answer must be smaller than analysis.context, which holds the transcript as well",
            ),
        ];
        for (is_broken, message) in rules {
            if is_broken {
                reader.fault(Fault::Together(message));
            }
        }
    }
}

impl Default for Config {
    #[expect(clippy::expect_used, reason = "a test reads the defaults")]
    fn default() -> Self {
        Self::load(&Layers::default()).expect("defaults that are sensible").0
    }
}

#[cfg(test)]
mod tests;
