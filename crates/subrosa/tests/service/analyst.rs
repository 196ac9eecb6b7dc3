//! An endpoint of analysis that is played, of the worst kind: it refuses every request at first, and tells all of it back in its error; asked
//! again, it says what was said.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, header::AUTHORIZATION, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The endpoint; it listens until the test ends.
pub(crate) struct Analyst {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// What came, and how often: the `Authorization`, and the body.
type Seen = HashMap<(String, Bytes), usize>;

impl Analyst {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Seen>>::default());
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let answer = service_fn(move |request| {
                    let seen = Arc::clone(&seen);
                    async move { Ok::<_, Infallible>(answer(request, &seen).await) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, seen: kept }
    }

    /// What was said in a call, with the key, that was refused and then analysed.
    pub(crate) fn analysed(&self, key: &str) -> Vec<String> {
        let (seen, bearer) = (self.seen.lock().unwrap(), format!("Bearer {key}"));
        let asked_again = seen.iter().filter(|((by, _), times)| *by == bearer && **times > 1);
        asked_again.flat_map(|((_, body), _)| said(body)).map(|[_, text]| text).collect()
    }
}

async fn answer(request: Request<Incoming>, seen: &Mutex<Seen>) -> Response<Full<Bytes>> {
    let by = request.headers().get(AUTHORIZATION).map(|by| by.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut seen = seen.lock().unwrap();
    let times = seen.entry((by.clone(), body.clone())).or_default();
    *times += 1;
    if *times == 1 {
        let told = format!("{by} asked {}", String::from_utf8_lossy(&body));
        let error = json!({"error": {"message": told, "type": "server_error"}}).to_string();
        return Response::builder().status(500).header("x-asked-by", by).body(Full::from(error)).unwrap();
    }
    let decisions = said(&body).into_iter().map(|[id, text]| json!({"text": text, "sourceSegmentIds": [id]}));
    let content = json!({"decisions": decisions.collect::<Vec<_>>()}).to_string();
    let completion = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "played",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content, "refusal": null}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 700, "completion_tokens": 30, "total_tokens": 730},
    });
    Response::new(Full::from(completion.to_string()))
}

/// What a request says was said: a line of JSON a segment, with its id, time, speaker and text.
fn said(body: &[u8]) -> Vec<[String; 2]> {
    let request: Value = serde_json::from_slice(body).unwrap();
    let message = request["messages"][1]["content"].as_str().unwrap();
    let lines = message.lines().filter_map(|line| serde_json::from_str::<[Value; 4]>(line).ok());
    lines.map(|[id, _, _, text]| [id, text].map(|value| value.as_str().unwrap().to_owned())).collect()
}
