//! Deletion receipts. Its one invariant: a receipt is committed with the deletion that it speaks of, holds ids, classes, counts and
//! times and nothing else, and is signed and linked to the receipt before it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    chain::{Fault, Hash, Link, Position, PublicKey, SIGNATURE_BYTES, Signer, hexadecimal, is_signed},
    heads::{self, Chain},
    seal::RecordKind,
};
use crate::db::{DbError, SystemTx, TenantTx, Write};

/// Links that are read at once while a chain is followed.
pub(crate) const PAGE: i32 = 1000;

/// The erasure horizon, which every receipt states (H13).
pub const HORIZON: &str = "Its key was destroyed and its rows were removed when this receipt was written; blobs follow within 24 \
     hours. Sealed copies of the key remain in write-ahead logs and backups until those expire, and open to whoever has such a backup \
     and the key above it: of a call the tenant's, of a tenant or a user the key-encryption key. A restored backup applies this receipt \
     before it serves.";

/// [`HORIZON`] as a part of a receipt that is shown or copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Horizon;

impl Serialize for Horizon {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HORIZON)
    }
}

/// A copy may have the words of another version of the program; what it proves is signed.
impl<'de> Deserialize<'de> for Horizon {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// What was deleted, as counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the database.
    pub rows: i64,
    /// Objects of the object store.
    pub blobs: i64,
    /// Keys.
    pub keys: i64,
}

/// A deletion receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose it was.
    pub tenant: Uuid,
    /// Its place in the tenant's chain, from 1.
    pub sequence: i64,
    /// By which its holder reads it.
    pub id: Uuid,
    /// What was deleted.
    pub class: RecordKind,
    /// The id of what was deleted.
    pub subject: Uuid,
    /// How much went.
    pub counts: Counts,
    /// When.
    pub at: DateTime<Utc>,
    /// The hash of the receipt before.
    pub previous: Hash,
    /// The hash of this one.
    pub hash: Hash,
    /// Which version of the key signed it.
    pub signing_key: i32,
    /// Ed25519 over the hash.
    #[serde(with = "hexadecimal")]
    pub signature: [u8; SIGNATURE_BYTES],
    /// What it cannot promise; every receipt says the same.
    pub horizon: Horizon,
}

impl Link for Receipt {
    fn position(&self) -> Position {
        Position { tenant: self.tenant, sequence: self.sequence, previous: self.previous, hash: self.hash }
    }

    fn computed(&self) -> Hash {
        let numbers =
            [self.sequence, i64::from(self.class as i16), self.counts.rows, self.counts.blobs, self.counts.keys];
        let [sequence, class, rows, blobs, keys] = numbers.map(i64::to_be_bytes);
        let at = self.at.timestamp_micros().to_be_bytes();
        Hash::of(
            "receipt 1",
            &[
                self.tenant.as_bytes(),
                &sequence,
                self.id.as_bytes(),
                &class,
                self.subject.as_bytes(),
                &rows,
                &blobs,
                &keys,
                &at,
                &self.previous.0,
                &self.signing_key.to_be_bytes(),
            ],
        )
    }
}

impl Receipt {
    /// Whether this installation signed it, as it is.
    ///
    /// # Errors
    /// [`Fault::Unsigned`] when not.
    pub fn verify(&self, keys: &[PublicKey]) -> Result<(), Fault> {
        if is_signed(keys, self.signing_key, &self.hash, &self.signature) && self.computed() == self.hash {
            return Ok(());
        }
        Err(Fault::Unsigned { tenant: self.tenant, sequence: self.sequence })
    }
}

/// Writes the receipt of a deletion, in its transaction.
///
/// # Errors
/// When the transaction fails.
pub async fn write(
    tx: &mut TenantTx<Write>,
    signer: &Signer,
    class: RecordKind,
    subject: Uuid,
    counts: Counts,
) -> Result<Receipt, DbError> {
    let head = heads::lock(tx, Chain::Receipts).await?;
    let mut receipt = Receipt {
        tenant: tx.scope().tenant(),
        sequence: head.sequence + 1,
        id: Uuid::now_v7(),
        class,
        subject,
        counts,
        at: head.now,
        previous: head.hash,
        hash: Hash::START,
        signing_key: signer.version,
        signature: [0; SIGNATURE_BYTES],
        horizon: Horizon,
    };
    receipt.hash = receipt.computed();
    receipt.signature = signer.sign(&receipt.hash);
    insert(tx, &receipt).await?;
    Ok(receipt)
}

/// Puts a receipt at the end of its chain, which the transaction has locked.
pub(crate) async fn insert(tx: &mut TenantTx<Write>, receipt: &Receipt) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO tenant.deletion_receipts (tenant_id, sequence, id, class, subject_id, rows_removed, blobs_removed,
           keys_destroyed, at, previous, hash, signing_key, signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        receipt.tenant,
        receipt.sequence,
        receipt.id,
        receipt.class as i16,
        receipt.subject,
        receipt.counts.rows,
        receipt.counts.blobs,
        receipt.counts.keys,
        receipt.at,
        &receipt.previous.0[..],
        &receipt.hash.0[..],
        receipt.signing_key,
        &receipt.signature[..],
    )
    .execute(tx.conn())
    .await?;
    heads::advance(tx, Chain::Receipts, receipt.sequence, &receipt.hash).await
}

/// At most `most` receipts of all tenants, deleted ones too, in the order of their chains, after a place in it.
///
/// # Errors
/// When the transaction fails, or a row is not a receipt.
pub async fn page(tx: &mut SystemTx, after: (Uuid, i64), most: i32) -> Result<Vec<Receipt>, DbError> {
    let rows = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", sequence AS "sequence!", id AS "id!", class AS "class!", subject_id AS "subject!",
             rows_removed AS "rows!", blobs_removed AS "blobs!", keys_destroyed AS "keys!", at AS "at!",
             previous AS "previous!", hash AS "hash!", signing_key AS "signing_key!", signature AS "signature!"
           FROM app.receipts($1, $2, $3)"#,
        after.0,
        after.1,
        most,
    )
    .fetch_all(tx.conn())
    .await?;
    let receipts = rows.into_iter().map(|row| {
        Some(Receipt {
            tenant: row.tenant,
            sequence: row.sequence,
            id: row.id,
            class: RecordKind::numbered(row.class)?,
            subject: row.subject,
            counts: Counts { rows: row.rows, blobs: row.blobs, keys: row.keys },
            at: row.at,
            previous: Hash::stored(&row.previous)?,
            hash: Hash::stored(&row.hash)?,
            signing_key: row.signing_key,
            signature: row.signature.try_into().ok()?,
            horizon: Horizon,
        })
    });
    receipts.collect::<Option<_>>().ok_or(DbError::Unexpected)
}
