//! Somebody who is told what ends: a receiver of webhooks that is played, and checks signatures by itself.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};

use crate::support::requests::{flood, request};

/// What the receiver does with one message.
#[derive(Clone)]
pub(crate) enum Play {
    /// This status and these headers.
    Status(u16, String),
    /// This status, when it is told to.
    Late(u16, Arc<Notify>),
    /// Nothing, for as long as the sender waits.
    Waits,
    /// A body that never ends.
    Floods,
}

pub(crate) fn says(status: u16) -> Play {
    Play::Status(status, String::new())
}

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message {
    head: String,
    pub(crate) text: String,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Whether it is signed with this secret, as <https://www.standardwebhooks.com> has it.
    pub(crate) fn is_signed(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.text);
        let tags = self.header("webhook-signature").split(' ').map(|tag| tag.strip_prefix("v1,").unwrap());
        tags.into_iter().any(|tag| hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(tag).unwrap()).is_ok())
    }
}

/// A receiver on a port of its own.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    messages: mpsc::UnboundedReceiver<Message>,
}

impl Receiver {
    /// Plays one after the other, and the last one for all that come later.
    pub(crate) async fn playing(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let play = plays[usize::min(number, plays.len() - 1)].clone();
                tokio::spawn(answer(stream, play, sender.clone()));
            }
        });
        Self { port, messages }
    }

    pub(crate) async fn new() -> Self {
        Self::playing(vec![says(204)]).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks?of=wombat", self.port)
    }

    /// The next message, which is waited for.
    pub(crate) async fn next(&mut self) -> Message {
        self.messages.recv().await.unwrap()
    }

    /// What came so far.
    pub(crate) fn seen(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

async fn answer(mut stream: TcpStream, play: Play, messages: mpsc::UnboundedSender<Message>) {
    let (head, body) = request(&mut stream).await;
    // A test that is over waits for no message.
    let _ = messages.send(Message { head, text: String::from_utf8(body).unwrap() });
    let text = match play {
        Play::Status(status, headers) => head_of(status, &headers),
        Play::Late(status, told) => {
            told.notified().await;
            head_of(status, "")
        }
        Play::Waits => std::future::pending().await,
        Play::Floods => {
            flood(&mut stream).await;
            return;
        }
    };
    // A sender that went away has heard enough.
    let _ = stream.write_all(text.as_bytes()).await;
}

fn head_of(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} Played\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
}
