//! The audit log: who did what to what, and when. Its one invariant: an event is committed with the act it speaks of, and events
//! of a tenant form a chain that the application can extend and read but neither change nor shorten.

pub mod operator;
pub mod routes;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Access, DbError, SystemTx, TenantTx, Write},
    vault::{
        chain::{Fault, Hash, Link, Position, PublicKey, SIGNATURE_BYTES, Signer, hexadecimal, is_signed},
        heads::{self, Chain},
    },
};

/// A privileged act. The numbers are those of the database; one that was used is never given another meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i16)]
pub enum Action {
    /// A call, with everything made of it, was deleted.
    DeleteCall = 1,
    /// A contact was deleted.
    DeleteContact = 2,
    /// A voice profile was deleted.
    DeleteVoiceProfile = 3,
    /// A user was deleted, with all their data in the tenant.
    DeleteUser = 4,
    /// The tenant was deleted.
    DeleteTenant = 5,
    /// A deletion was applied again after a backup had been restored.
    ReapplyDeletion = 6,
    /// Keys were sealed again under a newer key-encryption key, which is the subject.
    RotateKeys = 7,
    /// A key-encryption key was retired.
    RetireKey = 8,
    /// A restored database was brought up to its receipts.
    CheckRestore = 9,
    /// The installation signs access tokens with a new key.
    RotateTokens = 10,
    /// A tenant was made, with its first owner.
    CreateTenant = 20,
    /// Somebody became a member.
    AddMember = 21,
    /// What a member is in the tenant was changed.
    ChangeMember = 22,
    /// Somebody was invited.
    Invite = 23,
    /// An invitation was withdrawn.
    WithdrawInvitation = 24,
    /// An API key was made.
    CreateApiKey = 25,
    /// An API key was revoked.
    RevokeApiKey = 26,
    /// The tenant's settings were changed.
    ChangeTenant = 27,
    /// A person changed their password.
    ChangePassword = 28,
    /// A person signed out everywhere.
    SignOutEverywhere = 29,
    /// A call was put under legal hold.
    SetLegalHold = 30,
    /// A call is under legal hold no more.
    LiftLegalHold = 31,
    /// The tenant keeps recordings from now on.
    TurnOnAudioRetention = 40,
    /// The tenant keeps no recordings any more.
    TurnOffAudioRetention = 41,
    /// A recording that was kept was removed, because the tenant keeps none any more.
    RemoveKeptAudio = 42,
    /// Somebody began to play a recording, without what was redacted.
    PlayAudio = 43,
    /// Somebody began to play a recording as it came.
    PlayOriginalAudio = 44,
    /// An export was asked for: of the own data, or of a data subject's.
    RequestExport = 60,
    /// An export was downloaded.
    DownloadExport = 61,
    /// An export is over, and its key destroyed.
    ExpireExport = 62,
    /// A user had a voice profile made of a sample of theirs.
    MakeVoiceProfile = 70,
    /// A webhook endpoint was made.
    CreateWebhook = 80,
    /// A webhook endpoint was changed, enabled or disabled by a person.
    ChangeWebhook = 81,
    /// A webhook endpoint was removed.
    DeleteWebhook = 82,
    /// The secret of a webhook endpoint was replaced.
    ReplaceWebhookSecret = 83,
    /// A person had a webhook endpoint sent a try, or a message once more.
    SendWebhook = 84,
    /// A webhook endpoint was disabled because it is gone or failed for too long.
    DisableWebhook = 85,
}

impl Action {
    const ALL: [Self; 37] = [
        Self::DeleteCall,
        Self::DeleteContact,
        Self::DeleteVoiceProfile,
        Self::DeleteUser,
        Self::DeleteTenant,
        Self::ReapplyDeletion,
        Self::RotateKeys,
        Self::RetireKey,
        Self::CheckRestore,
        Self::RotateTokens,
        Self::CreateTenant,
        Self::AddMember,
        Self::ChangeMember,
        Self::Invite,
        Self::WithdrawInvitation,
        Self::CreateApiKey,
        Self::RevokeApiKey,
        Self::ChangeTenant,
        Self::ChangePassword,
        Self::SignOutEverywhere,
        Self::SetLegalHold,
        Self::LiftLegalHold,
        Self::TurnOnAudioRetention,
        Self::TurnOffAudioRetention,
        Self::RemoveKeptAudio,
        Self::PlayAudio,
        Self::PlayOriginalAudio,
        Self::RequestExport,
        Self::DownloadExport,
        Self::ExpireExport,
        Self::MakeVoiceProfile,
        Self::CreateWebhook,
        Self::ChangeWebhook,
        Self::DeleteWebhook,
        Self::ReplaceWebhookSecret,
        Self::SendWebhook,
        Self::DisableWebhook,
    ];

    /// What an act is called, by its number in the database; an act of a newer program by its number.
    #[must_use]
    pub fn name(number: i16) -> String {
        let known = Self::ALL.into_iter().find(|action| *action as i16 == number);
        known.map_or_else(|| number.to_string(), |action| format!("{action:?}"))
    }
}

/// Subjects of events that have no key of their own, and so no [`crate::vault::seal::RecordKind`].
pub mod subject {
    /// An API key.
    pub const API_KEY: i16 = 20;
    /// An invitation.
    pub const INVITATION: i16 = 21;
    /// An export of the own data.
    pub const EXPORT: i16 = 22;
    /// An export of a data subject's calls.
    pub const SUBJECT_EXPORT: i16 = 23;
    /// A webhook endpoint.
    pub const WEBHOOK: i16 = 24;
}

/// An event of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// In whose log it is.
    pub tenant: Uuid,
    /// Its place, from 1.
    pub sequence: i64,
    /// Its id.
    pub id: Uuid,
    /// Who acted.
    pub actor: Uuid,
    /// As what: a number of [`crate::db::Role`], or of [`crate::db::Reason`] when an operator acted.
    pub role: i16,
    /// What was done: a number of [`Action`].
    pub action: i16,
    /// What kind of thing it was done to: a number of [`crate::vault::seal::RecordKind`] or of [`subject`].
    pub subject_kind: i16,
    /// To what.
    pub subject: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// The hash of the event before.
    pub previous: Hash,
    /// The hash of this one.
    pub hash: Hash,
}

impl Link for Event {
    fn position(&self) -> Position {
        Position { tenant: self.tenant, sequence: self.sequence, previous: self.previous, hash: self.hash }
    }

    fn computed(&self) -> Hash {
        let [role, action, kind] = [self.role, self.action, self.subject_kind].map(i16::to_be_bytes);
        Hash::of(
            "audit event 1",
            &[
                self.tenant.as_bytes(),
                &self.sequence.to_be_bytes(),
                self.id.as_bytes(),
                self.actor.as_bytes(),
                &role,
                &action,
                &kind,
                self.subject.as_bytes(),
                &self.at.timestamp_micros().to_be_bytes(),
                &self.previous.0,
            ],
        )
    }
}

/// An event as the object store keeps it: signed, so that a shorter log cannot pass as whole, and nobody else adds to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedEvent {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// Which version of the key signed it.
    pub signing_key: i32,
    /// Ed25519 over its hash, which covers every event up to it.
    #[serde(with = "hexadecimal")]
    pub signature: [u8; SIGNATURE_BYTES],
}

impl SignedEvent {
    /// Signs an event.
    #[must_use]
    pub fn new(event: Event, signer: &Signer) -> Self {
        Self { signing_key: signer.version, signature: signer.sign(&event.hash), event }
    }

    /// Whether this installation signed it, as it is.
    ///
    /// # Errors
    /// [`Fault::Unsigned`] when not.
    pub fn verify(&self, keys: &[PublicKey]) -> Result<(), Fault> {
        if is_signed(keys, self.signing_key, &self.event.hash, &self.signature) && self.computed() == self.event.hash {
            return Ok(());
        }
        Err(Fault::Unsigned { tenant: self.event.tenant, sequence: self.event.sequence })
    }
}

impl Link for SignedEvent {
    fn position(&self) -> Position {
        self.event.position()
    }

    fn computed(&self) -> Hash {
        self.event.computed()
    }
}

/// Records an act in its own transaction: both are committed, or neither.
///
/// # Errors
/// When the transaction fails, and with it the act.
pub async fn record(
    tx: &mut TenantTx<Write>,
    action: Action,
    subject_kind: i16,
    subject: Uuid,
) -> Result<Event, DbError> {
    let head = heads::lock(tx, Chain::Audit).await?;
    let scope = tx.scope();
    let mut event = Event {
        tenant: scope.tenant(),
        sequence: head.sequence + 1,
        id: Uuid::now_v7(),
        actor: scope.user(),
        role: scope.role() as i16,
        action: action as i16,
        subject_kind,
        subject,
        at: head.now,
        previous: head.hash,
        hash: Hash::START,
    };
    event.hash = event.computed();
    insert(tx, &event).await?;
    Ok(event)
}

/// Puts an event at the end of its log, which the transaction has locked.
pub(crate) async fn insert(tx: &mut TenantTx<Write>, event: &Event) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO tenant.audit_events (tenant_id, sequence, id, actor_id, actor_role, action, subject_kind, subject_id, at,
           previous, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        event.tenant,
        event.sequence,
        event.id,
        event.actor,
        event.role,
        event.action,
        event.subject_kind,
        event.subject,
        event.at,
        &event.previous.0[..],
        &event.hash.0[..],
    )
    .execute(tx.conn())
    .await?;
    heads::advance(tx, Chain::Audit, event.sequence, &event.hash).await
}

/// At most `most` events of the transaction's tenant, the latest first, before a place in its chain.
///
/// # Errors
/// When the transaction fails, or a row is not an event.
pub async fn latest<A: Access>(tx: &mut TenantTx<A>, before: Option<i64>, most: i64) -> Result<Vec<Event>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query!(
        "SELECT sequence, id, actor_id, actor_role, action, subject_kind, subject_id, at, previous, hash FROM tenant.audit_events
           WHERE tenant_id = $1 AND ($2::bigint IS NULL OR sequence < $2) ORDER BY sequence DESC LIMIT $3",
        tenant,
        before,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let events = rows.into_iter().map(|row| {
        Some(Event {
            tenant,
            sequence: row.sequence,
            id: row.id,
            actor: row.actor_id,
            role: row.actor_role,
            action: row.action,
            subject_kind: row.subject_kind,
            subject: row.subject_id,
            at: row.at,
            previous: Hash::stored(&row.previous)?,
            hash: Hash::stored(&row.hash)?,
        })
    });
    events.collect::<Option<_>>().ok_or(DbError::Unexpected)
}

/// At most `most` events of all tenants, deleted ones too, in the order of their chains, after a place in it.
///
/// # Errors
/// When the transaction fails, or a row is not an event.
pub async fn page(tx: &mut SystemTx, after: (Uuid, i64), most: i32) -> Result<Vec<Event>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", sequence AS "sequence!", id AS "id!", actor_id AS "actor!", actor_role AS "role!",
             action AS "action!", subject_kind AS "kind!", subject_id AS "subject!", at AS "at!", previous AS "previous!",
             hash AS "hash!"
           FROM app.audit_events($1, $2, $3)"#,
        after.0,
        after.1,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let events = rows.into_iter().map(|row| {
        Some(Event {
            tenant: row.tenant,
            sequence: row.sequence,
            id: row.id,
            actor: row.actor,
            role: row.role,
            action: row.action,
            subject_kind: row.kind,
            subject: row.subject,
            at: row.at,
            previous: Hash::stored(&row.previous)?,
            hash: Hash::stored(&row.hash)?,
        })
    });
    events.collect::<Option<_>>().ok_or(DbError::Unexpected)
}
