//! The first owner of an installation. Its one invariant: they are made only while there is no tenant at all.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use super::{
    accounts::{self, AccountError, NewPerson},
    passwords::PasswordError,
    person::EmailAddress,
};
use crate::{
    app::App,
    db::{DbError, Reason},
};

/// Bytes of a password: 24 characters, which nobody guesses.
const PASSWORD_BYTES: usize = 18;

/// What the tenant is called until its owner changes it.
const TENANT: &str = "First tenant";

/// Makes a tenant and its owner with a random password when there is no tenant; the password is given this once.
///
/// # Errors
/// See [`AccountError`]. Somebody else who starts at the same time may have made them: then there is nothing to do.
pub async fn owner(app: &App, email: EmailAddress) -> Result<Option<SecretString>, AccountError> {
    if has_tenants(app).await? {
        return Ok(None);
    }
    let mut bytes = zeroize::Zeroizing::new([0; PASSWORD_BYTES]);
    rand::fill(&mut *bytes).map_err(|_| PasswordError::Failed)?;
    let password = SecretString::from(URL_SAFE_NO_PAD.encode(*bytes));
    let owner = NewPerson { email, display_name: None, password: password.clone() };
    match accounts::create_tenant(app, TENANT, &owner).await {
        Ok(_) => Ok(Some(password)),
        Err(AccountError::AddressTaken) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every tenant has a key that lies under a key-encryption key.
async fn has_tenants(app: &App) -> Result<bool, DbError> {
    let mut tx = app.database.system(Reason::Keys).await?;
    let has = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM app.key_uses() WHERE tenants > 0) AS "has!""#)
        .fetch_one(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(has)
}
