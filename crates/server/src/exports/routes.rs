//! `/api/users/me/export` and `/api/tenant/data-subjects/export`. Its one invariant: an archive goes to who asked for it, in a session that
//! began lately, and each time there is an event in the audit log.

use std::{io, time::Duration};

use api::{
    error::{ErrorBody, ErrorCode},
    exports::{DataSubject, Export, ExportStatus},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{
        HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse as _, Response},
};
use futures::stream;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;

use super::{Kind, TOLD, store};
use crate::{
    app::App,
    audit::{self, Action},
    auth::{Caller, recent},
    calls::subject::{self, Token},
    db::{DbError, Role, TenantTx, Write},
    error::{ApiError, ApiResult},
    http::{
        extract::{Json, Path},
        idempotency::IdempotencyKey,
        places::Place,
    },
    users::routes::has_data,
    vault::{blobs::BlobPlace, key::Key},
};

/// Characters of a number and of a name, as calls have them.
const MAX_NUMBER: usize = 64;
const MAX_NAME: usize = 500;

/// Blocks of 64 KiB that wait for a client.
const BLOCKS: usize = 4;

/// Bytes after which who downloads, and the archive, are looked at again.
const STRETCH: u64 = 4 << 20;

/// Asks for everything about the caller in this tenant, as one archive. It is built in the background.
///
/// # Errors
/// `conflict` while another one is built; `rate_limited` past five a day; `forbidden` for an auditor, who has no data.
#[utoipa::path(post, operation_id = "request_export", path = "/api/users/me/export", tag = "user", params(IdempotencyKey), responses(
    (status = 202, body = Export, description = "Being built"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn request(State(app): State<App>, caller: Caller) -> ApiResult<(StatusCode, axum::Json<Export>)> {
    caller.session()?;
    has_data(&caller)?;
    let mut tx = app.database.write(caller.scope()).await?;
    let export = add(&mut tx, Kind::User, None).await?;
    tx.commit().await?;
    app.exports.asked.notify_one();
    Ok((StatusCode::ACCEPTED, axum::Json(export)))
}

/// Asks for every call of the tenant with somebody, by number or name, as one archive. It is built in the background.
///
/// # Errors
/// `forbidden` unless the caller owns the tenant; `validation_failed`; and as above.
#[utoipa::path(post, operation_id = "request_data_subject_export", path = "/api/tenant/data-subjects/export", tag = "tenant",
    params(IdempotencyKey), request_body = DataSubject, responses(
    (status = 202, body = Export, description = "Being built"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn request_subject(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<DataSubject>,
) -> ApiResult<(StatusCode, axum::Json<Export>)> {
    owns(&caller)?;
    let mut tx = app.database.write(caller.scope()).await?;
    let tokens = tokens(&*app.vault.tenant_key(&mut tx).await?, &request)?;
    let export = add(&mut tx, Kind::Subject, Some(&tokens)).await?;
    tx.commit().await?;
    app.exports.asked.notify_one();
    Ok((StatusCode::ACCEPTED, axum::Json(export)))
}

/// By what a data subject is looked for.
fn tokens(tenant: &Key, request: &DataSubject) -> ApiResult<Vec<Token>> {
    let is_long = |text: &str, most: usize| text.chars().count() > most;
    match (&request.phone_number, &request.contact_name) {
        (Some(number), None) => {
            subject::of_number(tenant, number).filter(|_| !is_long(number, MAX_NUMBER)).ok_or_else(|| {
                ApiError::field("phoneNumber", "a number is looked for with its country code, such as +49 30 901820")
            })
        }
        (None, Some(name)) => subject::of_name(tenant, name).filter(|_| !is_long(name, MAX_NAME)).ok_or_else(|| {
            ApiError::field("contactName", "a name has at least one letter or digit, and at most 500 characters")
        }),
        _ => Err(ApiError::field("phoneNumber", "give either phoneNumber or contactName")),
    }
}

fn owns(caller: &Caller) -> ApiResult<()> {
    caller.session()?;
    match caller.scope().role() {
        Role::Owner => Ok(()),
        _ => Err(ApiError::new(ErrorCode::Forbidden, "this is for owners of the tenant")),
    }
}

async fn add(tx: &mut TenantTx<Write>, kind: Kind, tokens: Option<&[Token]>) -> ApiResult<Export> {
    if store::asked_enough(tx).await? {
        return Err(ApiError::new(ErrorCode::RateLimited, "five exports a day are enough: ask again tomorrow")
            .retry_after(3600));
    }
    let id = store::add(tx, kind, tokens).await.map_err(|error| match error {
        DbError::Refused { ref code, .. } if code == "23505" => {
            ApiError::new(ErrorCode::Conflict, "another export of yours is being built: wait for it")
        }
        other => other.into(),
    })?;
    audit::record(tx, Action::RequestExport, kind.subject(), id).await?;
    Ok(store::get(tx, kind, id).await?.shown()?)
}

/// How far an export of the caller's data is.
///
/// # Errors
/// `not_found` for one that is not the caller's.
#[utoipa::path(get, operation_id = "export", path = "/api/users/me/export/{exportId}", tag = "user", params(("exportId" = Uuid, Path)), responses(
    (status = 200, body = Export), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<axum::Json<Export>> {
    caller.session()?;
    show(&app, &caller, Kind::User, id).await
}

/// How far an export of a data subject's calls is.
///
/// # Errors
/// `forbidden` unless the caller owns the tenant; `not_found` for one that the caller did not ask for.
#[utoipa::path(get, operation_id = "data_subject_export", path = "/api/tenant/data-subjects/export/{subjectExportId}", tag = "tenant",
    params(("subjectExportId" = Uuid, Path)), responses(
    (status = 200, body = Export), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody)))]
pub async fn get_subject(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<axum::Json<Export>> {
    owns(&caller)?;
    show(&app, &caller, Kind::Subject, id).await
}

async fn show(app: &App, caller: &Caller, kind: Kind, id: Uuid) -> ApiResult<axum::Json<Export>> {
    let mut tx = app.database.read(caller.scope()).await?;
    Ok(axum::Json(store::get(&mut tx, kind, id).await?.shown()?))
}

/// The archive, as often as it takes until `expiresAt`, to who signed in within the last ten minutes.
///
/// # Errors
/// `sign_in_again`; `conflict` while it is being built; `not_found` for one that is not the caller's, failed or is over.
#[utoipa::path(get, operation_id = "download_export", path = "/api/users/me/export/{exportId}/download", tag = "user",
    params(("exportId" = Uuid, Path)), responses(
    (status = 200, body = String, content_type = "application/zip"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn download(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    parts: Parts,
) -> ApiResult<Response> {
    send(app, &caller, (Kind::User, id), parts).await
}

/// The same of a data subject's calls.
///
/// # Errors
/// `forbidden` unless the caller owns the tenant; and as above.
#[utoipa::path(get, operation_id = "download_data_subject_export", path = "/api/tenant/data-subjects/export/{subjectExportId}/download", tag = "tenant",
    params(("subjectExportId" = Uuid, Path)), responses(
    (status = 200, body = String, content_type = "application/zip"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn download_subject(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    parts: Parts,
) -> ApiResult<Response> {
    owns(&caller)?;
    send(app, &caller, (Kind::Subject, id), parts).await
}

async fn send(app: App, caller: &Caller, (kind, id): (Kind, Uuid), parts: Parts) -> ApiResult<Response> {
    let session = caller.session()?;
    let taken = app.exports.downloads.take(caller.scope(), TOLD)?;
    let mut tx = app.database.read(caller.scope()).await?;
    recent::signed_in(&mut tx, session).await?;
    let row = store::get(&mut tx, kind, id).await?;
    let Some((place, bytes, key)) = store::open(&mut tx, &app.vault, &row).await? else {
        return Err(match row.shown()?.status {
            ExportStatus::Pending => ApiError::new(ErrorCode::Conflict, "this export is still being built"),
            _ => ApiError::not_found(),
        });
    };
    tx.rollback().await?;
    // Its parts are there, before anything is said or audited.
    app.blobs.read(&key, place, bytes, 0..0).await?;
    let is_asked_for = parts.method != Method::HEAD;
    if is_asked_for {
        let mut tx = app.database.write(caller.scope()).await?;
        audit::record(&mut tx, Action::DownloadExport, kind.subject(), id).await?;
        tx.commit().await?;
    }
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (CONTENT_LENGTH, HeaderValue::from(bytes)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            CONTENT_DISPOSITION,
            HeaderValue::try_from(format!("attachment; filename=\"subrosa-export-{id}.zip\""))
                .map_err(|error| ApiError::internal(&error))?,
        ),
    ];
    let download = Download { app, caller: *caller, parts, kind, id, _place: taken };
    let body = if is_asked_for { download.body((place, bytes, key)) } else { Body::empty() };
    Ok((headers, body).into_response())
}

/// A download under way.
struct Download {
    app: App,
    caller: Caller,
    parts: Parts,
    kind: Kind,
    id: Uuid,
    _place: Place,
}

/// An archive that opens: where, how many bytes, under which key.
type Opened = (BlobPlace, u64, Key);

impl Download {
    /// The bytes as they are decrypted; a body that breaks off is shorter than it said. Nobody who stops reading holds more than some
    /// blocks, nor for longer than `limits.body_pause`.
    fn body(self, opened: Opened) -> Body {
        let (out, mut blocks) = mpsc::channel::<io::Result<Bytes>>(BLOCKS);
        let patience = self.app.operation.config.limits.body_pause;
        let copy = async move {
            if let Err(error) = self.copy(opened, (&out, patience)).await {
                // Told by the end of the connection: the headers are out.
                drop(timeout(patience, out.send(Err(error))).await);
            }
        };
        tokio::spawn(tracing::Instrument::in_current_span(copy));
        Body::from_stream(stream::poll_fn(move |context| blocks.poll_recv(context)))
    }

    async fn copy(
        mut self,
        (place, bytes, mut key): Opened,
        (out, patience): (&mpsc::Sender<io::Result<Bytes>>, Duration),
    ) -> io::Result<()> {
        let mut at = 0;
        while at < bytes {
            if at > 0 {
                let again = self.again().await.map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))?;
                if (again.0, again.1) != (place, bytes) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                key = again.2;
            }
            let stretch = at..bytes.min(at + STRETCH);
            at = stretch.end;
            let mut reader = self.app.blobs.read(&key, place, bytes, stretch).await.map_err(io::Error::other)?;
            while let Some(block) = reader.next().await.map_err(io::Error::other)? {
                if !matches!(timeout(patience, out.send(Ok(block))).await, Ok(Ok(()))) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Looks again who downloads, and whether the archive is still there.
    async fn again(&mut self) -> ApiResult<Opened> {
        self.caller = self.caller.again(&mut self.parts, &self.app).await?;
        if self.kind == Kind::Subject {
            owns(&self.caller)?;
        }
        let mut tx = self.app.database.read(self.caller.scope()).await?;
        let row = store::get(&mut tx, self.kind, self.id).await?;
        store::open(&mut tx, &self.app.vault, &row).await?.ok_or_else(ApiError::not_found)
    }
}
