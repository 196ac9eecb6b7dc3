//! A request that adds bytes to an upload. Its one invariant: what it stores has a place that nothing else has, and counts only in a
//! transaction that finds the turn still its own; so of requests that race one adds, and the bytes of two are never mixed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use api::{calls::RecordingMetadata, error::ErrorCode};
use axum::{body::BodyDataStream, http::StatusCode, response::Response};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::sleep,
};
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

/// How long a request that puts a recording together keeps its turn after its last sign of life: should its server die, the client may
/// go on after that.
const LEASE: Duration = Duration::from_secs(30);

/// When to look again at a recording that is being put together, in seconds.
const JOINING: u32 = 2;

/// Recordings that a process puts together at once. Each reads and seals up to 2 GiB, with some megabytes in memory, whether its client
/// waits or not; others wait for a place.
const JOINS: usize = 8;

/// Those of one user.
const JOINS_EACH: usize = 2;

/// Places for putting recordings together.
pub struct Joins {
    all: Semaphore,
    each: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
}

impl Default for Joins {
    fn default() -> Self {
        Self { all: Semaphore::new(JOINS), each: Mutex::default() }
    }
}

impl Joins {
    /// Waits for a place. Who waits for one of their own holds none of the others'.
    async fn place(&self, user: Uuid) -> Result<(OwnedSemaphorePermit, SemaphorePermit<'_>), AcquireError> {
        let own = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            each.retain(|_, own| Arc::strong_count(own) > 1);
            Arc::clone(each.entry(user).or_insert_with(|| Arc::new(Semaphore::new(JOINS_EACH))))
        };
        Ok((own.acquire_owned().await?, self.all.acquire().await?))
    }
}

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
        let is_mine = store::take_turn(&mut tx, (id, turn)).await?;
        let upload = store::get(&mut tx, id, app.clock.now()).await?;
        if !is_mine {
            let message = "the recording is being put together; ask with HEAD what became of it";
            return Err(ApiError::new(ErrorCode::Conflict, message).retry_after(JOINING));
        }
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
        let last_place = self.place(last.object);
        let Some(mut pieces) = self.begin_to_join().await? else {
            self.discard(&[last_place]).await;
            return Err(lost());
        };
        pieces.push(last);
        let pieces: Vec<_> =
            pieces.iter().map(|piece| (self.place(piece.object), piece.bytes.unsigned_abs())).collect();
        let word = self.expect(Uuid::now_v7()).await?;
        let recording = word.place();
        let received = tokio::select! {
            received = self.join(pieces.clone(), recording) => received,
            () = self.turn_is_lost() => Err(lost()),
        };
        let received = match received {
            Ok(received) => received,
            Err(error) => {
                self.discard(&[last_place, recording]).await;
                return Err(self.refused(error).await?);
            }
        };
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        let call = match self.become_a_call(&mut tx, (word, &received)).await {
            Ok(call) => call,
            Err(error) => {
                drop(tx);
                self.discard(&[last_place, recording]).await;
                self.keep_turn(None).await?;
                return Err(error);
            }
        };
        // From here on only the database knows whether the recording is a call's; what is none's goes by the outbox.
        tx.commit().await?;
        self.app.changes.wake();
        if call == self.id {
            self.discard(&pieces.iter().map(|(place, _)| *place).collect::<Vec<_>>()).await;
        } else {
            self.discard_all().await;
        }
        Ok(answer(StatusCode::NO_CONTENT, self.upload.length, self.upload.expires_at, Some(call)))
    }

    /// Keeps the turn from now on, and gives what there is to join; `None` when the turn is lost.
    async fn begin_to_join(&self) -> ApiResult<Option<Vec<Piece>>> {
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        if !store::keep_turn(&mut tx, (self.id, self.turn), Some(LEASE.as_secs_f64())).await? {
            return Ok(None);
        }
        let pieces = store::pieces(&mut tx, self.id).await?;
        tx.commit().await?;
        Ok(Some(pieces))
    }

    async fn join(&self, pieces: Vec<(BlobPlace, u64)>, recording: BlobPlace) -> ApiResult<Received> {
        let _place =
            self.app.joins.place(self.caller.scope().user()).await.map_err(|error| ApiError::internal(&error))?;
        let blocks = Box::pin(joined(&self.app.blobs, &self.key, pieces));
        upload::receive(&self.app, (&self.key, recording), self.known_by.clone(), blocks).await
    }

    /// Says again and again that the turn is kept; ends when it is not.
    async fn turn_is_lost(&self) {
        loop {
            sleep(LEASE / 3).await;
            // A database that does not answer may do so before the lease ends.
            if let Ok(false) = self.keep_turn(Some(LEASE)).await {
                return;
            }
        }
    }

    async fn keep_turn(&self, lease: Option<Duration>) -> Result<bool, DbError> {
        let mut tx = self.app.database.write(self.caller.scope()).await?;
        let is_mine = store::keep_turn(&mut tx, (self.id, self.turn), lease.map(|lease| lease.as_secs_f64())).await?;
        tx.commit().await?;
        Ok(is_mine)
    }

    /// Gives the call that the upload is now: its own, or an earlier one of the same recording.
    async fn become_a_call(
        &self,
        tx: &mut TenantTx<Write>,
        (word, received): (deletion::blobs::Upload, &Received),
    ) -> ApiResult<Uuid> {
        if !store::has_turn(tx, (self.id, self.turn)).await? {
            return Err(lost());
        }
        let (call, metadata) = ((self.id, &self.key, None), self.metadata()?);
        let accepted = upload::record(&self.app, tx, call, (word, received), (&metadata, None)).await?;
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
            store::keep_turn(&mut tx, (self.id, self.turn), None).await?;
            tx.commit().await?;
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
