//! A transcript as a stream of events. Nothing of a call leaves before it was redacted, so the text comes when the call is done, a
//! segment an event; until then comments keep the connection.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse as _, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use speech::transcript::Transcript;

use super::{error::OpenAiError, render};

/// How often a silent connection is told that it lives: below the 60 s after which proxies commonly give up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The answer to `stream=true`: `transcript` comes when the call is done.
pub(super) fn answer(
    transcript: impl Future<Output = Result<Transcript, OpenAiError>> + Send + 'static,
    segments: bool,
) -> Response {
    let events = stream::once(transcript).flat_map(move |done| stream::iter(events(done, segments)));
    let events = events.map(|event| Ok::<_, Infallible>(Event::default().data(event.to_string())));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn events(done: Result<Transcript, OpenAiError>, segments: bool) -> Vec<Value> {
    let transcript = match done {
        Ok(transcript) => transcript,
        // The status is out; OpenAI's clients raise this.
        Err(_) => {
            return vec![json!({"error": {
                "message": "the recording could not be transcribed", "type": "server_error", "param": null, "code": null,
            }})];
        }
    };
    let mut events: Vec<Value> = Vec::new();
    for (segment, place) in render::segments(&transcript).zip(0..) {
        let space = if place == 0 { "" } else { " " };
        if segments {
            events.push(json!(segment));
        }
        events.push(json!({"type": "transcript.text.delta", "delta": format!("{space}{}", segment.text())}));
    }
    let (text, usage) = (render::text(&transcript), render::usage(&transcript));
    events.push(json!({"type": "transcript.text.done", "text": text, "usage": usage}));
    events
}
