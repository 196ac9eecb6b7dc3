//! Requests to the service. Its one invariant: an answer is read up to a limit and within a time, whatever the service sends.

use std::{collections::BTreeMap, io::Read as _, time::Duration};

use serde_json::Value;
use ureq::{
    Agent,
    http::{Method, Request},
};

/// How long an answer may take: recognition of a short recording, on a machine that does something else as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of an answer that are looked at.
const MAX_ANSWER: u64 = 4 << 20;

/// How often a request is repeated that came too early, and the longest wait that is taken, in seconds.
const TRIES: u32 = 8;
const MAX_WAIT: u64 = 30;

/// The boundary of forms; it is in no recording.
const BOUNDARY: &str = "5f0a1d8e3b7c4926";

/// What is asked.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// The service does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{url} does not answer: {source}")]
pub(super) struct Silent {
    url: String,
    source: Box<ureq::Error>,
}

impl Ask {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.header("content-type", "application/json") }
    }

    /// A form with a recording and other fields.
    pub(super) fn form(self, file: (&str, &[u8]), fields: &[(&str, &str)]) -> Self {
        let mut body = Vec::new();
        let mut part = |name: &str, more: &str, value: &[u8]| {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
            body.extend([head.as_bytes(), value, b"\r\n"].concat());
        };
        fields.iter().for_each(|(name, value)| part(name, "", value.as_bytes()));
        part("file", &format!("; filename=\"{}.wav\"", file.0), file.1);
        body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
        Self { body, ..self.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}")) }
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value)
    }

    /// Everything that came.
    pub(super) fn everything(&self) -> Vec<u8> {
        let headers: String = self.headers.values().map(|value| format!("{value}\n")).collect();
        [headers.as_bytes(), &self.body].concat()
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub(super) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("subrosa/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: config.new_agent(), url: url.trim_end_matches('/').to_owned() }
    }

    /// Asks; when it was too early, again later.
    pub(super) async fn send(&self, ask: Ask) -> Result<Answer, Silent> {
        for _ in 0..TRIES {
            let answer = self.once(ask.clone()).await?;
            let wait = answer.header("retry-after").parse::<u64>().ok();
            match wait.filter(|seconds| matches!(answer.status, 429 | 503) && *seconds <= MAX_WAIT) {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => return Ok(answer),
            }
        }
        self.once(ask).await
    }

    async fn once(&self, ask: Ask) -> Result<Answer, Silent> {
        let (agent, url) = (self.agent.clone(), format!("{}{}", self.url, ask.path));
        let at = self.url.clone();
        let asked = tokio::task::spawn_blocking(move || exchange(&agent, &url, ask)).await;
        let silent = |source| Silent { url: at, source: Box::new(source) };
        asked.map_err(|error| std::io::Error::other(error).into()).flatten().map_err(silent)
    }
}

fn exchange(agent: &Agent, url: &str, ask: Ask) -> Result<Answer, ureq::Error> {
    let request = Request::builder().method(ask.method).uri(url);
    let request = ask.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let response = match ask.body.is_empty() {
        true => agent.run(request.body(())?)?,
        false => agent.run(request.body(ask.body)?)?,
    };
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let mut bytes = Vec::new();
    // An answer that goes on and on, as a stream of events may, is cut.
    body.into_reader().take(MAX_ANSWER).read_to_end(&mut bytes)?;
    Ok(Answer { status: parts.status.as_u16(), headers: headers.collect(), body: bytes })
}
