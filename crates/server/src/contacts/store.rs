//! All SQL of contacts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{ContactDocument, FoundBy};
use crate::{
    calls::subject::Token,
    db::{Access, DbError, TenantTx, Write},
    http::page::Cursor,
    vault::{
        content::{self, Stored},
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// A contact as it is stored.
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(super) owner_id: Uuid,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    sealed: Vec<u8>,
}

impl Row {
    /// Where the row stands in a list.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id }
    }
}

/// Rows of contacts that meet a condition, which starts at `$2`.
macro_rules! rows {
    ($tx:expr, $condition:literal $(, $value:expr)*) => {{
        let tenant = $tx.scope().tenant();
        sqlx::query_as!(
            Row,
            r#"SELECT id, owner_id, created_at, updated_at, sealed AS "sealed: Vec<u8>" FROM tenant.contacts
               WHERE tenant_id = $1 AND "# + $condition,
            tenant $(, $value)*
        )
        .fetch_all($tx.conn())
        .await
        .map_err(DbError::from)
    }};
}

/// The next `limit` contacts behind a cursor, newest first.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn page<A: Access>(
    tx: &mut TenantTx<A>,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Row>, DbError> {
    let (at, id) = (after.map(|cursor| cursor.at), after.map(|cursor| cursor.id));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // Who sees no others' rows reads no others': the policy alone leads to no index.
    let own = tx.scope().sees_only();
    rows!(
        tx,
        "($5::uuid IS NULL OR owner_id = $5) AND ($2::timestamptz IS NULL OR created_at <= $2) AND ($2 IS NULL OR created_at < $2 OR id > $3)
           ORDER BY created_at DESC, id LIMIT $4",
        at,
        id,
        limit,
        own
    )
}

/// One contact.
///
/// # Errors
/// [`DbError::NotFound`] when it is not there or another user's.
pub(super) async fn get<A: Access>(tx: &mut TenantTx<A>, contact: Uuid) -> Result<Row, DbError> {
    rows!(tx, "id = $2", contact)?.pop().ok_or(DbError::NotFound)
}

/// One contact of this user's, which is not deleted until the transaction ends; `None` when it is not there or another's.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn of_user(tx: &mut TenantTx<Write>, (contact, owner): (Uuid, Uuid)) -> Result<Option<Row>, DbError> {
    Ok(rows!(tx, "id = $2 AND owner_id = $3 FOR KEY SHARE", contact, owner)?.pop())
}

/// One contact, locked until the transaction ends.
///
/// # Errors
/// [`DbError::NotFound`] when it is not there or another user's.
pub(super) async fn lock(tx: &mut TenantTx<Write>, contact: Uuid) -> Result<Row, DbError> {
    rows!(tx, "id = $2 FOR UPDATE", contact)?.pop().ok_or(DbError::NotFound)
}

/// Contacts after one of them, in the order of their ids: the user's own, or those that one of these tokens finds by number or name.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn exported(
    tx: &mut TenantTx<Write>,
    tokens: Option<&[Vec<u8>]>,
    after: Uuid,
    most: i64,
) -> Result<Vec<Row>, DbError> {
    let owner = tx.scope().user();
    rows!(
        tx,
        "id > $2 AND ($3::bytea[] IS NULL AND owner_id = $4 OR EXISTS (SELECT FROM tenant.contact_tokens k
           WHERE k.tenant_id = $1 AND k.contact_id = contacts.id AND k.kind IN (1, 4) AND k.token = ANY ($3)))
         ORDER BY id LIMIT $5",
        after,
        tokens,
        owner,
        most
    )
}

/// Opens the documents of these contacts, in their order.
///
/// # Errors
/// [`VaultError::Gone`] when one has no key any more; [`VaultError::Broken`] when one was tampered with.
pub(crate) async fn open_all<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    rows: &[Row],
) -> Result<Vec<ContactDocument>, VaultError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let keys = vault.record_keys(tx, RecordKind::Contact, &ids).await?;
    let mut documents = Vec::with_capacity(rows.len());
    for Row { id, sealed, .. } in rows {
        let key = keys.get(id).ok_or_else(|| VaultError::Gone(format!("contact {id}")))?;
        let plain = content::open(&Stored { key, field: ContactDocument::field(*id), sealed })?;
        documents.push(serde_json::from_slice(&plain).map_err(|_| DbError::Unexpected)?);
    }
    Ok(documents)
}

/// Opens the document of a contact.
///
/// # Errors
/// As [`open_all`].
pub(super) async fn open<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    row: &Row,
) -> Result<ContactDocument, VaultError> {
    Ok(open_all(tx, vault, std::slice::from_ref(row)).await?.pop().unwrap_or_default())
}

/// Adds a contact of the transaction's user, with a key of its own.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn insert(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    document: &ContactDocument,
) -> Result<Uuid, VaultError> {
    let (contact, tenant, owner) = (Uuid::now_v7(), tx.scope().tenant(), tx.scope().user());
    let key = vault.create_record_key(tx, RecordKind::Contact, contact).await?;
    let sealed = seal(tx, &key, contact, document).await?;
    sqlx::query!(
        "INSERT INTO tenant.contacts (tenant_id, id, owner_id, sealed) VALUES ($1, $2, $3, $4)",
        tenant,
        contact,
        owner,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    put_tokens(tx, vault, (contact, owner), document).await?;
    Ok(contact)
}

/// Replaces what is said of a contact.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn put(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    row: &Row,
    document: &ContactDocument,
) -> Result<(), VaultError> {
    let key = vault.record_key(tx, RecordKind::Contact, row.id).await?;
    let (sealed, tenant) = (seal(tx, &key, row.id, document).await?, tx.scope().tenant());
    sqlx::query!(
        "UPDATE tenant.contacts SET sealed = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        row.id,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    put_tokens(tx, vault, (row.id, row.owner_id), document).await
}

async fn seal(
    tx: &mut TenantTx<Write>,
    key: &Key,
    contact: Uuid,
    document: &ContactDocument,
) -> Result<Vec<u8>, VaultError> {
    let plain = Zeroizing::new(serde_json::to_vec(document).map_err(|_| DbError::Unexpected)?);
    content::seal(tx, key, &ContactDocument::field(contact), &plain).await
}

async fn put_tokens(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (contact, owner): (Uuid, Uuid),
    document: &ContactDocument,
) -> Result<(), VaultError> {
    let tokens = document.tokens(&*vault.tenant_key(tx).await?);
    let (kinds, tokens): (Vec<i16>, Vec<Vec<u8>>) =
        tokens.into_iter().map(|(by, token)| (by as i16, token.to_vec())).unzip();
    let tenant = tx.scope().tenant();
    sqlx::query!("DELETE FROM tenant.contact_tokens WHERE tenant_id = $1 AND contact_id = $2", tenant, contact)
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
    sqlx::query!(
        "INSERT INTO tenant.contact_tokens (tenant_id, contact_id, owner_id, kind, token)
           SELECT $1, $2, $3, kind, token FROM unnest($4::smallint[], $5::bytea[]) AS t (kind, token)",
        tenant,
        contact,
        owner,
        &kinds,
        &tokens,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    Ok(())
}

/// Holds a user's address book until the transaction ends: whoever adds to it looks first whether that is there.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn hold_book(tx: &mut TenantTx<Write>, owner: Uuid) -> Result<(), DbError> {
    // The last half of a version 7 id is random.
    let lock = owner.as_u64_pair().1 ^ tx.scope().tenant().as_u64_pair().1;
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", lock.cast_signed()).execute(tx.conn()).await?;
    Ok(())
}

/// A token that a contact is found by.
pub(super) struct Hit {
    pub(super) contact: Uuid,
    pub(super) by: i16,
    pub(super) token: Vec<u8>,
}

/// The contacts of a user that these tokens find, by whatever it is.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn find(
    tx: &mut TenantTx<Write>,
    owner: Uuid,
    tokens: &BTreeSet<(FoundBy, Token)>,
) -> Result<Vec<Hit>, DbError> {
    let tenant = tx.scope().tenant();
    let tokens: Vec<Vec<u8>> = tokens.iter().map(|(_, token)| token.to_vec()).collect();
    let hits = sqlx::query_as!(
        Hit,
        "SELECT contact_id AS contact, kind AS by, token FROM tenant.contact_tokens
           WHERE tenant_id = $1 AND owner_id = $2 AND token = ANY ($3) ORDER BY contact_id",
        tenant,
        owner,
        &tokens,
    );
    Ok(hits.fetch_all(tx.conn()).await?)
}
