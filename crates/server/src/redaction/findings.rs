//! What was taken out of a call's transcript, kept as kinds, places and times. Its one invariant: it is written in the transaction that
//! writes the transcript it speaks of, and holds nothing of what was taken out.

use std::collections::BTreeMap;

use api::{
    error::{ErrorBody, ErrorCode},
    redactions::{self as wire, FindingCount, FindingKind, Redactions},
};
use axum::{Json, extract::State};
use insight::redact::{Finding, Kind, reaches};
use speech::transcript::Transcript;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    app::App,
    artifacts::{self, Artifact},
    audio::silence,
    auth::Caller,
    calls::{self, routes::or_call},
    db::{Access, DbError, TenantTx, Write},
    error::{ApiError, ApiResult},
    http::extract::Path,
    vault::{
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

fn shown(kind: Kind) -> FindingKind {
    match kind {
        Kind::PhoneNumber => FindingKind::PhoneNumber,
        Kind::EmailAddress => FindingKind::EmailAddress,
        Kind::PaymentCard => FindingKind::PaymentCard,
        Kind::Iban => FindingKind::Iban,
        Kind::NationalId => FindingKind::NationalId,
        Kind::DateOfBirth => FindingKind::DateOfBirth,
        Kind::StreetAddress => FindingKind::StreetAddress,
        Kind::PersonName => FindingKind::PersonName,
    }
}

/// Stores what was found in a transcript, in the place of what was found before.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub async fn put(
    tx: &mut TenantTx<Write>,
    key: &Key,
    call: Uuid,
    (transcript, found): (&Transcript, &[Finding]),
) -> Result<(), VaultError> {
    let reaches = reaches(transcript, found);
    let placed = |(finding, reach): (&Finding, &(f64, f64))| {
        let (silent_from_ms, silent_to_ms) = silence::around(*reach);
        Some(wire::Finding {
            silent_from_ms,
            silent_to_ms,
            kind: shown(finding.kind),
            segment_id: transcript.segments.get(finding.segment)?.id.clone(),
            word: finding.word.map(|word| u32::try_from(word).unwrap_or(u32::MAX)),
            // Outwards, so that nothing of the span is lost. Times are those of a recording of five hours at most.
            start_ms: (finding.start_seconds * 1000.0).floor() as u64,
            end_ms: (finding.end_seconds * 1000.0).ceil() as u64,
        })
    };
    let findings: Option<Vec<wire::Finding>> = found.iter().zip(&reaches).map(placed).collect();
    let findings = findings.ok_or(DbError::Unexpected)?;
    let json = Zeroizing::new(serde_json::to_vec(&findings).map_err(|_| DbError::Unexpected)?);
    artifacts::put(tx, (call, Artifact::Findings), (key, None), &json).await
}

/// What was found in the transcript of a call, in its order; `None` when there is no transcript yet.
///
/// # Errors
/// [`VaultError::Gone`] when the call is not there.
pub async fn get<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    call: Uuid,
) -> Result<Option<Vec<wire::Finding>>, VaultError> {
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let Some(json) = artifacts::get(tx, (call, Artifact::Findings), &key).await? else { return Ok(None) };
    Ok(serde_json::from_slice(&json).map_err(|_| DbError::Unexpected)?)
}

/// What was taken out of the transcript of a call.
///
/// # Errors
/// `call_not_found`; `call_not_completed` while there is no transcript.
#[utoipa::path(
    get, operation_id = "redactions", path = "/api/calls/{id}/redactions", tag = "transcripts", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Redactions),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn list(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<Redactions>> {
    let mut tx = app.database.read(caller.scope()).await?;
    calls::store::get(&mut tx, id).await.map_err(or_call)?;
    let not_yet =
        || ApiError::new(ErrorCode::CallNotCompleted, "the transcript is not there yet; watch the call's events");
    let findings = get(&mut tx, &app.vault, id).await?.ok_or_else(not_yet)?;
    let mut counts = BTreeMap::new();
    for finding in &findings {
        *counts.entry(finding.kind).or_default() += 1;
    }
    let counts = counts.into_iter().map(|(kind, count)| FindingCount { kind, count }).collect();
    Ok(Json(Redactions { call_id: id, counts, findings }))
}
