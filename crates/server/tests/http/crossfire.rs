//! Every operation of the API, by everybody who may not: strangers, wrong roles, other tenants.
//!
//! Invariant: what is asked comes from the document; an operation that [`table`] does not know fails the test.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{Method, Request, header::AUTHORIZATION},
};
use server::router;

use crate::{
    client::{Answer, Service},
    houses::{House, Ids, nobodys},
    people::{BOUNDARY, form, recording},
};

/// Who an operation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Anybody.
    Public,
    /// Whoever signed in, about what is their own.
    Own,
    /// The same, and it ends the session or the account: somebody else is sent each time.
    Ends,
    /// Everybody of the tenant.
    Tenant,
    /// Owners and admins.
    Managers,
}
use Guard::{Ends, Managers, Own, Public, Tenant};

/// What goes with a request. `{name}` stands for an id of the attacked tenant.
enum Sent {
    Nothing,
    Json(&'static str),
    Form(&'static [(&'static str, &'static str)]),
    Headers(&'static [(&'static str, &'static str)]),
}
use Sent::{Form, Headers, Json, Nothing};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const OFFSET: (&str, &str) = ("content-type", "application/offset+octet-stream");
const ACCEPT: &str = r#"{"token": "inv_nobody", "password": "seven quiet herons wade"}"#;
const NEW_KEY: &str = r#"{"name": "key", "scopes": ["calls:read"]}"#;
const CONSENT: &str = r#"{"kind": "TERMS", "version": 1, "given": true}"#;
const LOGIN: &str =
    r#"{"email": "owner@egret.example.org", "password": "seven quiet herons wade", "tenantId": "{tenant}"}"#;
const PASSWORDS: &str = r#"{"currentPassword": "not this one", "newPassword": "eight loud herons landed"}"#;

/// Every operation, with what is sent to it; several rows ask it in several ways.
fn table() -> Vec<(&'static str, Guard, &'static str, Sent)> {
    vec![
        ("POST /api/auth/login", Public, "", Json(LOGIN)),
        ("POST /api/auth/refresh", Public, "", Json(r#"{"refreshToken": "none"}"#)),
        ("POST /api/auth/invitations/accept", Public, "", Json(ACCEPT)),
        ("POST /api/auth/logout", Ends, "", Nothing),
        ("POST /api/auth/logout-all", Ends, "", Nothing),
        ("GET /api/auth/sessions", Own, "", Nothing),
        ("DELETE /api/auth/sessions/{sessionId}", Own, "", Nothing),
        ("POST /api/auth/password", Own, "", Json(PASSWORDS)),
        ("GET /api/users/me", Own, "", Nothing),
        ("PATCH /api/users/me", Own, "", Json(r#"{"displayName": "somebody"}"#)),
        ("DELETE /api/users/me", Ends, "", Nothing),
        ("PATCH /api/users/me/consent", Own, "", Json(CONSENT)),
        ("GET /api/users/me/limits", Own, "", Nothing),
        ("GET /api/users/me/stats", Own, "", Nothing),
        ("GET /api/tenant", Tenant, "", Nothing),
        ("PATCH /api/tenant", Managers, "", Json(r#"{"retentionDays": 30}"#)),
        ("GET /api/tenant/members", Managers, "?limit=200", Nothing),
        ("GET /api/tenant/members", Managers, "?cursor={membersCursor}", Nothing),
        ("PATCH /api/tenant/members/{userId}", Managers, "", Json(r#"{"role": "ADMIN"}"#)),
        ("DELETE /api/tenant/members/{userId}", Managers, "", Nothing),
        ("GET /api/tenant/invitations", Managers, "", Nothing),
        ("POST /api/tenant/invitations", Managers, "", Json(r#"{"email": "new@example.org", "role": "MEMBER"}"#)),
        ("DELETE /api/tenant/invitations/{invitationId}", Managers, "", Nothing),
        ("GET /api/tenant/api-keys", Managers, "", Nothing),
        ("POST /api/tenant/api-keys", Managers, "", Json(NEW_KEY)),
        ("DELETE /api/tenant/api-keys/{apiKeyId}", Managers, "", Nothing),
        ("GET /api/health", Public, "", Nothing),
        ("GET /api/health/ready", Public, "", Nothing),
        ("GET /api/health/details", Managers, "", Nothing),
        ("POST /api/calls/analyze", Own, "", Form(&[("file", "")])),
        ("POST /api/calls/analyze", Own, "", Form(&[("file", ""), ("metadata", r#"{"contactId": "{call}"}"#)])),
        ("GET /api/calls", Own, "?limit=200", Nothing),
        ("GET /api/calls", Own, "?q=canary", Nothing),
        ("GET /api/calls", Own, "?contactId={call}", Nothing),
        ("GET /api/calls", Own, "?cursor={callsCursor}", Nothing),
        ("DELETE /api/calls", Own, "", Json(r#"{"callIds": ["{call}"]}"#)),
        ("GET /api/calls/status", Own, "?ids={call}", Nothing),
        ("GET /api/calls/{id}", Own, "", Nothing),
        ("PATCH /api/calls/{id}", Own, "", Json(r#"{"title": "mine", "notes": "mine", "summary": "mine"}"#)),
        ("DELETE /api/calls/{id}", Own, "", Nothing),
        ("PATCH /api/calls/{id}/contact", Own, "", Json(r#"{"contactId": null}"#)),
        ("PATCH /api/calls/{id}/contact", Own, "", Json(r#"{"contactId": "{call}"}"#)),
        ("GET /api/calls/{id}/events", Own, "", Nothing),
        ("GET /api/debug/calls/{id}/events", Own, "", Nothing),
        ("GET /api/deletions/{receiptId}", Tenant, "", Nothing),
        ("GET /api/calls/{id}/transcript", Own, "", Nothing),
        ("GET /api/calls/{id}/transcript", Own, "?format=docx", Nothing),
        ("PATCH /api/calls/{id}/speakers/{speakerId}", Own, "", Json(r#"{"displayName": "mine"}"#)),
        ("PATCH /api/calls/{id}/segments/{segId}", Own, "", Json(r#"{"text": "mine"}"#)),
        ("OPTIONS /api/uploads", Public, "", Headers(&[TUS])),
        ("POST /api/uploads", Own, "", Headers(&[TUS, ("upload-length", "1000")])),
        ("HEAD /api/uploads/{id}", Own, "", Headers(&[TUS])),
        ("PATCH /api/uploads/{id}", Own, "", Headers(&[TUS, OFFSET, ("upload-offset", "0")])),
        ("DELETE /api/uploads/{id}", Own, "", Headers(&[TUS])),
        ("GET /v1/models", Own, "", Nothing),
        ("POST /v1/audio/transcriptions", Own, "", Form(&[("model", "none"), ("file", "")])),
        ("POST /v1/audio/translations", Own, "", Form(&[("model", "none"), ("file", "")])),
    ]
}

/// The operations of the document, as [`table`] writes them.
fn operations() -> BTreeSet<String> {
    let document = serde_json::to_value(router::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    paths
        .flat_map(|(path, item)| {
            let has = methods.into_iter().filter(|method| item.get(method).is_some());
            has.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// A row with the ids of somebody.
struct Probe<'a> {
    operation: &'a str,
    query: &'a str,
    sent: &'a Sent,
    ids: &'a Ids,
}

impl Probe<'_> {
    fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
    }

    fn url(&self) -> String {
        let path = self.operation.split(' ').nth(1).unwrap();
        let of = if path.starts_with("/api/uploads") { "{upload}" } else { "{call}" };
        let url = self.fill(&path.replace("{id}", of)) + &self.fill(self.query);
        assert!(!url.contains('{'), "a parameter that no house has: {url}");
        url
    }

    /// Everything that the caller says.
    fn said(&self) -> String {
        let body = match self.sent {
            Json(body) => self.fill(body),
            Form(fields) => fields.iter().map(|(_, value)| self.fill(value)).collect(),
            Nothing | Headers(_) => String::new(),
        };
        format!("{} {body}", self.url())
    }

    async fn ask(&self, service: &Service, token: Option<&str>) -> Answer {
        let method: Method = self.operation.split(' ').next().unwrap().parse().unwrap();
        let mut request = Request::builder().method(method).uri(self.url());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = match self.sent {
            Nothing => request.body(Body::empty()),
            Json(body) => request.header("content-type", "application/json").body(Body::from(self.fill(body))),
            Headers(headers) => {
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty())
            }
            Form(fields) => {
                let file = recording(1, 1000);
                let values: Vec<_> = fields.iter().map(|(name, value)| (*name, self.fill(value))).collect();
                let values: Vec<(&str, &[u8])> = values
                    .iter()
                    .map(|(name, value)| (*name, if *name == "file" { &file[..] } else { value.as_bytes() }))
                    .collect();
                let kind = format!("multipart/form-data; boundary={BOUNDARY}");
                request.header("content-type", kind).body(Body::from(form(&values)))
            }
        };
        service.send(request.unwrap()).await
    }

    /// An answer without the id of the request, what is left of a quota, and the ids that were asked for.
    fn told(&self, answer: &Answer) -> (u16, BTreeMap<String, String>, String) {
        let without = |text: &str| self.ids.values().fold(text.to_owned(), |text, id| text.replace(id, "ID"));
        let request = answer.headers["x-request-id"].to_str().unwrap();
        let headers = answer.headers.iter().filter(|(name, _)| !["x-request-id", "ratelimit"].contains(&name.as_str()));
        let headers = headers.map(|(name, value)| (name.to_string(), without(value.to_str().unwrap()))).collect();
        let body = String::from_utf8_lossy(&answer.body).replace(request, "REQUEST");
        (answer.status.as_u16(), headers, without(&body))
    }
}

/// Body and headers as one text.
fn everything(answer: &Answer) -> String {
    let headers: String = answer.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    // A document of Word hides its text in a ZIP; who gets one got a transcript.
    assert!(!answer.body.starts_with(b"PK"), "a document for somebody else");
    headers + &String::from_utf8_lossy(&answer.body)
}

struct Crossfire<'a> {
    service: &'a Service,
    victim: &'a House,
    nobody: Ids,
    probes: usize,
}

impl Crossfire<'_> {
    /// Asks for what is the victim's and for what is nobody's: the answers are the same, and hold nothing of the victim.
    async fn fire(&mut self, row: &(&str, Guard, &str, Sent), who: &str, token: Option<&str>, secrets: &[&str]) -> u16 {
        let (operation, guard, query, sent) = row;
        let theirs = Probe { operation, query, sent, ids: &self.victim.ids };
        let answer = theirs.ask(self.service, token).await;
        self.probes += 1;
        let (text, said) = (everything(&answer), theirs.said());
        let at = format!("{said} as {who}: {text}");
        assert!(answer.status.as_u16() < 500 || *operation == "GET /api/health/ready", "{at}");
        for secret in secrets {
            assert!(!text.contains(secret), "a canary: {at}");
        }
        let is_own = who.contains("own tenant");
        // Who has no secrets to miss is the owner, by a key.
        let may_know = |name: &str| secrets.is_empty() || is_own && name == "tenant";
        for (name, id) in self.victim.ids.iter().filter(|(name, id)| !may_know(name) && !said.contains(*id)) {
            assert!(!text.contains(id), "{name}: {at}");
        }
        let nobodys = Probe { operation, query, sent, ids: &self.nobody };
        if !(is_own && *guard == Tenant) && nobodys.said() != said && !query.contains("ursor") {
            let other = nobodys.ask(self.service, token).await;
            self.probes += 1;
            assert_eq!(theirs.told(&answer), nobodys.told(&other), "it tells that something is there: {at}");
        }
        answer.status.as_u16()
    }
}

#[tokio::test]
async fn nobody_learns_anything_of_another_from_any_operation() {
    let table = table();
    let known: BTreeSet<String> = table.iter().map(|(operation, ..)| (*operation).to_owned()).collect();
    assert_eq!(operations(), known, "each operation of the document has a row in the table, and no other");

    let service = Service::set(&[("debug.call_events", "true"), ("rates.sign_in", "10000/1m")]).await;
    let victim = House::new(&service, "heron").await;
    let other = House::new(&service, "egret").await;
    let mut crossfire = Crossfire { service: &service, victim: &victim, nobody: nobodys(&victim.ids), probes: 0 };
    let all = [&*victim.content, &*victim.tenant_name, "heron.example.org"];
    let of_the_owner = [&*victim.content, "owner@heron.example.org"];
    for row in &table {
        let (operation, guard, ..) = row;
        for (who, token) in
            [("nobody", None), ("a forger", Some("e30.e30.e30")), ("a wrong key", Some("sbr_live_none"))]
        {
            let status = crossfire.fire(row, who, token, &all).await;
            assert!(*guard == Public || status == 401, "{operation} as {who}: {status}");
        }
        for role in ["MEMBER", "AUDITOR"] {
            let spare = victim.spare(&service, role).await;
            let token = if *guard == Ends { &spare } else { &victim.tokens[role] };
            let who = format!("{role} of the own tenant");
            let status = crossfire.fire(row, &who, Some(token), &of_the_owner).await;
            assert!(*guard != Managers || [403, 404].contains(&status), "{operation} as {who}: {status}");
        }
        let status = crossfire.fire(row, "a key of the own tenant", Some(&victim.tokens["KEY"]), &[]).await;
        let is_open = *guard == Public || operation.starts_with("GET /api/users/me");
        assert!(is_open || status == 403, "{operation} with a key for another scope: {status}");
        for role in ["OWNER", "MEMBER", "AUDITOR"] {
            let spare = other.spare(&service, role).await;
            let token = if *guard == Ends { &spare } else { &other.tokens[role] };
            crossfire.fire(row, &format!("{role} of another tenant"), Some(token), &all).await;
        }
    }
    println!("crossfire: {} operations, {} probes", known.len(), crossfire.probes);
    victim.is_untouched(&service).await;
}
