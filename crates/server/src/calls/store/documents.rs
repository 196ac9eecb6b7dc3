//! What is said of calls, sealed a document each. Its one invariant: a document is sealed under the key of its call, and whatever the call is
//! found by is written with it.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Row, get, lock};
use crate::{
    action_items,
    calls::{CallDocument, Recognition, subject},
    db::{Access, DbError, TenantTx, Write},
    vault::{
        content::{self, Stored},
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

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

pub(super) async fn seal(
    tx: &mut TenantTx<Write>,
    key: &Key,
    call: Uuid,
    document: &CallDocument,
) -> Result<Vec<u8>, VaultError> {
    let plain = Zeroizing::new(serde_json::to_vec(document).map_err(|_| DbError::Unexpected)?);
    content::seal(tx, key, &CallDocument::field(call), &plain).await
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
