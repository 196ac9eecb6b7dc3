//! Tenants and people come into being, and prove who they are. Its one invariant: a person exists only as a member of a tenant, and
//! each of both is committed whole, with its audit event, or not at all.

use secrecy::SecretString;
use uuid::Uuid;

use super::{
    passwords::PasswordError,
    person::{EmailAddress, Person},
    tenant,
};
use crate::{
    app::App,
    audit::{self, Action},
    db::{DbError, Reason, Role, Scope, TenantTx, Write},
    error::ApiError,
    vault::{keys::VaultError, seal::RecordKind},
};

/// Why an account is not made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Somebody has the address.
    #[error("somebody signs in with this address already")]
    AddressTaken,
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The transaction failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<DbError> for AccountError {
    fn from(error: DbError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Length => Self::field("password", "a password has 8 to 128 characters"),
            PasswordError::Guessable => Self::field(
                "password",
                "this password is too easy to guess: take several unrelated words, or let a password manager make one",
            ),
            PasswordError::Busy => {
                Self::new(api::error::ErrorCode::Unavailable, "too many sign-ins at once; try again").retry_after(5)
            }
            PasswordError::Failed => Self::internal(&error),
        }
    }
}

/// Who is to get an account.
pub struct NewPerson {
    /// With what they sign in.
    pub email: EmailAddress,
    /// What they are called.
    pub display_name: Option<String>,
    /// Their password.
    pub password: SecretString,
}

impl NewPerson {
    /// What a guesser would try first.
    fn known(&self) -> Vec<String> {
        let parts = self.email.expose().split(['@', '.']).chain([self.email.expose()]).map(str::to_owned);
        parts.chain(self.display_name.clone()).collect()
    }

    /// Hashes the password if it is good enough.
    pub(super) async fn credential(&self, app: &App) -> Result<Vec<u8>, PasswordError> {
        app.auth.passwords.check(&self.password, self.known()).await?;
        app.auth.passwords.hash(&self.password).await
    }

    pub(super) fn person(&self) -> Person {
        Person { email: self.email.expose().to_owned(), display_name: self.display_name.clone() }
    }
}

/// Makes a tenant and its owner; returns both ids.
///
/// # Errors
/// See [`AccountError`]; nothing was made then.
pub async fn create_tenant(app: &App, name: &str, owner: &NewPerson) -> Result<(Uuid, Uuid), AccountError> {
    let credential = owner.credential(app).await?;
    let (id, user) = (Uuid::now_v7(), Uuid::now_v7());
    // Nobody else can have proved to own what does not exist yet.
    let mut tx = app.database.write(&Scope::authenticated(id, user, Role::Owner)).await?;
    let (key_id, sealed_key) = app.vault.new_tenant_key(id).map_err(VaultError::from)?;
    sqlx::query!(
        "INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) VALUES ($1, $2, $3)",
        id,
        key_id,
        sealed_key
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    app.vault.create_record_key(&mut tx, RecordKind::Tenant, id).await?;
    tenant::store_name(&mut tx, &app.vault, name).await?;
    add_member(app, &mut tx, user, Role::Owner, owner, &credential).await?;
    audit::record(&mut tx, Action::CreateTenant, RecordKind::Tenant as i16, id).await?;
    tx.commit().await?;
    Ok((id, user))
}

/// Makes a person who is a member of the tenant that `by` manages; returns their id.
///
/// # Errors
/// See [`AccountError`]; nothing was made then.
pub async fn create_user(app: &App, by: &Scope, role: Role, new: &NewPerson) -> Result<Uuid, AccountError> {
    let credential = new.credential(app).await?;
    let user = Uuid::now_v7();
    let mut tx = app.database.write(by).await?;
    add_member(app, &mut tx, user, role, new, &credential).await?;
    audit::record(&mut tx, Action::AddMember, RecordKind::User as i16, user).await?;
    tx.commit().await?;
    Ok(user)
}

async fn add_member(
    app: &App,
    tx: &mut TenantTx<Write>,
    user: Uuid,
    role: Role,
    new: &NewPerson,
    credential: &[u8],
) -> Result<(), AccountError> {
    let row = new.person().seal_new(tx, &app.vault, user).await?;
    let token = new.email.token(&app.vault);
    sqlx::query!(
        "SELECT app.member_add($1, $2, $3, $4, $5, $6, $7)",
        user,
        role as i16,
        &token[..],
        credential,
        row.key_id,
        row.sealed_key,
        row.sealed,
    )
    .execute(tx.conn())
    .await
    .map_err(|error| taken(error.into()))?;
    Ok(())
}

/// A unique violation means that somebody has the address.
fn taken(error: DbError) -> AccountError {
    match error {
        DbError::Refused { code, .. } if code == "23505" => AccountError::AddressTaken,
        error => error.into(),
    }
}

/// Somebody who proved a password.
pub struct Proved {
    /// Who.
    pub user: Uuid,
    /// What the password fits, so that a session is made only while it is still theirs.
    pub credential: Vec<u8>,
}

/// Who has this address and password. It takes the same time to find that nobody has.
///
/// # Errors
/// When it cannot be found out.
pub async fn authenticate(
    app: &App,
    email: &EmailAddress,
    password: &SecretString,
) -> Result<Option<Proved>, AccountError> {
    let token = email.token(&app.vault);
    let mut tx = app.database.system(Reason::SignIn).await?;
    let found = sqlx::query!(r#"SELECT id AS "id!", credential FROM app.user_by_address($1)"#, &token[..])
        .fetch_optional(tx.conn())
        .await
        .map_err(DbError::from)?;
    tx.commit().await?;
    let (user, credential) = found.map_or((None, None), |row| (Some(row.id), row.credential));
    let fits = app.auth.passwords.verify(password, credential.clone()).await?;
    Ok(user.zip(credential).filter(|_| fits).map(|(user, credential)| Proved { user, credential }))
}
