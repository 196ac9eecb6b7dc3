//! What is spoken of OpenAI's chat completions. Its one invariant: what is not named here is neither sent nor read.

use insight::analysis::llm::Request;
use serde::Deserialize;
use serde_json::{Value, json};

/// What the schema is called; OpenAI wants letters, digits, underscores and dashes.
const SCHEMA: &str = "call_analysis";

/// How an answer of a form is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By the schema, which the server holds the model to.
    Schema,
    /// As any JSON object, for servers that know no schemas or not this one; the schema is told in the prompt. Models that think take neither a
    /// temperature nor `max_tokens`, so this has none.
    Object,
}

/// The body of a request.
pub(super) fn body(request: &Request, form: Form, (model, answer_tokens): (&str, u32)) -> Value {
    let (rules, message) = (request.rules, &request.message);
    match form {
        Form::Schema => json!({
            "model": model,
            "messages": [{ "role": "system", "content": rules }, { "role": "user", "content": message }],
            "temperature": 0,
            "max_tokens": answer_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": SCHEMA, "strict": true, "schema": request.schema },
            },
        }),
        Form::Object => json!({
            "model": model,
            "messages": [
                { "role": "system", "content": format!("{rules}\nThe JSON schema of the document is: {}", request.schema) },
                { "role": "user", "content": message },
            ],
            "max_completion_tokens": answer_tokens,
            "response_format": { "type": "json_object" },
        }),
    }
}

/// The body of an answer.
#[derive(Deserialize)]
pub(super) struct Completion {
    pub(super) choices: Vec<Choice>,
    #[serde(default)]
    pub(super) usage: Option<Counted>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    pub(super) message: Message,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Counted {
    #[serde(default)]
    pub(super) prompt_tokens: u64,
    #[serde(default)]
    pub(super) completion_tokens: u64,
}
