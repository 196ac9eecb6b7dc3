//! A visit to the service, with canaries. Its one invariant: whatever was asked is on record, with how it was answered, so that no
//! operation is missing unseen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use server::verify::search::{Search, Searched};
use tokio::time::{Instant, sleep};
use ureq::http::Method;
use uuid::Uuid;

use super::{
    canaries::Canaries,
    client::{Answer, Ask, Client, Silent},
    operations::{By, Sent, Step, address, tus},
};

/// Methods of operations in a document of OpenAPI.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Between two looks at something that nobody tells.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// An id of nothing.
const NOTHING: &str = "01890000-0000-7000-8000-000000000000";

/// The field of a body that no operation takes.
const NO_FIELD: &str = "no-such-field";

/// A stream that ends when the pipeline does.
const UNTIL_THE_END: &str = "GET /api/calls/{id}/events";

/// What a setting turns on (S1 and S2 of the contract), and is like nothing to everybody until then.
const OFF_BY_DEFAULT: [&str; 2] = ["GET /api/debug/calls/{id}/events", "GET /api/users/me/voice-profile/status"];

/// What takes a person's voice to be used, and how it is refused without one: where it is off, where a model is missing, and otherwise
/// because a tone is nobody's voice and nothing was stored that could be deleted.
const NEEDS_A_VOICE: [(&str, &[u16]); 2] =
    [("POST /api/users/me/voice-profile", &[404, 422, 503]), ("DELETE /api/users/me/voice-profile", &[404])];

/// What somebody sees who visits.
pub(super) struct Visit<'a> {
    client: Client,
    canaries: &'a Canaries,
    /// Ids and tokens of answers, by name.
    kept: BTreeMap<&'static str, String>,
    patience: Duration,
    document: Value,
    succeeded: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// Requests that did not do what they should, and what was answered.
    pub(super) unsuccessful: Vec<String>,
    /// Operations that are not there, because a setting leaves them out, or that a tone cannot use.
    pub(super) off: BTreeSet<&'static str>,
    pub(super) requests: usize,
    /// Whether somebody recognises recordings; what waits for that is not asked otherwise.
    pub(super) has_worker: bool,
    /// The id of the last one.
    pub(super) request: String,
    search: Arc<Search>,
    /// What another tenant was given.
    pub(super) given_away: Vec<String>,
    /// Operations that refused another tenant what they then gave to its owner.
    kept_apart: BTreeSet<String>,
}

/// Who asks for everything that is somebody else's.
#[derive(Clone, Copy)]
pub(super) enum Stranger {
    /// Without any credential.
    Nobody,
    /// With the token of another tenant.
    Tenant,
}

impl<'a> Visit<'a> {
    /// Reads what there is from the service itself.
    pub(super) async fn begin(
        client: Client,
        canaries: &'a Canaries,
        search: Arc<Search>,
        patience: Duration,
    ) -> Result<Self, Silent> {
        let document = client.send(Ask::new(Method::GET, "/openapi.json")).await?.json();
        let in_base64 = |what: &str| STANDARD.encode(canaries.word(what));
        let kept = [
            ("length", canaries.recording(1).len().to_string()),
            ("speakerId", "spk_1".to_owned()),
            ("segId", "seg_0001".to_owned()),
            ("title in base64", in_base64("title")),
            ("file name in base64", in_base64("file name")),
        ];
        let (succeeded, refused) = (BTreeSet::new(), BTreeSet::new());
        let kept = kept.into_iter().collect();
        Ok(Self {
            client,
            canaries,
            kept,
            patience,
            document,
            succeeded,
            refused,
            unsuccessful: Vec::new(),
            off: BTreeSet::new(),
            requests: 1,
            has_worker: true,
            request: String::new(),
            search,
            given_away: Vec::new(),
            kept_apart: BTreeSet::new(),
        })
    }

    /// An id that an answer gave.
    pub(super) fn id(&self, name: &str) -> Option<Uuid> {
        self.kept.get(name)?.parse().ok()
    }

    /// The operations of the document: `GET /api/calls/{id}`.
    pub(super) fn operations(&self) -> Vec<String> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        let of = |(path, item): (&String, &Value)| {
            let methods = METHODS.into_iter().filter(|method| item.get(method).is_some());
            methods.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
        };
        paths.flat_map(of).filter(|operation| !self.off.contains(&**operation)).collect()
    }

    /// The paths of the document.
    pub(super) fn paths(&self) -> BTreeSet<String> {
        self.document["paths"].as_object().into_iter().flatten().map(|(path, _)| path.clone()).collect()
    }

    fn described(&self, operation: &str) -> &Value {
        let (method, path) = operation.split_once(' ').unwrap_or_default();
        &self.document["paths"][path][method.to_lowercase()]
    }

    /// Whether anybody may ask, by the document.
    fn is_public(&self, operation: &str) -> bool {
        let ways = self.described(operation).get("security").and_then(Value::as_array);
        ways.is_some_and(|ways| ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty)))
    }

    /// Operations that were not seen to do what they are for, and those that were not seen to refuse although they can.
    pub(super) fn missing(&self) -> (Vec<String>, Vec<String>) {
        let refuses = |operation: &String| {
            let answers = self.described(operation)["responses"].as_object().into_iter().flatten();
            answers.into_iter().any(|(status, _)| status.starts_with('4') && status != "429")
        };
        let all = self.operations();
        let unused = all.iter().filter(|operation| !self.succeeded.contains(*operation)).cloned().collect();
        (unused, all.into_iter().filter(|operation| refuses(operation) && !self.refused.contains(operation)).collect())
    }

    fn fill(&self, text: &str) -> String {
        let words = self.canaries.words().iter().map(|(name, word)| (*name, word));
        let kept = self.kept.iter().map(|(name, id)| (*name, id));
        words.chain(kept).fold(text.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word))
    }

    /// A path with ids in it; what no answer gave is an id of nothing.
    fn path(&self, path: &str) -> String {
        let filled = self.fill(path);
        let segments = filled.split('/').map(|part| if part.starts_with('{') { NOTHING } else { part });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Asks one after the other; what is not answered with success is noted, and the visit goes on.
    pub(super) async fn make(&mut self, steps: &[Step]) -> Result<(), Silent> {
        for step in steps {
            let waits_for_worker = step.operation.starts_with("POST /v1/audio/") || step.operation == UNTIL_THE_END;
            if self.described(step.operation).is_null() || waits_for_worker && !self.has_worker {
                continue;
            }
            let path = step.address().1;
            let is_there = path.contains('{') && !self.fill(&path).contains('{');
            let is_kept = is_there && self.is_kept_from_stranger(step).await?;
            let answer = self.until(step).await?;
            if (200..300).contains(&answer.status) {
                // It was there, and the request was right: that is why the other one was refused.
                is_kept.then(|| self.kept_apart.insert(step.operation.to_owned()));
            } else if answer.status == 404 && OFF_BY_DEFAULT.contains(&step.operation)
                || !self.canaries.has_voice()
                    && NEEDS_A_VOICE
                        .iter()
                        .any(|(asked, with)| *asked == step.operation && with.contains(&answer.status))
            {
                self.off.insert(step.operation);
            } else {
                self.unsuccessful.push(format!("{} {}: {}", step.operation, answer.status, code(&answer)));
            }
            for (name, at) in step.keep {
                let value = match at.strip_prefix('/') {
                    Some(_) => answer.json().pointer(at).and_then(Value::as_str).map(str::to_owned),
                    None => answer.header(at).rsplit('/').next().map(str::to_owned),
                };
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    self.kept.insert(name, value);
                }
            }
        }
        Ok(())
    }

    /// Asks, and where something is waited for again and again until the patience is over.
    async fn until(&mut self, step: &Step) -> Result<Answer, Silent> {
        let deadline = Instant::now() + self.patience;
        loop {
            let answer = self.send(step.operation, self.request(step, step.by)).await?;
            let is_so = |(at, says)| answer.json().pointer(at).and_then(Value::as_str) == Some(says);
            if step.until.is_none_or(is_so) || answer.status >= 400 || Instant::now() > deadline {
                return Ok(answer);
            }
            sleep(LOOK).await;
        }
    }

    /// Has another tenant ask for something that is there, before its owner does; gives whether it was refused as not being there.
    async fn is_kept_from_stranger(&mut self, step: &Step) -> Result<bool, Silent> {
        let answer = self.send(step.operation, self.request(step, By::Stranger)).await?;
        if (200..300).contains(&answer.status) {
            self.given_away.push(format!("{} answers {}", step.operation, answer.status));
        }
        let mut found = Searched::default();
        // Reading from memory does not fail.
        let _ = self.search.stream(step.operation, &answer.everything()[..], &mut found);
        self.given_away.extend(found.hits.keys().map(|what| format!("{} gives away the {what}", step.operation)));
        Ok(answer.status == 404)
    }

    /// Operations that name something in their path, and those of them that were not seen to keep it from another tenant while it was there.
    pub(super) fn not_kept(&self) -> (usize, Vec<String>) {
        let named: Vec<_> = self.operations().into_iter().filter(|operation| operation.contains('{')).collect();
        (named.len(), named.into_iter().filter(|operation| !self.kept_apart.contains(operation)).collect())
    }

    fn request(&self, step: &Step, by: By) -> Ask {
        let (method, path) = step.address();
        let ask = Ask::new(method.parse().unwrap_or_default(), self.path(&path) + &self.fill(step.query));
        let ask = match by {
            By::Nobody => ask,
            By::Owner => ask.header("authorization", self.fill("Bearer {owner}")),
            By::Guest => ask.header("authorization", self.fill("Bearer {guest}")),
            By::Stranger => ask.header("authorization", self.fill("Bearer {stranger}")),
        };
        match &step.sent {
            Sent::Nothing => ask,
            Sent::Json(body) => ask.json(self.fill(body)),
            Sent::Tus(headers) => {
                headers.iter().fold(tus(ask), |ask, (name, value)| ask.header(name, self.fill(value)))
            }
            Sent::Half(is_first) => {
                let recording = self.canaries.recording(1);
                let (first, second) = recording.split_at(recording.len() / 2);
                let (offset, half) = if *is_first { (0, first) } else { (first.len(), second) };
                let ask = tus(ask).header("content-type", "application/offset+octet-stream");
                Ask { body: half.to_vec(), ..ask.header("upload-offset", offset.to_string()) }
            }
            Sent::Form(number, fields) => self.form(ask, &self.canaries.recording(*number), fields),
            Sent::Voice(fields) => self.form(ask, &self.canaries.voice(), fields),
        }
    }

    fn form(&self, ask: Ask, recording: &[u8], fields: &[(&str, &str)]) -> Ask {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, self.fill(value))).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask.form((self.canaries.word("file name"), recording), &fields)
    }

    async fn send(&mut self, operation: &str, ask: Ask) -> Result<Answer, Silent> {
        let answer = self.client.send(ask).await?;
        self.requests += 1;
        self.request = answer.header("x-request-id").to_owned();
        match answer.status {
            200..300 => self.succeeded.insert(operation.to_owned()),
            400..500 => self.refused.insert(operation.to_owned()),
            _ => false,
        };
        if answer.status >= 500 {
            self.unsuccessful.push(format!("{operation} {}: {}", answer.status, code(&answer)));
        }
        Ok(answer)
    }

    /// Asks every operation for what is somebody else's. Gives those that answered as if it were the stranger's, and those in whose answer
    /// a canary was.
    pub(super) async fn ask_as(&mut self, who: Stranger) -> Result<Vec<String>, Silent> {
        let mut wrong = Vec::new();
        for operation in self.operations() {
            let (method, path) = address(&operation);
            let (is_named, path) = (path.contains('{'), self.path(&path));
            let ask = Ask::new(method.parse().unwrap_or_default(), path);
            let is_read = matches!(ask.method, Method::GET | Method::HEAD);
            let ask = match who {
                Stranger::Nobody if self.is_public(&operation) => continue,
                Stranger::Nobody => ask,
                // What names nothing is the stranger's own; a change of that is none of ours.
                Stranger::Tenant if !is_named && !is_read => continue,
                Stranger::Tenant => ask.header("authorization", self.fill("Bearer {stranger}")),
            };
            let answer = self.send(&operation, tus(ask)).await?;
            let is_answered = match who {
                Stranger::Nobody => answer.status != 401,
                Stranger::Tenant => is_named && (200..300).contains(&answer.status),
            };
            if is_answered {
                wrong.push(format!("{operation} answers {}", answer.status));
            }
            let mut found = Searched::default();
            // Reading from memory does not fail.
            let _ = self.search.stream(&operation, &answer.everything()[..], &mut found);
            wrong.extend(found.hits.keys().map(|what| format!("{operation} gives away the {what}")));
        }
        Ok(wrong)
    }

    /// Asks every operation wrongly: with a token that is none, and with canaries wherever something can be written that does not belong
    /// there. Nothing of it may do anything.
    pub(super) async fn ask_wrongly(&mut self) -> Result<(), Silent> {
        let (login, email) = ("POST /api/auth/login", "{e-mail address}@verify.invalid");
        let body = format!(r#"{{"email": "{email}", "password": "{{wrong password}}"}}"#);
        self.send(login, Ask::new(Method::POST, "/api/auth/login").json(self.fill(&body))).await?;
        self.client.send(Ask::new(Method::GET, self.fill("/{path}?{query}={query}"))).await?;
        for operation in self.operations() {
            let (method, path) = operation.split_once(' ').unwrap_or_default();
            let method: Method = method.parse().unwrap_or_default();
            let segments = path.split('/').map(|part| if part.starts_with('{') { "{path}" } else { part });
            let path = self.fill(&(segments.collect::<Vec<_>>().join("/") + "?q={query}&cursor={query}"));
            let takes_body = self.described(&operation).get("requestBody").is_some();
            let dirty = |ask: Ask| {
                let ask = ask.header("user-agent", self.fill("{user agent}")).header("cookie", self.fill("c={cookie}"));
                let ask = tus(ask).header("idempotency-key", self.fill("{idempotency key}"));
                let body = format!(r#"{{"{NO_FIELD}": "{{body of a bad request}}", "{{body of a bad request}}": "#);
                if takes_body { ask.json(self.fill(&body)) } else { ask }
            };
            let bearer = self.fill("Bearer {bearer token}");
            let stranger = dirty(Ask::new(method.clone(), path.clone())).header("authorization", bearer);
            // What takes neither a parameter nor a body would do what it is for.
            let is_safe = takes_body || operation.contains('{') || method == Method::GET;
            let owner = dirty(Ask::new(method, path)).header("authorization", self.fill("Bearer {owner}"));
            self.send(&operation, stranger).await?;
            if is_safe && !self.is_public(&operation) {
                self.send(&operation, owner).await?;
            }
        }
        Ok(())
    }

    /// Signs another tenant in, which from then on asks for everything before its owner does; gives whether it could.
    pub(super) async fn sign_in(&mut self, body: String) -> Result<bool, Silent> {
        let answer = self.send("POST /api/auth/login", Ask::new(Method::POST, "/api/auth/login").json(body)).await?;
        let token = answer.json()["accessToken"].as_str().unwrap_or_default().to_owned();
        let can = !token.is_empty();
        self.kept.insert("stranger", token);
        Ok(can)
    }

    /// What the service says of the call.
    pub(super) async fn call(&self) -> Result<Answer, Silent> {
        let ask = Ask::new(Method::GET, self.fill("/api/calls/{call}"));
        self.client.send(ask.header("authorization", self.fill("Bearer {owner}"))).await
    }

    /// The state of the call, and why it failed.
    pub(super) async fn state(&self) -> Result<(String, String), Silent> {
        let call = self.call().await?.json();
        let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
        Ok((text("status"), text("errorReason")))
    }
}

/// The code of an error; never what it says.
fn code(answer: &Answer) -> String {
    answer.json().pointer("/error/code").and_then(Value::as_str).unwrap_or("no code").to_owned()
}
