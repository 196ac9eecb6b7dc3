//! All SQL of calls.
//!
//! ```text
//! documents  what is said of them
//! progress   how far they are, and what happened to them
//! ```

mod documents;
mod progress;

use api::calls::RecordingMetadata;
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use self::{
    documents::{forget_recognition, name_actions, open, open_all, put_document, recognition, suggest},
    progress::{Event, Progress, events, progress},
};

use self::documents::seal;
use super::{
    CallDocument, DIRECTIONS, code_of,
    subject::{self, Name, Token},
};
use crate::{
    db::{Access, DbError, TenantTx, Write},
    http::page::Cursor,
    vault::{
        key::Key,
        keys::{Vault, VaultError},
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
