//! The bytes of a play, as a stream. Its one invariant: a part of the object at most is held, still sealed, and plaintext only as chunks
//! in flight; and who plays may still play, and the recording is still kept, whenever another part of it is opened.

use std::{io, ops::Range, time::Duration};

use axum::{body::Body, http::request::Parts};
use bytes::{Bytes, BytesMut};
use futures::stream;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use super::{
    Media, Place, Rendition,
    routes::may_hear_the_original,
    silence::Silences,
    store::{self, Found, Kept},
    wave,
};
use crate::{
    app::App,
    auth::Caller,
    calls::routes::or_call,
    error::{ApiError, ApiResult},
    redaction::findings,
    telemetry::log,
    vault::{key::Key, seal::RecordKind},
};

/// Bytes between two looks whether the play may go on: a part of an object, two minutes of two channels.
const STRETCH: u64 = 4 << 20;

/// Chunks that wait for the client.
const WAITING: usize = 2;

/// A recording that may be played, and what opens it.
pub(super) struct Open {
    pub(super) kept: Kept,
    key: Key,
    silences: Silences,
}

impl Open {
    /// Opens what is kept of a call for who may see the call.
    pub(super) async fn of(app: &App, caller: &Caller, (call, rendition): (Uuid, Rendition)) -> ApiResult<Self> {
        let mut tx = app.database.read(caller.scope()).await?;
        let kept = match store::find(&mut tx, call, rendition).await.map_err(or_call)? {
            Found::Kept(kept) => kept,
            Found::Nothing => return Err(ApiError::not_found()),
            Found::TurnedOff => return Err(turned_off()),
        };
        let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await?;
        let silences = match rendition {
            Rendition::Original => Silences::default(),
            // What people have taken out since the recording was made is silent as well.
            Rendition::Redacted => Silences::of(&findings::get(&mut tx, &app.vault, call).await?.unwrap_or_default()),
        };
        Ok(Self { kept, key, silences })
    }

    /// Bytes of what is played.
    pub(super) fn length(&self) -> u64 {
        let header = if self.kept.media == Media::Samples { wave::HEADER } else { 0 };
        header + self.kept.bytes
    }
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
        let caller = Caller::again(&mut self.parts, &self.app).await?;
        let open = Open::of(&self.app, &caller, self.what).await?;
        if self.what.1 == Rendition::Original {
            may_hear_the_original(&caller, open.kept.owner)?;
        }
        if open.kept == *before { Ok(open) } else { Err(ApiError::not_found()) }
    }
}

async fn send_stretch(
    app: &App,
    Open { kept, key, silences }: &Open,
    stretch: Range<u64>,
    (sender, patience): (&mpsc::Sender<io::Result<Bytes>>, Duration),
) -> io::Result<()> {
    let send = async |bytes: Bytes| match timeout(patience, sender.send(Ok(bytes))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(io::Error::from(io::ErrorKind::TimedOut)),
    };
    let samples = if kept.media == Media::Samples {
        let (head, samples) = wave::split(&stretch);
        if !head.is_empty() {
            // One channel or two.
            let header = wave::header(kept.bytes, kept.channels as u16);
            send(Bytes::copy_from_slice(&header[head])).await?;
        }
        samples
    } else {
        stretch
    };
    let failed = |error: crate::vault::blobs::BlobError| {
        log::warning!(fault = &error, "a recording that is kept cannot be read");
        io::Error::from(io::ErrorKind::InvalidData)
    };
    if samples.is_empty() {
        return Ok(());
    }
    let mut at = samples.start;
    let mut reader = app.blobs.read(key, kept.place, kept.bytes, samples).await.map_err(failed)?;
    while let Some(plain) = reader.next().await.map_err(failed)? {
        let length = plain.len() as u64;
        let mut plain = BytesMut::from(plain);
        silences.silence(&mut plain, at, kept.channels);
        at += length;
        send(plain.freeze()).await?;
    }
    Ok(())
}
