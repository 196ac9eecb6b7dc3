//! The operators' audit log: a chain beside those of the tenants, verified and mirrored as they are. Its one invariant: an act on the
//! keys of the installation is committed with its event or not at all, which the database sees to as well.

use uuid::Uuid;

use super::{Action, Event};
use crate::{
    db::{DbError, SystemTx},
    vault::{
        chain::{Hash, Link as _},
        keyring::KeyId,
    },
};

/// Whose chain it is: the installation's, which no tenant's id names.
pub const INSTALLATION: Uuid = Uuid::nil();

/// What an operator acts on. The numbers follow those of [`crate::vault::seal::RecordKind`].
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The installation as a whole.
    Installation,
    /// A key-encryption key.
    Key(&'a KeyId),
}

impl Subject<'_> {
    fn kind(self) -> i16 {
        match self {
            Self::Installation => 0,
            Self::Key(_) => 6,
        }
    }

    /// The log holds ids only: a key's is the front of the hash of its name, so that whoever knows the name finds it.
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::Installation => INSTALLATION,
            Self::Key(id) => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&Hash::of("key id 1", &[id.as_str().as_bytes()]).0[..16]);
                Uuid::from_bytes(bytes)
            }
        }
    }
}

/// Records an act of an operator in its own transaction: both are committed, or neither.
///
/// # Errors
/// When the transaction fails, and with it the act.
pub async fn record(tx: &mut SystemTx, action: Action, subject: Subject<'_>) -> Result<Event, DbError> {
    let reason = tx.reason() as i16;
    let head = sqlx::query!(
        r#"SELECT last_sequence AS "sequence!", last_hash AS "hash!", began_at AS "began_at!"
           FROM app.operator_head($1, $2)"#,
        reason,
        &Hash::START.0[..],
    )
    .fetch_one(tx.conn())
    .await?;
    let mut event = Event {
        tenant: INSTALLATION,
        sequence: head.sequence + 1,
        id: Uuid::now_v7(),
        actor: Uuid::nil(),
        role: reason,
        action: action as i16,
        subject_kind: subject.kind(),
        subject: subject.id(),
        at: head.began_at,
        previous: Hash::stored(&head.hash).ok_or(DbError::Unexpected)?,
        hash: Hash::START,
    };
    event.hash = event.computed();
    sqlx::query!(
        "SELECT app.operator_event($1, $2, $3, $4, $5, $6, $7, $8)",
        reason,
        event.sequence,
        event.id,
        event.action,
        event.subject_kind,
        event.subject,
        &event.previous.0[..],
        &event.hash.0[..],
    )
    .execute(tx.conn())
    .await?;
    Ok(event)
}
