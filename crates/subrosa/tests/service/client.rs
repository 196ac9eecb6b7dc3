//! A client of the API over HTTP/1.1, with one connection that it keeps.

use std::{convert::Infallible, fmt, net::SocketAddr};

use api::{
    calls::{Accepted, CallDetail, CallProgress, CallProgressList, CallSummary, ProcessingEvent},
    page::Page,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, StatusCode,
    body::Frame,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
    http::request::Builder,
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use uuid::Uuid;

use crate::{program::PATIENCE, recordings::Recording};

type Body = UnsyncBoxBody<Bytes, Infallible>;

const BOUNDARY: &str = "dc4bb2a0f9d84c6f";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// A header that holds an id.
    fn id(&self, name: &str) -> Option<Uuid> {
        self.headers.get(name).map(|id| id.to_str().unwrap().parse().unwrap())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// Why a client does not have what it asked for.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The connection broke, or there is none to be had.
    Lost,
    /// Another answer than hoped for.
    Refused(Answer),
}

impl From<std::io::Error> for Trouble {
    fn from(_: std::io::Error) -> Self {
        Self::Lost
    }
}

impl From<hyper::Error> for Trouble {
    fn from(_: hyper::Error) -> Self {
        Self::Lost
    }
}

/// How a recording is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A form that says how long it is.
    Form,
    /// A form that does not.
    Chunked,
    /// tus, in so many bytes at a time.
    Pieces(usize),
}

pub(crate) struct Client {
    address: SocketAddr,
    key: String,
    connection: Option<SendRequest<Body>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        Self { address, key: key.to_owned(), connection: None }
    }

    /// Signs in and makes an API key, which outlives a session's ten minutes.
    pub(crate) async fn sign_in(address: SocketAddr, email: &str, password: &str) -> String {
        let mut client = Self::new(address, "");
        let body = json!({ "email": email, "password": password });
        let signed_in: Value = client.post("/api/auth/login", &body).await.json();
        client.key = signed_in["accessToken"].as_str().unwrap().to_owned();
        let body = json!({ "name": "tests", "scopes": ["calls:read", "calls:write"] });
        let key: Value = client.post("/api/tenant/api-keys", &body).await.json();
        key["token"].as_str().unwrap().to_owned()
    }

    async fn post(&mut self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::from(body.to_string()).boxed_unsync()).unwrap();
        let answer = self.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{answer}");
        answer
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if self.key.is_empty() { request } else { request.header(AUTHORIZATION, format!("Bearer {}", self.key)) }
    }

    async fn send(&mut self, request: Request<Body>) -> Result<Answer, Trouble> {
        timeout(PATIENCE, self.try_send(request)).await.expect("it does not answer")
    }

    async fn try_send(&mut self, request: Request<Body>) -> Result<Answer, Trouble> {
        let mut connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender
            }
        };
        connection.ready().await?;
        let (parts, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        if parts.headers.get(CONNECTION).is_none_or(|value| value != "close") {
            self.connection = Some(connection);
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// An answer that is what was asked for.
    async fn asked(&mut self, request: Request<Body>) -> Result<Answer, Trouble> {
        let answer = self.send(request).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(Trouble::Refused(answer)) }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Trouble> {
        let request = self.request(Method::GET, path).body(Full::default().boxed_unsync()).unwrap();
        self.asked(request).await
    }

    async fn read<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Trouble> {
        Ok(self.get(path).await?.json())
    }

    pub(crate) async fn page(&mut self, cursor: Option<&str>, limit: usize) -> Result<Page<CallSummary>, Trouble> {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        self.read(&format!("/api/calls?limit={limit}{cursor}")).await
    }

    /// All calls, a page after the other.
    pub(crate) async fn calls(&mut self) -> Result<Vec<CallSummary>, Trouble> {
        let (mut calls, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.page(cursor.as_deref(), 100).await?;
            calls.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(calls);
            }
        }
    }

    pub(crate) async fn detail(&mut self, call: Uuid) -> Result<CallDetail, Trouble> {
        self.read(&format!("/api/calls/{call}")).await
    }

    pub(crate) async fn progress(&mut self, calls: &[Uuid]) -> Result<Vec<CallProgress>, Trouble> {
        let ids: Vec<_> = calls.iter().map(Uuid::to_string).collect();
        let list: CallProgressList = self.read(&format!("/api/calls/status?ids={}", ids.join(","))).await?;
        Ok(list.items)
    }

    /// What happened to a call while it was processed; waits for its end.
    pub(crate) async fn events(&mut self, call: Uuid) -> Result<Vec<ProcessingEvent>, Trouble> {
        let stream = self.get(&format!("/api/calls/{call}/events")).await?.body;
        let stream = String::from_utf8(stream.to_vec()).unwrap();
        let stages = stream.split("\n\n").filter(|message| message.contains("event: stage"));
        let data = stages.map(|message| message.lines().find_map(|line| line.strip_prefix("data: ")).unwrap());
        Ok(data.map(|data| serde_json::from_str(data).unwrap()).collect())
    }

    /// Brings a recording, and gives the call that it became. Asked again after trouble, it goes on where it was: with the same
    /// idempotency key, and with the offset that the server says.
    pub(crate) async fn upload(&mut self, recording: &Recording, way: Way) -> Result<Uuid, Trouble> {
        match way {
            Way::Form | Way::Chunked => self.upload_form(recording, way == Way::Form).await,
            Way::Pieces(bytes) => self.upload_pieces(recording, bytes).await,
        }
    }

    async fn upload_form(&mut self, recording: &Recording, says_length: bool) -> Result<Uuid, Trouble> {
        let opening = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"title\"\r\n\r\n{}\r\n--{BOUNDARY}\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"call.wav\"\r\n\r\n",
            recording.title
        );
        let closing = format!("\r\n--{BOUNDARY}--\r\n");
        let length = opening.len() + recording.bytes() + closing.len();
        let mut blocks = vec![Bytes::from(opening)];
        blocks.extend(recording.blocks(0..recording.bytes()));
        blocks.push(Bytes::from(closing));
        let mut request = self.request(Method::POST, "/api/calls/analyze").header("idempotency-key", key(recording));
        request = request.header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
        if says_length {
            request = request.header(CONTENT_LENGTH, length);
        }
        let answer = self.asked(request.body(streamed(blocks)).unwrap()).await?;
        Ok(answer.json::<Accepted>().call_id)
    }

    async fn upload_pieces(&mut self, recording: &Recording, bytes: usize) -> Result<Uuid, Trouble> {
        let title = STANDARD.encode(&recording.title);
        let request = self.tus(Method::POST, "/api/uploads").header("upload-length", recording.bytes());
        let request = request.header("upload-metadata", format!("title {title}"));
        let request = request.header("idempotency-key", key(recording)).body(Full::default().boxed_unsync()).unwrap();
        let created = self.asked(request).await?;
        let upload = created.headers["location"].to_str().unwrap().to_owned();
        let request = self.tus(Method::HEAD, &upload).body(Full::default().boxed_unsync()).unwrap();
        let there = self.asked(request).await?;
        if let Some(call) = there.id("call-id") {
            return Ok(call);
        }
        let mut offset: usize = there.headers["upload-offset"].to_str().unwrap().parse().unwrap();
        loop {
            let end = recording.bytes().min(offset + bytes);
            let request = self.tus(Method::PATCH, &upload).header("upload-offset", offset);
            let request = request.header(CONTENT_TYPE, "application/offset+octet-stream");
            let request = request.header(CONTENT_LENGTH, end - offset);
            let answer = self.asked(request.body(streamed(recording.blocks(offset..end))).unwrap()).await?;
            if let Some(call) = answer.id("call-id") {
                return Ok(call);
            }
            assert!(end < recording.bytes(), "all is there, and it became no call: {answer}");
            offset = end;
        }
    }

    fn tus(&self, method: Method, path: &str) -> Builder {
        self.request(method, path).header("tus-resumable", "1.0.0")
    }
}

/// The idempotency key of a recording's upload.
fn key(recording: &Recording) -> String {
    recording.title.replace(' ', "-")
}

fn streamed(blocks: Vec<Bytes>) -> Body {
    StreamBody::new(stream::iter(blocks.into_iter().map(|block| Ok(Frame::data(block))))).boxed_unsync()
}
