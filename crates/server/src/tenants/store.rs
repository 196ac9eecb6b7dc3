//! All SQL of tenants, their members, invitations and API keys.

use std::collections::BTreeSet;

use api::tenants::{Provider, Role, TenantPatch};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    analysis_provider::Allowed,
    db::{Access, DbError, TenantTx, Write},
    redaction,
    tenants::number,
};

/// What is not sealed of a tenant.
pub(super) struct TenantRow {
    pub(super) region: String,
    pub(super) plan: String,
    pub(super) status: i16,
    pub(super) retention_days: i16,
    pub(super) audio_retention: bool,
    pub(super) shares_calls: bool,
    pub(super) redaction: i32,
    pub(super) allowed_providers: Vec<String>,
    pub(super) allowed_regions: Vec<String>,
    pub(super) created_at: DateTime<Utc>,
}

pub(super) async fn tenant<A: Access>(tx: &mut TenantTx<A>) -> Result<TenantRow, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query_as!(
        TenantRow,
        "SELECT region, plan, status, retention_days, audio_retention, shares_calls, redaction, allowed_providers, allowed_regions, created_at
         FROM tenant.tenants WHERE tenant_id = $1",
        tenant
    );
    Ok(row.fetch_one(tx.conn()).await?)
}

/// Whom content may leave for (S7, H15).
///
/// # Errors
/// When the database does not answer.
pub async fn allowed<A: Access>(tx: &mut TenantTx<A>) -> Result<Allowed, DbError> {
    let tenant = tx.scope().tenant();
    let row = sqlx::query_as!(
        Allowed,
        "SELECT allowed_providers AS providers, allowed_regions AS regions FROM tenant.tenants WHERE tenant_id = $1",
        tenant
    );
    Ok(row.fetch_one(tx.conn()).await?)
}

/// Whether the tenant keeps recordings, which nobody else changes until the transaction ends. Those who only refer to the tenant go on.
pub(super) async fn audio_retention_until_changed(tx: &mut TenantTx<Write>) -> Result<bool, DbError> {
    let tenant = tx.scope().tenant();
    let is_on = sqlx::query_scalar!(
        "SELECT audio_retention FROM tenant.tenants WHERE tenant_id = $1 FOR NO KEY UPDATE",
        tenant
    );
    Ok(is_on.fetch_one(tx.conn()).await?)
}

/// Changes what is given.
pub(super) async fn change(tx: &mut TenantTx<Write>, patch: &TenantPatch) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    let days = patch.retention_days.map(i16::try_from).transpose().map_err(|_| DbError::Unexpected)?;
    let named = |all: &[Provider]| {
        let once: BTreeSet<&str> = all.iter().map(|one| super::code(*one)).collect();
        once.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let providers = patch.allowed_providers.as_deref().map(named);
    sqlx::query!(
        "UPDATE tenant.tenants SET shares_calls = coalesce($2, shares_calls), retention_days = coalesce($3, retention_days),
           redaction = coalesce($4, redaction), audio_retention = coalesce($5, audio_retention),
           allowed_providers = coalesce($6, allowed_providers), allowed_regions = coalesce($7, allowed_regions), updated_at = now()
         WHERE tenant_id = $1",
        tenant,
        patch.shares_calls,
        days,
        patch.redaction_policy.as_deref().map(redaction::bits),
        patch.audio_retention,
        providers as _,
        patch.allowed_regions.as_deref(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A membership.
pub(super) struct MemberRow {
    pub(super) user: Uuid,
    pub(super) role: i16,
    pub(super) created_at: DateTime<Utc>,
}

/// Members by id, which is about the order in which they came.
pub(super) async fn members<A: Access>(
    tx: &mut TenantTx<A>,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<MemberRow>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query_as!(
        MemberRow,
        r#"SELECT user_id AS "user", role, created_at FROM tenant.memberships
           WHERE tenant_id = $1 AND ($2::uuid IS NULL OR user_id > $2) ORDER BY user_id LIMIT $3"#,
        tenant,
        after,
        most,
    );
    Ok(rows.fetch_all(tx.conn()).await?)
}

/// A member, locked; the owners before, since two who change each other would lock each other out otherwise.
pub(super) async fn member(tx: &mut TenantTx<Write>, user: Uuid) -> Result<Option<MemberRow>, DbError> {
    owners(tx).await?;
    let tenant = tx.scope().tenant();
    let row = sqlx::query_as!(
        MemberRow,
        r#"SELECT user_id AS "user", role, created_at FROM tenant.memberships WHERE tenant_id = $1 AND user_id = $2
           FOR UPDATE"#,
        tenant,
        user,
    );
    Ok(row.fetch_optional(tx.conn()).await?)
}

/// The owners, locked, always in the same order.
pub(super) async fn owners(tx: &mut TenantTx<Write>) -> Result<Vec<Uuid>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query_scalar!(
        "SELECT user_id FROM tenant.memberships WHERE tenant_id = $1 AND role = 1 ORDER BY user_id FOR UPDATE",
        tenant
    );
    Ok(rows.fetch_all(tx.conn()).await?)
}

/// Whether the transaction is the only one that removes this user, or works on this contact; from then on to its end it stays so.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn begin_removal(tx: &mut TenantTx<Write>, subject: Uuid) -> Result<bool, DbError> {
    let is_alone = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended('removal ' || $1::uuid || ' ' || $2::uuid, 0)) AS "is_alone!""#,
        tx.scope().tenant(),
        subject,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is_alone)
}

pub(super) async fn set_role(tx: &mut TenantTx<Write>, user: Uuid, role: Role) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.memberships SET role = $3 WHERE tenant_id = $1 AND user_id = $2",
        tenant,
        user,
        number(role)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An open invitation.
pub(super) struct InvitationRow {
    pub(super) id: Uuid,
    pub(super) role: i16,
    pub(super) sealed: Vec<u8>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Holds back others who add to what the tenant may have a number of, until the transaction ends.
pub(crate) async fn lock(tx: &mut TenantTx<Write>) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("SELECT tenant_id FROM tenant.tenants WHERE tenant_id = $1 FOR UPDATE", tenant)
        .fetch_one(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn invitations<A: Access>(tx: &mut TenantTx<A>, most: i64) -> Result<Vec<InvitationRow>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query_as!(
        InvitationRow,
        r#"SELECT id, role, sealed AS "sealed: Vec<u8>", expires_at FROM tenant.invitations
           WHERE tenant_id = $1 AND expires_at > now() ORDER BY id LIMIT $2"#,
        tenant,
        most,
    );
    Ok(rows.fetch_all(tx.conn()).await?)
}

/// A new invitation takes the place of an older one for the same address, and of those that ended. Returns when it ends.
pub(super) async fn invite(
    tx: &mut TenantTx<Write>,
    (id, role, days): (Uuid, Role, i32),
    (address, token, sealed): (&[u8], &[u8], &[u8]),
) -> Result<DateTime<Utc>, DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "DELETE FROM tenant.invitations WHERE tenant_id = $1 AND (address_hmac = $2 OR expires_at <= now())",
        tenant,
        address
    )
    .execute(tx.conn())
    .await?;
    let ends = sqlx::query_scalar!(
        "INSERT INTO tenant.invitations (tenant_id, id, role, address_hmac, token_hash, sealed, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7)) RETURNING expires_at",
        tenant,
        id,
        number(role),
        address,
        token,
        sealed as _,
        days,
    );
    Ok(ends.fetch_one(tx.conn()).await?)
}

/// The role of what was withdrawn.
pub(super) async fn withdraw(tx: &mut TenantTx<Write>, id: Uuid) -> Result<Option<i16>, DbError> {
    let tenant = tx.scope().tenant();
    let role = sqlx::query_scalar!(
        "DELETE FROM tenant.invitations WHERE tenant_id = $1 AND id = $2 RETURNING role",
        tenant,
        id
    );
    Ok(role.fetch_optional(tx.conn()).await?)
}

/// An API key that was not revoked.
pub(super) struct ApiKeyRow {
    pub(super) id: Uuid,
    pub(super) owner: Uuid,
    pub(super) scopes: i32,
    pub(super) sealed: Option<Vec<u8>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) used_at: Option<DateTime<Utc>>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

pub(super) async fn api_keys<A: Access>(tx: &mut TenantTx<A>, most: i64) -> Result<Vec<ApiKeyRow>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query_as!(
        ApiKeyRow,
        r#"SELECT id, owner_id AS "owner", scopes, sealed AS "sealed: Vec<u8>", created_at, used_at, expires_at
           FROM tenant.api_keys WHERE tenant_id = $1 AND revoked_at IS NULL ORDER BY id LIMIT $2"#,
        tenant,
        most,
    );
    Ok(rows.fetch_all(tx.conn()).await?)
}

/// Returns when it was made and when it ends.
pub(super) async fn add_api_key(
    tx: &mut TenantTx<Write>,
    id: Uuid,
    (scopes, days): (i32, i32),
    (token, sealed): (&[u8], &[u8]),
) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>), DbError> {
    let scope = tx.scope();
    let row = sqlx::query!(
        "INSERT INTO tenant.api_keys (tenant_id, id, owner_id, token_hash, scopes, sealed, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7)) RETURNING created_at, expires_at",
        scope.tenant(),
        id,
        scope.user(),
        token,
        scopes,
        sealed as _,
        days,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.created_at, row.expires_at))
}

/// Whether there was such a key.
pub(super) async fn revoke_api_key(tx: &mut TenantTx<Write>, id: Uuid) -> Result<bool, DbError> {
    let tenant = tx.scope().tenant();
    let revoked = sqlx::query!(
        "UPDATE tenant.api_keys SET revoked_at = now() WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        tenant,
        id
    );
    Ok(revoked.execute(tx.conn()).await?.rows_affected() == 1)
}
