//! Who was invited becomes a member. Its one invariant: an invitation is used once, by who has its token and its address's password, and
//! the membership is audited in the transaction that makes it.

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{
    accounts::{NewPerson, Proved},
    liveness,
    person::EmailAddress,
    secret,
};
use crate::{
    app::App,
    audit::{self, Action},
    db::{DbError, Reason, Scope, TenantTx, Write},
    error::{ApiError, ApiResult},
    vault::{
        content::{self, Stored},
        key::Key,
        keys::{Vault, VaultError},
        seal::{Broken, Field, RecordKind},
    },
};

/// The sealed address of an invitation.
fn field(invitation: Uuid) -> Field {
    Field::new("invitations", "sealed", invitation)
}

/// Seals the address of a new invitation under the tenant's own record key.
///
/// # Errors
/// What a transaction may fail with.
pub async fn seal(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    invitation: Uuid,
    email: &EmailAddress,
) -> Result<Vec<u8>, VaultError> {
    let key = vault.record_key(tx, RecordKind::Tenant, tx.scope().tenant()).await?;
    content::seal(tx, &key, &field(invitation), email.expose().as_bytes()).await
}

/// The addresses of invitations, in the order given.
///
/// # Errors
/// [`VaultError::Broken`] when one was tampered with.
pub async fn open_all<A: crate::db::Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    sealed: &[(Uuid, Vec<u8>)],
) -> Result<Vec<String>, VaultError> {
    let key: Key = vault.record_key(tx, RecordKind::Tenant, tx.scope().tenant()).await?;
    let stored: Vec<_> = sealed.iter().map(|(id, sealed)| Stored { key: &key, field: field(*id), sealed }).collect();
    let plain = content::open_all(&stored)?;
    let text = |((id, _), plain): (&(Uuid, Vec<u8>), &zeroize::Zeroizing<Vec<u8>>)| {
        let text = std::str::from_utf8(plain).map_err(|_| Broken::at(field(*id)))?;
        Ok(text.to_owned())
    };
    sealed.iter().zip(&plain).map(text).collect()
}

/// An invitation that may be accepted.
pub(super) struct Open {
    hash: [u8; 32],
    tenant: Uuid,
    id: Uuid,
    role: i16,
    /// Whom it is for, as addresses are stored.
    pub(super) address: Vec<u8>,
    user: Option<Uuid>,
    credential: Option<Vec<u8>>,
}

/// The invitation of a token.
///
/// # Errors
/// `not_found` when it cannot be used.
pub(super) async fn find(app: &App, token: &SecretString) -> ApiResult<Open> {
    let hash = secret::hash(token.expose_secret());
    let mut tx = app.database.system(Reason::SignIn).await?;
    let found = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", id AS "id!", role AS "role!", address_hmac AS "address!", user_id AS "user", credential
           FROM app.invitation($1)"#,
        &hash[..]
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?
    .ok_or_else(gone)?;
    tx.commit().await?;
    let (tenant, id, role, user) = (found.tenant, found.id, found.role, found.user);
    Ok(Open { hash, tenant, id, role, address: found.address, user, credential: found.credential })
}

/// Makes who has the token a member; returns who that is and of what. An address that signs in already proves its password.
pub(super) async fn accept(
    app: &App,
    found: Open,
    password: SecretString,
    display_name: Option<String>,
) -> ApiResult<(Proved, Uuid)> {
    let hash = found.hash;
    let role = liveness::role(found.role, false).ok_or(DbError::Unexpected)?;
    let user = found.user.unwrap_or_else(Uuid::now_v7);
    // The token of the invitation is what proves who this is until they are a member.
    let scope = Scope::authenticated(found.tenant, user, role);
    let (credential, new) = match found.user {
        Some(_) => (proved(app, &password, found.credential).await?, None),
        None => {
            let mut tx = app.database.read(&scope).await?;
            let email = address(&mut tx, &app.vault, found.id).await?;
            tx.rollback().await?;
            let new = NewPerson { email, display_name, password };
            (new.credential(app).await?, Some(new.person()))
        }
    };
    let mut tx = app.database.write(&scope).await?;
    let row = match new {
        Some(person) => Some(person.seal_new(&mut tx, &app.vault, user).await?),
        None => None,
    };
    let row = row.as_ref();
    let accepted = sqlx::query_scalar!(
        r#"SELECT app.invitation_accept($1, $2, $3, $4, $5) AS "accepted!""#,
        &hash[..],
        row.map(|_| &credential[..]),
        row.map(|row| &row.key_id[..]),
        row.map(|row| &row.sealed_key[..]),
        row.map(|row| &row.sealed[..]),
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| conflict(error.into()))?;
    if !accepted {
        return Err(gone());
    }
    audit::record(&mut tx, Action::AddMember, RecordKind::User as i16, user).await?;
    tx.commit().await?;
    Ok((Proved { user, credential }, found.tenant))
}

async fn proved(app: &App, password: &SecretString, credential: Option<Vec<u8>>) -> ApiResult<Vec<u8>> {
    let fits = app.auth.passwords.verify(password, credential.clone()).await?;
    credential.filter(|_| fits).ok_or_else(super::routes::refused)
}

async fn address<A: crate::db::Access>(tx: &mut TenantTx<A>, vault: &Vault, id: Uuid) -> ApiResult<EmailAddress> {
    let tenant = tx.scope().tenant();
    let sealed = sqlx::query_scalar!(
        r#"SELECT sealed AS "sealed!: Vec<u8>" FROM tenant.invitations WHERE tenant_id = $1 AND id = $2"#,
        tenant,
        id
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?
    .ok_or_else(gone)?;
    let text = open_all(tx, vault, &[(id, sealed)]).await?.pop().unwrap_or_default();
    EmailAddress::parse(&text).ok_or_else(|| ApiError::internal(&Broken::at(field(id))))
}

fn gone() -> ApiError {
    ApiError::new(
        api::error::ErrorCode::NotFound,
        "there is no such invitation, or it was used, withdrawn or is too old: ask for a new one",
    )
}

/// A unique violation: they are a member already, or two accept at once.
fn conflict(error: DbError) -> ApiError {
    match error {
        DbError::Refused { code, .. } if code == "23505" => {
            ApiError::new(api::error::ErrorCode::Conflict, "who was invited is a member already: sign in")
        }
        error => error.into(),
    }
}
