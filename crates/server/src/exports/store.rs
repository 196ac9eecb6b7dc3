//! All SQL of exports.

use api::exports::{Export, ExportStatus};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{Kind, LEASE, interval, key::sum};
use crate::{
    audio::Rendition,
    calls::subject::Token,
    db::{Access, Database, DbError, Reason, Scope, TenantTx, Write},
    vault::{
        blobs::BlobPlace,
        key::Key,
        keys::{Vault, VaultError},
        seal::{KeyPlace, open_key, seal_key},
    },
};

/// Exports that somebody may ask for within a day.
const MAX_A_DAY: i64 = 5;

/// Statuses by their number in the database, from 1.
const STATUSES: [ExportStatus; 4] =
    [ExportStatus::Pending, ExportStatus::Ready, ExportStatus::Failed, ExportStatus::Expired];

/// An export as it is stored.
pub(super) struct Row {
    pub(super) id: Uuid,
    state: i16,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    bytes: Option<i64>,
    calls: Option<i32>,
    error_code: Option<String>,
    object_id: Option<Uuid>,
    sealed_key: Option<Vec<u8>>,
    /// Its day is over.
    is_late: bool,
    /// None of its calls was deleted.
    is_whole: bool,
}

impl Row {
    /// As it is now, whether or not the sweeper has seen it.
    pub(super) fn shown(&self) -> Result<Export, DbError> {
        let place = usize::try_from(self.state - 1).map_err(|_| DbError::Unexpected)?;
        let stored = *STATUSES.get(place).ok_or(DbError::Unexpected)?;
        let is_open = matches!(stored, ExportStatus::Pending | ExportStatus::Ready);
        let is_broken = stored == ExportStatus::Ready && !self.is_whole;
        let status = if is_open && self.is_late || is_broken { ExportStatus::Expired } else { stored };
        let is_ready = status == ExportStatus::Ready;
        Ok(Export {
            export_id: self.id,
            status,
            created_at: self.created_at,
            expires_at: self.expires_at,
            bytes: self.bytes.filter(|_| is_ready).map(i64::unsigned_abs),
            calls: self.calls.filter(|_| is_ready).map(i32::unsigned_abs),
            error_reason: if is_broken { Some(CALL_DELETED.to_owned()) } else { self.error_code.clone() },
        })
    }
}

/// What an export ended with that one of its calls outlived not.
const CALL_DELETED: &str = "call_deleted";

/// Whether the transaction's user has asked as often as one may in a day.
pub(super) async fn asked_enough(tx: &mut TenantTx<Write>) -> Result<bool, DbError> {
    let scope = tx.scope();
    let asked = sqlx::query_scalar!(
        r#"SELECT count(*) AS "asked!" FROM tenant.exports
           WHERE tenant_id = $1 AND owner_id = $2 AND created_at > now() - interval '24 hours'"#,
        scope.tenant(),
        scope.user(),
    );
    Ok(asked.fetch_one(tx.conn()).await? >= MAX_A_DAY)
}

/// Adds an export of the transaction's user, which is to be built.
///
/// # Errors
/// A unique violation while another one is pending.
pub(super) async fn add(tx: &mut TenantTx<Write>, kind: Kind, tokens: Option<&[Token]>) -> Result<Uuid, DbError> {
    let (scope, id) = (tx.scope(), Uuid::now_v7());
    let tokens: Option<Vec<Vec<u8>>> = tokens.map(|tokens| tokens.iter().map(|token| token.to_vec()).collect());
    sqlx::query!(
        "INSERT INTO tenant.exports (tenant_id, id, owner_id, kind, subject_tokens, expires_at)
           VALUES ($1, $2, $3, $4, $5, now() + interval '24 hours')",
        scope.tenant(),
        id,
        scope.user(),
        kind as i16,
        tokens.as_deref(),
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// An export that the transaction's user asked for.
///
/// # Errors
/// [`DbError::NotFound`], also for somebody else's and another kind.
pub(super) async fn get<A: Access>(tx: &mut TenantTx<A>, kind: Kind, id: Uuid) -> Result<Row, DbError> {
    let scope = tx.scope();
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, state, created_at, expires_at, bytes, calls, error_code, object_id, sealed_key,
             expires_at <= now() AS "is_late!", calls IS NULL OR calls = (
               SELECT count(*) FROM tenant.export_calls s WHERE s.tenant_id = e.tenant_id AND s.export_id = e.id) AS "is_whole!"
           FROM tenant.exports e WHERE tenant_id = $1 AND id = $2 AND owner_id = $3 AND kind = $4"#,
        scope.tenant(),
        id,
        scope.user(),
        kind as i16,
    );
    Ok(row.fetch_one(tx.conn()).await?)
}

/// Where an archive is, its length, and what opens it; `None` unless it is ready.
///
/// # Errors
/// [`VaultError::Broken`] when the row was tampered with.
pub(super) async fn open<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    row: &Row,
) -> Result<Option<(BlobPlace, u64, Key)>, VaultError> {
    let (tenant, user) = (tx.scope().tenant(), tx.scope().user());
    let is_ready = row.shown()?.status == ExportStatus::Ready;
    let (true, Some(object), Some(bytes), Some(sealed)) = (is_ready, row.object_id, row.bytes, &row.sealed_key) else {
        return Ok(None);
    };
    let rest = open_key(&*vault.tenant_key(tx).await?, KeyPlace::Export(tenant, row.id), sealed)?;
    let shares = sqlx::query_scalar!(
        "SELECT share FROM tenant.export_calls WHERE tenant_id = $1 AND export_id = $2",
        tenant,
        row.id
    );
    let shares = shares.fetch_all(tx.conn()).await.map_err(DbError::from)?;
    let key = shares.iter().try_fold(rest, |key, share| Some(sum(&key, share.as_slice().try_into().ok()?)));
    let place = BlobPlace { tenant, record: user, object };
    Ok(Some((place, bytes.unsigned_abs(), key.ok_or(DbError::Unexpected)?)))
}

/// An export that this program builds for a while.
pub(super) struct Claim {
    pub(super) tenant: Uuid,
    pub(super) id: Uuid,
    pub(super) owner: Uuid,
    pub(super) kind: Kind,
    pub(super) attempt: i16,
    pub(super) expires_at: DateTime<Utc>,
    token: Uuid,
}

/// Takes the oldest export that nobody builds.
pub(super) async fn claim(database: &Database, lasts: PgInterval) -> Result<Option<Claim>, DbError> {
    let mut tx = database.system(Reason::Jobs).await?;
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", id AS "id!", owner_id AS "owner!", kind AS "kind!", attempts AS "attempts!",
             lease_token AS "token!", expires_at AS "expires_at!" FROM app.export_claim($1)"#,
        lasts
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    row.map(|row| {
        let (kind, attempt) = (Kind::numbered(row.kind)?, row.attempts);
        let (tenant, id, owner, token, expires_at) = (row.tenant, row.id, row.owner, row.token, row.expires_at);
        Ok(Claim { tenant, id, owner, kind, attempt, expires_at, token })
    })
    .transpose()
}

impl Claim {
    /// Makes sure that the export is still this program's, keeps it so until the transaction ends, and renews the lease; false when it
    /// is somebody else's, over, or gone.
    pub(super) async fn hold(&self, tx: &mut TenantTx<Write>) -> Result<bool, DbError> {
        let held = sqlx::query!(
            "UPDATE tenant.exports SET lease_until = clock_timestamp() + $4 WHERE tenant_id = $1 AND id = $2
               AND lease_token = $3 AND state = 1 AND lease_until > clock_timestamp() AND expires_at > now()",
            self.tenant,
            self.id,
            self.token,
            interval(LEASE),
        );
        Ok(held.execute(tx.conn()).await?.rows_affected() == 1)
    }

    /// Begins an attempt: nothing is left of an earlier one. Returns by what a data subject is looked for.
    pub(super) async fn begin(&self, tx: &mut TenantTx<Write>, object: Uuid) -> Result<Option<Vec<Vec<u8>>>, DbError> {
        sqlx::query!("DELETE FROM tenant.export_calls WHERE tenant_id = $1 AND export_id = $2", self.tenant, self.id)
            .execute(tx.conn())
            .await?;
        let tokens = sqlx::query_scalar!(
            "UPDATE tenant.exports SET object_id = $3 WHERE tenant_id = $1 AND id = $2 RETURNING subject_tokens",
            self.tenant,
            self.id,
            object,
        );
        Ok(tokens.fetch_one(tx.conn()).await?)
    }

    /// Gives a call its share of the key; false when it is not there any more. The call cannot be deleted until the transaction ends.
    pub(super) async fn share(&self, tx: &mut TenantTx<Write>, call: Uuid, share: &Key) -> Result<bool, DbError> {
        let given = sqlx::query!(
            "INSERT INTO tenant.export_calls (tenant_id, export_id, call_id, owner_id, share)
               SELECT tenant_id, $2, id, owner_id, $4 FROM tenant.calls WHERE tenant_id = $1 AND id = $3",
            self.tenant,
            self.id,
            call,
            &share.expose()[..],
        );
        Ok(given.execute(tx.conn()).await?.rows_affected() == 1)
    }

    /// The archive is there; false when one of its calls is not there any more. The transaction must [`hold`](Self::hold) the export.
    pub(super) async fn ready(
        &self,
        tx: &mut TenantTx<Write>,
        vault: &Vault,
        rest: &Key,
        (bytes, calls): (u64, usize),
    ) -> Result<bool, VaultError> {
        let place = KeyPlace::Export(self.tenant, self.id);
        let sealed = seal_key(&*vault.tenant_key(tx).await?, place, rest)?;
        let stored = sqlx::query!(
            "UPDATE tenant.exports SET state = 2, sealed_key = $3, bytes = $4, calls = $5::integer, subject_tokens = NULL,
               lease_token = NULL, lease_until = NULL WHERE tenant_id = $1 AND id = $2
               AND $5::integer = (SELECT count(*) FROM tenant.export_calls WHERE tenant_id = $1 AND export_id = $2)",
            self.tenant,
            self.id,
            sealed,
            i64::try_from(bytes).unwrap_or(i64::MAX),
            i32::try_from(calls).unwrap_or(i32::MAX),
        )
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
        Ok(stored.rows_affected() == 1)
    }

    /// How many calls have a share of the key.
    pub(super) async fn shares(&self, tx: &mut TenantTx<Write>) -> Result<usize, DbError> {
        let shares = sqlx::query_scalar!(
            r#"SELECT count(*) AS "shares!" FROM tenant.export_calls WHERE tenant_id = $1 AND export_id = $2"#,
            self.tenant,
            self.id,
        );
        usize::try_from(shares.fetch_one(tx.conn()).await?).map_err(|_| DbError::Unexpected)
    }

    /// Tries again later, and forgets this attempt unless it `counts`. The transaction must [`hold`](Self::hold) the export.
    pub(super) async fn put_off(&self, tx: &mut TenantTx<Write>, by: PgInterval, counts: bool) -> Result<(), DbError> {
        sqlx::query!(
            "UPDATE tenant.exports SET lease_until = clock_timestamp() + $3, attempts = CASE WHEN $4 THEN attempts ELSE attempts - 1 END
               WHERE tenant_id = $1 AND id = $2",
            self.tenant,
            self.id,
            by,
            counts,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }

    /// There will be no archive. The transaction must [`hold`](Self::hold) the export.
    pub(super) async fn fail(&self, tx: &mut TenantTx<Write>, code: &'static str) -> Result<(), DbError> {
        sqlx::query!(
            "UPDATE tenant.exports SET state = 3, error_code = $3, subject_tokens = NULL, lease_token = NULL, lease_until = NULL
               WHERE tenant_id = $1 AND id = $2",
            self.tenant,
            self.id,
            code,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

/// The calls that go into an export, older than one of them, newest first: the user's own, or those with a data subject, also by a contact
/// that they are linked to.
pub(super) async fn calls(
    tx: &mut TenantTx<Write>,
    tokens: Option<&[Vec<u8>]>,
    before: Uuid,
    most: i64,
) -> Result<Vec<Uuid>, DbError> {
    let (scope, all) = (tx.scope(), tokens.is_some());
    let calls = sqlx::query_scalar!(
        "SELECT c.id FROM tenant.calls c WHERE c.tenant_id = $1 AND c.id < $2 AND ($3 OR c.owner_id = $4)
           AND (NOT $3 OR c.phone_token = ANY ($5) OR c.name_token = ANY ($5) OR EXISTS (
             SELECT FROM tenant.contact_tokens k WHERE k.tenant_id = c.tenant_id AND k.contact_id = c.contact_id AND k.kind IN (1, 4)
               AND k.token = ANY ($5)))
         ORDER BY c.id DESC LIMIT $6",
        scope.tenant(),
        before,
        all,
        scope.user(),
        tokens.unwrap_or_default(),
        most,
    );
    Ok(calls.fetch_all(tx.conn()).await?)
}

/// Bytes of the recordings that go into an export.
pub(super) async fn recorded<A: Access>(tx: &mut TenantTx<A>, tokens: Option<&[Vec<u8>]>) -> Result<u64, DbError> {
    let (scope, all) = (tx.scope(), tokens.is_some());
    let bytes = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(a.bytes), 0)::bigint AS "bytes!" FROM tenant.calls c
           JOIN tenant.artifacts a ON a.tenant_id = c.tenant_id AND a.call_id = c.id AND a.kind = $5
           JOIN tenant.tenants t ON t.tenant_id = c.tenant_id AND t.audio_retention
           WHERE c.tenant_id = $1 AND ($2 OR c.owner_id = $3)
           AND (NOT $2 OR c.phone_token = ANY ($4) OR c.name_token = ANY ($4) OR EXISTS (
             SELECT FROM tenant.contact_tokens k WHERE k.tenant_id = c.tenant_id AND k.contact_id = c.contact_id AND k.kind IN (1, 4)
               AND k.token = ANY ($4)))"#,
        scope.tenant(),
        all,
        scope.user(),
        tokens.unwrap_or_default(),
        Rendition::Redacted as i16,
    );
    Ok(bytes.fetch_one(tx.conn()).await?.unsigned_abs())
}

/// The calls that are in an export, older than one of them, newest first.
pub(super) async fn exported(
    tx: &mut TenantTx<Write>,
    claim: &Claim,
    before: Uuid,
    most: i64,
) -> Result<Vec<Uuid>, DbError> {
    let calls = sqlx::query_scalar!(
        "SELECT call_id FROM tenant.export_calls WHERE tenant_id = $1 AND export_id = $2 AND call_id < $3 ORDER BY call_id DESC LIMIT $4",
        claim.tenant,
        claim.id,
        before,
        most,
    );
    Ok(calls.fetch_all(tx.conn()).await?)
}

/// An export that is over.
pub(super) struct Over {
    pub(super) id: Uuid,
    pub(super) kind: Kind,
    /// Where its archive is.
    pub(super) place: Option<BlobPlace>,
}

/// Destroys the keys of the exports of the transaction's tenant whose time is over, or that lack a call.
pub(super) async fn expire(tx: &mut TenantTx<Write>) -> Result<Vec<Over>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query!(
        "UPDATE tenant.exports e SET state = 4, sealed_key = NULL, subject_tokens = NULL, bytes = NULL, calls = NULL,
           error_code = CASE WHEN expires_at > now() THEN $2 END
         WHERE tenant_id = $1 AND (state IN (1, 2) AND expires_at <= now() OR state = 2 AND calls > (
           SELECT count(*) FROM tenant.export_calls s WHERE s.tenant_id = e.tenant_id AND s.export_id = e.id))
         RETURNING id, owner_id, kind, object_id",
        tenant,
        CALL_DELETED,
    )
    .fetch_all(tx.conn())
    .await?;
    let over = rows.into_iter().map(|row| {
        let place = row.object_id.map(|object| BlobPlace { tenant, record: row.owner_id, object });
        Ok(Over { id: row.id, kind: Kind::numbered(row.kind)?, place })
    });
    let over = over.collect::<Result<Vec<_>, DbError>>()?;
    let ids: Vec<Uuid> = over.iter().map(|over| over.id).collect();
    sqlx::query!("DELETE FROM tenant.export_calls WHERE tenant_id = $1 AND export_id = ANY ($2)", tenant, &ids)
        .execute(tx.conn())
        .await?;
    Ok(over)
}

/// Removes what is known of exports that were asked for 30 days ago; the audit log still knows.
pub(super) async fn forget(tx: &mut TenantTx<Write>) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "DELETE FROM tenant.exports WHERE tenant_id = $1 AND state IN (3, 4) AND created_at < now() - interval '30 days'",
        tenant
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether somebody owns the tenant now.
pub(super) async fn is_owner(tx: &mut TenantTx<Write>, scope: &Scope) -> Result<bool, DbError> {
    let owns = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tenant.memberships WHERE tenant_id = $1 AND user_id = $2 AND role = 1) AS "owns!""#,
        scope.tenant(),
        scope.user(),
    );
    Ok(owns.fetch_one(tx.conn()).await?)
}
