//! Which contact a call is with. Its one invariant: a call is linked to a contact of its owner's, and by itself only to one that is the only
//! one that it can be; where two could be meant, a person chooses.
//!
//! A number tells more than a name: it is looked for first, by itself and then without its country where one side does not say it. Where the
//! number is one contact's and the name another's, two are meant; and so are two where they share a name of one word and have other numbers.

use std::collections::BTreeSet;

use api::calls::RecordingMetadata;
use insight::redact::redact_name;
use uuid::Uuid;

use super::{
    ContactDocument, FoundBy,
    store::{self, Hit},
};
use crate::{
    calls::{
        self, CallDocument, Called, filled,
        subject::{self, Token},
    },
    db::{DbError, TenantTx, Write},
    error::{ApiError, ApiResult},
    redaction,
    search::{self, index::is_damage},
    telemetry::log,
    transcripts,
    vault::{
        key::Key,
        keys::{Vault, VaultError},
    },
};

/// Calls that are renamed at once: each is opened and sealed again, in some milliseconds.
const BATCH: i64 = 200;

fn no_such_contact() -> ApiError {
    ApiError::field("contactId", "there is no such contact")
}

/// Finds the contact of a recording of the transaction's user, or adds one where a name is said that nobody has; what is not said of them
/// is what the address book says.
///
/// # Errors
/// When the contact that is named is not one of the user's; what a transaction may fail with.
pub(crate) async fn resolve(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    said: &RecordingMetadata,
) -> ApiResult<RecordingMetadata> {
    let (owner, mut said) = (tx.scope().user(), said.clone());
    let contact = match said.contact_id {
        Some(contact) => Some(contact),
        None => meant(tx, vault, &said).await?,
    };
    let Some(contact) = contact else { return Ok(said) };
    let Some(row) = store::of_user(tx, (contact, owner)).await? else {
        // One that nobody named was deleted since it was found: then the call is with none.
        return if said.contact_id.is_some() { Err(no_such_contact()) } else { Ok(said) };
    };
    let known = store::open(tx, vault, &row).await?;
    said.contact_id = Some(contact);
    said.contact_name = filled(said.contact_name.as_deref()).or(known.name);
    said.organization = filled(said.organization.as_deref()).or(known.organization);
    Ok(said)
}

/// The contact that is meant by a number or a name, found or added.
async fn meant(tx: &mut TenantTx<Write>, vault: &Vault, said: &RecordingMetadata) -> ApiResult<Option<Uuid>> {
    let (number, name) = (filled(said.phone_number.as_deref()), filled(said.contact_name.as_deref()));
    if number.is_none() && name.is_none() {
        return Ok(None);
    }
    let key = vault.tenant_key(tx).await?;
    store::hold_book(tx, tx.scope().user()).await?;
    // A name that is a number is what a telephone shows of somebody whom it does not know.
    let is_name = |name: &String| redact_name(name.clone(), said.language.as_deref()).is_ok_and(|left| left == *name);
    let name = name.filter(is_name);
    let named = match &name {
        Some(name) => by_name(tx, &key, name).await?,
        None => Vec::new(),
    };
    if let Some(number) = number.as_deref().and_then(|number| subject::number(&key, number))
        && let Some(contact) = by_number(tx, &number).await?
    {
        return Ok(Some(contact).filter(|contact| named.is_empty() || named.contains(contact)));
    }
    let number = number.filter(|number| subject::is_number(number));
    let Some(name) = name else { return Ok(None) };
    match named[..] {
        [contact] if number.is_some() && is_one_word(&name) && has_number(tx, vault, contact).await? => Ok(None),
        [contact] => Ok(Some(contact)),
        [] => {
            let phone_numbers = number.into_iter().collect();
            let organization = filled(said.organization.as_deref());
            let policy = redaction::policy_with(tx, vault, (tx.scope().user(), Some(name.clone()))).await?;
            let new = ContactDocument { name: Some(name), phone_numbers, organization, ..ContactDocument::default() };
            let new = redaction::redacted_words(new, said.language.clone(), policy).await?;
            Ok(Some(store::insert(tx, vault, &new).await?))
        }
        _ => Ok(None),
    }
}

/// A first name, mostly, which many have.
fn is_one_word(name: &str) -> bool {
    name.split_whitespace().nth(1).is_none()
}

async fn has_number(tx: &mut TenantTx<Write>, vault: &Vault, contact: Uuid) -> ApiResult<bool> {
    let owner = tx.scope().user();
    let Some(row) = store::of_user(tx, (contact, owner)).await? else { return Ok(false) };
    Ok(!store::open(tx, vault, &row).await?.phone_numbers.is_empty())
}

async fn by_number(tx: &mut TenantTx<Write>, number: &subject::Number) -> Result<Option<Uuid>, DbError> {
    let tokens: BTreeSet<(FoundBy, Token)> =
        number.bare.iter().chain([&number.own]).map(|token| (FoundBy::Number, *token)).collect();
    let hits = store::find(tx, tx.scope().user(), &tokens).await?;
    Ok(chosen(number, &hits))
}

/// The one contact that a number can be, from what its tokens have found.
fn chosen(number: &subject::Number, hits: &[Hit]) -> Option<Uuid> {
    let is = |hit: &&Hit, by: FoundBy| hit.by == by as i16;
    let exact = hits.iter().find(|hit| is(hit, FoundBy::Number) && hit.token == number.own);
    if let Some(exact) = exact {
        return Some(exact.contact);
    }
    // Of the call's number and the contact's, one says its country and the other does not.
    let other = if number.bare.is_empty() { FoundBy::BareNumber } else { FoundBy::Number };
    let contacts: BTreeSet<Uuid> = hits.iter().filter(|hit| is(hit, other)).map(|hit| hit.contact).collect();
    contacts.first().copied().filter(|_| contacts.len() == 1)
}

async fn by_name(tx: &mut TenantTx<Write>, key: &Key, name: &str) -> Result<Vec<Uuid>, DbError> {
    let Some(token) = subject::name(key, name) else { return Ok(Vec::new()) };
    let hits = store::find(tx, tx.scope().user(), &BTreeSet::from([(FoundBy::Name, token)])).await?;
    Ok(hits.into_iter().map(|hit| hit.contact).collect())
}

/// Links a call to a contact of its owner's, or to none. A call is called by whom it is linked to. The name and the organization that it
/// has from whom it was linked to go, also where the new contact has none: no name is better than a wrong one. The call is under no legal
/// hold.
///
/// # Errors
/// When the contact is not one of the owner's; what a transaction may fail with.
pub(crate) async fn relink(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    row: &calls::store::Row,
    contact: Option<Uuid>,
) -> ApiResult<()> {
    let document = calls::store::open(tx, vault, row).await?;
    let before = of_owner(tx, vault, (row.contact_id, row.owner_id)).await?;
    let now = of_owner(tx, vault, (contact, row.owner_id)).await?;
    if contact.is_some() && now.is_none() {
        return Err(no_such_contact());
    }
    let (before, now, said) = (before.unwrap_or_default(), now.unwrap_or_default(), document.called());
    let instead = |now: Option<String>, before, said| now.or(if said == before { None } else { said });
    let called = Called {
        contact_name: instead(now.name, before.name, said.contact_name),
        organization: instead(now.organization, before.organization, said.organization),
    };
    if called != document.called() {
        call(tx, vault, (row.id, document), called).await?;
    }
    Ok(calls::store::put_contact(tx, row.id, contact).await?)
}

/// Calls the other party of a call otherwise, and has nobody find it by the names that it has no more.
async fn call(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (id, mut document): (Uuid, CallDocument),
    called: Called,
) -> Result<(), VaultError> {
    let is_transcribed = !transcripts::store::among(tx, &[id]).await?.is_empty();
    let names = [document.contact_name.clone(), document.organization.clone()];
    let left = [&called.contact_name, &called.organization].map(Clone::clone);
    document.call(called, is_transcribed);
    calls::store::put_document(tx, vault, id, &document).await?;
    let went: Vec<&str> =
        names.iter().flatten().filter(|name| !left.contains(&Some((*name).clone()))).map(String::as_str).collect();
    search::index::forget(tx, vault, (&[id], &went)).await
}

/// Calls a call whose legal hold was lifted by what its contact was named meanwhile; its transcript and the index follow. One that does not
/// open is called nothing that could be read.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn lifted(tx: &mut TenantTx<Write>, vault: &Vault, id: Uuid) -> Result<(), VaultError> {
    let row = calls::store::get(tx, id).await?;
    let document = match calls::store::open(tx, vault, &row).await {
        Err(error) if is_damage(&error) => return Ok(()),
        opened => opened?,
    };
    if document.called_behind_hold.is_none() && document.called_before.is_none() {
        return Ok(());
    }
    let called = document.called();
    call(tx, vault, (id, document), called).await
}

/// Has calls forget what a contact that is to be deleted is called, as [`follow`] says; one that does not open has no name that could be found.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such contact; what a transaction may fail with.
pub(crate) async fn forget(tx: &mut TenantTx<Write>, vault: &Vault, contact: Uuid) -> Result<(), VaultError> {
    // Calls come before contacts, as where they are linked.
    calls::store::lock_linked(tx, contact).await?;
    let row = store::lock(tx, contact).await?;
    match store::open(tx, vault, &row).await {
        Ok(before) => follow(tx, vault, contact, (&before, &ContactDocument::default())).await,
        Err(error) if is_damage(&error) => {
            log::warning!(fault = &error, "a contact is damaged and is deleted without renaming its calls");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Calls that are linked to a contact are called by what that is called `now`, or by nothing when it is deleted, as far as they were called by
/// what it was called before; what was said of a call alone stays. Nobody finds them by the names that went from this transaction on: upkeep
/// brings transcripts and the index behind. A call under legal hold stays as it is until that is lifted; one that does not open is left out.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn follow(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    contact: Uuid,
    (before, now): (&ContactDocument, &ContactDocument),
) -> Result<(), VaultError> {
    let went = |of: fn(&ContactDocument) -> &Option<String>| of(before).as_deref().filter(|_| of(before) != of(now));
    let (name, organization) = (went(|one| &one.name), went(|one| &one.organization));
    let names: Vec<&str> = name.into_iter().chain(organization).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut after = Uuid::nil();
    loop {
        let rows = calls::store::linked(tx, contact, after, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        let transcribed = transcripts::store::among(tx, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
        let mut renamed = Vec::new();
        for (row, mut document) in readable(tx, vault, rows).await? {
            let before = document.called();
            let mut called = before.clone();
            if name.is_some() && called.contact_name.as_deref() == name {
                called.contact_name.clone_from(&now.name);
            }
            if organization.is_some() && called.organization.as_deref() == organization {
                called.organization.clone_from(&now.organization);
            }
            if called == before {
                continue;
            }
            if row.is_held() {
                document.called_behind_hold = Some(called);
            } else {
                document.call(called, transcribed.contains(&row.id));
                renamed.push(row.id);
            }
            calls::store::put_document(tx, vault, row.id, &document).await?;
        }
        search::index::forget(tx, vault, (&renamed, &names)).await?;
    }
}

/// The documents of these calls that open: one that is damaged keeps nobody from deleting a contact.
async fn readable(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    rows: Vec<calls::store::Row>,
) -> Result<Vec<(calls::store::Row, CallDocument)>, VaultError> {
    match calls::store::open_all(tx, vault, &rows).await {
        Ok(documents) => return Ok(rows.into_iter().zip(documents).collect()),
        Err(error) if !is_damage(&error) => return Err(error),
        Err(_) => {}
    }
    let mut readable = Vec::with_capacity(rows.len());
    for row in rows {
        match calls::store::open(tx, vault, &row).await {
            Ok(document) => readable.push((row, document)),
            Err(error) if is_damage(&error) => {
                log::warning!(fault = &error, "a call is damaged and does not follow its contact");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(readable)
}

/// What is said of a contact of a user's; `None` when there is no such contact.
async fn of_owner(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (contact, owner): (Option<Uuid>, Uuid),
) -> Result<Option<ContactDocument>, VaultError> {
    let Some(contact) = contact else { return Ok(None) };
    let Some(row) = store::of_user(tx, (contact, owner)).await? else { return Ok(None) };
    Ok(Some(store::open(tx, vault, &row).await?))
}
