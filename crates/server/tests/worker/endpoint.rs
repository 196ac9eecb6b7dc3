//! An endpoint that is played: it speaks OpenAI's chat completions as far as their documentation goes, and fails as servers fail.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use server::{
    analysis_provider::Engine,
    config::{self, Config, Layers},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use crate::support::requests::{flood, request};

/// What the endpoint does with one request.
#[derive(Clone)]
pub(crate) enum Play {
    /// A completion with this content.
    Says(Value),
    /// This body.
    Body(String),
    /// This status, with these headers.
    Status(u16, &'static str),
    /// The connection ends in the middle.
    Breaks,
    /// Nothing, for as long as the client waits.
    Waits,
    /// A body that never ends.
    Floods,
}

/// What a completion looks like.
pub(crate) fn completion(content: &Value, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "played",
        "choices": [{
            "index": 0, "message": { "role": "assistant", "content": content, "refusal": null }, "finish_reason": finish_reason,
        }],
        "usage": { "prompt_tokens": 700, "completion_tokens": 30, "total_tokens": 730 },
    })
}

/// A request as it came.
pub(crate) struct Seen {
    /// Request line and headers, in small letters.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// An endpoint on a port of its own.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Endpoint {
    /// Plays one after the other, and the last one for all that come later.
    pub(crate) async fn playing(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let play = plays[usize::min(number, plays.len() - 1)].clone();
                tokio::spawn(answer(stream, play, Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// An engine that asks it, with more settings of `[analysis]`.
    pub(crate) fn engine(&self, more: &[(&str, &str)]) -> Engine {
        engine(&[&[("url", self.url.as_str())], more].concat())
    }
}

/// An engine with these settings of `[analysis]`.
pub(crate) fn engine(settings: &[(&str, &str)]) -> Engine {
    let known = [("engine", "llm"), ("model", "played")];
    let settings = known.iter().chain(settings);
    let flags = settings.map(|(key, value)| (format!("analysis.{key}"), (*value).to_owned())).collect();
    let analysis: config::Analysis = Config::load(&Layers { flags, ..Layers::default() }).unwrap().0.analysis;
    Engine::of(&analysis).unwrap()
}

async fn answer(mut stream: TcpStream, play: Play, seen: Arc<Mutex<Vec<Seen>>>) {
    let (head, body) = request(&mut stream).await;
    let body = serde_json::from_slice(&body).unwrap();
    seen.lock().unwrap().push(Seen { head: head.to_lowercase(), body });
    let ok = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match play {
        Play::Says(content) => ok(&completion(&Value::from(content.to_string()), "stop").to_string()),
        Play::Body(body) => ok(&body),
        Play::Status(status, headers) => {
            format!("HTTP/1.1 {status} Played\r\n{headers}content-length: 2\r\nconnection: close\r\n\r\n{{}}")
        }
        Play::Breaks => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\": [".to_owned(),
        Play::Waits => std::future::pending().await,
        Play::Floods => {
            flood(&mut stream).await;
            return;
        }
    };
    // A client that went away has seen enough.
    let _ = stream.write_all(text.as_bytes()).await;
}
