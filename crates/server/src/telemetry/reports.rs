//! Reports of faults to a service that speaks Sentry's protocol, where one is configured (H10).
//!
//! Invariant: what leaves is built anew from a list of what may: the sentence of a line of the level `ERROR` of this program, its
//! [`Fault`](super::fault::Fault) and place, and the id of the request. Whatever else an event may carry (bodies, headers, users,
//! breadcrumbs, local variables) is not on the list.

use std::{fmt, sync::Arc, time::Duration};

use sentry::{
    Client, ClientOptions, Level,
    protocol::{Event, Exception, Frame, Request, Stacktrace, Values},
    transports::DefaultTransportFactory,
};
use tracing::{
    Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::Context,
    registry::LookupSpan,
};

use super::mask::masked;
use crate::http::request_id;

/// Tags that leave.
const TAGS: [&str; 3] = ["fault", "place", "request"];

/// Headers that leave, of a request that somebody should ever attach: they tell of formats and sizes.
const HEADERS: [&str; 3] = ["accept", "content-length", "content-type"];

/// How long reports may take when the program ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where reports go, if anywhere.
#[derive(Clone)]
pub struct Reports(Option<Arc<Client>>);

impl Reports {
    /// Reports to the address of a project (a DSN), from a thread of its own; the environment is not asked. What the service does not take
    /// in time is dropped.
    #[must_use]
    pub fn new(dsn: Option<sentry::types::Dsn>) -> Self {
        let Some(dsn) = dsn else { return Self(None) };
        let mut options = ClientOptions::new()
            .release(concat!("subrosa@", env!("CARGO_PKG_VERSION")))
            .max_breadcrumbs(0)
            .default_integrations(false)
            .send_default_pii(false)
            .max_request_body_size(sentry::MaxRequestBodySize::None)
            .before_breadcrumb(|_| None)
            .before_send(|event| Some(allowed(event)))
            .transport(DefaultTransportFactory)
            .shutdown_timeout(PATIENCE);
        options.dsn = Some(dsn);
        Self(Some(Arc::new(Client::with_options(options))))
    }

    /// What reports faults of this program.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let ours = Targets::new().with_target("server", LevelFilter::ERROR).with_target("subrosa", LevelFilter::ERROR);
        Some(Reporter(Arc::clone(self.0.as_ref()?)).with_filter(ours))
    }

    /// Reports an event; for what is not a line of the log.
    pub fn report(&self, event: Event<'static>) {
        if let Some(client) = &self.0 {
            client.capture_event(event, None);
        }
    }

    /// Sends what waits.
    pub fn finish(&self) {
        if let Some(client) = &self.0 {
            client.close(Some(PATIENCE));
        }
    }
}

struct Reporter(Arc<Client>);

impl<S: Subscriber> Layer<S> for Reporter {
    fn on_event(&self, line: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut event = Event { level: Level::Error, ..Event::default() };
        line.record(&mut Fields(&mut event));
        event.tags.insert("request".to_owned(), request_id::current());
        self.0.capture_event(event, None);
    }
}

struct Fields<'a>(&'a mut Event<'static>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.0.message = Some(value.to_owned()),
            name => _ = self.0.tags.insert(name.to_owned(), value.to_owned()),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// What may leave of an event.
fn allowed(event: Event<'static>) -> Event<'static> {
    let tags = event.tags.into_iter().filter(|(name, _)| TAGS.contains(&name.as_str()));
    Event {
        event_id: event.event_id,
        level: event.level,
        timestamp: event.timestamp,
        release: event.release,
        message: event.message.map(|message| masked(&message).into_owned()),
        tags: tags.map(|(name, value)| (name, masked(&value).into_owned())).collect(),
        exception: Values { values: event.exception.into_iter().map(of_exception).collect() },
        request: event.request.map(of_request),
        ..Event::default()
    }
}

/// Its kind and where it happened; its words may quote anything.
fn of_exception(exception: Exception) -> Exception {
    let frames = |stack: Stacktrace| stack.frames.into_iter().map(of_frame).collect();
    Exception {
        ty: exception.ty,
        stacktrace: exception.stacktrace.map(|stack| Stacktrace { frames: frames(stack), ..Stacktrace::default() }),
        ..Exception::default()
    }
}

fn of_frame(frame: Frame) -> Frame {
    Frame { function: frame.function, module: frame.module, lineno: frame.lineno, ..Frame::default() }
}

fn of_request(request: Request) -> Request {
    let headers = request.headers.into_iter().filter(|(name, _)| HEADERS.contains(&name.to_ascii_lowercase().as_str()));
    Request { method: request.method, headers: headers.collect(), ..Request::default() }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use sentry::protocol::{Breadcrumb, LogEntry, User, Value};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::telemetry::log;

    const CANARY: &str = "Ada Lovelace, +44 20 7946 0958, ada@example.org";

    /// A service that speaks Sentry's protocol: the address of a project, and the bodies of the requests it takes.
    fn service(reports: usize) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://key@{}/1", listener.local_addr().unwrap());
        let service = std::thread::spawn(move || {
            let mut told = String::new();
            for _ in 0..reports {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut request, mut piece) = (Vec::new(), [0; 4096]);
                loop {
                    let text = String::from_utf8_lossy(&request).to_lowercase();
                    let length =
                        text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
                    let body = text.find("\r\n\r\n").map(|end| request.len() - end - 4);
                    if length.is_some() && body >= length {
                        break;
                    }
                    let read = stream.read(&mut piece).unwrap();
                    request.extend_from_slice(&piece[..read]);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
                told += &String::from_utf8(request).unwrap();
            }
            told
        });
        (address, service)
    }

    #[test]
    fn a_fault_is_reported_by_its_sentence_and_its_code_and_the_request() {
        let (address, service) = service(1);
        let reports = Reports::new(address.parse().ok());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(reports.layer()), || {
            log::info!("nothing to report");
            log::error!(fault = &crate::db::DbError::Busy, attempt = 3, "a request failed");
        });
        reports.finish();
        let told = service.join().unwrap();
        let event: Value = told
            .lines()
            .find(|line| line.contains("event_id") && line.contains("message"))
            .map(|line| serde_json::from_str(line).unwrap())
            .unwrap();
        assert_eq!(event["message"], "a request failed");
        let tags = serde_json::json!({ "fault": "the database is busy", "request": uuid::Uuid::nil() });
        assert_eq!(event["tags"], tags);
    }

    #[test]
    fn an_event_with_content_in_every_field_leaves_without_it() {
        let (address, service) = service(1);
        let reports = Reports::new(address.parse().ok());
        let secret = || CANARY.to_owned();
        let secrets =
            || [(secret(), secret()), ("authorization".to_owned(), secret()), ("Cookie".to_owned(), secret())].into();
        let frame = Frame {
            vars: [(secret(), Value::String(secret()))].into(),
            filename: Some(secret()),
            abs_path: Some(secret()),
            context_line: Some(secret()),
            pre_context: vec![secret()],
            function: Some("serve".to_owned()),
            ..Frame::default()
        };
        let exception = Exception {
            ty: "Panic".to_owned(),
            value: Some(secret()),
            module: Some(secret()),
            stacktrace: Some(Stacktrace { frames: vec![frame], ..Stacktrace::default() }),
            ..Exception::default()
        };
        let request = Request {
            url: "https://calls.example/?q=Ada%20Lovelace".parse().ok(),
            method: Some("POST".to_owned()),
            data: Some(secret()),
            query_string: Some(secret()),
            cookies: Some(secret()),
            headers: secrets(),
            env: secrets(),
        };
        reports.report(Event {
            message: Some("call +44 20 7946 0958 or ada@example.org".to_owned()),
            logentry: Some(LogEntry { message: secret(), params: vec![Value::String(secret())] }),
            culprit: Some(secret()),
            transaction: Some(secret()),
            logger: Some(secret()),
            server_name: Some(CANARY.into()),
            user: Some(User { email: Some(secret()), username: Some(secret()), ..User::default() }),
            request: Some(request),
            breadcrumbs: vec![Breadcrumb { message: Some(secret()), ..Breadcrumb::default() }].into(),
            exception: vec![exception].into(),
            tags: [("fault".to_owned(), "ada@example.org".to_owned()), ("title".to_owned(), secret())].into(),
            extra: [(secret(), Value::String(secret()))].into(),
            modules: secrets(),
            ..Event::default()
        });
        reports.finish();
        let told = service.join().unwrap();
        assert!(
            told.contains("call [phone] or [email]") && told.contains("\"serve\"") && told.contains("Panic"),
            "{told}"
        );
        for canary in ["Ada", "Lovelace", "7946", "example.org", "authorization\"", "Cookie"] {
            assert!(!told.contains(canary), "{canary}: {told}");
        }
    }
}
