//! Deletion that is real (H13). Its one invariant: rows, keys, receipt, audit event and the entry that removes the blobs are one
//! transaction; when it is committed, no copy of the content that exists anywhere opens any more, but for a contact in an archive that was
//! made before, which ends within its 24 h: archives end with any of their calls, and not with a contact.
//!
//! Everything here runs in the caller's transaction and is done when that is committed. [`mirror`] then copies what was
//! signed out of the database, [`blobs`] removes bytes, [`orphans`] finds those that it missed, [`verify`] finds what was tampered with,
//! [`expiry`] ends audit events after six years, and [`restore`] deletes again what a backup brought back.

pub mod blobs;
mod chains;
pub mod expiry;
pub mod mirror;
pub mod orphans;
pub mod restore;
mod rows;
pub mod verify;

use uuid::Uuid;

use crate::{
    audit::{self, Action},
    db::{DbError, TenantTx, Write},
    notices,
    telemetry::fault::Fault,
    vault::{
        chain::Signer,
        receipts::{self, Counts, Receipt},
        seal::RecordKind,
    },
};

/// How often a deletion is tried that waits for others which wait for it: work that begins on a call after its work was locked, say. What
/// is undone of it gives back its locks, so that the others go on.
const TRIES: usize = 3;

/// Why something is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// It is not there, or another user's.
    #[error("there is nothing to delete")]
    NotFound,
    /// A call is under legal hold.
    #[error("a call is under legal hold; lift the hold first")]
    LegalHold,
    /// The transaction failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Deletes one thing of the transaction's tenant, and all that belongs to it; with a user, that user's data in the tenant, and
/// the person when no other tenant has them. A tenant's subject is its own id; for it and for users the transaction should be one of
/// [`crate::db::Database::write_long`].
///
/// # Errors
/// See [`DeletionError`]; the transaction should be dropped then.
pub async fn delete(
    tx: &mut TenantTx<Write>,
    signer: &Signer,
    class: RecordKind,
    subject: Uuid,
) -> Result<Receipt, DeletionError> {
    for _ in 1..TRIES {
        sqlx::query!("SAVEPOINT deletion").execute(tx.conn()).await.map_err(DbError::from)?;
        match attempt(tx, signer, class, subject).await {
            Err(DeletionError::Database(error)) if error.is_transient() => {
                sqlx::query!("ROLLBACK TO SAVEPOINT deletion").execute(tx.conn()).await.map_err(DbError::from)?;
            }
            ended => return ended,
        }
    }
    attempt(tx, signer, class, subject).await
}

async fn attempt(
    tx: &mut TenantTx<Write>,
    signer: &Signer,
    class: RecordKind,
    subject: Uuid,
) -> Result<Receipt, DeletionError> {
    if rows::is_held(tx, class, subject).await? {
        return Err(DeletionError::LegalHold);
    }
    let counts = erase(tx, class, subject).await?;
    if counts.rows == 0 {
        return Err(DeletionError::NotFound);
    }
    let action = match class {
        RecordKind::Call => Action::DeleteCall,
        RecordKind::Contact => Action::DeleteContact,
        RecordKind::VoiceProfile => Action::DeleteVoiceProfile,
        RecordKind::User => Action::DeleteUser,
        RecordKind::Tenant => Action::DeleteTenant,
    };
    audit::record(tx, action, class as i16, subject).await?;
    let receipt = receipts::write(tx, signer, class, subject, counts).await?;
    // A tenant's endpoints went with it; who told it to go tells them.
    notices::leave(tx, notices::deleted(class), (subject, Some(receipt.id))).await?;
    Ok(receipt)
}

/// Removes rows and keys and leaves word that blobs are to go; nothing there is fine.
async fn erase(tx: &mut TenantTx<Write>, class: RecordKind, subject: Uuid) -> Result<Counts, DbError> {
    match class {
        RecordKind::Call => rows::call(tx, subject).await,
        RecordKind::Contact => rows::contact(tx, subject).await,
        RecordKind::VoiceProfile => rows::voice_profile(tx, subject).await,
        RecordKind::User => rows::user(tx, subject).await,
        RecordKind::Tenant if subject == tx.scope().tenant() => rows::tenant(tx).await,
        RecordKind::Tenant => Ok(Counts::default()),
    }
}

impl From<&DeletionError> for Fault {
    fn from(error: &DeletionError) -> Self {
        match error {
            DeletionError::NotFound => "there is nothing to delete".into(),
            DeletionError::LegalHold => "a call is under legal hold".into(),
            DeletionError::Database(error) => error.into(),
        }
    }
}
