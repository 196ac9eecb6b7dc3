//! What a call was about, by a language model behind an OpenAI-compatible chat endpoint, without the endpoint: what it is asked, and what of its
//! answers may stand. Its one invariant: an [`Analysis`] that comes out holds nothing that the transcript does not; the model is not trusted in
//! anything. How it decides, and what it cannot: `docs/adr/025-llm-analysis.md`.
//!
//! `parts` cuts a call, without what `hostile` finds to be addressed to a machine; `prompt` and `schema` ask; `claims` and `task` read an
//! answer and hold it against `ground` by the rules of `text`; `merge` joins the parts.

mod claims;
mod ground;
mod hostile;
mod merge;
mod names;
mod parts;
mod prompt;
mod schema;
mod task;
mod text;

use serde_json::Value;
use speech::transcript::Transcript;

use self::{claims::Claims, ground::Ground, parts::Part};
use super::document::Analysis;
use crate::{
    facts::Facts,
    redact::{Kind, Policy, Unfinished, redact},
};

pub use self::prompt::Fence;

/// Characters of the longest title, header, line, text and summary, and of a word or two; what is longer is left out, not cut.
const TITLE: usize = 120;
const HEADER: usize = 80;
const LINE: usize = 240;
const TEXT: usize = 400;
const SUMMARY: usize = 1_200;
const WORD: usize = 40;

/// Tokens of a part below which a model has too little to tell anything from.
const LEAST_ROOM: usize = 512;

/// How much a model takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tokens of its context: rules, transcript and answer together.
    pub context: usize,
    /// Of those, tokens of its answer.
    pub answer: usize,
}

/// Why a call cannot be put to a model, or its answers not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The rules, the schema and the answer leave too little of the context.
    #[error(
        "the context of the model is too small: rules, schema and answer leave less than 512 tokens for the transcript"
    )]
    SmallContext,
    /// More parts than the longest call should have.
    #[error("the call is too long for the context of the model")]
    TooLong,
    /// Nobody said anything, or nothing that may be shown.
    #[error("there is nothing in the call to analyse")]
    Nothing,
    /// What must not leave could not be taken out.
    #[error("the transcript cannot be redacted for a model")]
    Unredacted,
    /// An answer is no JSON object.
    #[error("the answer of the model is no JSON object")]
    NotJson,
    /// Nothing in the answers is grounded in the transcript.
    #[error("nothing that the model says is in the transcript")]
    Ungrounded,
}

impl From<Unfinished> for LlmError {
    fn from(_: Unfinished) -> Self {
        Self::Unredacted
    }
}

/// What a model is asked about one part.
pub struct Request {
    /// The rules: the system's message.
    pub rules: &'static str,
    /// The part: the user's message.
    pub message: String,
    /// The JSON schema of the answer.
    pub schema: Value,
}

/// A call on its way to a model and back.
pub struct Plan {
    transcript: Transcript,
    facts: Facts,
    parts: Vec<Part>,
}

impl Plan {
    /// Cuts `transcript` into parts. What a model never sees is taken out first: telephone numbers, e-mail addresses, cards and IBANs, and
    /// segments that are addressed to a machine.
    ///
    /// # Errors
    /// [`LlmError`], when there is nothing to ask or no room for it.
    pub fn new(transcript: &Transcript, facts: &Facts, limits: Limits) -> Result<Self, LlmError> {
        let policy = Policy::new([Kind::EmailAddress, Kind::PaymentCard, Kind::Iban]);
        let transcript = redact(transcript.clone(), &policy)?.transcript;
        let schema = schema::schema(&[], &[]).to_string();
        // Servers that know no schemas read it in the prompt; the lines around the transcript are a few.
        let asked = parts::tokens(prompt::rules()) + parts::tokens(&schema) + 100 * transcript.speakers.len().max(2);
        let room = limits.context.saturating_sub(limits.answer + asked);
        if room < LEAST_ROOM {
            return Err(LlmError::SmallContext);
        }
        let parts = parts::parts(&transcript, room).ok_or(LlmError::TooLong)?;
        if parts.is_empty() {
            return Err(LlmError::Nothing);
        }
        Ok(Self { transcript, facts: facts.clone(), parts })
    }

    /// What to ask, part by part; `fence` is of this call alone.
    pub fn requests<'p>(&'p self, fence: &'p Fence) -> impl Iterator<Item = Request> + 'p {
        let speakers: Vec<&str> = self.transcript.speakers.iter().map(|one| one.speaker_id.as_str()).collect();
        self.parts.iter().enumerate().map(move |(number, part)| {
            let ids: Vec<&str> = part.segments.iter().map(|at| self.transcript.segments[*at].id.as_str()).collect();
            let place = (part, number, self.parts.len());
            Request {
                rules: prompt::rules(),
                message: prompt::message(&self.transcript, &self.facts, place, fence),
                schema: schema::schema(&ids, &speakers),
            }
        })
    }

    /// What may stand of the answers, one for each request in their order.
    ///
    /// # Errors
    /// [`LlmError::NotJson`] and [`LlmError::Ungrounded`].
    pub fn read(&self, answers: &[String]) -> Result<Analysis, LlmError> {
        let shown = self.parts.iter().flat_map(|part| part.segments.iter().copied()).collect();
        let ground = Ground::new(&self.transcript, &shown, self.facts.recorded_at.map(|at| at.date_naive()));
        let read = |(answer, part): (&String, &Part)| {
            Ok(Claims::new(&ground, &self.facts, &part.segments).read(&object(answer)?))
        };
        let parts = answers.iter().zip(&self.parts).map(read).collect::<Result<Vec<_>, LlmError>>()?;
        let mut analysis = merge::merge(parts, &ground.reader);
        if !says_something(&analysis) {
            return Err(LlmError::Ungrounded);
        }
        let is_long = self.transcript.duration_seconds > LONG_SECONDS;
        analysis.executive_summary_bullets.truncate(if is_long { merge::BULLETS } else { BULLETS });
        analysis.quality_warnings.clone_from(&self.transcript.pipeline.warnings);
        Ok(analysis)
    }
}

/// Seconds of a call that is long.
const LONG_SECONDS: f64 = 1_800.0;

/// Parts that the summary of a call lists that is not.
const BULLETS: usize = 6;

/// The object in an answer; some models put it between marks of code.
fn object(answer: &str) -> Result<Value, LlmError> {
    let whole = answer.find('{').zip(answer.rfind('}')).and_then(|(from, to)| answer.get(from..=to));
    let value: Value = whole.and_then(|text| serde_json::from_str(text).ok()).ok_or(LlmError::NotJson)?;
    if value.is_object() { Ok(value) } else { Err(LlmError::NotJson) }
}

/// Whether there is more in it than a mood and a kind.
fn says_something(analysis: &Analysis) -> bool {
    let mood = Analysis {
        schema_version: analysis.schema_version,
        engine: analysis.engine,
        call_type: analysis.call_type,
        sentiment: analysis.sentiment.clone(),
        tone: analysis.tone.clone(),
        ..Analysis::default()
    };
    *analysis != mood
}
