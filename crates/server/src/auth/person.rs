//! A person: an address by which they are found, and personal fields that only their own key opens.
//!
//! Invariant: an address and a name have no printable form, and in the database they are an HMAC and a sealed document.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    db::{Access, DbError, TenantTx, Write},
    vault::{
        content::{self, Stored},
        keys::{Vault, VaultError},
        seal::{Broken, Field},
        system::SystemKey,
    },
};

/// Characters of an address: what a path of SMTP holds (RFC 5321, 4.5.3.1.3, less its brackets).
const MAX_ADDRESS: usize = 254;

/// Characters of a name.
pub const MAX_NAME: usize = 200;

/// An e-mail address. Case says nothing, because people do not remember it.
#[derive(Clone)]
pub struct EmailAddress(SecretString);

impl EmailAddress {
    /// Reads an address; `None` when no mail could be sent to it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let address = text.trim().to_lowercase();
        let (local, domain) = address.rsplit_once('@')?;
        let is_plain = !address.chars().any(|c| c.is_whitespace() || c.is_control());
        let is_address = is_plain && !local.is_empty() && !domain.is_empty() && address.chars().count() <= MAX_ADDRESS;
        is_address.then(|| Self(address.into()))
    }

    /// The address, for who may see it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What finds the person: HMAC-SHA-256 under a key of the installation, so that a stolen table cannot be searched for somebody.
    #[must_use]
    pub fn token(&self, vault: &Vault) -> [u8; 32] {
        let (_, key) = vault.system_keys().newest(SystemKey::SignIn);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
        context.update(b"address 1");
        context.update(self.expose().as_bytes());
        let mut token = [0; 32];
        token.copy_from_slice(context.sign().as_ref());
        token
    }
}

/// Cuts the white space off a name; `None` when nothing is left or it is too long, or holds what no name does.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    let name = text.trim();
    let is_name = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    is_name.then(|| name.to_owned())
}

/// The personal fields, as they are sealed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their address.
    pub email: String,
    /// What they want to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// A key of a person and their fields under it: the columns of a new row.
pub(super) struct SealedPerson {
    pub(super) key_id: String,
    pub(super) sealed_key: Vec<u8>,
    pub(super) sealed: Vec<u8>,
}

fn field(user: Uuid) -> Field {
    Field::new("users", "sealed", user)
}

impl Person {
    /// Seals the fields under a new key.
    pub(super) async fn seal_new(
        &self,
        tx: &mut TenantTx<Write>,
        vault: &Vault,
        user: Uuid,
    ) -> Result<SealedPerson, VaultError> {
        let (key_id, sealed_key) = vault.new_user_key(user)?;
        let key = vault.user_key(tx.conn(), user, (&key_id, &sealed_key)).await?;
        let sealed = content::seal(tx, &key, &field(user), &self.document()).await?;
        Ok(SealedPerson { key_id, sealed_key, sealed })
    }

    /// What who guesses their password would try first.
    #[must_use]
    pub fn known(&self) -> Vec<String> {
        let parts = self.email.split(['@', '.']).chain([&self.email[..]]).map(str::to_owned);
        parts.chain(self.display_name.clone()).collect()
    }

    /// As others see them.
    #[must_use]
    pub fn of(self, user: Uuid) -> api::users::User {
        api::users::User { user_id: user, email: self.email, display_name: self.display_name }
    }

    fn document(&self) -> zeroize::Zeroizing<Vec<u8>> {
        // Two strings always have a JSON form.
        zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Those of these members whom the transaction may know, in no order. A person without fields yet is left out.
    ///
    /// # Errors
    /// [`VaultError::Broken`] when a row was tampered with.
    pub async fn read<A: Access>(
        tx: &mut TenantTx<A>,
        vault: &Vault,
        users: &[Uuid],
    ) -> Result<Vec<(Uuid, Self)>, VaultError> {
        let rows = sqlx::query!(
            r#"SELECT id AS "id!", key_id AS "key_id!", sealed_key AS "sealed_key!", sealed AS "sealed!"
               FROM app.people($1) WHERE sealed IS NOT NULL"#,
            users,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(DbError::from)?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in &rows {
            keys.push(vault.user_key(tx.conn(), row.id, (&row.key_id, &row.sealed_key)).await?);
        }
        let stored: Vec<Stored<'_>> = rows
            .iter()
            .zip(&keys)
            .map(|(row, key)| Stored { key, field: field(row.id), sealed: &row.sealed })
            .collect();
        let plain = content::open_all(&stored)?;
        let read = |(row, plain): (_, &zeroize::Zeroizing<Vec<u8>>)| {
            let id: Uuid = row;
            Ok((id, serde_json::from_slice(plain).map_err(|_| broken(id))?))
        };
        rows.iter().map(|row| row.id).zip(&plain).map(read).collect()
    }

    /// The transaction's own user.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when there are no fields; [`VaultError::Broken`].
    pub async fn own<A: Access>(tx: &mut TenantTx<A>, vault: &Vault) -> Result<Self, VaultError> {
        let user = tx.scope().user();
        let found = Self::read(tx, vault, &[user]).await?.pop();
        found.map(|(_, person)| person).ok_or_else(|| VaultError::Gone(format!("user {user}")))
    }

    /// Replaces the fields of the transaction's own user.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when there is no such person.
    pub async fn store_own(&self, tx: &mut TenantTx<Write>, vault: &Vault) -> Result<(), VaultError> {
        let user = tx.scope().user();
        let row =
            sqlx::query!(r#"SELECT key_id AS "key_id!", sealed_key AS "sealed_key!" FROM app.people($1)"#, &[user][..])
                .fetch_optional(tx.conn())
                .await
                .map_err(DbError::from)?
                .ok_or_else(|| VaultError::Gone(format!("user {user}")))?;
        let key = vault.user_key(tx.conn(), user, (&row.key_id, &row.sealed_key)).await?;
        let sealed = content::seal(tx, &key, &field(user), &self.document()).await?;
        let stored = sqlx::query_scalar!(r#"SELECT app.person_update($1) AS "stored!""#, sealed)
            .fetch_one(tx.conn())
            .await
            .map_err(DbError::from)?;
        if stored { Ok(()) } else { Err(VaultError::Gone(format!("user {user}"))) }
    }
}

fn broken(user: Uuid) -> VaultError {
    Broken::at(field(user)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        assert_eq!(EmailAddress::parse(" Ann@Example.ORG ").unwrap().expose(), "ann@example.org");
        for wrong in ["", "ann", "@example.org", "ann@", "an n@example.org", "ann@exa\nmple.org", &"a@b".repeat(100)] {
            assert!(EmailAddress::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_name_has_characters_and_no_line_breaks() {
        assert_eq!(name("  Ann  Lee ").as_deref(), Some("Ann  Lee"));
        assert!(name(" \t").is_none() && name("a\nb").is_none() && name(&"x".repeat(MAX_NAME + 1)).is_none());
    }
}
