//! Legal holds: a call under one is deleted by nobody, whatever its age. Its one invariant: a hold is set and lifted with a reason, by
//! somebody who manages the tenant, the act is in the audit log, and what was put off for the hold is made good as it is lifted.

use api::{
    calls::{LegalHold, LegalHoldAct, SetLegalHold},
    error::{ErrorBody, ErrorCode},
};
use axum::{Json, extract::State};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{MAX_TEXT, check_length, filled, routes::or_call, store};
use crate::{
    app::App,
    audit::{self, Action},
    auth::Caller,
    contacts,
    db::{Access, DbError, TenantTx, Write},
    error::{ApiError, ApiResult},
    http::{
        extract::{self, Path},
        idempotency::IdempotencyKey,
    },
    transcripts,
    vault::{
        content::{self, Stored},
        keys::{Vault, VaultError},
        seal::{Field, RecordKind},
    },
};

/// Acts that are shown of one call, newest first.
const MAX_ACTS: i64 = 100;

/// Whether a call is under legal hold, and why.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `call_not_found`.
#[utoipa::path(
    get, operation_id = "legal_hold", path = "/api/calls/{id}/legal-hold", tag = "calls", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = LegalHold),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<LegalHold>> {
    caller.manages()?;
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(Json(show(&mut tx, &app.vault, id).await?))
}

/// Puts a call under legal hold, or lifts the hold, with a reason. What people corrected meanwhile goes from its analysis and action items
/// when the hold is lifted.
///
/// # Errors
/// `forbidden` unless the caller manages the tenant; `validation_failed` without a reason; `call_not_found`.
#[utoipa::path(
    put, operation_id = "set_legal_hold", path = "/api/calls/{id}/legal-hold", tag = "calls", request_body = SetLegalHold,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 200, body = LegalHold),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(set): extract::Json<SetLegalHold>,
) -> ApiResult<Json<LegalHold>> {
    caller.manages()?;
    check_length("reason", Some(&set.reason), MAX_TEXT)?;
    let reason =
        filled(Some(&set.reason)).ok_or_else(|| ApiError::field("reason", "a hold is set or lifted for a reason"))?;
    let mut tx = app.database.write(caller.scope()).await?;
    // A deletion at the same time locks the call as well: it either sees the hold, or is over.
    store::lock(&mut tx, id).await.map_err(or_call)?;
    record(&mut tx, &app.vault, id, set.held, &reason).await?;
    let shown = show(&mut tx, &app.vault, id).await?;
    tx.commit().await?;
    Ok(Json(shown))
}

/// Locks a call of which something is to be replaced or removed, until the transaction ends. None is put under legal hold meanwhile.
///
/// # Errors
/// `legal_hold`; `call_not_found`.
pub(crate) async fn lock_free(tx: &mut TenantTx<Write>, call: Uuid) -> ApiResult<()> {
    store::lock(tx, call).await.map_err(or_call)?;
    if store::get(tx, call).await.map_err(or_call)?.is_held() {
        return Err(ApiError::new(ErrorCode::LegalHold, "this call is under legal hold; lift the hold first"));
    }
    Ok(())
}

fn field(act: Uuid) -> Field {
    Field::new("legal_holds", "sealed", act)
}

/// Sets or lifts a hold, for a reason, with the event in the audit log.
///
/// # Errors
/// When the transaction fails, or the call's key is gone.
pub(crate) async fn record(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    call: Uuid,
    is_held: bool,
    reason: &str,
) -> Result<(), VaultError> {
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let (act, tenant, actor) = (Uuid::now_v7(), tx.scope().tenant(), tx.scope().user());
    let sealed = content::seal(tx, &key, &field(act), reason.as_bytes()).await?;
    sqlx::query!(
        "INSERT INTO tenant.legal_holds (tenant_id, id, call_id, owner_id, actor_id, is_held, sealed)
           SELECT tenant_id, $3, id, owner_id, $4, $5, $6 FROM tenant.calls WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        act,
        actor,
        is_held,
        sealed as _,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    sqlx::query!(
        "UPDATE tenant.calls SET legal_hold = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        call,
        is_held,
    )
    .execute(tx.conn())
    .await
    .map_err(DbError::from)?;
    if !is_held {
        contacts::link::lifted(tx, vault, call).await?;
        transcripts::held::lifted(tx, vault, call).await?;
    }
    let action = if is_held { Action::SetLegalHold } else { Action::LiftLegalHold };
    audit::record(tx, action, RecordKind::Call as i16, call).await?;
    Ok(())
}

async fn show<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> ApiResult<LegalHold> {
    let held = store::get(tx, call).await.map_err(or_call)?.legal_hold;
    let rows = sqlx::query!(
        r#"SELECT id, actor_id, is_held, sealed AS "sealed: Vec<u8>", created_at FROM tenant.legal_holds
           WHERE tenant_id = $1 AND call_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3"#,
        tx.scope().tenant(),
        call,
        MAX_ACTS,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(DbError::from)?;
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let mut acts = Vec::with_capacity(rows.len());
    for row in rows {
        let reason: Zeroizing<Vec<u8>> =
            content::open(&Stored { key: &key, field: field(row.id), sealed: &row.sealed })?;
        let reason = str::from_utf8(&reason).map_err(|_| DbError::Unexpected)?.to_owned();
        acts.push(LegalHoldAct { held: row.is_held, reason, user_id: row.actor_id, at: row.created_at });
    }
    Ok(LegalHold { held, acts })
}
