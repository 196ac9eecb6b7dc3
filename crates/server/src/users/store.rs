//! All SQL of the user's own numbers and consents.

use api::users::{Consent, ConsentPatch, Limits, Stats};
use uuid::Uuid;

use super::{kind, number};
use crate::db::{Access, DbError, TenantTx, Write};

/// The last word on each kind.
pub(super) async fn consents<A: Access>(tx: &mut TenantTx<A>) -> Result<Vec<Consent>, DbError> {
    let scope = tx.scope();
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (kind) kind, version, given_at, withdrawn_at FROM tenant.consents
           WHERE tenant_id = $1 AND owner_id = $2 ORDER BY kind, given_at DESC, id DESC",
        scope.tenant(),
        scope.user(),
    )
    .fetch_all(tx.conn())
    .await?;
    let consents = rows.into_iter().map(|row| {
        Ok(Consent {
            kind: kind(row.kind)?,
            version: u16::try_from(row.version).map_err(|_| DbError::Unexpected)?,
            given_at: row.given_at,
            withdrawn_at: row.withdrawn_at,
        })
    });
    consents.collect()
}

/// A yes adds a record, unless it is what was said last; a no marks what it takes back.
pub(super) async fn consent(tx: &mut TenantTx<Write>, patch: &ConsentPatch) -> Result<(), DbError> {
    let scope = tx.scope();
    let (kind, version) = (number(patch.kind), i32::from(patch.version));
    if patch.given {
        sqlx::query!(
            "INSERT INTO tenant.consents (tenant_id, id, owner_id, kind, version)
               SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (
                 SELECT FROM tenant.consents WHERE tenant_id = $1 AND owner_id = $3 AND kind = $4 AND version = $5
                   AND withdrawn_at IS NULL)",
            scope.tenant(),
            Uuid::now_v7(),
            scope.user(),
            kind,
            version,
        )
        .execute(tx.conn())
        .await?;
    } else {
        sqlx::query!(
            "UPDATE tenant.consents SET withdrawn_at = now()
               WHERE tenant_id = $1 AND owner_id = $2 AND kind = $3 AND version <= $4 AND withdrawn_at IS NULL",
            scope.tenant(),
            scope.user(),
            kind,
            version,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

pub(super) async fn limits<A: Access>(tx: &mut TenantTx<A>, may_upload: bool) -> Result<Limits, DbError> {
    let row = sqlx::query!(
        r#"SELECT plan AS "plan!", minutes_a_month AS "minutes!", transcripts_a_day AS a_day, enforced AS "enforced!",
             used_ms AS "used_ms!", today AS "today!" FROM app.limits()"#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Limits {
        plan: row.plan,
        minutes_a_month: row.minutes.unsigned_abs(),
        minutes_used: row.used_ms as f64 / 60_000.0,
        transcripts_a_day: row.a_day.map(i32::unsigned_abs),
        transcripts_today: row.today.unsigned_abs(),
        enforced: row.enforced,
        may_upload,
    })
}

pub(super) async fn stats<A: Access>(tx: &mut TenantTx<A>) -> Result<Stats, DbError> {
    let scope = tx.scope();
    let row = sqlx::query!(
        r#"SELECT count(*) AS "calls!", count(*) FILTER (WHERE status = 4) AS "completed!",
             count(*) FILTER (WHERE status = 5) AS "failed!", coalesce(sum(duration_ms), 0)::bigint AS "duration_ms!",
             max(created_at) AS last, (SELECT coalesce(sum(bytes), 0)::bigint FROM tenant.artifacts
               WHERE tenant_id = $1 AND owner_id = $2 AND kind IN (6, 8)) AS "kept!" FROM tenant.calls WHERE tenant_id = $1 AND owner_id = $2"#,
        scope.tenant(),
        scope.user(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Stats {
        calls: row.calls.unsigned_abs(),
        completed: row.completed.unsigned_abs(),
        failed: row.failed.unsigned_abs(),
        duration_seconds: row.duration_ms as f64 / 1000.0,
        kept_audio_bytes: row.kept.unsigned_abs(),
        last_call_at: row.last,
    })
}
