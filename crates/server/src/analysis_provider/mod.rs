//! Who says what a call was about: the local engine, or a language model behind an endpoint. Its one invariant: a transcript leaves this
//! machine only where the operator and the tenant both let it (S7, H15), and there is an analysis whatever the endpoint does.
//!
//! `chat` asks the endpoint in OpenAI's protocol, of which `wire` has the part that is spoken; what is asked and what may stand of an answer is
//! the business of [`insight::analysis::llm`].

pub mod chat;
mod wire;

use insight::{
    analysis::{
        document::Analysis,
        llm::{Fence, Limits, LlmError, Plan, Request},
    },
    facts::Facts,
};
use secrecy::SecretString;
use speech::transcript::Transcript;
use tokio::task::spawn_blocking;

use self::chat::{Chat, ChatError, Usage};
use crate::config::{self, AnalysisEngine, Endpoint};

/// What an endpoint is called in events and in what tenants allow.
pub const OPENAI_COMPATIBLE: &str = "openai-compatible";

/// Bytes of a marker between rules and transcript: 128 bits.
const MARKER: usize = 16;

/// Who analyses. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Engine {
    /// Rules and word lists in this process.
    Local,
    /// A language model.
    Llm(Llm),
}

/// A language model and where it is.
#[derive(Clone, Debug)]
pub struct Llm {
    chat: Chat,
    limits: Limits,
    /// Where transcripts go; nowhere when the endpoint is on this machine.
    region: Option<String>,
}

/// What a tenant allows.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Codes of providers that content may leave for.
    pub providers: Vec<String>,
    /// Codes of regions that it may leave for.
    pub regions: Vec<String>,
}

/// Why a model gave no analysis.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Llm(#[from] LlmError),
    #[error("the analysis ended in a panic")]
    Panic,
    #[error("the system gives no random numbers")]
    Random,
}

impl Failed {
    /// A short code for events, without content.
    fn code(&self) -> &'static str {
        match self {
            Self::Chat(error) => error.code(),
            Self::Llm(LlmError::SmallContext) => "context_too_small",
            Self::Llm(LlmError::TooLong) => "call_too_long",
            Self::Llm(LlmError::Nothing) => "nothing_to_analyze",
            Self::Llm(LlmError::Unredacted) => "redaction_unfinished",
            Self::Llm(LlmError::NotJson) => "answer_malformed",
            Self::Llm(LlmError::Ungrounded) => "answer_ungrounded",
            Self::Panic => "analysis_failed",
            Self::Random => "internal_error",
        }
    }
}

/// Why a model cannot be asked that a person names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNamed {
    /// It has no safe address.
    #[error("an endpoint is {expected}", expected = Endpoint::EXPECTED)]
    Address,
    /// There can be no client.
    #[error("{error}", error = ChatError::Unusable)]
    Unusable,
}

impl config::Analysis {
    fn limits(&self) -> Limits {
        Limits { context: self.context as usize, answer: self.answer as usize }
    }
}

/// What came of asking a model.
pub struct Asked {
    /// What the call was about, or a short code that says why the model gave none.
    pub answer: Result<Analysis, &'static str>,
    /// What the endpoint counted, answers that were of no use included.
    pub usage: Usage,
}

impl Engine {
    /// The engine of a configuration.
    ///
    /// # Errors
    /// [`ChatError::Unusable`] when there can be no client.
    pub fn of(settings: &config::Analysis) -> Result<Self, ChatError> {
        let (AnalysisEngine::Llm, Some(url), Some(model)) = (settings.engine, &settings.url, &settings.model) else {
            return Ok(Self::Local);
        };
        Ok(Self::Llm(Llm {
            chat: Chat::new(url, model.clone(), settings)?,
            limits: settings.limits(),
            // The configuration has one for every endpoint that is elsewhere; an empty one is in no tenant's list.
            region: (!url.is_local).then(|| settings.region.clone().unwrap_or_default()),
        }))
    }

    /// Asks the model about a transcript that is redacted; nothing is asked without one, or where the tenant does not allow it. Nothing is
    /// asked any more once it is dropped.
    pub async fn ask(&self, transcript: &Transcript, facts: &Facts, allowed: &Allowed) -> Option<Asked> {
        match self {
            Self::Llm(llm) if llm.may_see(allowed) => Some(llm.ask(transcript, facts).await),
            Self::Llm(_) | Self::Local => None,
        }
    }
}

impl Llm {
    /// The model that a person names for recordings of their own, with the limits of a configuration. Naming it is letting it see them,
    /// wherever it is.
    ///
    /// # Errors
    /// What is wrong with what was named.
    pub fn named(
        url: &str,
        model: &str,
        key: Option<SecretString>,
        settings: config::Analysis,
    ) -> Result<Self, NotNamed> {
        let endpoint = Endpoint::named(url).ok_or(NotNamed::Address)?;
        let limits = settings.limits();
        let chat = Chat::new(&endpoint, model.to_owned(), &config::Analysis { key, ..settings });
        Ok(Self { chat: chat.map_err(|_| NotNamed::Unusable)?, limits, region: None })
    }

    /// Asks about a transcript, out of which goes what no model sees. Nothing is asked any more once it is dropped.
    pub async fn ask(&self, transcript: &Transcript, facts: &Facts) -> Asked {
        let mut usage = Usage::default();
        let answer = self.analyze((transcript.clone(), facts.clone()), &mut usage).await;
        Asked { answer: answer.map_err(|error| error.code()), usage }
    }

    /// A model on this machine sees what the machine sees; one elsewhere what the tenant lets go to it.
    fn may_see(&self, allowed: &Allowed) -> bool {
        self.region.as_ref().is_none_or(|region| {
            allowed.regions.contains(region) && allowed.providers.iter().any(|provider| provider == OPENAI_COMPATIBLE)
        })
    }

    async fn analyze(&self, (transcript, facts): (Transcript, Facts), usage: &mut Usage) -> Result<Analysis, Failed> {
        let limits = self.limits;
        // Redaction and reading of a long call take tenths of a second, which other tasks do not wait for.
        let plan =
            spawn_blocking(move || Plan::new(&transcript, &facts, limits)).await.map_err(|_| Failed::Panic)??;
        let fence = fence().ok_or(Failed::Random)?;
        let requests: Vec<Request> = plan.requests(&fence).collect();
        let mut answers = Vec::with_capacity(requests.len());
        for request in &requests {
            let answer = self.chat.ask(request).await?;
            usage.add(answer.usage);
            answers.push(answer.text?);
        }
        Ok(spawn_blocking(move || plan.read(&answers)).await.map_err(|_| Failed::Panic)??)
    }
}

/// A marker that nobody who spoke can know.
fn fence() -> Option<Fence> {
    let mut bytes = [0_u8; MARKER];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    let marker: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Fence::new(&marker)
}
