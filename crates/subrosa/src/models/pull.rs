//! Downloads, from the models' public home or a mirror. Its one invariant: never more bytes of a file than the manifest
//! says, never over plain HTTP unless the user named a mirror that way, and every byte is under the manifest's SHA-256.
//!
//! Resuming needs no `If-Range` (RFC 9110, 13.1.5): a source is pinned to a commit, and bytes of two versions in one file
//! would not pass the hash.

use std::{io::Read as _, thread, time::Duration};

use ureq::{
    Agent, Body,
    http::{Response, header},
};

use super::{
    ModelError,
    incoming::Incoming,
    manifest::{File, Model},
    progress::Progress,
    store::{CHUNK, Store},
};

/// Names a mirror of all models.
const MIRROR: &str = "SUBROSA_MODELS_URL";

/// Connections for one file before giving up. Each goes on where the last one broke, so this many cuts are survived.
const ATTEMPTS: u32 = 6;

/// Pause before the second connection; it doubles from one to the next, to half a minute in all.
const PAUSE: Duration = Duration::from_secs(1);

/// Longest wait for a connection, for an answer to a request, and for the next bytes of a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches models.
pub(super) struct Puller {
    agent: Agent,
    mirror: Option<String>,
    pause: Duration,
}

/// Why one connection brought no complete file.
enum Broken {
    /// Another connection may bring the rest.
    Again(String),
    /// It would fail alike.
    ForGood(ModelError),
}

impl Puller {
    /// Fetches from the mirror in the environment, or from the models' public home; through the proxy in the environment.
    pub(super) fn from_env() -> Result<Self, ModelError> {
        let mirror = std::env::var(MIRROR).ok().filter(|url| !url.is_empty());
        Self::new(mirror, ureq::Proxy::try_from_env(), PAUSE)
    }

    pub(super) fn new(mirror: Option<String>, proxy: Option<ureq::Proxy>, pause: Duration) -> Result<Self, ModelError> {
        let plain = mirror.as_ref().is_some_and(|url| url.starts_with("http://"));
        if let Some(url) = mirror.as_ref().filter(|url| !plain && !url.starts_with("https://")) {
            return Err(ModelError::Mirror { url: public(url) });
        }
        let config = Agent::config_builder()
            .https_only(!plain)
            .http_status_as_error(false)
            .proxy(proxy)
            .user_agent(concat!("subrosa/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build();
        Ok(Self { agent: config.new_agent(), mirror, pause })
    }

    /// Fetches what is missing of a model.
    pub(super) fn pull(&self, store: &Store, model: &Model) -> Result<(), ModelError> {
        for file in model.files {
            if !store.holds(model, file) {
                self.fetch(store, model, file)?;
            }
        }
        store.check(model)
    }

    fn fetch(&self, store: &Store, model: &Model, file: &File) -> Result<(), ModelError> {
        let url = self.url(model, file)?;
        let mut incoming = Incoming::open(store, model, file)?;
        let mut progress = Progress::new(format!("{}/{}", model.name, file.name), file.size);
        let mut attempt = 1;
        loop {
            match self.connect(&url, file.size, &mut incoming, &mut progress) {
                Ok(()) => return incoming.finish(),
                Err(Broken::ForGood(error)) => return Err(error),
                Err(Broken::Again(reason)) if attempt == ATTEMPTS => {
                    return Err(failed(&url, &format!("{reason}; the same command goes on where it stopped")));
                }
                Err(Broken::Again(reason)) => {
                    progress.note(&format!("{reason}; trying again"));
                    thread::sleep(self.pause * (1 << (attempt - 1)));
                }
            }
            attempt += 1;
        }
    }

    fn url(&self, model: &Model, file: &File) -> Result<String, ModelError> {
        match (&self.mirror, model.source) {
            (Some(mirror), _) => Ok(format!("{}/{}/{}", mirror.trim_end_matches('/'), model.name, file.name)),
            (None, Some(source)) => Ok(format!("{source}/{}", file.path)),
            (None, None) => Err(ModelError::NotPublic { name: model.short }),
        }
    }

    /// One request for the bytes that are not here yet.
    fn connect(&self, url: &str, size: u64, incoming: &mut Incoming, progress: &mut Progress) -> Result<(), Broken> {
        if incoming.len() == size {
            return Ok(());
        }
        let request = match incoming.len() {
            0 => self.agent.get(url),
            have => self.agent.get(url).header(header::RANGE, format!("bytes={have}-")),
        };
        let mut response = request.call().map_err(|error| self.broken(url, error))?;
        match response.status().as_u16() {
            206 if range_start(&response) == Some(incoming.len()) => {}
            // Not the file but, say, the page of a network that wants a login first: no reason to forget what is here.
            200 if response.body().content_length().is_some_and(|length| length != size) => {
                return Err(Broken::Again("the server answered with something of another length".to_owned()));
            }
            200 => incoming.restart()?,
            // The mirror's file is another length, or its range another one than asked for.
            206 | 416 => {
                incoming.restart()?;
                return Err(Broken::Again("the server cannot go on where the download stopped".to_owned()));
            }
            status @ (408 | 429 | 500..) => return Err(Broken::Again(format!("the server answered {status}"))),
            status => return Err(Broken::ForGood(failed(url, &format!("the server answered {status}")))),
        }
        let mut body = response.body_mut().as_reader().take(size - incoming.len());
        let mut chunk = vec![0; CHUNK];
        loop {
            progress.set(incoming.len());
            match body.read(&mut chunk).map_err(|error| Broken::Again(error.to_string()))? {
                0 if incoming.len() < size => return Err(Broken::Again("the connection ended early".to_owned())),
                0 => return Ok(()),
                n => incoming.write(&chunk[..n])?,
            }
        }
    }

    /// Sorts the failures of a request: the network may come back, a wrong URL or certificate stays wrong.
    fn broken(&self, url: &str, error: ureq::Error) -> Broken {
        use ureq::Error::{ConnectionFailed, HostNotFound, Io, Protocol, Timeout};
        match error {
            Io(_) | Timeout(_) | ConnectionFailed | HostNotFound | Protocol(_) => Broken::Again(error.to_string()),
            error => Broken::ForGood(failed(url, &error.to_string())),
        }
    }
}

fn failed(url: &str, reason: &str) -> ModelError {
    // Some reasons quote the URL.
    ModelError::Download { url: public(url), reason: reason.replace(url, &public(url)) }
}

/// A URL without the name and password that a mirror may want (RFC 3986, 3.2.1).
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{}", &rest[host..])
}

impl From<ModelError> for Broken {
    fn from(error: ModelError) -> Self {
        Self::ForGood(error)
    }
}

/// First byte of a partial answer: `Content-Range: bytes 10-99/100` (RFC 9110, 14.4).
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
