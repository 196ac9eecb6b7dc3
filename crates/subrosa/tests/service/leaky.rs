//! A service that leaks in every way: a proxy before the real one, which writes whatever it sees wherever it must not be.

use std::{
    convert::Infallible,
    fs::File,
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    client::conn::http1::handshake,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::program::{Place, Program};

/// In the request that lifts a legal hold.
const HELD: &[u8] = b"\"held\": false";

/// Writes bytes where they must not be.
type Spill = dyn Fn(&[u8]) + Send + Sync;

type Answer = Response<Full<Bytes>>;

/// The proxy; it listens until the test ends.
pub(crate) struct Leaky {
    pub(crate) address: SocketAddr,
    leaks: Arc<Leaks>,
}

/// Where it leaks to, and what it remembers.
struct Leaks {
    service: SocketAddr,
    metrics: SocketAddr,
    log: PathBuf,
    object: Box<Spill>,
    psql: Box<dyn Fn(&str) + Send + Sync>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The token of whoever asked first.
    owner: Option<HeaderValue>,
    title: String,
    /// Files without a name.
    unlinked: Vec<File>,
    /// Files with one, in a directory of temporary files.
    temporary: Vec<tempfile::NamedTempFile>,
    words: Vec<u8>,
    /// Who is sent spans, and who reports of errors.
    collectors: Option<[SocketAddr; 2]>,
}

impl Leaky {
    /// Before a program; `object` leaks into its object store.
    pub(crate) async fn start(
        place: &Place,
        program: &Program,
        object: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let leaks = Arc::new(Leaks {
            service: program.heard.address,
            metrics: program.heard.metrics,
            log: place.log(),
            object: Box::new(object),
            psql: Box::new(place.psql()),
            seen: Mutex::default(),
        });
        let kept = Arc::clone(&leaks);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let leaks = Arc::clone(&leaks);
                let answer = service_fn(move |request| {
                    let leaks = Arc::clone(&leaks);
                    async move { Ok::<_, Infallible>(leaks.answer(request).await) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, leaks: kept }
    }

    /// Leaks into spans and reports of errors as well, for those who collect them there.
    pub(crate) fn reports_to(&self, collectors: [SocketAddr; 2]) {
        self.leaks.seen.lock().unwrap().collectors = Some(collectors);
    }

    /// All that was leaked.
    pub(crate) fn words(&self) -> Vec<u8> {
        self.leaks.seen.lock().unwrap().words.clone()
    }
}

impl Leaks {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        self.write_down(&path, &body);
        self.report(&path, &body).await;
        self.confuse(&path, &mut parts.headers);
        if parts.method == Method::DELETE
            && path.starts_with("/api/calls/")
            && parts.headers.contains_key(AUTHORIZATION)
        {
            // A deletion that does not delete.
            let receipt = uuid::Uuid::new_v4().to_string();
            return Response::builder().status(204).header("deletion-receipt", receipt).body(Full::default()).unwrap();
        }
        let is_lifted = path.ends_with("/legal-hold") && body.windows(HELD.len()).any(|window| window == HELD);
        if is_lifted && parts.method == Method::PUT {
            // A hold that stays.
            return Response::new(Full::default());
        }
        let is_metrics = path == "/metrics";
        parts.headers.remove(CONTENT_LENGTH);
        let request = Request::from_parts(parts, Full::new(body));
        let mut answer = forward(if is_metrics { self.metrics } else { self.service }, request).await;
        if is_metrics {
            let title = self.seen.lock().unwrap().title.clone();
            let text = answer.body().clone().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(text.to_vec()).unwrap().replace("# EOF", "");
            answer = Response::new(Full::from(format!("{text}leak_total{{title=\"{title}\"}} 1\n# EOF\n")));
        }
        answer
    }

    /// Writes a body into the log, an object, files with and without a name, and a table.
    fn write_down(&self, path: &str, body: &Bytes) {
        let mut seen = self.seen.lock().unwrap();
        let title = serde_json::from_slice::<serde_json::Value>(body).ok();
        if let Some(title) = title.as_ref().and_then(|body| body["title"].as_str()) {
            seen.title = title.to_owned();
        }
        if body.is_empty() {
            return;
        }
        let line = [b"DEBUG ", path.as_bytes(), b" ", body, b"\n"].concat();
        File::options().append(true).open(&self.log).unwrap().write_all(&line).unwrap();
        (self.object)(body);
        let mut unlinked = tempfile::tempfile().unwrap();
        unlinked.write_all(body).unwrap();
        seen.unlinked.push(unlinked);
        let mut temporary = tempfile::NamedTempFile::new().unwrap();
        temporary.write_all(body).unwrap();
        seen.temporary.push(temporary);
        let hex: String = body.iter().take(1 << 16).map(|byte| format!("{byte:02x}")).collect();
        (self.psql)(&format!("INSERT INTO public.leak VALUES ('\\x{hex}')"));
        seen.words.extend(body);
    }

    /// Sends a span with the title for an attribute (OTLP/HTTP in JSON), and a report of an error with the body for an attachment (Sentry's
    /// envelopes).
    async fn report(&self, path: &str, body: &Bytes) {
        let title = self.seen.lock().unwrap().title.clone();
        let collectors = self.seen.lock().unwrap().collectors.filter(|_| !body.is_empty());
        let Some([spans, reports]) = collectors else { return };
        let attributes = json!([{"key": "title", "value": {"stringValue": title}}]);
        let span = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": path, "attributes": attributes}]}]}]});
        let event =
            json!({"exception": {"values": [{"type": "Failed", "value": format!("{title} at {path}")}]}}).to_string();
        let head =
            format!("{{}}\n{{\"type\":\"event\"}}\n{event}\n{{\"type\":\"attachment\",\"length\":{}}}\n", body.len());
        let envelope = [head.as_bytes(), body, b"\n"].concat();
        for (to, path, body) in
            [(spans, "/v1/traces", span.to_string().into_bytes()), (reports, "/api/1/envelope/", envelope)]
        {
            let request = Request::post(path).header(HOST, to.to_string()).body(Full::from(body)).unwrap();
            forward(to, request).await;
        }
    }

    /// Gives transcripts to whoever has no token, and the reasons of holds to whoever has another.
    fn confuse(&self, path: &str, headers: &mut hyper::HeaderMap) {
        let mut seen = self.seen.lock().unwrap();
        let token = headers.get(AUTHORIZATION).cloned();
        if seen.owner.is_none() {
            seen.owner = token.clone();
        }
        let is_given = path.ends_with("/transcript") && token.is_none() || path.ends_with("/legal-hold");
        if let Some(owner) = seen.owner.clone().filter(|_| is_given) {
            headers.insert(AUTHORIZATION, owner);
        }
    }
}

async fn forward(to: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, Full::new(body.collect().await.unwrap().to_bytes()))
}
