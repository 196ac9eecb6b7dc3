//! Somebody with a token, and what they send.

use std::pin::Pin;

use axum::{
    body::Body,
    http::{Method, Request, header::AUTHORIZATION},
};
use bytes::Bytes;
use futures::Stream;
use serde_json::Value;
use server::{
    auth::tokens::TokenRole,
    db::{Role, Scope},
};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::{
    client::{Answer, Service},
    kit::execute,
};

pub(crate) const BOUNDARY: &str = "a-boundary-that-is-in-no-recording";

/// A user of a service.
pub(crate) struct Person<'a> {
    pub(crate) service: &'a Service,
    pub(crate) scope: Scope,
    pub(crate) token: String,
}

/// A recording by its first bytes, and other bytes for each seed.
pub(crate) fn recording(seed: u8, bytes: usize) -> Vec<u8> {
    let mut wav = b"RIFF\xff\xff\xff\x7fWAVEfmt ".to_vec();
    wav.extend((0..bytes).map(|n| (n as u8).wrapping_mul(31) ^ seed));
    wav.truncate(bytes.max(16));
    wav
}

/// A field of a form: its name and what it holds.
pub(crate) fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(opening(name).into_bytes());
        body.extend(*value);
        body.extend(b"\r\n");
    }
    body.extend(closing().into_bytes());
    body
}

pub(crate) fn opening(name: &str) -> String {
    let file = if name == "file" { "; filename=\"call.wav\"" } else { "" };
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n")
}

pub(crate) fn closing() -> String {
    format!("--{BOUNDARY}--\r\n")
}

impl<'a> Person<'a> {
    /// The owner of a new tenant.
    pub(crate) async fn new(service: &'a Service) -> Self {
        let scope = service.installation.tenant().await;
        Self { service, scope, token: service.token(&scope, TokenRole::Owner) }
    }

    /// A member of the same tenant.
    pub(crate) async fn member(&self) -> Self {
        let user = Uuid::now_v7();
        let mut superuser = self.service.installation.postgres.superuser().await;
        let (key_id, sealed) = self.service.app.vault.new_user_key(user).unwrap();
        execute(
            &mut superuser,
            "INSERT INTO global.users (id, address_hmac, key_id, sealed_key) VALUES ($1, sha256(uuid_send($1)), $2, $3)",
            (user, &key_id, &sealed),
        )
        .await;
        sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 3)")
            .bind(self.scope.tenant())
            .bind(user)
            .execute(&mut superuser)
            .await
            .unwrap();
        superuser.close().await.unwrap();
        let scope = Scope::authenticated(self.scope.tenant(), user, Role::Member);
        Self { service: self.service, scope, token: self.service.token(&scope, TokenRole::Member) }
    }

    /// A later token, after the clock was moved.
    pub(crate) fn renew(&mut self) {
        self.token = self.service.token(&self.scope, TokenRole::Owner);
    }

    pub(crate) fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> axum::http::request::Builder {
        let request =
            Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {}", self.token));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.service.send(self.request(method, path, headers).body(Body::from(body.to_vec())).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], b"").await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes()).await
    }

    pub(crate) async fn form(&self, fields: &[(&str, &[u8])], headers: &[(&str, &str)]) -> Answer {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let mut headers = headers.to_vec();
        headers.push(("content-type", &kind));
        self.send(Method::POST, "/api/calls/analyze", &headers, &form(fields)).await
    }

    pub(crate) fn streamed(&self, body: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Request<Body> {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = self.request(Method::POST, "/api/calls/analyze", &[("content-type", &kind)]);
        request.body(Body::from_stream(body)).unwrap()
    }

    /// Uploads a recording with a title; gives its call.
    pub(crate) async fn upload(&self, seed: u8, title: &str) -> String {
        let answer = self.form(&[("file", &recording(seed, 1000)), ("title", title.as_bytes())], &[]).await;
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["callId"].as_str().unwrap().to_owned()
    }

    /// Runs a statement around the gate.
    pub(crate) async fn sql(&self, statement: String) {
        let mut superuser = self.service.installation.postgres.superuser().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut superuser).await.unwrap();
        superuser.close().await.unwrap();
    }
}

/// What is the same of two answers whatever their ids.
pub(crate) fn shape(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    body["error"]["requestId"] = Value::Null;
    (answer.status.as_u16(), body)
}

/// Brings a request as far as it waits for somebody's lock.
pub(crate) async fn until_it_waits(service: &Service, mut request: Pin<&mut impl Future<Output = Answer>>) {
    let mut observer = service.installation.postgres.superuser().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        tokio::select! {
            answer = &mut request => panic!("it does not wait: {}", answer.status),
            waiting = sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut observer) => if waiting.unwrap() > 0 { return },
        }
    }
}
