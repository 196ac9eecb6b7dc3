//! The recording without what was redacted, of a tenant that keeps recordings. Its one invariant: it is made of the whole recording, or it
//! is not kept; and then neither is the recording.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use bytes::Bytes;
use chrono::TimeDelta;
use futures::stream;
use speech::{audio::Blocks as _, transcribe::TranscribeError};
use tokio::{sync::mpsc, task::spawn_blocking};
use uuid::Uuid;

use super::{failure::Failure, pipeline::Run, recording};
use crate::{
    audio::{
        self, Media,
        silence::{Samples, Silences},
    },
    db::{TenantTx, Write},
    deletion::blobs::{Upload, UploadError, expect_upload},
    queue::MAX_ATTEMPTS,
    recordings,
    redaction::findings,
    telemetry::log,
    vault::{
        blobs::{BlobError, BlobPlace, Blobs, parts_of},
        key::Key,
        seal::RecordKind,
    },
};

/// Blocks of a second at most that wait for the store.
const WAITING: usize = 4;

/// How long what was made may wait for its call to be completed: a worker that dies leaves it to the outbox.
const DEADLINE: TimeDelta = TimeDelta::hours(24);

/// First bytes by which the media type is told.
const HEAD_BYTES: u64 = 16 << 10;

/// A recording that was made and stored, and what it was made of.
pub(super) struct Made {
    upload: Upload,
    bytes: u64,
    media: Media,
}

impl Made {
    /// Keeps both with the call: part of the transaction that completes it.
    pub(super) async fn keep(self, tx: &mut TenantTx<Write>) -> Result<(), Failure> {
        let place = self.upload.place();
        self.upload.end(tx).await.map_err(|error| match error {
            UploadError::TooLate => Failure::again("store_slow"),
            UploadError::Database(error) => error.into(),
        })?;
        Ok(audio::store::keep(tx, self.media, (place, self.bytes, parts_of(self.bytes))).await?)
    }
}

impl Run<'_> {
    /// Makes the recording to keep; `None` where the tenant keeps none, or it cannot be made: the transcript is worth more than that, so
    /// the call is completed without.
    pub(super) async fn make_kept(&self) -> Result<Option<Made>, Failure> {
        match self.try_to_make().await {
            Err(Failure::Final(fault)) => {
                log::warning!(call = self.lease.call, code = fault.code, "a recording cannot be kept");
                Ok(None)
            }
            Err(Failure::Again(fault)) if self.lease.attempt >= MAX_ATTEMPTS => {
                log::warning!(call = self.lease.call, code = fault.code, "a recording cannot be kept");
                Ok(None)
            }
            made => made,
        }
    }

    async fn try_to_make(&self) -> Result<Option<Made>, Failure> {
        let (app, call) = (&self.worker.app, self.lease.call);
        let mut tx = self.write().await?;
        let recording = match recordings::find(&mut tx, call).await? {
            Some(recording) if audio::store::is_on(&mut tx).await? => recording,
            _ => return Ok(None),
        };
        let found = findings::get(&mut tx, &app.vault, call).await?.ok_or(Failure::last("content_damaged"))?;
        let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await?;
        let key_to_read = Key::copy_of(key.expose());
        let object = (call, Uuid::now_v7());
        let upload = expect_upload(&mut tx, RecordKind::Call, object, app.clock.now() + DEADLINE).await?;
        tx.commit().await?;
        let media = media(&app.blobs, &key, recording).await?;
        let bytes = self.decode_again((recording, key_to_read), (upload.place(), &key), Silences::of(&found)).await?;
        Ok(Some(Made { upload, bytes, media }))
    }

    /// Decodes the recording once more, and stores it as samples that are silent where they have to be.
    async fn decode_again(
        &self,
        (recording, key): ((BlobPlace, u64), Key),
        (to, key_to_write): (BlobPlace, &Key),
        silences: Silences,
    ) -> Result<u64, Failure> {
        let blobs = &self.worker.app.blobs;
        let opened = recording::open(blobs.clone(), key, recording).await;
        let (length, read_at) = opened.map_err(|error| Failure::from(&error))?;
        let (decoder, cancelled): (_, Arc<AtomicBool>) = (self.worker.decoder.clone(), self.signals.cancelled.clone());
        let (blocks, made) = mpsc::channel::<io::Result<Bytes>>(WAITING);
        let decode = move || -> Result<(), Failure> {
            let whole = || -> Result<(), Failure> {
                let mut decoded = decoder.open(length, read_at, cancelled).map_err(|error| Failure::from(&error))?;
                let mut samples = Samples::new(silences, decoded.channels());
                while let Some(block) = decoded.next_block().map_err(TranscribeError::Audio)? {
                    // Nobody takes them any more where the store has failed, which it says itself.
                    if blocks.blocking_send(Ok(samples.next(block).into())).is_err() {
                        break;
                    }
                }
                Ok(())
            };
            let ended = whole();
            if ended.is_err() {
                // What breaks off is not stored as if it were all.
                let _ = blocks.blocking_send(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            ended
        };
        let blocks = Box::pin(stream::unfold(made, async |mut made| Some((made.recv().await?, made))));
        let (decoded, stored) = tokio::join!(spawn_blocking(decode), blobs.write(key_to_write, to, blocks));
        decoded.map_err(|_| Failure::again("internal_error"))??;
        stored.map_err(|error| Failure::from(&error))
    }
}

/// What the recording is, by its first bytes.
async fn media(blobs: &Blobs, key: &Key, (place, bytes): (BlobPlace, u64)) -> Result<Media, Failure> {
    let read = async {
        let mut head = Vec::new();
        let mut reader = blobs.read(key, place, bytes, 0..HEAD_BYTES).await?;
        while let Some(chunk) = reader.next().await? {
            head.extend_from_slice(&chunk);
        }
        Ok(head)
    };
    let head: Vec<u8> = read.await.map_err(|error: BlobError| Failure::from(&error))?;
    let container = speech::audio::sniff(&head, None).ok();
    container.and_then(Media::of).ok_or(Failure::last("audio_not_audio"))
}
