//! What goes out of a call's transcript before anything else sees it (H7), and out of what people write into it afterwards. Its one
//! invariant: telephone numbers always do; the tenant says what else.

pub mod endings;
pub mod findings;

use std::panic::resume_unwind;

use api::tenants::RedactedKind;
use insight::redact::{self, Kind, Policy, Redacted, Unfinished};
use speech::transcript::Transcript;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::{
    app::App,
    auth::person::Person,
    calls::{self, CallDocument},
    db::{Access, DbError, TenantTx},
    vault::keys::{Vault, VaultError},
    worker::sweep,
};

/// The kinds that a tenant chooses from, as the API and redaction call them; the bits of the database in order.
const KINDS: [(RedactedKind, Kind); 7] = [
    (RedactedKind::EmailAddress, Kind::EmailAddress),
    (RedactedKind::PaymentCard, Kind::PaymentCard),
    (RedactedKind::Iban, Kind::Iban),
    (RedactedKind::NationalId, Kind::NationalId),
    (RedactedKind::DateOfBirth, Kind::DateOfBirth),
    (RedactedKind::StreetAddress, Kind::StreetAddress),
    (RedactedKind::PersonName, Kind::PersonName),
];

fn chosen(bits: i32) -> impl Iterator<Item = (RedactedKind, Kind)> {
    KINDS.into_iter().enumerate().filter(move |(place, _)| bits & (1 << place) != 0).map(|(_, kind)| kind)
}

/// What a tenant chose, as the API shows it.
#[must_use]
pub fn shown(bits: i32) -> Vec<RedactedKind> {
    chosen(bits).map(|(shown, _)| shown).collect()
}

/// What a tenant chooses, as the database keeps it.
#[must_use]
pub fn bits(kinds: &[RedactedKind]) -> i32 {
    let bit = |(place, (kind, _)): (usize, &(RedactedKind, Kind))| if kinds.contains(kind) { 1 << place } else { 0 };
    KINDS.iter().enumerate().map(bit).sum()
}

/// What is taken out of the transcript of a call: what its tenant chose. Whom it was with and its owner are known by name, where
/// the transaction may know them.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call; what a transaction may fail with.
pub async fn policy<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Policy, VaultError> {
    let row = calls::store::get(tx, call).await?;
    let contact = calls::store::open(tx, vault, &row).await?.contact_name;
    policy_with(tx, vault, (row.owner_id, contact)).await
}

/// The same as a worker reads it: whoever of the tenant corrects the call, who must have been let to it before.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such call; what a transaction may fail with.
pub async fn as_worker(app: &App, (tenant, call): (Uuid, Uuid)) -> Result<Policy, VaultError> {
    let mut tx = app.database.read(&sweep::scope(tenant)).await?;
    policy(&mut tx, &app.vault, call).await
}

/// The same of a call of this owner's with this contact.
///
/// # Errors
/// What a transaction may fail with.
pub async fn policy_with<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    (owner, contact): (Uuid, Option<String>),
) -> Result<Policy, VaultError> {
    let tenant = tx.scope().tenant();
    let bits = sqlx::query_scalar!("SELECT redaction FROM tenant.tenants WHERE tenant_id = $1", tenant)
        .fetch_one(tx.conn())
        .await
        .map_err(DbError::from)?;
    let policy = Policy::new(chosen(bits).map(|(_, kind)| kind));
    if !chosen(bits).any(|(_, kind)| kind == Kind::PersonName) {
        return Ok(policy);
    }
    let owner = Person::read(tx, vault, &[owner]).await?.pop().and_then(|(id, person)| person.of(id).display_name);
    Ok(policy.with_names(contact.into_iter().chain(owner)))
}

/// Takes it out, off the threads that answer requests: an hour of talk takes some 50 ms.
///
/// # Errors
/// [`Unfinished`] when not everything could be: what it was given must then not be stored under the key of a call.
pub async fn redacted(transcript: Transcript, policy: Policy) -> Result<Redacted, Unfinished> {
    let work = spawn_blocking(move || redact::redact(transcript, &policy));
    // It is cancelled by nobody, so what ended it is a panic of its own.
    work.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// The ends of the numbers that are in a transcript before they are taken out of it, off the threads that answer requests.
pub async fn phone_endings(transcript: Transcript, policy: Policy) -> (Transcript, endings::Endings) {
    let work = spawn_blocking(move || {
        let endings = redact::phone_endings(&transcript, &policy);
        (transcript, endings)
    });
    work.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// What people write beside a transcript.
pub trait Written: Send + 'static {
    /// Texts, out of which goes what the policy says.
    fn texts(&mut self) -> Vec<&mut String>;
    /// Names, out of which numbers go; one that is a full number is left with its end.
    fn names(&mut self) -> Vec<&mut String>;
}

impl Written for CallDocument {
    fn texts(&mut self) -> Vec<&mut String> {
        let texts = [&mut self.title, &mut self.organization, &mut self.summary, &mut self.notes];
        texts.into_iter().flatten().collect()
    }

    fn names(&mut self) -> Vec<&mut String> {
        self.contact_name.iter_mut().collect()
    }
}

/// Takes it out of what people write of a call, or of whom it was with. `language` is that of the call.
///
/// # Errors
/// [`Unfinished`], as [`redacted`].
pub async fn redacted_words<W: Written>(
    mut written: W,
    language: Option<String>,
    policy: Policy,
) -> Result<W, Unfinished> {
    let work = spawn_blocking(move || {
        for name in written.names() {
            *name = redact::redact_name(std::mem::take(name), language.as_deref())?;
        }
        for text in written.texts() {
            *text = redact::redact_text(std::mem::take(text), language.as_deref(), &policy)?;
        }
        Ok(written)
    });
    work.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_comes_back_whole() {
        let all: Vec<RedactedKind> = KINDS.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!((bits(&all), shown(127)), (127, all));
        assert_eq!(
            shown(bits(&[RedactedKind::PersonName, RedactedKind::Iban])),
            [RedactedKind::Iban, RedactedKind::PersonName]
        );
    }
}
