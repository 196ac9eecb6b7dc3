//! All SQL of action items.

use api::action_items::ActionSource;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Document, SOURCES};
use crate::{
    calls::code_of,
    db::{Access, DbError, TenantTx, Write},
    http::page::Cursor,
    vault::{
        content::{self, Stored},
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Action items of a call that are read at once: those that were found and those that people may add.
const MAX_OF_CALL: i64 = 1000;

/// An action item as it is stored.
pub(crate) struct Row {
    pub(super) id: Uuid,
    pub(super) call_id: Uuid,
    pub(super) status: i16,
    pub(super) source: i16,
    pub(super) touched: bool,
    pub(super) position: i32,
    pub(super) due_date: Option<NaiveDate>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    sealed: Vec<u8>,
}

impl Row {
    /// Where the row stands in a list.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id }
    }

    /// Opens its document with the key of its call.
    pub(super) fn open(&self, key: &Key) -> Result<Document, VaultError> {
        read(key, self.id, &self.sealed)
    }
}

fn read(key: &Key, item: Uuid, sealed: &[u8]) -> Result<Document, VaultError> {
    let plain = content::open(&Stored { key, field: Document::field(item), sealed })?;
    Ok(serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?)
}

/// The title of an action item that was read with its call.
///
/// # Errors
/// [`VaultError::Broken`] when it was tampered with.
pub(crate) fn title(key: &Key, item: Uuid, sealed: &[u8]) -> Result<String, VaultError> {
    Ok(read(key, item, sealed)?.title)
}

/// Rows of action items that meet a condition, which starts at `$2`.
macro_rules! rows {
    ($tx:expr, $condition:literal $(, $value:expr)*) => {{
        let tenant = $tx.scope().tenant();
        sqlx::query_as!(
            Row,
            r#"SELECT id, call_id, status, source, touched, position, due_date, created_at, updated_at, sealed AS "sealed: Vec<u8>"
               FROM tenant.action_items WHERE tenant_id = $1 AND "# + $condition,
            tenant $(, $value)*
        )
        .fetch_all($tx.conn())
        .await
        .map_err(DbError::from)
    }};
}

/// The next `limit` action items behind a cursor, newest first.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn page<A: Access>(
    tx: &mut TenantTx<A>,
    status: Option<i16>,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Row>, DbError> {
    let (at, id) = (after.map(|cursor| cursor.at), after.map(|cursor| cursor.id));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // Who sees no others' rows reads no others': the policy alone leads to no index.
    let own = tx.scope().sees_only();
    rows!(
        tx,
        "NOT is_removed AND ($6::uuid IS NULL OR owner_id = $6) AND ($2::timestamptz IS NULL OR created_at <= $2) AND ($2 IS NULL OR created_at < $2 OR id > $3)
           AND ($4::smallint IS NULL OR status = $4) ORDER BY created_at DESC, id LIMIT $5",
        at,
        id,
        status,
        limit,
        own
    )
}

/// Those of a call: found ones in the order of the call, then those that were added.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn of_call<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> Result<Vec<Row>, DbError> {
    rows!(tx, "call_id = $2 AND NOT is_removed ORDER BY source, position, created_at, id LIMIT $3", call, MAX_OF_CALL)
}

/// Everything that analysis has found in a call, with what is left of what people removed; locked until the transaction ends.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn found(tx: &mut TenantTx<Write>, call: Uuid) -> Result<Vec<Row>, DbError> {
    rows!(tx, "call_id = $2 AND source = 1 ORDER BY position, created_at, id FOR UPDATE", call)
}

/// Removes everything that analysis has found in a call, unread.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn remove_found(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("DELETE FROM tenant.action_items WHERE tenant_id = $1 AND call_id = $2 AND source = 1", tenant, call)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What people have added to a call; locked until the transaction ends.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn manual(tx: &mut TenantTx<Write>, call: Uuid) -> Result<Vec<Row>, DbError> {
    rows!(tx, "call_id = $2 AND source = 2 ORDER BY position, created_at, id FOR UPDATE", call)
}

/// One action item.
///
/// # Errors
/// [`DbError::NotFound`] when it is not there or another user's.
pub(super) async fn get<A: Access>(tx: &mut TenantTx<A>, item: Uuid) -> Result<Row, DbError> {
    rows!(tx, "id = $2 AND NOT is_removed", item)?.pop().ok_or(DbError::NotFound)
}

/// One action item, locked until the transaction ends.
///
/// # Errors
/// [`DbError::NotFound`] when it is not there or another user's.
pub(super) async fn lock(tx: &mut TenantTx<Write>, item: Uuid) -> Result<Row, DbError> {
    rows!(tx, "id = $2 AND NOT is_removed FOR UPDATE", item)?.pop().ok_or(DbError::NotFound)
}

/// Opens the documents of these rows, in their order: one statement for the keys of all their calls.
///
/// # Errors
/// [`VaultError::Gone`] when a call is gone; [`VaultError::Broken`] when one was tampered with.
pub(crate) async fn open_all<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    rows: &[Row],
) -> Result<Vec<Document>, VaultError> {
    let calls: Vec<Uuid> = rows.iter().map(|row| row.call_id).collect();
    let keys = vault.record_keys(tx, RecordKind::Call, &calls).await?;
    let open = |row: &Row| {
        let gone = || VaultError::Gone(format!("call {}", row.call_id));
        row.open(keys.get(&row.call_id).ok_or_else(gone)?)
    };
    rows.iter().map(open).collect()
}

/// A row that is to be, beside its document.
pub(super) struct New {
    pub(super) call: Uuid,
    pub(super) source: ActionSource,
    pub(super) status: i16,
    pub(super) position: i32,
    pub(super) due_date: Option<NaiveDate>,
}

impl New {
    /// One that analysis found.
    pub(super) fn found(call: Uuid) -> Self {
        Self { call, source: ActionSource::Ai, status: 1, position: 0, due_date: None }
    }

    /// One that a person adds.
    pub(super) fn added(call: Uuid) -> Self {
        Self { source: ActionSource::Manual, ..Self::found(call) }
    }
}

/// Adds an action item to a call, under the call's key; it is its owner's.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub(super) async fn insert(
    tx: &mut TenantTx<Write>,
    key: &Key,
    new: New,
    document: &Document,
) -> Result<Uuid, VaultError> {
    let (item, tenant) = (Uuid::now_v7(), tx.scope().tenant());
    let sealed = seal(tx, key, item, document).await?;
    let added = sqlx::query!(
        "INSERT INTO tenant.action_items (tenant_id, id, call_id, owner_id, sealed, status, source, position, due_date)
           SELECT tenant_id, $3, id, owner_id, $4, $5, $6, $7, $8 FROM tenant.calls WHERE tenant_id = $1 AND id = $2",
        tenant,
        new.call,
        item,
        sealed as _,
        new.status,
        code_of(&SOURCES, &new.source),
        new.position,
        new.due_date,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    if added.rows_affected() == 1 { Ok(item) } else { Err(VaultError::Gone(format!("call {}", new.call))) }
}

async fn seal(tx: &mut TenantTx<Write>, key: &Key, item: Uuid, document: &Document) -> Result<Vec<u8>, VaultError> {
    let plain = Zeroizing::new(serde_json::to_vec(document).map_err(|_| DbError::Unexpected)?);
    content::seal(tx, key, &Document::field(item), &plain).await
}

/// Puts what analysis finds now in the place of what it found before.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn replace(
    tx: &mut TenantTx<Write>,
    key: &Key,
    item: Uuid,
    (document, due_date, position): (&Document, Option<NaiveDate>, i32),
) -> Result<(), VaultError> {
    let (sealed, tenant) = (seal(tx, key, item, document).await?, tx.scope().tenant());
    sqlx::query!(
        "UPDATE tenant.action_items SET sealed = $3, due_date = $4, position = $5, updated_at = now()
           WHERE tenant_id = $1 AND id = $2 AND NOT touched",
        tenant,
        item,
        sealed as _,
        due_date,
        position,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Puts what a person says in the place of what was said; the row is a person's from then on.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn edit(
    tx: &mut TenantTx<Write>,
    key: &Key,
    item: Uuid,
    (document, due_date, status): (&Document, Option<NaiveDate>, i16),
) -> Result<(), VaultError> {
    let (sealed, tenant) = (seal(tx, key, item, document).await?, tx.scope().tenant());
    sqlx::query!(
        "UPDATE tenant.action_items SET sealed = $3, due_date = $4, status = $5, touched = true, updated_at = now()
           WHERE tenant_id = $1 AND id = $2",
        tenant,
        item,
        sealed as _,
        due_date,
        status,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Says how far an action item is; the row is a person's from then on.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn set_status(tx: &mut TenantTx<Write>, item: Uuid, status: i16) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.action_items SET status = $3, touched = true, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        item,
        status,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes what analysis found, but for what it was found by.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn bury(
    tx: &mut TenantTx<Write>,
    key: &Key,
    item: Uuid,
    document: &Document,
) -> Result<(), VaultError> {
    let (sealed, tenant) = (seal(tx, key, item, document).await?, tx.scope().tenant());
    sqlx::query!(
        "UPDATE tenant.action_items SET sealed = $3, due_date = NULL, status = 4, touched = true, is_removed = true, updated_at = now()
           WHERE tenant_id = $1 AND id = $2",
        tenant,
        item,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Deletes action items.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn delete(tx: &mut TenantTx<Write>, items: &[Uuid]) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("DELETE FROM tenant.action_items WHERE tenant_id = $1 AND id = ANY ($2)", tenant, items)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How many action items people have added to a call, and where the next one stands.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn added(tx: &mut TenantTx<Write>, call: Uuid) -> Result<(i64, i32), DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", coalesce(max(position) + 1, 0) AS "next!" FROM tenant.action_items
           WHERE tenant_id = $1 AND call_id = $2 AND source = 2"#,
        tenant,
        call,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.count, row.next))
}
