//! A request that adds bytes to an upload. Its one invariant: what it stores has a place that nothing else has, and counts only in a
//! transaction that finds the turn still its own; so of requests that race one adds, and the bytes of two are never mixed.

use api::{calls::RecordingMetadata, error::ErrorCode};
use axum::{body::BodyDataStream, http::StatusCode, response::Response};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::{
    field,
    headers::{Checksum, answer},
    store::{self, Piece, Upload},
};
use crate::{
    app::App,
    auth::Caller,
    calls::upload::{self, KnownBy, Received},
    db::{DbError, TenantTx, Write},
    deletion::{self, blobs::expect_upload},
    error::{ApiError, ApiResult},
    vault::{
        blobs::{BlobError, BlobPlace, Blobs},
        content::{self, Stored},
        key::Key,
        seal::RecordKind,
    },
};

/// A request that may add bytes.
pub(super) struct Turn {
    app: App,
    caller: Caller,
    id: Uuid,
    turn: Uuid,
    upload: Upload,
    key: Key,
    known_by: KnownBy,
}

impl Turn {
    /// Takes the turn, for the bytes from `offset` on; whoever had it has lost it.
    pub(super) async fn take(app: &App, caller: &Caller, id: Uuid, offset: i64) -> ApiResult<Self> {
        let turn = Uuid::now_v7();
        let mut tx = app.database.write(caller.scope()).await?;
        store::take_turn(&mut tx, id, turn).await?;
        let upload = store::get(&mut tx, id, app.clock.now()).await?;
        if upload.received != offset || upload.became.is_some() {
            let error =
                ApiError::new(ErrorCode::Conflict, "these are not the next bytes; ask with HEAD for the offset");
            return Err(error.with("offset", upload.received));
        }
        let key = app.vault.record_key(&mut tx, RecordKind::Call, id).await?;
        let known_by = KnownBy::of(app, &mut tx).await?;
        tx.commit().await?;
        Ok(Self { app: app.clone(), caller: *caller, id, turn, upload, key, known_by })
    }

    /// Leaves word that an object goes when the upload is over, unless it became the recording of a call by then.
    async fn expect(&self, object: Uuid) -> ApiResult<deletion::blobs::Upload> {
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        let word = expect_upload(&mut tx, RecordKind::Call, (self.id, object), self.upload.expires_at).await?;
        tx.commit().await?;
        Ok(word)
    }

    fn place(&self, object: Uuid) -> BlobPlace {
        BlobPlace { tenant: self.caller.scope().tenant(), record: self.id, object }
    }

    /// Adds what comes; with the last bytes the upload becomes a call.
    pub(super) async fn run(self, body: BodyDataStream, checksum: Option<Checksum>) -> ApiResult<Response> {
        let piece = self.store_piece(body, checksum).await?;
        let received = self.upload.received + piece.bytes;
        if received == self.upload.length {
            return self.finish(piece).await;
        }
        if piece.bytes > 0 {
            let mut tx = self.app.database.write(self.caller.scope()).await?;
            if !store::add(&mut tx, (self.id, self.turn), self.upload.received, &piece).await? {
                drop(tx);
                self.discard(&[self.place(piece.object)]).await;
                return Err(lost());
            }
            tx.commit().await?;
        }
        Ok(answer(StatusCode::NO_CONTENT, received, self.upload.expires_at, None))
    }

    /// Seals and stores what comes. A connection that breaks ends it, and what came until then counts, unless it was to be checked as
    /// a whole.
    async fn store_piece(&self, body: BodyDataStream, mut checksum: Option<Checksum>) -> ApiResult<Piece> {
        let place = self.expect(Uuid::now_v7()).await?.place();
        let room = (self.upload.length - self.upload.received).unsigned_abs();
        let (mut came, mut over) = (0, false);
        let blocks = body.take_while(|block| std::future::ready(block.is_ok())).map(|block| {
            let block = block.map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
            came += block.len() as u64;
            over = came > room;
            if let Some(checksum) = &mut checksum {
                checksum.update(&block);
            }
            if over { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(block) }
        });
        let written = self.app.blobs.write(&self.key, place, blocks).await;
        if over {
            return Err(ApiError::new(ErrorCode::PayloadTooLarge, "this is more than Upload-Length announced"));
        }
        let bytes = i64::try_from(written?).unwrap_or(i64::MAX);
        let checked = checksum.map_or(Ok(()), Checksum::check);
        if bytes == 0 || checked.is_err() {
            self.discard(&[place]).await;
        }
        checked.map(|()| Piece { object: place.object, bytes })
    }

    /// Makes a recording of the pieces, in a place of its own, and a call of the recording.
    async fn finish(self, last: Piece) -> ApiResult<Response> {
        let mut tx = self.app.database.read(self.caller.scope()).await?;
        let mut pieces = store::pieces(&mut tx, self.id).await?;
        let metadata = self.metadata()?;
        drop(tx);
        let last_place = self.place(last.object);
        pieces.push(last);
        let places: Vec<(BlobPlace, u64)> =
            pieces.iter().map(|piece| (self.place(piece.object), piece.bytes.unsigned_abs())).collect();
        let word = self.expect(Uuid::now_v7()).await?;
        let recording = word.place();
        let blocks = Box::pin(joined(&self.app.blobs, &self.key, places.clone()));
        let received = match upload::receive(&self.app, (&self.key, recording), self.known_by.clone(), blocks).await {
            Ok(received) => received,
            Err(error) => {
                self.discard(&[last_place]).await;
                return Err(self.refused(error).await?);
            }
        };
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        let call = match self.become_a_call(&mut tx, (word, &received), &metadata).await {
            Ok(call) => call,
            Err(error) => {
                drop(tx);
                self.discard(&[last_place, recording]).await;
                return Err(error);
            }
        };
        // From here on only the database knows whether the recording is a call's; what is none's goes by the outbox.
        tx.commit().await?;
        self.app.changes.wake();
        if call == self.id {
            self.discard(&places.iter().map(|(place, _)| *place).collect::<Vec<_>>()).await;
        } else {
            self.discard_all().await;
        }
        Ok(answer(StatusCode::NO_CONTENT, self.upload.length, self.upload.expires_at, Some(call)))
    }

    /// Gives the call that the upload is now: its own, or an earlier one of the same recording.
    async fn become_a_call(
        &self,
        tx: &mut TenantTx<Write>,
        (word, received): (deletion::blobs::Upload, &Received),
        metadata: &RecordingMetadata,
    ) -> ApiResult<Uuid> {
        if !store::has_turn(tx, (self.id, self.turn)).await? {
            return Err(lost());
        }
        let call = (self.id, &self.key, None);
        let accepted = upload::record(&self.app, tx, call, (word, received), (metadata, None)).await?;
        store::finish(tx, self.id, accepted.call_id).await?;
        if accepted.call_id != self.id {
            store::abandon(tx, self.id).await?;
        }
        Ok(accepted.call_id)
    }

    fn metadata(&self) -> ApiResult<RecordingMetadata> {
        let sealed = self.upload.sealed.as_deref().ok_or(DbError::Unexpected)?;
        let plain = content::open(&Stored { key: &self.key, field: field(self.id), sealed })?;
        Ok(serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?)
    }

    /// What to say of pieces that became no recording. What is none does not become one by being sent again, and the upload ends; whatever
    /// else went wrong was the store's fault, or that of a later request that was faster.
    async fn refused(&self, error: ApiError) -> ApiResult<ApiError> {
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        if !store::has_turn(&mut tx, (self.id, self.turn)).await? {
            return Ok(lost());
        }
        if !matches!(error.code(), ErrorCode::AudioEmpty | ErrorCode::UnsupportedMediaType | ErrorCode::PayloadTooLarge)
        {
            let message = "the recording could not be put together now; send its last bytes again";
            return Ok(ApiError::new(ErrorCode::Unavailable, message).retry_after(2));
        }
        store::abandon(&mut tx, self.id).await?;
        store::remove(&mut tx, self.id).await?;
        tx.commit().await?;
        self.discard_all().await;
        Ok(error)
    }

    /// Removes objects that are not needed any more; what fails goes with the recording, or by the outbox.
    async fn discard(&self, places: &[BlobPlace]) {
        for place in places {
            let _ = self.app.blobs.remove(*place).await;
        }
    }

    /// Removes all that this upload stored; what fails goes by the outbox.
    async fn discard_all(&self) {
        let _ = self.app.blobs.remove_record(self.caller.scope().tenant(), self.id).await;
    }
}

fn lost() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "a later request adds to this upload; ask with HEAD for the offset")
}

/// The plaintext of several objects, one after the other, a chunk at a time.
fn joined<'a>(
    blobs: &'a Blobs,
    key: &'a Key,
    places: Vec<(BlobPlace, u64)>,
) -> impl Stream<Item = Result<bytes::Bytes, BlobError>> + 'a {
    futures::stream::iter(places)
        .then(move |(place, length)| async move { blobs.read(key, place, length, 0..length).await })
        .map_ok(|reader| {
            futures::stream::try_unfold(reader, |mut reader| async move {
                Ok(reader.next().await?.map(|block| (block, reader)))
            })
        })
        .try_flatten()
}
