//! The last four digits of telephone numbers that were said, which is all that is kept of them, for tasks such as calling back (H7). Its
//! one invariant: it is written in the transaction that writes the transcript it speaks of, sealed under the key of the call.

use std::collections::BTreeMap;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    artifacts::{self, Artifact},
    db::{Access, DbError, TenantTx, Write},
    vault::{key::Key, keys::VaultError},
};

/// By the id of the segment in which a number was said.
pub type Endings = BTreeMap<String, String>;

/// Stores the endings of a transcript, in the place of those before.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub async fn put(tx: &mut TenantTx<Write>, key: &Key, call: Uuid, endings: &Endings) -> Result<(), VaultError> {
    let json = Zeroizing::new(serde_json::to_vec(endings).map_err(|_| DbError::Unexpected)?);
    artifacts::put(tx, (call, Artifact::PhoneEndings), (key, None), &json).await
}

/// The endings of a transcript; none where none are stored.
///
/// # Errors
/// [`VaultError::Broken`] when they were tampered with.
pub async fn get<A: Access>(tx: &mut TenantTx<A>, key: &Key, call: Uuid) -> Result<Endings, VaultError> {
    let Some(json) = artifacts::get(tx, (call, Artifact::PhoneEndings), key).await? else { return Ok(Endings::new()) };
    Ok(serde_json::from_slice(&json).map_err(|_| DbError::Unexpected)?)
}

/// Follows a person who says anew what was said in a segment: what ended a number there before ends none any more.
///
/// # Errors
/// As [`get`] and [`put`].
pub async fn correct(
    tx: &mut TenantTx<Write>,
    key: &Key,
    call: Uuid,
    (segment, ending): (&str, Option<String>),
) -> Result<(), VaultError> {
    let mut endings = get(tx, key, call).await?;
    if replace(&mut endings, (segment, ending)) { put(tx, key, call, &endings).await } else { Ok(()) }
}

/// The same of endings at hand; whether it changed anything.
pub(crate) fn replace(endings: &mut Endings, (segment, ending): (&str, Option<String>)) -> bool {
    let before = endings.remove(segment);
    let is_new = before != ending;
    endings.extend(ending.map(|ending| (segment.to_owned(), ending)));
    is_new
}
