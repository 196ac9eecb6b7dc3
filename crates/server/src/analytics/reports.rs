//! Reports over many calls, by SQL over their numbers. Its one invariant: the policies of the database say which calls are in a report.
//!
//! A call is of the time at which it was recorded, or uploaded where nobody said: what is imported is not of today. A clock that is ahead
//! of its upload makes no call of days to come.

use api::analytics::{
    EnergyCounts, FeelingCounts, FormalityCounts, PaceCounts, Party, PartyTalk, TalkOfDay, TalkReport, VibeOfDay,
    VibeReport,
};
use chrono::{DateTime, Utc};

use crate::db::{Access, DbError, TenantTx};

/// As the database numbers them.
const PARTIES: [Party; 3] = [Party::User, Party::Contact, Party::Unknown];

/// Who spoke how much in the calls since a time.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn talk<A: Access>(
    tx: &mut TenantTx<A>,
    days: u16,
    since: DateTime<Utc>,
) -> Result<TalkReport, DbError> {
    let tenant = tx.scope().tenant();
    let all = sqlx::query!(
        r#"SELECT count(*) AS "calls!", coalesce(sum(m.duration_ms), 0)::float8 AS "duration_ms!",
             coalesce(sum(m.talk_ms), 0)::float8 AS "talk_ms!", coalesce(sum(m.silence_ms), 0)::float8 AS "silence_ms!",
             coalesce(sum(m.overlap_ms), 0)::float8 AS "overlap_ms!", coalesce(sum(m.overlap_count), 0) AS "overlaps!",
             coalesce(sum(m.interruptions), 0) AS "interruptions!", coalesce(sum(m.questions), 0) AS "questions!",
             coalesce(max(m.longest_silence_ms), 0)::float8 AS "longest_silence_ms!",
             coalesce(max(m.longest_monologue_ms), 0)::float8 AS "longest_monologue_ms!", avg(m.latency_ms)::float8 AS latency_ms
           FROM tenant.call_metrics m JOIN tenant.calls c ON c.tenant_id = m.tenant_id AND c.id = m.call_id
           WHERE m.tenant_id = $1 AND m.speaker = 0 AND least(c.recorded_at, c.created_at) >= $2"#,
        tenant,
        since,
    )
    .fetch_one(tx.conn())
    .await?;
    let (parties, words_per_minute) = parties(tx, since).await?;
    let by_day = sqlx::query_as!(
        TalkOfDay,
        r#"SELECT (least(c.recorded_at, c.created_at) AT TIME ZONE 'UTC')::date AS "date!", count(*) AS "calls!",
             sum(m.talk_ms)::float8 / 1000 AS "talk_seconds!"
           FROM tenant.call_metrics m JOIN tenant.calls c ON c.tenant_id = m.tenant_id AND c.id = m.call_id
           WHERE m.tenant_id = $1 AND m.speaker = 0 AND least(c.recorded_at, c.created_at) >= $2 GROUP BY 1 ORDER BY 1"#,
        tenant,
        since,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(TalkReport {
        days,
        calls: all.calls,
        duration_seconds: all.duration_ms / 1000.0,
        talk_seconds: all.talk_ms / 1000.0,
        silence_seconds: all.silence_ms / 1000.0,
        longest_silence_seconds: all.longest_silence_ms / 1000.0,
        overlap_seconds: all.overlap_ms / 1000.0,
        overlaps: all.overlaps,
        interruptions: all.interruptions,
        questions: all.questions,
        words_per_minute,
        longest_monologue_seconds: all.longest_monologue_ms / 1000.0,
        response_latency_seconds: all.latency_ms.map(seconds),
        parties,
        by_day,
    })
}

/// Each party that spoke in the calls since a time, and how fast all of them did.
async fn parties<A: Access>(
    tx: &mut TenantTx<A>,
    since: DateTime<Utc>,
) -> Result<(Vec<PartyTalk>, Option<f64>), DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query!(
        r#"SELECT m.role AS "role!", count(DISTINCT m.call_id) AS "calls!", sum(m.talk_ms)::float8 AS "talk_ms!",
             sum(m.words)::float8 AS words, (sum(m.talk_ms) FILTER (WHERE m.words IS NOT NULL))::float8 AS counted_ms,
             max(m.longest_monologue_ms)::float8 AS "longest_ms!", sum(m.interruptions) AS "interruptions!",
             sum(m.interrupted) AS "interrupted!", sum(m.questions) AS "questions!", avg(m.latency_ms)::float8 AS latency_ms,
             count(m.silence_ms) = count(*) AS "whole!", sum(m.silence_ms)::float8 AS silence_ms,
             max(m.longest_silence_ms)::float8 AS longest_silence_ms, sum(m.overlap_ms)::float8 AS overlap_ms,
             sum(m.overlap_count) AS overlaps
           FROM tenant.call_metrics m JOIN tenant.calls c ON c.tenant_id = m.tenant_id AND c.id = m.call_id
           WHERE m.tenant_id = $1 AND m.speaker > 0 AND m.talk_ms > 0 AND least(c.recorded_at, c.created_at) >= $2
           GROUP BY m.role ORDER BY m.role"#,
        tenant,
        since,
    )
    .fetch_all(tx.conn())
    .await?;
    let spoken: f64 = rows.iter().map(|row| row.talk_ms).sum();
    // How fast is told of those whose words were counted alone.
    let counted = rows.iter().filter_map(|row| row.words.zip(row.counted_ms));
    let (words, counted_ms) = counted.fold((0.0, 0.0), |all: (f64, f64), one| (all.0 + one.0, all.1 + one.1));
    let per_minute = |(words, millis): (f64, f64)| (millis > 0.0).then(|| words * 60_000.0 / millis);
    let mut parties = Vec::with_capacity(rows.len());
    for row in &rows {
        // Calls that were measured before these were do not have them, and a sum of the others would be of fewer calls than it says.
        let measured = |millis: Option<f64>| millis.filter(|_| row.whole).map(seconds);
        parties.push(PartyTalk {
            role: PARTIES
                .get(usize::try_from(row.role - 1).unwrap_or(usize::MAX))
                .copied()
                .ok_or(DbError::Unexpected)?,
            calls: row.calls,
            talk_seconds: row.talk_ms / 1000.0,
            talk_share: row.talk_ms / spoken,
            words_per_minute: row.words.zip(row.counted_ms).and_then(per_minute),
            longest_monologue_seconds: row.longest_ms / 1000.0,
            interruptions: row.interruptions,
            interrupted: row.interrupted,
            questions: row.questions,
            response_latency_seconds: row.latency_ms.map(seconds),
            silence_seconds: measured(row.silence_ms),
            longest_silence_seconds: measured(row.longest_silence_ms),
            overlap_seconds: measured(row.overlap_ms),
            overlaps: row.overlaps.filter(|_| row.whole),
        });
    }
    Ok((parties, per_minute((words, counted_ms))))
}

fn seconds(millis: f64) -> f64 {
    millis / 1000.0
}

/// How the calls since a time felt and sounded.
///
/// # Errors
/// What a transaction may fail with.
pub(super) async fn vibe<A: Access>(
    tx: &mut TenantTx<A>,
    days: u16,
    since: DateTime<Utc>,
) -> Result<VibeReport, DbError> {
    let tenant = tx.scope().tenant();
    let scores = sqlx::query!(
        r#"SELECT count(m.sentiment) FILTER (WHERE m.speaker = 0) AS "calls!",
             avg(m.sentiment_score) FILTER (WHERE m.speaker = 0) AS call,
             avg(m.sentiment_score) FILTER (WHERE m.role = 1) AS "user",
             avg(m.sentiment_score) FILTER (WHERE m.role = 2) AS contact
           FROM tenant.call_metrics m JOIN tenant.calls c ON c.tenant_id = m.tenant_id AND c.id = m.call_id
           WHERE m.tenant_id = $1 AND least(c.recorded_at, c.created_at) >= $2"#,
        tenant,
        since,
    )
    .fetch_one(tx.conn())
    .await?;
    let [sentiment, tone, formality, energy, pace] = counts(tx, since).await?;
    let by_day = sqlx::query_as!(
        VibeOfDay,
        r#"SELECT (least(c.recorded_at, c.created_at) AT TIME ZONE 'UTC')::date AS "date!", count(*) AS "calls!",
             avg(m.sentiment_score) AS "score!"
           FROM tenant.call_metrics m JOIN tenant.calls c ON c.tenant_id = m.tenant_id AND c.id = m.call_id
           WHERE m.tenant_id = $1 AND m.speaker = 0 AND m.sentiment IS NOT NULL AND least(c.recorded_at, c.created_at) >= $2
           GROUP BY 1 ORDER BY 1"#,
        tenant,
        since,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(VibeReport {
        days,
        calls: scores.calls,
        score: scores.call,
        user_score: scores.user,
        contact_score: scores.contact,
        sentiment: feelings(sentiment),
        tone: feelings(tone),
        formality: FormalityCounts { formal: formality[0], semi_formal: formality[1], informal: formality[2] },
        energy: EnergyCounts { low: energy[0], medium: energy[1], high: energy[2] },
        pace: PaceCounts { slow: pace[0], normal: pace[1], fast: pace[2] },
        by_day,
    })
}

/// Codes of the database, at most.
const CODES: usize = 5;

/// Calls by the code that they have, from 1: of sentiment, tone, formality, energy and pace.
async fn counts<A: Access>(tx: &mut TenantTx<A>, since: DateTime<Utc>) -> Result<[[i64; CODES]; 5], DbError> {
    let tenant = tx.scope().tenant();
    let rows = sqlx::query!(
        r#"SELECT v.of AS "of!", v.code AS "code!", count(*) AS "calls!"
           FROM tenant.call_metrics m JOIN tenant.calls c ON c.tenant_id = m.tenant_id AND c.id = m.call_id
           CROSS JOIN LATERAL (VALUES (1, m.sentiment), (2, m.tone), (3, m.formality), (4, m.energy), (5, m.pace)) v (of, code)
           WHERE m.tenant_id = $1 AND m.speaker = 0 AND v.code IS NOT NULL AND least(c.recorded_at, c.created_at) >= $2
           GROUP BY 1, 2"#,
        tenant,
        since,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut counts = [[0; CODES]; 5];
    for row in rows {
        let of = usize::try_from(row.of - 1).ok().and_then(|of| counts.get_mut(of));
        let code = usize::try_from(row.code - 1).ok();
        *of.zip(code).and_then(|(of, code)| of.get_mut(code)).ok_or(DbError::Unexpected)? = row.calls;
    }
    Ok(counts)
}

fn feelings([positive, neutral, negative, mixed, unclear]: [i64; CODES]) -> FeelingCounts {
    FeelingCounts { positive, neutral, negative, mixed, unclear }
}
