//! How often, how much and how long: every request passes here before its handler.
//!
//! Invariant: a request that is refused costs neither a body nor the database more than recognising its caller does.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::error::ErrorCode;
use axum::{
    body::{Body, HttpBody as _},
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    http::{
        HeaderValue,
        header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use http_body_util::Limited;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{Instant, timeout, timeout_at},
};

use super::{class::Class, proxy};
use crate::{
    app::App,
    auth::{Caller, Credential, Unrecognised},
    config::{Limits, Quota},
    error::ApiError,
    rate_limit::{Client, Decision, Network},
};

/// When to come again after there was no place: requests take a fraction of it.
const COME_AGAIN: u32 = 1;

/// What a form is longer than its recording: boundaries, headers of parts, the other fields.
const FRAMING: u64 = 1 << 20;

/// How many requests are answered at once.
pub struct Places {
    requests: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    uploads_each: u32,
    uploading: Arc<Mutex<HashMap<Client, u32>>>,
}

/// A place, given back when it is dropped.
#[derive(Default)]
struct Place {
    any: Option<OwnedSemaphorePermit>,
    #[expect(dead_code, reason = "given back when it is dropped")]
    own: Option<Own>,
}

tokio::task_local! {
    /// The place of the request that is being served.
    static PLACE: Arc<Place>;
}

/// Work that goes on when the request that is being served was dropped: its place is not given back before.
pub(super) fn in_its_place<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    PLACE.scope(PLACE.try_with(Arc::clone).unwrap_or_default(), work)
}

/// One of the uploads that somebody has under way, with whatever keys.
struct Own {
    uploading: Arc<Mutex<HashMap<Client, u32>>>,
    client: Client,
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = uploading.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                uploading.remove(&self.client);
            }
        }
    }
}

impl Places {
    /// As many as are configured; uploads have places of their own, so that they do not take those of reads.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let semaphore = |places: u32| Arc::new(Semaphore::new(places as usize));
        Self {
            requests: semaphore(limits.requests),
            uploads: semaphore(limits.uploads),
            uploads_each: limits.uploads_each,
            uploading: Arc::default(),
        }
    }

    /// A place, an empty one where none is needed. Nobody gets all places for uploads, which may take hours.
    fn take(&self, class: Class, client: Client) -> Result<Place, ApiError> {
        let (places, own) = match class {
            Class::Public => return Ok(Place::default()),
            Class::Upload => (&self.uploads, Some(self.own(client)?)),
            Class::Read | Class::Write | Class::SignIn => (&self.requests, None),
        };
        let any = Arc::clone(places).try_acquire_owned().map_err(|_| {
            ApiError::new(ErrorCode::Unavailable, "too many requests at once; try again").retry_after(COME_AGAIN)
        })?;
        Ok(Place { any: Some(any), own })
    }

    fn own(&self, client: Client) -> Result<Own, ApiError> {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        let count = uploading.entry(client).or_default();
        if *count >= self.uploads_each {
            let message = "you have too many uploads under way; send this one when another is through";
            return Err(ApiError::new(ErrorCode::RateLimited, message).retry_after(COME_AGAIN));
        }
        *count += 1;
        Ok(Own { uploading: Arc::clone(&self.uploading), client })
    }
}

/// Where a request comes from, for handlers: an extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Remote(pub Network);

/// Lets a request through when its caller may ask again, in a place of its own, with a body and a time that have an end.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let class = match request.extensions().get::<MatchedPath>() {
        Some(path) => Class::of(request.method(), path.as_str()),
        // What is no route is asked for by scanners: it counts, and costs nothing else.
        None => Class::Read,
    };
    let (mut parts, body) = request.into_parts();
    let client = recognise(&mut parts, &app).await;
    let quota = class.quota(&app.operation.config);
    let decision = app.operation.limiter.request(class.as_str(), client, quota).await;
    let request = Request::from_parts(parts, body);
    let mut response = if decision.is_allowed {
        // Several keys of a user are still one user.
        let user = request.extensions().get::<Caller>().map(|caller| Client::User(caller.scope().user()));
        match bounded(&app, (class, user.unwrap_or(client)), request, next).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        }
    } else {
        app.operation.metrics.rate_limited(class);
        let seconds = seconds(decision.retry_after);
        let error = ApiError::new(ErrorCode::RateLimited, "too many requests; Retry-After says when to come again");
        error.retry_after(seconds).into_response()
    };
    describe(&mut response, class, quota, decision);
    response
}

/// Whose request it is. What was found out stays in the request, so that its handler does not ask again.
async fn recognise(parts: &mut axum::http::request::Parts, app: &App) -> Client {
    let from = Remote(Network::from(proxy::client(parts, &app.operation.config.http)));
    parts.extensions.insert(from);
    let claims = parts.headers.contains_key(AUTHORIZATION) || parts.headers.contains_key(COOKIE);
    if !claims {
        return Client::Address(from.0);
    }
    match Caller::from_request_parts(parts, app).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            match caller.credential() {
                Credential::Session(_) => Client::User(caller.scope().user()),
                Credential::ApiKey(id) => Client::ApiKey(id),
            }
        }
        Err(error) => {
            parts.extensions.insert(Unrecognised(error));
            Client::Address(from.0)
        }
    }
}

/// Answers a request within its limits.
async fn bounded(
    app: &App,
    (class, client): (Class, Client),
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let limits = &app.operation.config.limits;
    let mut place = app.operation.places.take(class, client)?;
    let (most, time) = match class {
        Class::Upload => (limits.upload_body + FRAMING, limits.upload_time),
        _ => (limits.json_body, limits.request_time),
    };
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(ApiError::new(ErrorCode::PayloadTooLarge, "the body is too large").with("limitBytes", most));
    }
    let (parts, body) = request.into_parts();
    let watch = Watch::of(&body);
    // An upload has its place for as long as it comes: OpenAI's clients then wait for minutes. What one caller has under way is counted
    // until the answer.
    let through_body = if class == Class::Upload { place.any.take() } else { None };
    let body = watch.body(body, (limits.body_pause, Instant::now() + time), through_body);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let request = Request::from_parts(parts, Body::new(Limited::new(body, most)));
    let too_slow = || ApiError::new(ErrorCode::RequestTimeout, "the body comes too slowly");
    match timeout(time, PLACE.scope(Arc::new(place), next.run(request))).await {
        Ok(response) if watch.paused() && !response.status().is_success() => Err(too_slow()),
        // What is left of the body is not read. A client that is not told takes the connection for one that it may use again.
        Ok(mut response) if !watch.ended() && !response.status().is_success() => {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Ok(response)
        }
        Ok(response) => Ok(response),
        Err(_) if !watch.ended() => Err(too_slow()),
        Err(_) => Err(ApiError::new(ErrorCode::Unavailable, "this took too long; try again").retry_after(COME_AGAIN)),
    }
}

/// What became of a body.
#[derive(Clone, Default)]
struct Watch(Arc<Seen>);

#[derive(Default)]
struct Seen {
    paused: AtomicBool,
    ended: AtomicBool,
}

impl Watch {
    /// Of a body that nobody has read from; where there is none, it has ended.
    fn of(body: &Body) -> Self {
        let watch = Self::default();
        watch.0.ended.store(body.is_end_stream(), Ordering::Relaxed);
        watch
    }

    fn paused(&self) -> bool {
        self.0.paused.load(Ordering::Relaxed)
    }

    fn ended(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }

    /// The body, until it pauses for too long or its time is over, with what is kept while it comes. Its time is kept here as well as
    /// around the handler, because handlers leave work to tasks that nobody drops.
    fn body(&self, body: Body, (pause, end): (Duration, Instant), kept: Option<OwnedSemaphorePermit>) -> Body {
        let state = (body.into_data_stream(), Arc::clone(&self.0), kept);
        let pieces = futures::stream::unfold(state, move |(mut body, seen, kept)| async move {
            // Forms are read until there is nothing for the moment: a body that is always there would be held as a whole.
            yield_now().await;
            match timeout_at(end.min(Instant::now() + pause), body.next()).await {
                Ok(Some(piece)) => Some((piece.map_err(io::Error::other), (body, seen, kept))),
                Ok(None) => {
                    seen.ended.store(true, Ordering::Relaxed);
                    None
                }
                Err(_) => {
                    seen.paused.store(true, Ordering::Relaxed);
                    Some((Err(io::ErrorKind::TimedOut.into()), (body, seen, kept)))
                }
            }
        });
        Body::from_stream(pieces)
    }
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): what is allowed, and what is left of it.
fn describe(response: &mut Response, class: Class, quota: Quota, decision: Decision) {
    let (name, limit, window) = (class.as_str(), quota.limit, quota.window.as_secs());
    let wait = seconds(decision.reset_after.max(decision.retry_after));
    for (header, value) in [
        ("ratelimit-policy", format!("\"{name}\";q={limit};w={window}")),
        ("ratelimit", format!("\"{name}\";r={};t={wait}", decision.remaining)),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header, value);
        }
    }
}

/// Whole seconds, never too few.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}
