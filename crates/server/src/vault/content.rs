//! Content columns: pgcrypto's AES-256 around the program's own. Its one invariant: this is the only place that calls pgcrypto;
//! what it sends is a passphrase derived for one field and this one seal, as a bind parameter, and a text that is sealed already.
//! Opening sends nothing: [`openpgp`] reads what pgcrypto wrote.
//!
//! A stored value is the OpenPGP message of pgcrypto followed by a packet of a private type (RFC 4880, 4.3: 60) with the salt of
//! the passphrase and an HMAC over the message. OpenPGP's own check covers the text and not the framing around it, and with the
//! HMAC no byte that somebody else wrote ever reaches a parser.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    key::{Key, SALT_BYTES, Salt},
    keys::VaultError,
    openpgp,
    seal::{Broken, Field, open_content, seal_content},
};
use crate::db::{DbError, TenantTx, Write};

/// Bytes of an HMAC-SHA-256.
const MAC_BYTES: usize = 32;

/// Head of the packet behind the message: new format, private type 60, salt and HMAC.
const TRAILER_HEAD: [u8; 2] = [0xC0 | 60, (SALT_BYTES + MAC_BYTES) as u8];

/// Bytes of that packet.
const TRAILER: usize = TRAILER_HEAD.len() + SALT_BYTES + MAC_BYTES;

/// Bytes of content in one column: what the domain `app.enc` allows less what sealing adds.
pub const MAX_CONTENT: usize = (64 << 20) - 1024;

/// A stored value to be opened: whose it is, where it lies, what is there.
pub struct Stored<'a> {
    /// The key of its record or run.
    pub key: &'a Key,
    /// Where it was read from.
    pub field: Field,
    /// The value of the column.
    pub sealed: &'a [u8],
}

/// Seals content for a column of type `app.enc`; the caller stores what it gets in that field and nowhere else.
///
/// # Errors
/// [`VaultError::TooLarge`] past [`MAX_CONTENT`]; what a transaction may fail with.
pub async fn seal(tx: &mut TenantTx<Write>, key: &Key, field: &Field, content: &[u8]) -> Result<Vec<u8>, VaultError> {
    if content.len() > MAX_CONTENT {
        return Err(VaultError::TooLarge { bytes: content.len() });
    }
    let salt = Salt::fresh()?;
    let inner = seal_content(key, field, content)?;
    let passphrase = key.derive(&salt, &field.purpose("pg")).passphrase();
    let mut sealed =
        sqlx::query_scalar!(r#"SELECT app.pgp_seal($1, $2) AS "sealed!""#, inner, passphrase.expose_secret())
            .fetch_one(tx.conn())
            .await
            .map_err(DbError::from)?;
    let mac = hmac::sign(&mac_key(key, field, &salt), &sealed);
    sealed.extend(TRAILER_HEAD);
    sealed.extend(salt.as_bytes());
    sealed.extend(mac.as_ref());
    Ok(sealed)
}

/// Opens a stored value. It blocks for 4 ms a megabyte and sends nothing anywhere.
///
/// # Errors
/// [`VaultError::Broken`], which names the row, when it is not what was sealed for that field.
pub fn open(Stored { key, field, sealed }: &Stored<'_>) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let inner = outer(key, field, sealed).ok_or_else(|| Broken::at(field))?;
    Ok(open_content(key, field, &inner)?)
}

/// Opens a list of stored values.
///
/// # Errors
/// As [`open`]; one that does not open fails the whole list.
pub fn open_all(stored: &[Stored<'_>]) -> Result<Vec<Zeroizing<Vec<u8>>>, VaultError> {
    stored.iter().map(open).collect()
}

/// What the outer layer holds, if both were put together here for this field.
fn outer(key: &Key, field: &Field, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (message, passphrase) = verified(key, field, sealed)?;
    openpgp::open(message, passphrase.expose_secret().as_bytes())
}

fn verified<'a>(key: &Key, field: &Field, sealed: &'a [u8]) -> Option<(&'a [u8], SecretString)> {
    let (message, trailer) = sealed.split_at_checked(sealed.len().checked_sub(TRAILER)?)?;
    let (salt, mac) = trailer.strip_prefix(&TRAILER_HEAD)?.split_at_checked(SALT_BYTES)?;
    let salt = Salt::stored(salt)?;
    hmac::verify(&mac_key(key, field, &salt), message, mac).ok()?;
    Some((message, key.derive(&salt, &field.purpose("pg")).passphrase()))
}

fn mac_key(key: &Key, field: &Field, salt: &Salt) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.derive(salt, &field.purpose("mac")).expose())
}
