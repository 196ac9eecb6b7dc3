//! The end of calls, and the receipts that remain. Its one invariant: what is answered as deleted was committed, and its receipt with it.

use api::{
    calls::{DeleteCalls, DeletedCalls, DeletionReceipt},
    error::{ErrorBody, ErrorCode},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use uuid::Uuid;

use super::MAX_IDS;
use crate::{
    app::App,
    auth::Caller,
    db::{DbError, Reason},
    deletion::{self, DeletionError},
    error::{ApiError, ApiResult},
    http::{
        extract::{self, Path},
        idempotency::IdempotencyKey,
    },
    telemetry::log,
    vault::{
        chain::Hash,
        receipts::{Counts, HORIZON, Horizon, Receipt},
        seal::RecordKind,
    },
};

/// Receipts of what was deleted, in order, separated by commas.
pub const RECEIPT: HeaderName = HeaderName::from_static("deletion-receipt");

async fn delete_one(app: &App, caller: &Caller, call: Uuid) -> Result<Receipt, DeletionError> {
    let mut tx = app.database.write(caller.scope()).await?;
    let receipt = deletion::delete(&mut tx, app.vault.signer(), RecordKind::Call, call).await?;
    tx.commit().await?;
    app.search.memories.forget(caller.scope().tenant(), Some(call));
    app.changes.wake();
    Ok(receipt)
}

/// Deletes a call and everything made of it, at once and for good.
#[utoipa::path(
    delete, operation_id = "delete_call", path = "/api/calls/{id}", tag = "calls",
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 204, headers(("Deletion-Receipt" = Uuid))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Response> {
    let receipt = delete_one(&app, &caller, id).await.map_err(|error| match error {
        DeletionError::NotFound => ApiError::call_not_found(),
        DeletionError::LegalHold => {
            ApiError::new(ErrorCode::LegalHold, "this call is under legal hold; lift the hold first")
        }
        DeletionError::Database(error) => error.into(),
    })?;
    Ok((StatusCode::NO_CONTENT, [(RECEIPT, receipt.id.to_string())]).into_response())
}

/// Deletes several calls, each on its own.
#[utoipa::path(
    delete, path = "/api/calls", tag = "calls", request_body = DeleteCalls,
    params(IdempotencyKey),
    responses(
        (status = 200, body = DeletedCalls, headers(("Deletion-Receipt" = String))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn delete_many(
    State(app): State<App>,
    caller: Caller,
    extract::Json(calls): extract::Json<DeleteCalls>,
) -> ApiResult<Response> {
    if calls.call_ids.len() > MAX_IDS {
        return Err(ApiError::field("callIds", "at most 100 calls can be deleted at once"));
    }
    let (mut outcome, mut receipts) = (DeletedCalls::default(), Vec::new());
    for id in calls.call_ids {
        match delete_one(&app, &caller, id).await {
            Ok(receipt) => {
                receipts.push(receipt.id.to_string());
                outcome.deleted.push(id);
            }
            Err(DeletionError::NotFound) => outcome.missing.push(id),
            Err(DeletionError::LegalHold) => outcome.failed.push(id),
            Err(DeletionError::Database(error)) => {
                log::warning!(fault = &error, "a call of several was not deleted");
                outcome.failed.push(id);
            }
        }
    }
    let mut response = Json(outcome).into_response();
    if !receipts.is_empty() {
        let value = HeaderValue::try_from(receipts.join(", ")).map_err(|error| ApiError::internal(&error))?;
        response.headers_mut().insert(RECEIPT, value);
    }
    Ok(response)
}

/// The signed receipt of a deletion, for whoever in its tenant knows its id.
#[utoipa::path(
    get, path = "/api/deletions/{receiptId}", tag = "calls", params(("receiptId" = Uuid, Path)),
    responses(
        (status = 200, body = DeletionReceipt),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn receipt(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<DeletionReceipt>> {
    let receipt = find(&app, id).await?.filter(|receipt| receipt.tenant == caller.scope().tenant());
    let receipt = receipt.ok_or_else(ApiError::not_found)?;
    let class = receipt.class.as_str().to_uppercase();
    Ok(Json(DeletionReceipt {
        receipt_id: receipt.id,
        tenant_id: receipt.tenant,
        sequence: receipt.sequence,
        class,
        subject_id: receipt.subject,
        rows_removed: receipt.counts.rows,
        blobs_removed: receipt.counts.blobs,
        keys_destroyed: receipt.counts.keys,
        at: receipt.at,
        previous: hexadecimal(&receipt.previous.0),
        hash: hexadecimal(&receipt.hash.0),
        signing_key: receipt.signing_key,
        signature: hexadecimal(&receipt.signature),
        horizon: HORIZON.to_owned(),
    }))
}

/// A member does not read the ledger, but may read one receipt whose id it was given.
async fn find(app: &App, id: Uuid) -> ApiResult<Option<Receipt>> {
    let mut tx = app.database.system(Reason::Receipts).await?;
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", sequence AS "sequence!", class AS "class!", subject_id AS "subject!",
             rows_removed AS "rows!", blobs_removed AS "blobs!", keys_destroyed AS "keys!", at AS "at!",
             previous AS "previous!", hash AS "hash!", signing_key AS "signing_key!", signature AS "signature!"
           FROM app.receipt($1)"#,
        id,
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(DbError::from)?;
    let Some(row) = row else { return Ok(None) };
    let receipt = || {
        Some(Receipt {
            tenant: row.tenant,
            sequence: row.sequence,
            id,
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
    };
    Ok(Some(receipt().ok_or(DbError::Unexpected)?))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
