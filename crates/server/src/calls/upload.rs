//! A recording on its way in. Its one invariant: bytes are sealed as they come, some megabytes are held whatever the length, and no
//! connection to the database is held while they flow; then one transaction makes the call, or nothing is left of it.
//!
//! What goes wrong, or goes away, has its blobs removed at once; for a program that dies, the outbox has had an entry since before the
//! first byte.

use std::io;

use api::{
    calls::{Accepted, CallStatus, RecordingMetadata},
    error::ErrorCode,
};
use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::{Stream, StreamExt as _};
use uuid::Uuid;

use super::{CallDocument, Recognition, STATUSES, of_code, store};
use crate::{
    app::App,
    auth::Caller,
    contacts,
    db::{DbError, Role, TenantTx, Write},
    deletion::blobs::{Upload, UploadError, expect_upload},
    error::{ApiError, ApiResult},
    queue::{self, JobKind},
    recordings, redaction,
    vault::{
        blobs::BlobPlace,
        key::Key,
        keys::{IndexKey, NewRecordKey, VaultError},
        seal::RecordKind,
    },
};

/// How long a recording that is sent again is known, and how long one may take to arrive.
pub const REMEMBERED: TimeDelta = TimeDelta::hours(24);

/// First bytes by which a recording is told from other files. An MPEG frame is at most 2,881 bytes long, and tags may precede it.
const HEAD_BYTES: usize = 16 << 10;

/// Whether somebody may bring recordings.
///
/// # Errors
/// When not.
pub fn admit(caller: &Caller) -> ApiResult<()> {
    caller.may_upload()?;
    match caller.scope().role() {
        Role::Auditor => Err(ApiError::new(ErrorCode::Forbidden, "an auditor does not upload recordings")),
        _ => Ok(()),
    }
}

/// A call that is to be: its id, its key, and what becomes of its blobs when it never is.
pub struct Begun {
    /// The call.
    pub call: Uuid,
    /// Its key, not stored yet.
    pub new: NewRecordKey,
    /// By which the recording will be known.
    pub known_by: KnownBy,
    /// Word of its recording in the outbox.
    pub upload: Upload,
    cleanup: Cleanup,
}

/// The key of the HMAC by which a user's recording is known.
#[derive(Clone)]
pub struct KnownBy(hmac::Context);

impl KnownBy {
    /// For a recording of the transaction's user, so that others' recordings, though the same, are not known.
    ///
    /// # Errors
    /// When the tenant's key cannot be had.
    pub async fn of(app: &App, tx: &mut TenantTx<Write>) -> Result<Self, VaultError> {
        let index = IndexKey::Recording.derive(&*app.vault.tenant_key(tx).await?);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, index.expose()));
        context.update(tx.scope().user().as_bytes());
        Ok(Self(context))
    }
}

/// Makes the key and leaves word in the outbox.
///
/// # Errors
/// When somebody may not upload; what a transaction may fail with.
pub async fn begin(app: &App, caller: &Caller) -> ApiResult<Begun> {
    admit(caller)?;
    let call = Uuid::now_v7();
    let mut tx = app.database.write(caller.scope()).await?;
    let new = app.vault.new_record_key(&mut tx, RecordKind::Call, call).await?;
    let known_by = KnownBy::of(app, &mut tx).await?;
    let upload = expect_upload(&mut tx, RecordKind::Call, (call, call), app.clock.now() + REMEMBERED).await?;
    tx.commit().await?;
    let cleanup = Cleanup { app: app.clone(), tenant: caller.scope().tenant(), call, armed: true };
    Ok(Begun { call, new, known_by, upload, cleanup })
}

impl Begun {
    /// Leaves the blobs where they are: the call may be there now, and whether it is the outbox will find out.
    pub fn keep(&mut self) {
        self.cleanup.armed = false;
    }
}

/// Removes the blobs of a call that never was.
struct Cleanup {
    app: App,
    tenant: Uuid,
    call: Uuid,
    armed: bool,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let (app, tenant, call) = (self.app.clone(), self.tenant, self.call);
        if self.armed
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // What fails here is removed by the outbox.
            runtime.spawn(async move { app.blobs.remove_record(tenant, call).await });
        }
    }
}

/// A recording that was sealed and stored.
pub struct Received {
    /// Its length.
    pub bytes: u64,
    /// By which it is known when it is sent again.
    pub token: [u8; 32],
}

impl Received {
    /// Makes it known together with what was wished of it: other wishes make another transcript.
    pub fn with_wishes(&mut self, wishes: &str) {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.token);
        context.update(wishes.as_bytes());
        self.token.copy_from_slice(context.finish().as_ref());
    }
}

/// Seals and stores a recording as it comes.
///
/// # Errors
/// When it is empty, too large, no recording, or breaks off; nothing of it is left then.
pub async fn receive<E>(
    app: &App,
    (key, place): (&Key, BlobPlace),
    known_by: KnownBy,
    blocks: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> ApiResult<Received> {
    let mut passing = Passing::new(known_by, app.operation.config.limits.upload_body);
    let checked = blocks.map(|block| {
        let block = block.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        passing.look_at(&block)?;
        Ok(block)
    });
    let written = app.blobs.write(key, place, checked).await;
    let refused = passing.refused.take();
    match written {
        Err(error) => Err(refused.unwrap_or_else(|| error.into())),
        Ok(_) => match passing.end() {
            Ok(received) => Ok(received),
            Err(error) => {
                app.blobs.remove(place).await?;
                Err(error)
            }
        },
    }
}

/// What is learnt of a recording as it goes by.
struct Passing {
    hmac: hmac::Context,
    head: Vec<u8>,
    bytes: u64,
    most: u64,
    refused: Option<ApiError>,
}

impl Passing {
    fn new(known_by: KnownBy, most: u64) -> Self {
        Self { hmac: known_by.0, head: Vec::new(), bytes: 0, most, refused: None }
    }

    fn look_at(&mut self, block: &[u8]) -> io::Result<()> {
        self.bytes += block.len() as u64;
        self.hmac.update(block);
        if self.bytes > self.most {
            let error = ApiError::new(ErrorCode::PayloadTooLarge, "the recording is too large");
            return self.refuse(error.with("maxBytes", self.most));
        }
        let missing = HEAD_BYTES - self.head.len();
        if missing > 0 {
            self.head.extend(&block[..missing.min(block.len())]);
            if self.head.len() == HEAD_BYTES {
                return sniff(&self.head).or_else(|error| self.refuse(error));
            }
        }
        Ok(())
    }

    fn refuse(&mut self, error: ApiError) -> io::Result<()> {
        self.refused = Some(error);
        Err(io::ErrorKind::InvalidData.into())
    }

    fn end(self) -> ApiResult<Received> {
        if self.head.len() < HEAD_BYTES {
            sniff(&self.head)?;
        }
        let mut token = [0; 32];
        token.copy_from_slice(self.hmac.sign().as_ref());
        Ok(Received { bytes: self.bytes, token })
    }
}

/// Refuses what cannot be a recording. What its bytes look like is not told: that is content.
fn sniff(head: &[u8]) -> ApiResult<()> {
    match speech::audio::sniff(head, None) {
        Ok(_) => Ok(()),
        Err(speech::audio::AudioError::Empty) => Err(ApiError::new(ErrorCode::AudioEmpty, "the recording is empty")),
        Err(_) => {
            let message = "this is not a recording that can be read: send WAV, MP3, M4A, OGG, FLAC, WebM or AMR";
            Err(ApiError::new(ErrorCode::UnsupportedMediaType, message))
        }
    }
}

/// Makes the call of a recording that was received, in the caller's transaction; or answers with the call that the same recording
/// became before. Whether it is new is whether the id is `call`.
///
/// # Errors
/// When its contact is not there; what a transaction may fail with.
pub async fn record(
    app: &App,
    tx: &mut TenantTx<Write>,
    (call, key, new): (Uuid, &Key, Option<&NewRecordKey>),
    (upload, received): (Upload, &Received),
    (metadata, wishes): (&RecordingMetadata, Option<Recognition>),
) -> ApiResult<Accepted> {
    let since = app.clock.now() - REMEMBERED;
    if let Some((call_id, status)) = store::same_recording(tx, &received.token, since).await? {
        return Ok(Accepted { call_id, status: of_code(&STATUSES, status)? });
    }
    if let Some(new) = new {
        new.store(tx).await?;
    }
    let metadata = &contacts::link::resolve(tx, &app.vault, metadata).await?;
    let place = upload.place();
    upload.end(tx).await.map_err(|error| match error {
        UploadError::TooLate => ApiError::new(ErrorCode::RequestTimeout, "the upload took longer than a day"),
        UploadError::Database(error) => error.into(),
    })?;
    let kind =
        if wishes.as_ref().is_some_and(|wishes| wishes.translate) { JobKind::Translate } else { JobKind::Process };
    let owner = tx.scope().user();
    let policy = redaction::policy_with(tx, &app.vault, (owner, metadata.contact_name.clone())).await?;
    let said = CallDocument { recognition: wishes, ..CallDocument::of(metadata) };
    let said = redaction::redacted_words(said, metadata.language.clone(), policy).await?;
    store::insert(tx, &app.vault, (call, key), (metadata, &said), &received.token).await.map_err(
        |error| match error {
            VaultError::Database(error) => contact_or(error),
            other => other.into(),
        },
    )?;
    recordings::stored(tx, place, received.bytes).await?;
    queue::enqueue(tx, call, kind).await?;
    Ok(Accepted { call_id: call, status: CallStatus::Queued })
}

/// A foreign key that is violated names a contact that is not there or another user's, which is the same answer.
fn contact_or(error: DbError) -> ApiError {
    match error {
        DbError::Refused { ref code, .. } if code == "23503" => {
            ApiError::field("contactId", "there is no such contact")
        }
        other => other.into(),
    }
}

/// Makes the call of a recording that came with wishes, in a transaction of its own; or finds the one that the same recording became
/// with the same wishes.
///
/// # Errors
/// As [`record`].
pub async fn take_in(
    app: &App,
    caller: &Caller,
    begun: &mut Begun,
    received: &Received,
    (metadata, wishes): (&RecordingMetadata, Recognition),
) -> ApiResult<Uuid> {
    let mut tx = app.database.write(caller.scope()).await?;
    let call = (begun.call, &begun.new.key, Some(&begun.new));
    let accepted = record(app, &mut tx, call, (begun.upload, received), (metadata, Some(wishes))).await?;
    if accepted.call_id == begun.call {
        begun.keep();
    }
    tx.commit().await?;
    app.changes.wake();
    Ok(accepted.call_id)
}
