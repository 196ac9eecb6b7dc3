//! All SQL of voice profiles. Its one invariant: every statement is about the transaction's own user, as the policy of the table is.

use api::users::ConsentKind;
use chrono::{DateTime, Utc};
use speech::voiceprint::Voiceprint;
use uuid::Uuid;

use super::PROVIDER;
use crate::{
    db::{Access, DbError, TenantTx, Write},
    users,
    vault::{
        content::{self, Stored},
        keys::{Vault, VaultError},
        seal::{Field, RecordKind},
    },
};

/// A profile as it is stored.
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) consent_version: i32,
    sealed: Vec<u8>,
}

/// Where a voiceprint is sealed.
fn field(profile: Uuid) -> Field {
    Field::new("voice_profiles", "sealed", profile)
}

/// The profile of the transaction's user, where the consent that it rests on is in force.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn own<A: Access>(tx: &mut TenantTx<A>) -> Result<Option<Row>, DbError> {
    let scope = tx.scope();
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, created_at, provider, model, consent_version, sealed AS "sealed: Vec<u8>" FROM tenant.voice_profiles p
           WHERE tenant_id = $1 AND owner_id = $2 AND provider = $3 AND EXISTS (
             SELECT FROM tenant.consents c WHERE c.tenant_id = $1 AND c.owner_id = $2 AND c.kind = $4
               AND c.version = p.consent_version AND c.withdrawn_at IS NULL)"#,
        scope.tenant(),
        scope.user(),
        PROVIDER,
        users::number(ConsentKind::VoiceProfile),
    );
    Ok(row.fetch_optional(tx.conn()).await?)
}

/// Whether a profile of the transaction's user is still there with a consent that is in force; a withdrawal waits for the end of the
/// transaction.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn hold(tx: &mut TenantTx<Write>, profile: Uuid) -> Result<bool, DbError> {
    let scope = tx.scope();
    // Profiles are not changed, so nobody may lock them; whoever withdraws changes the consent first.
    let rows = sqlx::query_scalar!(
        "SELECT c.id FROM tenant.consents c JOIN tenant.voice_profiles p
             ON p.tenant_id = c.tenant_id AND p.owner_id = c.owner_id AND p.consent_version = c.version
           WHERE c.tenant_id = $1 AND c.owner_id = $2 AND c.kind = $3 AND c.withdrawn_at IS NULL AND p.id = $4
           FOR SHARE OF c",
        scope.tenant(),
        scope.user(),
        users::number(ConsentKind::VoiceProfile),
        profile,
    );
    Ok(!rows.fetch_all(tx.conn()).await?.is_empty())
}

/// The profile of the transaction's user, whatever became of the consent.
pub(super) async fn any(tx: &mut TenantTx<Write>) -> Result<Option<Uuid>, DbError> {
    let scope = tx.scope();
    let row = sqlx::query_scalar!(
        "SELECT id FROM tenant.voice_profiles WHERE tenant_id = $1 AND owner_id = $2 AND provider = $3",
        scope.tenant(),
        scope.user(),
        PROVIDER,
    );
    Ok(row.fetch_optional(tx.conn()).await?)
}

/// The profile of the transaction's user that has no consent in force any more.
pub(super) async fn without_consent(tx: &mut TenantTx<Write>) -> Result<Option<Uuid>, DbError> {
    let scope = tx.scope();
    let row = sqlx::query_scalar!(
        "SELECT id FROM tenant.voice_profiles p WHERE tenant_id = $1 AND owner_id = $2 AND NOT EXISTS (
           SELECT FROM tenant.consents c WHERE c.tenant_id = $1 AND c.owner_id = $2 AND c.kind = $3
             AND c.version = p.consent_version AND c.withdrawn_at IS NULL)",
        scope.tenant(),
        scope.user(),
        users::number(ConsentKind::VoiceProfile),
    );
    Ok(row.fetch_optional(tx.conn()).await?)
}

/// Opens the voiceprint of a profile.
///
/// # Errors
/// [`VaultError::Gone`] when it has no key any more; [`VaultError::Broken`] when it was tampered with.
pub(crate) async fn open<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    profile: &Row,
) -> Result<Voiceprint, VaultError> {
    let key = vault.record_key(tx, RecordKind::VoiceProfile, profile.id).await?;
    let blob = content::open(&Stored { key: &key, field: field(profile.id), sealed: &profile.sealed })?;
    Ok(Voiceprint::stored(blob))
}

/// Stores a voiceprint under a key of its own; `None` where the user has a profile already.
pub(super) async fn insert(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    voiceprint: &Voiceprint,
    (model, consent): (&str, u16),
) -> Result<Option<Uuid>, VaultError> {
    let (scope, profile) = (tx.scope(), Uuid::now_v7());
    let key = vault.create_record_key(tx, RecordKind::VoiceProfile, profile).await?;
    let sealed = content::seal(tx, &key, &field(profile), voiceprint.blob()).await?;
    let inserted = sqlx::query!(
        "INSERT INTO tenant.voice_profiles (tenant_id, id, owner_id, provider, model, consent_version, sealed)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        scope.tenant(),
        profile,
        scope.user(),
        PROVIDER,
        model,
        i32::from(consent),
        sealed as _,
    );
    let inserted = inserted.execute(tx.conn()).await.map_err(DbError::from)?;
    Ok((inserted.rows_affected() == 1).then_some(profile))
}

/// Records the consent that came with a sample. Each sample has a record of its own, so that a withdrawal of the one before which commits
/// meanwhile does not take this one back.
pub(super) async fn give_consent(tx: &mut TenantTx<Write>, version: u16) -> Result<Uuid, DbError> {
    let (scope, consent) = (tx.scope(), Uuid::now_v7());
    sqlx::query!(
        "INSERT INTO tenant.consents (tenant_id, id, owner_id, kind, version) VALUES ($1, $2, $3, $4, $5)",
        scope.tenant(),
        consent,
        scope.user(),
        users::number(ConsentKind::VoiceProfile),
        i32::from(version),
    )
    .execute(tx.conn())
    .await?;
    Ok(consent)
}

/// Whether a consent is in force; a withdrawal of it waits for the end of the transaction.
pub(super) async fn hold_consent(tx: &mut TenantTx<Write>, consent: Uuid) -> Result<bool, DbError> {
    let scope = tx.scope();
    let row = sqlx::query_scalar!(
        "SELECT id FROM tenant.consents WHERE tenant_id = $1 AND owner_id = $2 AND id = $3 AND withdrawn_at IS NULL
           FOR UPDATE",
        scope.tenant(),
        scope.user(),
        consent,
    );
    Ok(row.fetch_optional(tx.conn()).await?.is_some())
}

/// Removes the record of a consent that came with a sample of which no profile came; one that was withdrawn stays, as they all do.
pub(super) async fn forget_consent(tx: &mut TenantTx<Write>, consent: Uuid) -> Result<(), DbError> {
    let scope = tx.scope();
    sqlx::query!(
        "DELETE FROM tenant.consents WHERE tenant_id = $1 AND owner_id = $2 AND id = $3 AND withdrawn_at IS NULL",
        scope.tenant(),
        scope.user(),
        consent,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Withdraws every consent to voice profiles; whether there was one.
pub(super) async fn withdraw_consent(tx: &mut TenantTx<Write>) -> Result<bool, DbError> {
    let scope = tx.scope();
    let withdrawn = sqlx::query!(
        "UPDATE tenant.consents SET withdrawn_at = now()
           WHERE tenant_id = $1 AND owner_id = $2 AND kind = $3 AND withdrawn_at IS NULL",
        scope.tenant(),
        scope.user(),
        users::number(ConsentKind::VoiceProfile),
    )
    .execute(tx.conn())
    .await?;
    Ok(withdrawn.rows_affected() > 0)
}
