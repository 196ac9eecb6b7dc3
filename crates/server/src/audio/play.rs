//! The bytes of a play, as a stream. Its one invariant: a part of the object at most is held, still sealed, and plaintext only as chunks
//! in flight; and who plays may still play, and the recording is still kept, whenever another part of it is opened.

use std::{io, ops::Range, time::Duration};

use axum::{body::Body, http::request::Parts};
use bytes::Bytes;
use futures::stream;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use super::{
    Rendition,
    open::Open,
    routes::may_hear_the_original,
    store::{self, Found, Kept},
};
use crate::{
    app::App,
    auth::Caller,
    calls::routes::or_call,
    error::{ApiError, ApiResult},
    http::places::Place,
    telemetry::log,
    vault::blobs::BlobError,
};

/// Bytes between two looks whether the play may go on: a part of an object, two minutes of two channels.
const STRETCH: u64 = 4 << 20;

/// Chunks that wait for the client.
const WAITING: usize = 2;

/// Opens what is kept of a call for who may see the call.
pub(super) async fn open(app: &App, caller: &Caller, (call, rendition): (Uuid, Rendition)) -> ApiResult<Open> {
    let mut tx = app.database.read(caller.scope()).await?;
    let kept = match store::find(&mut tx, call, rendition).await.map_err(or_call)? {
        Found::Kept(kept) => kept,
        Found::Nothing => return Err(ApiError::not_found()),
        Found::TurnedOff => return Err(turned_off()),
    };
    Ok(Open::of(&mut tx, &app.vault, (kept, rendition)).await?)
}

fn turned_off() -> ApiError {
    ApiError::new(
        api::error::ErrorCode::FeatureNotAvailable,
        "recordings are not kept here; owners and admins may turn that on",
    )
}

/// Who plays what.
pub(super) struct Play {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) parts: Parts,
    pub(super) what: (Uuid, Rendition),
    pub(super) _place: Place,
}

/// The bytes of a range, as they are read.
pub(super) fn body(play: Play, open: Open, range: Range<u64>) -> Body {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(send(play, open, range, sender));
    Body::from_stream(stream::unfold(receiver, async |mut receiver| {
        let next: io::Result<Bytes> = receiver.recv().await?;
        Some((next, receiver))
    }))
}

async fn send(mut play: Play, mut open: Open, range: Range<u64>, sender: mpsc::Sender<io::Result<Bytes>>) {
    let patience = play.app.operation.config.limits.body_pause;
    let mut at = range.start;
    while at < range.end {
        let stretch = at..range.end.min(at + STRETCH);
        if at > range.start {
            match play.again(&open.kept).await {
                Ok(still) => open = still,
                // Told by the end of the connection: the headers are out.
                Err(_) => {
                    return drop(timeout(patience, sender.send(Err(io::ErrorKind::PermissionDenied.into()))).await);
                }
            }
        }
        at = stretch.end;
        if let Err(error) = send_stretch(&play.app, &open, stretch, (&sender, patience)).await {
            return drop(timeout(patience, sender.send(Err(error))).await);
        }
    }
}

impl Play {
    /// Looks again who plays, and whether it is still there, the same.
    async fn again(&mut self, before: &Kept) -> ApiResult<Open> {
        self.caller = self.caller.again(&mut self.parts, &self.app).await?;
        let open = open(&self.app, &self.caller, self.what).await?;
        if self.what.1 == Rendition::Original {
            may_hear_the_original(&self.caller, open.kept.owner)?;
        }
        if open.kept == *before { Ok(open) } else { Err(ApiError::not_found()) }
    }
}

async fn send_stretch(
    app: &App,
    open: &Open,
    stretch: Range<u64>,
    (sender, patience): (&mpsc::Sender<io::Result<Bytes>>, Duration),
) -> io::Result<()> {
    let failed = |error: BlobError| {
        log::warning!(fault = &error, "a recording that is kept cannot be read");
        io::Error::from(io::ErrorKind::InvalidData)
    };
    let mut bytes = open.read(&app.blobs, stretch).await.map_err(failed)?;
    while let Some(next) = bytes.next().await.map_err(failed)? {
        match timeout(patience, sender.send(Ok(next))).await {
            Ok(Ok(())) => {}
            _ => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
    Ok(())
}
