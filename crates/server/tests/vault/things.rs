//! What tests of deletion store, count and look for.

use bytes::Bytes;
use futures::stream;
use server::{
    artifacts::{self, Artifact},
    db::Scope,
    deletion,
    vault::{
        blobs::BlobPlace,
        content::{self, Stored},
        receipts::Receipt,
        seal::{Field, RecordKind},
    },
};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::kit::Installation;

/// Bytes of a recording.
pub(crate) const LENGTH: u64 = 11;

/// Stores a recording for a call.
pub(crate) async fn upload(installation: &Installation, scope: Scope, call: Uuid) -> BlobPlace {
    let place = BlobPlace { tenant: scope.tenant(), record: call, object: Uuid::now_v7() };
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    drop(tx);
    let blocks = stream::iter([Ok(Bytes::from_static(b"a recording"))]);
    installation.blobs.write(&key, place, blocks).await.unwrap();
    let mut tx = installation.database.write(&scope).await.unwrap();
    sqlx::query("INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, parts) VALUES ($1, $2, 1, $3, 1)")
        .bind(scope.tenant())
        .bind(call)
        .bind(scope.user())
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    place
}

/// Stores what the pipeline makes of a call: documents, what search remembers of it among them, a word by which it is found, numbers about
/// it, and something to do.
pub(crate) async fn make_of(installation: &Installation, scope: Scope, call: Uuid) {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.record_key(&mut tx, RecordKind::Call, call).await.unwrap();
    for made in [Artifact::NormalizedTranscript, Artifact::Analysis, Artifact::SearchTexts, Artifact::SearchMemory] {
        artifacts::put(&mut tx, (call, made), (&key, None), b"{}").await.unwrap();
    }
    let item = Uuid::now_v7();
    let task = content::seal(&mut tx, &key, &Field::new("action_items", "sealed", item), b"{}").await.unwrap();
    for statement in [
        "INSERT INTO tenant.search_postings (tenant_id, call_id, owner_id, call_words, term_frequency, token, positions)
           SELECT $1, $2, $3, 1, 1, uuid_send($4), $5::bytea",
        "INSERT INTO tenant.call_metrics
           (tenant_id, call_id, owner_id, speaker, talk_ms, words, longest_monologue_ms, interruptions, questions)
           SELECT $1, $2, $3, 0, 1, 1, 1, 0, 0 WHERE ($4::uuid, $5::bytea) IS NOT NULL",
        "INSERT INTO tenant.action_items (tenant_id, call_id, owner_id, id, sealed, source) VALUES ($1, $2, $3, $4, $5, 1)",
    ] {
        let bound = sqlx::query(statement).bind(scope.tenant()).bind(call).bind(scope.user()).bind(item).bind(&task);
        bound.execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Adds what else hangs on a call and its tenant: an archive that is ready and holds the call, and an endpoint that is told of deletions.
pub(crate) async fn export_and_tell(installation: &Installation, scope: Scope, call: Uuid) {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.tenant_key(&mut tx).await.unwrap();
    let (export, endpoint) = (Uuid::now_v7(), Uuid::now_v7());
    let document = br#"{"url": "https://example.org/told", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#;
    let sealed =
        content::seal(&mut tx, &key, &Field::new("webhook_endpoints", "sealed", endpoint), document).await.unwrap();
    for statement in [
        "INSERT INTO tenant.exports (tenant_id, id, owner_id, state, object_id, parts, bytes, calls, sealed_key, expires_at)
           SELECT $1, $4, $3, 2, gen_random_uuid(), 1, 1, 1, sha256(uuid_send($4)), now() + interval '1 hour'
           WHERE ($2::uuid, $5::uuid, $6::bytea) IS NOT NULL",
        "INSERT INTO tenant.export_calls (tenant_id, export_id, call_id, owner_id, share)
           SELECT $1, $4, $2, $3, sha256(uuid_send($2)) WHERE ($5::uuid, $6::bytea) IS NOT NULL",
        "INSERT INTO tenant.webhook_endpoints (tenant_id, id, events, sealed)
           SELECT $1, $5, 127, $6::bytea WHERE ($2::uuid, $3::uuid, $4::uuid) IS NOT NULL",
    ] {
        let bound = sqlx::query(statement).bind(scope.tenant()).bind(call).bind(scope.user()).bind(export);
        bound.bind(endpoint).bind(&sealed).execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// What a voice profile holds here. It is no voiceprint: deletion looks into nothing.
const VOICE: &[u8] = b"a voice";

/// Stores a voice profile of the scope's user.
pub(crate) async fn enrol(installation: &Installation, scope: Scope) -> Uuid {
    let profile = Uuid::now_v7();
    let mut tx = installation.database.write(&scope).await.unwrap();
    let key = installation.vault.create_record_key(&mut tx, RecordKind::VoiceProfile, profile).await.unwrap();
    let sealed = content::seal(&mut tx, &key, &voice_of(profile), VOICE).await.unwrap();
    let statement =
        "INSERT INTO tenant.voice_profiles (tenant_id, id, owner_id, provider, model, consent_version, sealed)
                       VALUES ($1, $2, $3, 'local', 'ge2e', 1, $4)";
    let bound = sqlx::query(statement).bind(scope.tenant()).bind(profile).bind(scope.user()).bind(sealed);
    bound.execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    profile
}

/// Whether a voice profile can still be read.
pub(crate) async fn is_readable(installation: &Installation, scope: Scope, profile: Uuid) -> bool {
    let mut tx = installation.database.read(&scope).await.unwrap();
    let Ok(key) = installation.vault.record_key(&mut tx, RecordKind::VoiceProfile, profile).await else { return false };
    let row = sqlx::query_scalar("SELECT sealed FROM tenant.voice_profiles WHERE id = $1").bind(profile);
    let sealed: Option<Vec<u8>> = row.fetch_optional(tx.conn()).await.unwrap();
    let opens = |sealed: Vec<u8>| content::open(&Stored { key: &key, field: voice_of(profile), sealed: &sealed });
    sealed.is_some_and(|sealed| **opens(sealed).unwrap() == *VOICE)
}

fn voice_of(profile: Uuid) -> Field {
    Field::new("voice_profiles", "sealed", profile)
}

pub(crate) async fn delete(installation: &Installation, scope: Scope, class: RecordKind, subject: Uuid) -> Receipt {
    let mut tx = installation.database.write(&scope).await.unwrap();
    let receipt = deletion::delete(&mut tx, installation.vault.signer(), class, subject).await.unwrap();
    tx.commit().await.unwrap();
    receipt
}

/// Rows that still name the tenant, but for those that outlive it.
pub(crate) async fn rows_left(installation: &Installation, tenant: Uuid) -> Vec<(String, i64)> {
    let mut superuser = installation.postgres.superuser().await;
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'tenant'::regnamespace AND c.relkind IN ('r', 'p')
         AND c.relname NOT IN ('audit_events', 'deletion_receipts', 'chain_heads', 'blob_deletions')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert!(tables.len() > 15);
    let mut left = Vec::new();
    for (table,) in tables {
        let count = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(count)).fetch_one(&mut superuser).await.unwrap();
        if count > 0 {
            left.push((table, count));
        }
    }
    left
}

pub(crate) async fn count(installation: &Installation, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    let mut superuser = installation.postgres.superuser().await;
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut superuser).await.unwrap()
}

/// Takes a person into a tenant as a member.
pub(crate) async fn join(superuser: &mut PgConnection, tenant: Uuid, user: Uuid) {
    sqlx::query("INSERT INTO tenant.memberships VALUES ($1, $2, 3)")
        .bind(tenant)
        .bind(user)
        .execute(superuser)
        .await
        .unwrap();
}
