//! Asks an OpenAI-compatible endpoint. Its one invariant: a request ends within its time, reads a bounded answer, follows nobody elsewhere, goes
//! through no proxy, and is sent a second time at most; no error holds a word of what was sent or answered.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use insight::analysis::llm::Request;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::wire::{self, Choice, Completion, Counted, Form};
use crate::config::{Analysis, Endpoint};

/// Bytes of the longest answer: 4096 tokens are some 16 KiB, and a server that thinks aloud may send a hundred times that.
const MAX_ANSWER: usize = 4 << 20;

/// Until a connection is there.
const CONNECT: Duration = Duration::from_secs(10);

/// Before the second try, and the longest that a server can ask for: a worker does not wait for another day.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// There can be no client.
    #[error("no HTTPS client can be made: see whether the system has certificates of authorities")]
    Unusable,
    /// The connection failed or broke.
    #[error("the endpoint at analysis.url cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the endpoint gave no answer within analysis.time")]
    TooSlow,
    /// It is out of order, or asks to come later.
    #[error("the endpoint failed with status {0}")]
    Failed(u16),
    /// It does not want this request.
    #[error("the endpoint refused the request with status {0}: see analysis.url, analysis.model and analysis.key")]
    Refused(u16),
    /// More than 4 MiB.
    #[error("the answer of the endpoint is larger than 4 MiB")]
    TooLarge,
    /// No chat completion.
    #[error("the endpoint does not answer as OpenAI's chat completions do")]
    Malformed,
    /// The model ran out of tokens.
    #[error("the answer of the model is longer than analysis.answer")]
    Truncated,
    /// The model or a filter does not want to answer.
    #[error("the model declined to answer")]
    Declined,
}

impl ChatError {
    /// A short code for events.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unusable => "provider_unusable",
            Self::Unreachable => "provider_unreachable",
            Self::TooSlow => "provider_too_slow",
            Self::Failed(_) => "provider_failed",
            Self::Refused(_) => "provider_refused",
            Self::TooLarge => "answer_too_large",
            Self::Malformed => "answer_malformed",
            Self::Truncated => "answer_truncated",
            Self::Declined => "answer_declined",
        }
    }

    /// Whether another try may end otherwise.
    fn is_passing(self) -> bool {
        matches!(self, Self::Unreachable | Self::Failed(_))
    }
}

/// What an endpoint counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of prompts.
    pub prompt: u64,
    /// Tokens of answers.
    pub answer: u64,
}

impl Usage {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.prompt = self.prompt.saturating_add(other.prompt);
        self.answer = self.answer.saturating_add(other.answer);
    }
}

impl From<Counted> for Usage {
    fn from(counted: Counted) -> Self {
        Self { prompt: counted.prompt_tokens, answer: counted.completion_tokens }
    }
}

/// What an endpoint answered, and what it counted, whatever the answer is worth.
pub(super) struct Answer {
    pub(super) text: Result<String, ChatError>,
    pub(super) usage: Usage,
}

/// A model behind an endpoint. Cheap to clone.
#[derive(Clone)]
pub(super) struct Chat {
    client: Client,
    url: String,
    model: String,
    key: Option<SecretString>,
    answer_tokens: u32,
}

/// Neither the key nor where it opens something.
impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chat { .. }")
    }
}

impl Chat {
    pub(super) fn new(endpoint: &Endpoint, model: String, settings: &Analysis) -> Result<Self, ChatError> {
        let builder =
            Client::builder().redirect(Policy::none()).no_proxy().connect_timeout(CONNECT).timeout(settings.time);
        // Whatever a resolver says of it; the port of the address is kept where this one is 0.
        let builder = builder.resolve("localhost", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Ok(Self {
            client: builder.build().map_err(|_| ChatError::Unusable)?,
            url: format!("{}/chat/completions", endpoint.url),
            model,
            key: settings.key.clone(),
            answer_tokens: settings.answer,
        })
    }

    /// Asks once, and once more in another form where the endpoint does not take the first.
    pub(super) async fn ask(&self, request: &Request) -> Result<Answer, ChatError> {
        match self.ask_patiently(request, Form::Schema).await {
            Err(ChatError::Refused(400 | 404 | 422 | 501)) => self.ask_patiently(request, Form::Object).await,
            answered => answered,
        }
    }

    /// Tries once more what may pass.
    async fn ask_patiently(&self, request: &Request, form: Form) -> Result<Answer, ChatError> {
        let body = wire::body(request, form, (&self.model, self.answer_tokens));
        let body = serde_json::to_vec(&body).map(Zeroizing::new).map_err(|_| ChatError::Malformed)?;
        match self.exchange(&body).await {
            Err((error, pause)) if error.is_passing() => {
                sleep(pause).await;
                self.exchange(&body).await.map_err(|(error, _)| error)
            }
            answered => answered.map_err(|(error, _)| error),
        }
    }

    /// One request; an error comes with the pause that the endpoint asks for.
    async fn exchange(&self, body: &[u8]) -> Result<Answer, (ChatError, Duration)> {
        let mut request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json").body(body.to_vec());
        if let Some(key) = &self.key {
            // Marked as sensitive, so that no layer prints it.
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(|error| (broken(&error), PAUSE))?;
        let pause = pause(&response);
        if let Some(error) = refused(response.status()) {
            return Err((error, pause));
        }
        let body = bounded(response).await.map_err(|error| (error, pause))?;
        read(&body).map_err(|error| (error, pause))
    }
}

fn broken(error: &reqwest::Error) -> ChatError {
    if error.is_timeout() { ChatError::TooSlow } else { ChatError::Unreachable }
}

fn refused(status: StatusCode) -> Option<ChatError> {
    match status {
        status if status.is_success() => None,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Some(ChatError::Failed(status.as_u16())),
        // It will not learn to.
        StatusCode::NOT_IMPLEMENTED => Some(ChatError::Refused(status.as_u16())),
        status if status.is_server_error() => Some(ChatError::Failed(status.as_u16())),
        status => Some(ChatError::Refused(status.as_u16())),
    }
}

/// The seconds of `Retry-After` (RFC 9110, 10.2.3), within bounds; a date is not read.
fn pause(response: &Response) -> Duration {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    asked.map_or(PAUSE, |seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

async fn bounded(mut response: Response) -> Result<Zeroizing<Vec<u8>>, ChatError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ChatError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn read(body: &[u8]) -> Result<Answer, ChatError> {
    let Completion { choices, usage } = serde_json::from_slice(body).map_err(|_| ChatError::Malformed)?;
    let text = choices.into_iter().next().ok_or(ChatError::Malformed).and_then(chosen);
    Ok(Answer { text, usage: usage.map(Usage::from).unwrap_or_default() })
}

fn chosen(Choice { message, finish_reason }: Choice) -> Result<String, ChatError> {
    match finish_reason.as_deref() {
        Some("length") => return Err(ChatError::Truncated),
        Some("content_filter") => return Err(ChatError::Declined),
        _ => {}
    }
    if message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(ChatError::Declined);
    }
    message.content.filter(|text| !text.is_empty()).ok_or(ChatError::Malformed)
}
