//! How a call comes along, as Server-Sent Events (WHATWG HTML, 9.2). Its one invariant: a stream shows what its reader may see at that
//! moment: who reads is checked again before every look, and no connection to the database is held between two looks.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use api::{
    calls::{CallProgress, ProcessingEvent, ProcessingEvents},
    error::ErrorBody,
};
use axum::{
    Json,
    extract::State,
    http::request::Parts,
    response::sse::{Event as Message, KeepAlive, Sse},
};
use futures::Stream;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    routes::or_call,
    store::{self, Event},
};
use crate::{
    app::App,
    auth::Caller,
    db::DbError,
    error::{ApiError, ApiResult},
    http::{
        extract::Path,
        places::{Place, Places, Shares, Told},
    },
    worker::stage::{Outcome, Stage},
};

/// Streams of events that a user may have open: some tabs on some devices.
const MAX_STREAMS: usize = 16;

/// Those of a tenant: an office of a hundred with two or three tabs each.
const TENANT_STREAMS: usize = 256;

/// Those of one process: each is a look at the database four times a second at most, and some kilobytes.
const ALL_STREAMS: usize = 1024;

/// Between two looks at least, so that a thousand changes of others cost a stream four looks a second.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two looks at most: a notice can be lost, and signing out ends a stream within a second.
const POLL: Duration = Duration::from_millis(750);

/// Between two comments while nothing happens: proxies give up on a silent connection after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is said where there are too many.
const TOLD: Told = Told {
    user: "you have too many streams open; close one, or poll /api/calls/status",
    tenant: "your tenant has too many streams open; close one, or poll /api/calls/status",
    all: "too many streams are open; poll /api/calls/status, or try again",
};

/// Places of those who watch, in whatever shape.
#[must_use]
pub fn places() -> Places {
    Places::new(Shares { user: MAX_STREAMS, tenant: TENANT_STREAMS, all: ALL_STREAMS, retry_after: 30 })
}

impl Event {
    pub(crate) fn shown(&self) -> ApiResult<ProcessingEvent> {
        Ok(ProcessingEvent {
            event_id: self.id,
            stage: Stage::numbered(self.stage).ok_or(DbError::Unexpected)?.as_str().to_owned(),
            outcome: Outcome::numbered(self.outcome).ok_or(DbError::Unexpected)?.shown(),
            provider: self.provider.clone(),
            duration_ms: self.duration_ms,
            error_code: self.error_code.clone(),
            at: self.created_at,
        })
    }
}

/// An event of the stream, for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an event")]
struct ServerSentEvent {
    /// `stage` or `status`.
    event: String,
    /// Of a `stage` event.
    id: Option<String>,
    /// A `ProcessingEvent` or a `CallProgress`, in JSON.
    data: String,
}

/// How a call comes along: `stage` events (a processing event, with its id) and `status` events (status and percent), until it is
/// completed or has failed. `Last-Event-ID` goes on behind an event.
#[utoipa::path(
    get, path = "/api/calls/{id}/events", tag = "calls",
    params(("id" = Uuid, Path), ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen")),
    responses(
        (status = 200, content((ServerSentEvent = "text/event-stream"))),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    parts: Parts,
) -> ApiResult<Sse<impl Stream<Item = Result<Message, Infallible>>>> {
    let mut tx = app.database.read(caller.scope()).await?;
    store::get(&mut tx, id).await.map_err(or_call)?;
    drop(tx);
    let place = app.streams.take(caller.scope(), TOLD)?;
    let after = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (changes, stopping) = (app.changes.watch(), app.operation.stopping());
    let waiting = VecDeque::new();
    let watcher =
        Watcher { app, caller, parts, call: id, after, status: None, changes, stopping, waiting, _place: place };
    let messages = futures::stream::unfold(watcher, async |mut watcher| {
        let message = watcher.next().await?;
        Some((Ok(message), watcher))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Watcher {
    app: App,
    caller: Caller,
    parts: Parts,
    call: Uuid,
    /// The last event that was shown.
    after: Option<Uuid>,
    /// What was shown of the status.
    status: Option<CallProgress>,
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    waiting: VecDeque<Message>,
    _place: Place,
}

impl Watcher {
    /// The next message; `None` when the call will not change any more, is gone, or the reader may not see it any more, and when the
    /// service stops: the reader goes on elsewhere with `Last-Event-ID`.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            if let Some(status) = &self.status {
                if status.status.is_terminal() {
                    return None;
                }
                let change = async {
                    sleep(PAUSE).await;
                    // Either a change or the time to look anyway.
                    let _ = timeout(POLL, self.changes.changed()).await;
                };
                tokio::select! {
                    () = change => {}
                    _ = self.stopping.wait_for(|is_stopping| *is_stopping) => return None,
                }
            }
            self.changes.mark_unchanged();
            self.look().await.ok().flatten()?;
        }
    }

    /// Reads what is new; `None` when there is nothing to see any more.
    async fn look(&mut self) -> ApiResult<Option<()>> {
        // Asked anew each time: who signed out sees no more.
        self.caller = self.caller.again(&mut self.parts, &self.app).await?;
        let mut tx = self.app.database.read(self.caller.scope()).await?;
        // The status first: an event is committed before the status that it leads to, or with it.
        let Some(progress) = store::progress(&mut tx, &[self.call]).await?.pop() else { return Ok(None) };
        let events = store::events(&mut tx, self.call, self.after).await?;
        drop(tx);
        for event in events {
            self.after = Some(event.id);
            let message = Message::default().event("stage").id(event.id.to_string());
            self.waiting.push_back(message.json_data(event.shown()?).map_err(|error| ApiError::internal(&error))?);
        }
        let progress = progress.shown()?;
        if self.status.as_ref() != Some(&progress) {
            let message = Message::default().event("status");
            self.waiting.push_back(message.json_data(&progress).map_err(|error| ApiError::internal(&error))?);
            self.status = Some(progress);
        }
        Ok(Some(()))
    }
}

/// What happened to a call while it was processed. Not there unless an operator turned it on.
#[utoipa::path(
    get, path = "/api/debug/calls/{id}/events", tag = "calls", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = ProcessingEvents),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn debug(
    State(app): State<App>,
    caller: Result<Caller, ApiError>,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<ProcessingEvents>> {
    if !app.operation.config.debug_call_events {
        return Err(ApiError::not_found());
    }
    let mut tx = app.database.read(caller?.scope()).await?;
    store::get(&mut tx, id).await.map_err(or_call)?;
    let events = store::events(&mut tx, id, None).await?;
    Ok(Json(ProcessingEvents { items: events.iter().map(Event::shown).collect::<ApiResult<_>>()? }))
}
