//! Every operation of the API, by everybody who may not: strangers, wrong roles, other tenants, pages of others with a cookie.
//!
//! Invariant: what is asked comes from the document; an operation that [`table`] does not know fails the test.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{
        Method, Request,
        header::{AUTHORIZATION, COOKIE, HOST},
    },
};
use chrono::TimeDelta;
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
    /// Owners and auditors, who learn ids and no content.
    Auditors,
}
use Guard::{Auditors, Ends, Managers, Own, Public, Tenant};

/// What goes with a request. `{name}` stands for an id of the attacked tenant.
enum Sent {
    Nothing,
    Json(&'static str),
    Form(&'static [(&'static str, &'static str)]),
    Headers(&'static [(&'static str, &'static str)]),
}
use Sent::{Form, Headers, Json, Nothing};

/// Everything is turned on, and nobody asks too often.
const SETTINGS: [(&str, &str); 6] = [
    ("debug.call_events", "true"),
    ("voice_profiles.enabled", "true"),
    ("rates.sign_in", "100000/1m"),
    ("rates.read", "100000/1m"),
    ("rates.write", "100000/1m"),
    ("rates.upload", "100000/1m"),
];

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const OFFSET: (&str, &str) = ("content-type", "application/offset+octet-stream");
const ACCEPT: &str = r#"{"token": "inv_nobody", "password": "seven quiet herons wade"}"#;
const NEW_KEY: &str = r#"{"name": "key", "scopes": ["calls:read"]}"#;
const NEW_HOOK: &str = r#"{"url": "https://example.org/hook", "events": ["call.deleted"]}"#;
const CONSENT: &str = r#"{"kind": "TERMS", "version": 1, "given": true}"#;
/// As the other tenant's owner, with the right password.
const LOGIN: &str =
    r#"{"email": "owner@crane0.example.org", "password": "seven quiet herons wade", "tenantId": "{tenant}"}"#;
const PASSWORDS: &str = r#"{"currentPassword": "not this one", "newPassword": "eight loud herons landed"}"#;

/// An operation, who it is for, what an owner is answered about what is their own, the query and the body.
type Row = (&'static str, Guard, u16, &'static str, Sent);

/// Every operation; several rows ask it in several ways.
fn table() -> Vec<Row> {
    vec![
        ("POST /api/auth/login", Public, 200, "", Json(LOGIN)),
        ("POST /api/auth/refresh", Public, 401, "", Json(r#"{"refreshToken": "none"}"#)),
        ("POST /api/auth/invitations/accept", Public, 404, "", Json(ACCEPT)),
        ("POST /api/auth/logout", Ends, 204, "", Nothing),
        ("POST /api/auth/logout-all", Ends, 204, "", Nothing),
        ("GET /api/auth/sessions", Own, 200, "", Nothing),
        ("DELETE /api/auth/sessions/{sessionId}", Own, 204, "", Nothing),
        ("POST /api/auth/password", Own, 403, "", Json(PASSWORDS)),
        ("GET /api/users/me", Own, 200, "", Nothing),
        ("PATCH /api/users/me", Own, 200, "", Json(r#"{"displayName": "somebody"}"#)),
        ("DELETE /api/users/me", Ends, 204, "", Nothing),
        ("PATCH /api/users/me/consent", Own, 200, "", Json(CONSENT)),
        ("GET /api/users/me/limits", Own, 200, "", Nothing),
        ("GET /api/users/me/stats", Own, 200, "", Nothing),
        // Nobody has models or a profile here; `worker/voice.rs` is about those who have.
        ("POST /api/users/me/voice-profile", Own, 415, "", Nothing),
        ("GET /api/users/me/voice-profile/status", Own, 200, "", Nothing),
        ("DELETE /api/users/me/voice-profile", Own, 404, "", Nothing),
        ("POST /api/users/me/export", Own, 202, "", Nothing),
        ("GET /api/users/me/export/{exportId}", Own, 200, "", Nothing),
        ("GET /api/users/me/export/{exportId}/download", Own, 200, "", Nothing),
        ("POST /api/tenant/data-subjects/export", Managers, 202, "", Json(r#"{"contactName": "nobody"}"#)),
        ("GET /api/tenant/data-subjects/export/{subjectExportId}", Managers, 200, "", Nothing),
        ("GET /api/tenant/data-subjects/export/{subjectExportId}/download", Managers, 200, "", Nothing),
        ("GET /api/tenant", Managers, 200, "", Nothing),
        ("PATCH /api/tenant", Managers, 200, "", Json(r#"{"retentionDays": 30}"#)),
        ("DELETE /api/tenant", Managers, 204, "", Json(r#"{"tenantId": "{tenant}"}"#)),
        ("GET /api/tenant/audit-log", Auditors, 200, "?limit=200", Nothing),
        ("GET /api/tenant/audit-log", Auditors, 200, "?cursor=3", Nothing),
        ("GET /api/tenant/members", Managers, 200, "?limit=200", Nothing),
        ("GET /api/tenant/members", Managers, 200, "?cursor={membersCursor}", Nothing),
        ("PATCH /api/tenant/members/{userId}", Managers, 204, "", Json(r#"{"role": "ADMIN"}"#)),
        ("DELETE /api/tenant/members/{userId}", Managers, 204, "", Nothing),
        ("GET /api/tenant/invitations", Managers, 200, "", Nothing),
        ("POST /api/tenant/invitations", Managers, 201, "", Json(r#"{"email": "new@example.org", "role": "MEMBER"}"#)),
        ("DELETE /api/tenant/invitations/{invitationId}", Managers, 204, "", Nothing),
        ("GET /api/tenant/api-keys", Managers, 200, "", Nothing),
        ("POST /api/tenant/api-keys", Managers, 201, "", Json(NEW_KEY)),
        ("DELETE /api/tenant/api-keys/{apiKeyId}", Managers, 204, "", Nothing),
        ("GET /api/tenant/webhooks", Managers, 200, "", Nothing),
        ("POST /api/tenant/webhooks", Managers, 201, "", Json(NEW_HOOK)),
        ("GET /api/tenant/webhooks/{webhookId}", Managers, 200, "", Nothing),
        ("PATCH /api/tenant/webhooks/{webhookId}", Managers, 200, "", Json(r#"{"description": "mine"}"#)),
        ("DELETE /api/tenant/webhooks/{webhookId}", Managers, 204, "", Nothing),
        ("POST /api/tenant/webhooks/{webhookId}/secret", Managers, 200, "", Nothing),
        ("POST /api/tenant/webhooks/{webhookId}/test", Managers, 202, "", Nothing),
        ("GET /api/tenant/webhooks/{webhookId}/deliveries", Managers, 200, "?limit=200", Nothing),
        ("POST /api/tenant/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", Managers, 202, "", Nothing),
        ("GET /api/health", Public, 200, "", Nothing),
        ("GET /api/health/ready", Public, 200, "", Nothing),
        ("GET /api/health/details", Managers, 200, "", Nothing),
        ("POST /api/calls/analyze", Own, 202, "", Form(&[("file", "")])),
        ("POST /api/calls/analyze", Own, 400, "", Form(&[("file", ""), ("metadata", r#"{"contactId": "{call}"}"#)])),
        ("GET /api/calls", Own, 200, "?limit=200", Nothing),
        ("GET /api/calls", Own, 200, "?q=canary", Nothing),
        ("GET /api/calls", Own, 200, "?contactId={call}", Nothing),
        ("GET /api/calls/search", Own, 200, "?q=canary", Nothing),
        ("GET /api/calls/search", Own, 200, "?q=canary&contactId={call}", Nothing),
        ("GET /api/calls", Own, 200, "?cursor={callsCursor}", Nothing),
        ("DELETE /api/calls", Own, 200, "", Json(r#"{"callIds": ["{call}"]}"#)),
        ("GET /api/calls/status", Own, 200, "?ids={call}", Nothing),
        ("GET /api/calls/{id}", Own, 200, "", Nothing),
        ("PATCH /api/calls/{id}", Own, 200, "", Json(r#"{"title": "mine", "notes": "mine", "summary": "mine"}"#)),
        ("DELETE /api/calls/{id}", Own, 204, "", Nothing),
        ("PATCH /api/calls/{id}/contact", Own, 200, "", Json(r#"{"contactId": null}"#)),
        ("PATCH /api/calls/{id}/contact", Own, 400, "", Json(r#"{"contactId": "{call}"}"#)),
        ("PATCH /api/calls/{id}/contact", Own, 200, "", Json(r#"{"contactId": "{contact}"}"#)),
        ("GET /api/calls/{id}/action-items", Own, 200, "", Nothing),
        ("POST /api/calls/{id}/action-items", Own, 201, "", Json(r#"{"title": "mine"}"#)),
        ("GET /api/actions", Own, 200, "?limit=200", Nothing),
        ("GET /api/actions", Own, 200, "?status=OPEN", Nothing),
        ("PATCH /api/actions/{id}", Own, 200, "", Json(r#"{"status": "DONE"}"#)),
        ("PUT /api/action-items/{id}", Own, 200, "", Json(r#"{"title": "mine"}"#)),
        ("DELETE /api/action-items/{id}", Own, 204, "", Nothing),
        ("GET /api/contacts", Own, 200, "?limit=200", Nothing),
        ("POST /api/contacts", Own, 201, "", Json(r#"{"name": "mine"}"#)),
        ("GET /api/contacts/{id}", Own, 200, "", Nothing),
        ("PUT /api/contacts/{id}", Own, 200, "", Json(r#"{"name": "mine"}"#)),
        ("DELETE /api/contacts/{id}", Own, 204, "", Nothing),
        ("GET /api/calls/{id}/legal-hold", Managers, 200, "", Nothing),
        ("PUT /api/calls/{id}/legal-hold", Managers, 200, "", Json(r#"{"held": false, "reason": "mine"}"#)),
        ("GET /api/calls/{id}/audio", Own, 404, "", Nothing),
        ("GET /api/calls/{id}/audio", Own, 404, "?redacted=false", Nothing),
        ("GET /api/calls/{id}/events", Own, 200, "", Nothing),
        ("GET /api/debug/calls/{id}/events", Own, 200, "", Nothing),
        ("GET /api/deletions/{receiptId}", Tenant, 200, "", Nothing),
        ("GET /api/calls/{id}/transcript", Own, 200, "", Nothing),
        ("GET /api/calls/{id}/transcript", Own, 200, "?format=docx", Nothing),
        ("GET /api/calls/{id}/redactions", Own, 200, "", Nothing),
        ("GET /api/calls/{id}/analysis", Own, 200, "", Nothing),
        ("GET /api/calls/{id}/talk", Own, 200, "", Nothing),
        ("GET /api/calls/{id}/digest", Own, 200, "?format=html", Nothing),
        ("POST /api/calls/{id}/reanalyze", Own, 202, "", Nothing),
        ("GET /api/analytics/talk", Own, 200, "?days=365", Nothing),
        ("GET /api/analytics/vibe", Own, 200, "?days=365", Nothing),
        ("PATCH /api/calls/{id}/speakers/{speakerId}", Own, 200, "", Json(r#"{"displayName": "mine"}"#)),
        ("PATCH /api/calls/{id}/speakers/{speakerId}", Own, 200, "", Json(r#"{"role": "USER"}"#)),
        ("PATCH /api/calls/{id}/segments/{segId}", Own, 200, "", Json(r#"{"text": "mine"}"#)),
        ("OPTIONS /api/uploads", Public, 204, "", Headers(&[TUS])),
        ("POST /api/uploads", Own, 201, "", Headers(&[TUS, ("upload-length", "1000")])),
        ("HEAD /api/uploads/{id}", Own, 200, "", Headers(&[TUS])),
        ("PATCH /api/uploads/{id}", Own, 204, "", Headers(&[TUS, OFFSET, ("upload-offset", "0")])),
        ("DELETE /api/uploads/{id}", Own, 204, "", Headers(&[TUS])),
        ("GET /v1/models", Own, 200, "", Nothing),
        ("POST /v1/audio/transcriptions", Own, 404, "", Form(&[("model", "none"), ("file", "")])),
        ("POST /v1/audio/translations", Own, 404, "", Form(&[("model", "none"), ("file", "")])),
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

/// By what a caller says who they are.
#[derive(Clone, Copy)]
enum By<'a> {
    Nothing,
    Token(&'a str),
    /// The token as the browser's cookie, and where the browser says that the request comes from.
    Cookie(&'a str, &'static [(&'static str, &'static str)]),
}
use By::{Cookie, Token};

const OWN_PAGE: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];

/// Pages of others, and what is no page: what a browser adds the cookie to although none of our pages asked it to.
const OTHER_PAGES: [&[(&str, &str)]; 4] = [
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("origin", "https://attacker.example")],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://calls.example")],
];

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
        let of = match path.split('/').nth(2) {
            Some("uploads") => "{upload}",
            Some("contacts") => "{contact}",
            Some("actions" | "action-items") => "{actionItem}",
            _ => "{call}",
        };
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

    fn request(&self, by: By<'_>) -> Request<Body> {
        let method: Method = self.operation.split(' ').next().unwrap().parse().unwrap();
        let mut request = Request::builder().method(method).uri(self.url()).header(HOST, "calls.example");
        request = match by {
            By::Nothing => request,
            Token(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Cookie(token, page) => {
                let request = request.header(COOKIE, format!("__Host-subrosa-access={token}"));
                page.iter().fold(request, |request, (name, value)| request.header(*name, *value))
            }
        };
        let request = match self.sent {
            Nothing => request.body(Body::empty()),
            Json(body) => request.header("content-type", "application/json").body(Body::from(self.fill(body))),
            Headers(headers) => {
                headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty())
            }
            Form(fields) => {
                // The one field alone is the recording that the victim has, too.
                let file = recording(fields.len() as u8, 1000);
                let values: Vec<_> = fields.iter().map(|(name, value)| (*name, self.fill(value))).collect();
                let values: Vec<(&str, &[u8])> = values
                    .iter()
                    .map(|(name, value)| (*name, if *name == "file" { &file[..] } else { value.as_bytes() }))
                    .collect();
                let kind = format!("multipart/form-data; boundary={BOUNDARY}");
                request.header("content-type", kind).body(Body::from(form(&values)))
            }
        };
        request.unwrap()
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
    async fn fire(&mut self, row: &Row, who: &str, by: By<'_>, secrets: &[&str]) -> u16 {
        let (operation, guard, _, query, sent) = row;
        let theirs = Probe { operation, query, sent, ids: &self.victim.ids };
        let answer = self.service.send(theirs.request(by)).await;
        self.probes += 1;
        let (text, said) = (everything(&answer), theirs.said());
        let at = format!("{said} as {who}: {text}");
        assert!(answer.status.as_u16() < 500 || *operation == "GET /api/health/ready", "{at}");
        for secret in secrets {
            assert!(!text.contains(secret), "a canary: {at}");
        }
        let is_own = who.contains("own tenant");
        // Who has no secrets to miss is the owner, by a key.
        let audits = *guard == Auditors && who.starts_with("AUDITOR of the own tenant");
        let may_know = |name: &str| secrets.is_empty() || audits || is_own && name == "tenant";
        for (name, id) in self.victim.ids.iter().filter(|(name, id)| !may_know(name) && !said.contains(*id)) {
            assert!(!text.contains(id), "{name}: {at}");
        }
        let nobodys = Probe { operation, query, sent, ids: &self.nobody };
        if !(is_own && *guard == Tenant) && nobodys.said() != said && !query.contains("ursor") {
            let other = self.service.send(nobodys.request(by)).await;
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

    let service = Service::set(&SETTINGS).await;
    let victim = House::new(&service, "heron").await;
    let other = House::new(&service, "crane0").await;
    let mut crossfire = Crossfire { service: &service, victim: &victim, nobody: nobodys(&victim.ids), probes: 0 };
    let all = [&*victim.content, &*victim.tenant_name, "heron.example.org"];
    let of_the_owner = [&*victim.content, "owner@heron.example.org"];
    for row in &table {
        let (operation, guard, ..) = row;
        // Somebody may try a hundred keys a minute, and each row tries two.
        service.app.clock.advance(TimeDelta::seconds(2));
        for (who, by) in [
            ("nobody", By::Nothing),
            ("a forger", Token("e30.e30.e30")),
            ("a wrong key", Token("sbr_live_none")),
            ("a forged cookie", Cookie("e30.e30.e30", OWN_PAGE)),
            ("a key in a cookie", Cookie(&victim.tokens["KEY"], OWN_PAGE)),
        ] {
            let status = crossfire.fire(row, who, by, &all).await;
            assert!(*guard == Public || status == 401, "{operation} as {who}: {status}");
        }
        // The victim's own cookie, in a request that a page of somebody else made.
        for page in OTHER_PAGES {
            if *guard == Public {
                break;
            }
            let status =
                crossfire.fire(row, "a page of somebody else", Cookie(&victim.tokens["OWNER"], page), &all).await;
            assert_eq!(status, 403, "{operation} from {page:?}");
        }
        let changes = !["GET", "HEAD", "OPTIONS"].contains(&operation.split(' ').next().unwrap());
        if changes && *guard != Public {
            let status = crossfire.fire(row, "no page at all", Cookie(&victim.tokens["OWNER"], &[]), &all).await;
            assert_eq!(status, 403, "{operation}");
        }
        for role in ["MEMBER", "AUDITOR"] {
            let token = if *guard == Ends { &victim.spare(&service, role).await } else { &victim.tokens[role] };
            let cookie = if *guard == Ends { &victim.spare(&service, role).await } else { token };
            for (by, how) in [(Token(token), ""), (Cookie(cookie, OWN_PAGE), ", by a cookie")] {
                let who = format!("{role} of the own tenant{how}");
                let status = crossfire.fire(row, &who, by, &of_the_owner).await;
                assert!(*guard != Managers || [403, 404].contains(&status), "{operation} as {who}: {status}");
                let expected = if role == "AUDITOR" { 200 } else { 403 };
                assert!(*guard != Auditors || status == expected, "{operation} as {who}: {status}");
            }
        }
        let status = crossfire.fire(row, "a key of the own tenant", Token(&victim.tokens["KEY"]), &[]).await;
        let is_open = *guard == Public || operation.starts_with("GET /api/users/me");
        assert!(is_open || status == 403, "{operation} with a key for another scope: {status}");
        for role in ["OWNER", "MEMBER", "AUDITOR"] {
            let token = if *guard == Ends { &other.spare(&service, role).await } else { &other.tokens[role] };
            let cookie = if *guard == Ends { &other.spare(&service, role).await } else { token };
            crossfire.fire(row, &format!("{role} of another tenant"), Token(token), &all).await;
            crossfire
                .fire(row, &format!("{role} of another tenant, by a cookie"), Cookie(cookie, OWN_PAGE), &all)
                .await;
        }
    }
    println!("crossfire: {} operations, {} probes", known.len(), crossfire.probes);
    victim.is_untouched(&service).await;
}

#[tokio::test]
async fn each_of_these_requests_does_what_it_says_for_whom_it_is_meant() {
    let service = Service::set(&SETTINGS).await;
    for (number, (operation, guard, status, query, sent)) in table().iter().enumerate() {
        let house = House::new(&service, &format!("crane{number}")).await;
        let token = if *guard == Ends { &house.spare(&service, "MEMBER").await } else { &house.tokens["OWNER"] };
        let probe = Probe { operation, query, sent, ids: &house.ids };
        let by = if number % 2 == 0 { Token(token) } else { Cookie(token, OWN_PAGE) };
        let answer = service.open(probe.request(by)).await;
        assert_eq!(answer.status().as_u16(), *status, "{operation} {query}");
    }
}
