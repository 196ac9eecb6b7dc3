//! All SQL of calls and their processing events.

use api::calls::RecordingMetadata;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    CallDocument, DIRECTIONS, Recognition, code_of,
    subject::{self, Name, Token},
};
use crate::{
    action_items,
    db::{Access, DbError, TenantTx, Write},
    http::page::Cursor,
    vault::{
        content::{self, Stored},
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// A call as it is stored.
pub struct Row {
    pub(crate) id: Uuid,
    pub(crate) owner_id: Uuid,
    pub(crate) contact_id: Option<Uuid>,
    pub(super) status: i16,
    pub(super) direction: i16,
    pub(super) error_code: Option<String>,
    pub(crate) language: Option<String>,
    pub(super) channels: Option<i16>,
    pub(super) duration_ms: Option<i64>,
    pub(super) legal_hold: bool,
    pub(super) recorded_at: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) progress: i16,
    pub(super) action_items: i64,
    sealed: Option<Vec<u8>>,
    first_action: Option<Uuid>,
    first_action_sealed: Option<Vec<u8>>,
}

impl Row {
    /// The language spoken, as an ISO 639 code.
    pub(crate) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Whether it is under legal hold.
    pub(crate) fn is_held(&self) -> bool {
        self.legal_hold
    }

    /// Where the row stands in a list.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id }
    }
}

/// Rows of calls that meet a condition, which starts at `$2`.
macro_rules! rows {
    ($tx:expr, $condition:literal $(, $value:expr)*) => {{
        let tenant = $tx.scope().tenant();
        sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.owner_id, c.contact_id, c.status, c.direction, c.error_code, c.language, c.channels, c.duration_ms, c.legal_hold,
                 c.recorded_at, c.created_at, c.updated_at, c.sealed AS "sealed: Vec<u8>",
                 CASE WHEN c.status = 4 THEN 100 ELSE coalesce((SELECT j.progress FROM tenant.jobs j
                   WHERE j.tenant_id = c.tenant_id AND j.call_id = c.id ORDER BY j.created_at DESC LIMIT 1), 0) END::smallint
                   AS "progress!",
                 (SELECT count(*) FROM tenant.action_items a WHERE a.tenant_id = c.tenant_id AND a.call_id = c.id
                   AND NOT a.is_removed AND a.status <> 4) AS "action_items!",
                 f.id AS "first_action?", f.sealed AS "first_action_sealed?: Vec<u8>"
               FROM tenant.calls c LEFT JOIN LATERAL (SELECT a.id, a.sealed FROM tenant.action_items a
                 WHERE a.tenant_id = c.tenant_id AND a.call_id = c.id AND NOT a.is_removed AND a.status <> 4
                 ORDER BY a.source, a.position, a.created_at, a.id LIMIT 1) f ON true
               WHERE c.tenant_id = $1 AND "# + $condition,
            tenant $(, $value)*
        )
        .fetch_all($tx.conn())
        .await
        .map_err(DbError::from)
    }};
}

/// Which calls a list shows.
#[derive(Default)]
pub struct Filter {
    pub(crate) status: Option<i16>,
    pub(crate) contact: Option<Uuid>,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

/// The next `limit` calls behind a cursor, newest first.
///
/// # Errors
/// What a transaction may fail with.
pub async fn page<A: Access>(
    tx: &mut TenantTx<A>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Row>, DbError> {
    let (at, id) = (after.map(|cursor| cursor.at), after.map(|cursor| cursor.id));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    rows!(
        tx,
        "($2::timestamptz IS NULL OR c.created_at <= $2) AND ($2 IS NULL OR c.created_at < $2 OR c.id > $3)
           AND ($4::smallint IS NULL OR c.status = $4) AND ($5::uuid IS NULL OR c.contact_id = $5)
           AND ($6::timestamptz IS NULL OR c.created_at >= $6) AND ($7::timestamptz IS NULL OR c.created_at < $7)
           ORDER BY c.created_at DESC, c.id LIMIT $8",
        at,
        id,
        filter.status,
        filter.contact,
        filter.from,
        filter.to,
        limit
    )
}

/// Those of these calls that a filter shows.
///
/// # Errors
/// What a transaction may fail with.
pub async fn shown<A: Access>(tx: &mut TenantTx<A>, filter: &Filter, calls: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let tenant = tx.scope().tenant();
    let shown = sqlx::query_scalar!(
        "SELECT id FROM tenant.calls WHERE tenant_id = $1 AND id = ANY ($2)
           AND ($3::smallint IS NULL OR status = $3) AND ($4::uuid IS NULL OR contact_id = $4)
           AND ($5::timestamptz IS NULL OR created_at >= $5) AND ($6::timestamptz IS NULL OR created_at < $6)",
        tenant,
        calls,
        filter.status,
        filter.contact,
        filter.from,
        filter.to,
    );
    Ok(shown.fetch_all(tx.conn()).await?)
}

/// One call.
///
/// # Errors
/// [`DbError::NotFound`] when it is not there or another user's.
pub async fn get<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> Result<Row, DbError> {
    rows!(tx, "c.id = $2", call)?.pop().ok_or(DbError::NotFound)
}

/// These calls, as far as they are there, in no order.
///
/// # Errors
/// What a transaction may fail with.
pub async fn among<A: Access>(tx: &mut TenantTx<A>, calls: &[Uuid]) -> Result<Vec<Row>, DbError> {
    rows!(tx, "c.id = ANY ($2)", calls)
}

/// The next calls that are linked to a contact, in the order of their ids, locked until the transaction ends.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn linked(
    tx: &mut TenantTx<Write>,
    contact: Uuid,
    after: Uuid,
    most: i64,
) -> Result<Vec<Row>, DbError> {
    rows!(tx, "c.contact_id = $2 AND c.id > $3 ORDER BY c.id LIMIT $4 FOR UPDATE OF c", contact, after, most)
}

/// Locks the calls that are linked to a contact until the transaction ends.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn lock_linked(tx: &mut TenantTx<Write>, contact: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "SELECT FROM tenant.calls WHERE tenant_id = $1 AND contact_id = $2 ORDER BY id FOR UPDATE",
        tenant,
        contact,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Locks a call until the transaction ends, so that changes of its documents come one after the other.
///
/// # Errors
/// [`DbError::NotFound`] when it is not there or another user's.
pub async fn lock(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("SELECT id FROM tenant.calls WHERE tenant_id = $1 AND id = $2 FOR UPDATE", tenant, call)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

/// Opens the documents of these calls, in their order: two statements for a whole list.
///
/// # Errors
/// [`VaultError::Broken`] when one was tampered with.
pub async fn open_all<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    rows: &[Row],
) -> Result<Vec<CallDocument>, VaultError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let keys = vault.record_keys(tx, RecordKind::Call, &ids).await?;
    let stored = |row: &'_ Row| Some((keys.get(&row.id)?, row.id));
    let mut sealed = Vec::with_capacity(rows.len());
    for row in rows {
        if let (Some((key, id)), Some(bytes)) = (stored(row), &row.sealed) {
            sealed.push(Stored { key, field: CallDocument::field(id), sealed: bytes });
        }
    }
    let mut opened = content::open_all(&sealed)?.into_iter();
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        let has_document = row.sealed.is_some() && keys.contains_key(&row.id);
        let plain = if has_document { opened.next() } else { None };
        documents.push(match plain {
            Some(plain) => serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?,
            None => CallDocument::default(),
        });
    }
    Ok(documents)
}

/// Opens the document of a call.
///
/// # Errors
/// As [`open_all`].
pub async fn open<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, row: &Row) -> Result<CallDocument, VaultError> {
    let documents = open_all(tx, vault, std::slice::from_ref(row)).await?;
    Ok(documents.into_iter().next().unwrap_or_default())
}

/// Opens the titles of the first action items of these calls: one statement for a whole list.
///
/// # Errors
/// [`VaultError::Broken`] when one was tampered with.
pub async fn name_actions<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    calls: &mut [(Row, CallDocument)],
) -> Result<(), VaultError> {
    let ids: Vec<Uuid> = calls.iter().filter(|(row, _)| row.first_action.is_some()).map(|(row, _)| row.id).collect();
    let keys = vault.record_keys(tx, RecordKind::Call, &ids).await?;
    for (row, document) in calls {
        if let (Some(key), Some(item), Some(sealed)) = (keys.get(&row.id), row.first_action, &row.first_action_sealed) {
            document.first_action_title = Some(action_items::store::title(key, item, sealed)?);
        }
    }
    Ok(())
}

/// Replaces the document of a call.
///
/// # Errors
/// [`VaultError::Gone`] when the call's key is not there.
pub async fn put_document(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    call: Uuid,
    document: &CallDocument,
) -> Result<(), VaultError> {
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let sealed = seal(tx, &key, call, document).await?;
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.calls SET sealed = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    subject::index(tx, vault, call, document).await
}

/// Stores by what the other party of a call is found.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn put_tokens(
    tx: &mut TenantTx<Write>,
    call: Uuid,
    number: Option<&Token>,
    name: Name,
) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    let (is_new, name) = match name {
        Name::AsBefore => (false, None),
        Name::Is(token) => (true, token),
    };
    sqlx::query!(
        "UPDATE tenant.calls SET phone_token = $3, name_token = CASE WHEN $4 THEN $5 ELSE name_token END, is_indexed = true
           WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        number.map(|token| &token[..]),
        is_new,
        name.as_ref().map(|token| &token[..]),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The next calls without tokens, locked.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn not_indexed(tx: &mut TenantTx<Write>, after: Uuid, most: i64) -> Result<Vec<Uuid>, DbError> {
    let tenant = tx.scope().tenant();
    let calls = sqlx::query_scalar!(
        "SELECT id FROM tenant.calls WHERE tenant_id = $1 AND NOT is_indexed AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE",
        tenant,
        after,
        most,
    );
    Ok(calls.fetch_all(tx.conn()).await?)
}

async fn seal(tx: &mut TenantTx<Write>, key: &Key, call: Uuid, document: &CallDocument) -> Result<Vec<u8>, VaultError> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(document).map_err(|_| DbError::Unexpected)?);
    content::seal(tx, key, &CallDocument::field(call), &plain).await
}

/// Links a call to a contact of its owner's, or to none.
///
/// # Errors
/// When it is no contact of that user's (foreign key violation).
pub async fn put_contact(tx: &mut TenantTx<Write>, call: Uuid, contact: Option<Uuid>) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.calls SET contact_id = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        contact,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a call of the transaction's user, queued.
///
/// # Errors
/// When its contact is not one of the user's (foreign key violation); what a transaction may fail with.
pub async fn insert(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (call, key): (Uuid, &Key),
    (metadata, said): (&RecordingMetadata, &CallDocument),
    token: &[u8; 32],
) -> Result<(), VaultError> {
    let sealed = seal(tx, key, call, said).await?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be at most a month")]
    let duration_ms = metadata.duration_seconds.map(|seconds| (seconds * 1000.0) as i64);
    sqlx::query!(
        "INSERT INTO tenant.calls (tenant_id, id, owner_id, contact_id, sealed, direction, language, channels, duration_ms,
           recording_token, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        tx.scope().tenant(),
        call,
        tx.scope().user(),
        metadata.contact_id,
        sealed as _,
        code_of(&DIRECTIONS, &metadata.direction),
        metadata.language,
        metadata.channels,
        duration_ms,
        &token[..],
        metadata.recorded_at.map(|at| at.to_utc()),
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    // As it came, before redaction took out what it is found by.
    subject::index(tx, vault, call, &CallDocument::of(metadata)).await
}

/// The call that the same recording of the transaction's user became since a time, unless it failed. Holds whoever else brings that
/// recording until the transaction ends.
///
/// # Errors
/// What a transaction may fail with.
pub async fn same_recording(
    tx: &mut TenantTx<Write>,
    token: &[u8; 32],
    since: DateTime<Utc>,
) -> Result<Option<(Uuid, i16)>, DbError> {
    let [a, b, c, d, e, f, g, h, ..] = *token;
    let lock = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", lock).execute(tx.conn()).await?;
    let row = sqlx::query!(
        "SELECT id, status FROM tenant.calls WHERE tenant_id = $1 AND owner_id = $2 AND recording_token = $3
           AND created_at > $4 AND status <> 5 ORDER BY created_at DESC LIMIT 1",
        tx.scope().tenant(),
        tx.scope().user(),
        &token[..],
        since,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.id, row.status)))
}

/// How far a call is.
pub struct Progress {
    pub(super) id: Uuid,
    pub(super) status: i16,
    pub(super) progress: i16,
    pub(super) error_code: Option<String>,
}

/// How far these calls are; those that are not there, or another user's, are left out.
///
/// # Errors
/// What a transaction may fail with.
pub async fn progress<A: Access>(tx: &mut TenantTx<A>, calls: &[Uuid]) -> Result<Vec<Progress>, DbError> {
    let tenant = tx.scope().tenant();
    let found = sqlx::query_as!(
        Progress,
        r#"SELECT c.id, c.status, c.error_code,
             CASE WHEN c.status = 4 THEN 100 ELSE coalesce((SELECT j.progress FROM tenant.jobs j
               WHERE j.tenant_id = c.tenant_id AND j.call_id = c.id ORDER BY j.created_at DESC LIMIT 1), 0) END::smallint
               AS "progress!"
           FROM tenant.calls c WHERE c.tenant_id = $1 AND c.id = ANY ($2)"#,
        tenant,
        calls,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}

/// What happened to a call while it was processed.
pub struct Event {
    pub(crate) id: Uuid,
    pub(super) stage: i16,
    pub(super) outcome: i16,
    pub(super) provider: Option<String>,
    pub(super) duration_ms: Option<i64>,
    pub(super) error_code: Option<String>,
    pub(super) created_at: DateTime<Utc>,
}

/// Events that are read at once: a call has two for each of eleven stages and attempt.
const EVENTS: i64 = 500;

/// What happened to a call after an event, oldest first; everything when that event is not one of its own.
///
/// # Errors
/// What a transaction may fail with.
pub async fn events<A: Access>(tx: &mut TenantTx<A>, call: Uuid, after: Option<Uuid>) -> Result<Vec<Event>, DbError> {
    let tenant = tx.scope().tenant();
    let found = sqlx::query_as!(
        Event,
        "SELECT e.id, e.stage, e.outcome, e.provider, e.duration_ms, e.error_code, e.created_at FROM tenant.processing_events e
           LEFT JOIN tenant.processing_events p ON p.tenant_id = $1 AND p.call_id = $2 AND p.id = $3
           WHERE e.tenant_id = $1 AND e.call_id = $2
             AND (p.id IS NULL OR e.created_at > p.created_at OR (e.created_at = p.created_at AND e.id > p.id))
           ORDER BY e.created_at, e.id LIMIT $4",
        tenant,
        call,
        after,
        EVENTS,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}

/// Forgets what a client asked of recognition, which has ended: a prompt is words that nobody has redacted.
///
/// # Errors
/// [`DbError::NotFound`] when the call is not there.
pub async fn forget_recognition(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
    let row = get(tx, call).await?;
    let document = open(tx, vault, &row).await?;
    if document.recognition.is_none() {
        return Ok(());
    }
    put_document(tx, vault, call, &CallDocument { recognition: None, ..document }).await
}

/// Takes down what the analysis would call a call and says of it, in the place of what it said before.
///
/// # Errors
/// [`DbError::NotFound`] when the call is not there.
pub async fn suggest(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    call: Uuid,
    (suggested_title, suggested_summary): (Option<String>, Option<String>),
) -> Result<(), VaultError> {
    lock(tx, call).await?;
    let row = get(tx, call).await?;
    let document = open(tx, vault, &row).await?;
    put_document(tx, vault, call, &CallDocument { suggested_title, suggested_summary, ..document }).await
}

/// What a client asked of recognition.
///
/// # Errors
/// [`VaultError::Broken`] when the call's document was tampered with.
pub async fn recognition<A: Access>(tx: &mut TenantTx<A>, call: Uuid, key: &Key) -> Result<Recognition, VaultError> {
    let row = get(tx, call).await?;
    let Some(sealed) = &row.sealed else { return Ok(Recognition::default()) };
    let plain = content::open(&Stored { key, field: CallDocument::field(call), sealed })?;
    let document: CallDocument = serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?;
    Ok(document.recognition.unwrap_or_default())
}
