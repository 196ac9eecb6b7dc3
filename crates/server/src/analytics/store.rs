//! The numbers of a call: how they are stored, and exported.

use serde_json::Value;
use uuid::Uuid;

use super::Row;
use crate::db::{Access, DbError, TenantTx, Write};

/// Stores the rows of a call, in the place of those before.
///
/// # Errors
/// What a transaction may fail with.
pub async fn put(tx: &mut TenantTx<Write>, call: Uuid, rows: &[Row]) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("DELETE FROM tenant.call_metrics WHERE tenant_id = $1 AND call_id = $2", tenant, call)
        .execute(tx.conn())
        .await?;
    for (speaker, row) in (0_i16..).zip(rows) {
        let whole = row.whole.as_ref();
        sqlx::query!(
            "INSERT INTO tenant.call_metrics (tenant_id, call_id, owner_id, speaker, role, talk_ms, words, longest_monologue_ms,
               interruptions, interrupted, questions, turns, latency_ms, sentiment, sentiment_score,
               duration_ms, silence_ms, longest_silence_ms, overlap_ms, overlap_count, tone, formality, energy, pace)
             SELECT tenant_id, id, owner_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
               $21, $22, $23 FROM tenant.calls WHERE tenant_id = $1 AND id = $2",
            tenant,
            call,
            speaker,
            row.role,
            row.talk_ms,
            row.words,
            row.longest_monologue_ms,
            row.interruptions,
            row.interrupted,
            row.questions,
            row.turns,
            row.latency_ms,
            row.sentiment,
            row.sentiment_score,
            whole.map(|whole| whole.duration_ms),
            row.silence_ms,
            row.longest_silence_ms,
            row.overlap_ms,
            row.overlaps,
            whole.and_then(|whole| whole.tone),
            whole.and_then(|whole| whole.formality),
            whole.and_then(|whole| whole.energy),
            whole.and_then(|whole| whole.pace),
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// What is stored of a call, as it is exported.
///
/// # Errors
/// What a transaction may fail with.
pub async fn of<A: Access>(tx: &mut TenantTx<A>, call: Uuid) -> Result<Vec<Value>, DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query_scalar!(
        r#"SELECT (jsonb_strip_nulls(to_jsonb(m) - 'tenant_id' - 'owner_id' - 'call_id'))::text AS "row!"
           FROM tenant.call_metrics m WHERE tenant_id = $1 AND call_id = $2 ORDER BY speaker"#,
        tenant,
        call,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| serde_json::from_str(row).map_err(|_| DbError::Unexpected)).collect()
}
