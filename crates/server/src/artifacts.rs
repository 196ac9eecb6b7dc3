//! What stages make of a call, one sealed document a kind. Its one invariant: a document is stored in its place or not at all; storing
//! it again replaces it, and then it was stored later than before.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    db::{Access, DbError, TenantTx, Write},
    vault::{
        content::{self, Stored},
        key::Key,
        keys::VaultError,
        seal::Field,
    },
};

/// A document of a call. The numbers are those of the database; 1, 6 and 8 are recordings, which lie in the object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Artifact {
    /// Who spoke when.
    Diarization = 2,
    /// What recognition gave, redacted, until somebody corrects it; what a legal hold found before that (`transcripts/held.rs`).
    RawTranscript = 3,
    /// The transcript of the public contract.
    NormalizedTranscript = 4,
    /// The analysis.
    Analysis = 5,
    /// What was taken out of the transcript: kinds, places and times.
    Findings = 7,
    /// The last four digits of telephone numbers that were said.
    PhoneEndings = 9,
    /// What search shows of the transcript: its texts without their words' times, a tenth of its bytes.
    SearchTexts = 10,
    /// What search remembers of the call: its distinct words, and what its passages mean.
    SearchMemory = 11,
}

impl Artifact {
    fn field(self, call: Uuid) -> Field {
        let part = match self {
            Self::Diarization => "diarization",
            Self::RawTranscript => "raw transcript",
            Self::NormalizedTranscript => "normalized transcript",
            Self::Analysis => "analysis",
            Self::Findings => "findings",
            Self::PhoneEndings => "phone endings",
            Self::SearchTexts => "search texts",
            Self::SearchMemory => "search memory",
        };
        Field::with_part("artifacts", "sealed", call, part)
    }
}

/// Seals and stores a document under the key of its call, or of its run before redaction.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub async fn put(
    tx: &mut TenantTx<Write>,
    (call, artifact): (Uuid, Artifact),
    (key, run): (&Key, Option<Uuid>),
    document: &[u8],
) -> Result<(), VaultError> {
    let sealed = content::seal(tx, key, &artifact.field(call), document).await?;
    let tenant = tx.scope().tenant();
    let stored = sqlx::query!(
        "INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, run_id, sealed)
           SELECT tenant_id, id, $3, owner_id, $4, $5 FROM tenant.calls WHERE tenant_id = $1 AND id = $2
         ON CONFLICT (tenant_id, call_id, kind)
           DO UPDATE SET run_id = excluded.run_id, sealed = excluded.sealed,
             updated_at = greatest(now(), artifacts.updated_at + interval '1 microsecond')",
        tenant,
        call,
        artifact as i16,
        run,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    if stored.rows_affected() == 1 { Ok(()) } else { Err(VaultError::Gone(format!("call {call}"))) }
}

/// Removes a document that is sealed under the key of its call, if there is one.
///
/// # Errors
/// What a transaction may fail with.
pub async fn remove(tx: &mut TenantTx<Write>, (call, artifact): (Uuid, Artifact)) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "DELETE FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = $3 AND run_id IS NULL",
        tenant,
        call,
        artifact as i16,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When a document that is sealed under the key of its call was stored last; `None` when there is none yet.
///
/// # Errors
/// What a transaction may fail with.
pub async fn stored<A: Access>(
    tx: &mut TenantTx<A>,
    (call, artifact): (Uuid, Artifact),
) -> Result<Option<DateTime<Utc>>, DbError> {
    let tenant = tx.scope().tenant();
    let stored = sqlx::query_scalar!(
        "SELECT updated_at FROM tenant.artifacts WHERE tenant_id = $1 AND call_id = $2 AND kind = $3 AND run_id IS NULL",
        tenant,
        call,
        artifact as i16,
    );
    Ok(stored.fetch_optional(tx.conn()).await?)
}

/// Opens a document that is sealed under the key of its call; `None` when there is none yet.
///
/// # Errors
/// [`VaultError::Broken`] when it was tampered with.
pub async fn get<A: Access>(
    tx: &mut TenantTx<A>,
    place: (Uuid, Artifact),
    key: &Key,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    open(tx, place, (key, None)).await
}

/// Opens a document that is sealed under the key of that run; `None` when there is none, or redaction has taken it over.
///
/// # Errors
/// [`VaultError::Broken`] when it was tampered with.
pub async fn get_of_run<A: Access>(
    tx: &mut TenantTx<A>,
    place: (Uuid, Artifact),
    (key, run): (&Key, Uuid),
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    open(tx, place, (key, Some(run))).await
}

async fn open<A: Access>(
    tx: &mut TenantTx<A>,
    (call, artifact): (Uuid, Artifact),
    (key, run): (&Key, Option<Uuid>),
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let tenant = tx.scope().tenant();
    let sealed = sqlx::query_scalar!(
        r#"SELECT sealed AS "sealed!: Vec<u8>" FROM tenant.artifacts
           WHERE tenant_id = $1 AND call_id = $2 AND kind = $3 AND run_id IS NOT DISTINCT FROM $4 AND sealed IS NOT NULL"#,
        tenant,
        call,
        artifact as i16,
        run,
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    match sealed {
        Some(sealed) => Ok(Some(content::open(&Stored { key, field: artifact.field(call), sealed: &sealed })?)),
        None => Ok(None),
    }
}

/// A document as it is stored, of a call among several.
pub struct Sealed {
    /// The call.
    pub call: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// When it was stored last.
    pub version: DateTime<Utc>,
    sealed: Vec<u8>,
}

impl Sealed {
    /// Opens it with the key of its call. It blocks for 4 ms a megabyte.
    ///
    /// # Errors
    /// [`VaultError::Broken`] when it was tampered with.
    pub fn open(&self, artifact: Artifact, key: &Key) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        content::open(&Stored { key, field: artifact.field(self.call), sealed: &self.sealed })
    }
}

/// Documents that are sealed under the keys of these calls, in this order until they have more than `most` bytes, and how many of the calls
/// were asked until then. One at least, so that whoever goes on behind them comes to an end.
///
/// # Errors
/// What a transaction may fail with.
pub async fn among<A: Access>(
    tx: &mut TenantTx<A>,
    calls: &[Uuid],
    artifact: Artifact,
    most: usize,
) -> Result<(Vec<Sealed>, usize), DbError> {
    let tenant = tx.scope().tenant();
    // The lengths are known without reading the documents.
    let stored = sqlx::query_as!(
        Sealed,
        r#"SELECT call_id AS "call!", owner_id AS "owner!", updated_at AS "version!", sealed AS "sealed!: Vec<u8>" FROM (
             SELECT c.place, a.call_id, a.owner_id, a.updated_at, a.sealed,
                    sum(octet_length(a.sealed)) OVER (ORDER BY c.place ROWS UNBOUNDED PRECEDING) - octet_length(a.sealed) AS before
             FROM unnest($2::uuid[]) WITH ORDINALITY AS c (id, place)
             JOIN tenant.artifacts a ON a.tenant_id = $1 AND a.call_id = c.id AND a.kind = $3
               AND a.run_id IS NULL AND a.sealed IS NOT NULL) s
           WHERE before < $4 ORDER BY place"#,
        tenant,
        calls,
        artifact as i16,
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let is_cut = stored.iter().map(|one| one.sealed.len()).sum::<usize>() >= most;
    let last = stored.last().filter(|_| is_cut).and_then(|last| calls.iter().position(|call| *call == last.call));
    Ok((stored, last.map_or(calls.len(), |last| last + 1)))
}
