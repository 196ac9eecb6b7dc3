//! Contacts over HTTP.

use api::{
    contacts::{Contact, ContactDetails},
    error::{ErrorBody, ErrorCode},
    page::{Page, PageQuery},
};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, StatusCode},
};
use uuid::Uuid;

use super::{ContactDocument, FoundBy, link, store};
use crate::{
    app::App,
    auth::Caller,
    calls::{self, deletions::RECEIPT},
    db::{Role, TenantTx, Write},
    deletion::{self, DeletionError},
    error::{ApiError, ApiResult},
    http::{
        extract::{self, Path, Query},
        idempotency::{IdempotencyKey, TellsOf},
        lasting,
        page::{self, Cursor},
    },
    redaction, tenants,
    vault::{receipts::Receipt, seal::RecordKind},
};

/// A contact that was written, whose key seals the answer where it is kept to be given again.
type Written = (Extension<TellsOf>, Json<Contact>);

/// The address book, the latest first.
#[utoipa::path(
    get, operation_id = "list_contacts", path = "/api/contacts", tag = "contacts", params(PageQuery),
    responses(
        (status = 200, body = Page<Contact>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Contact>>> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(Cursor::decode).transpose()?;
    let mut tx = app.database.read(caller.scope()).await?;
    let mut rows = store::page(&mut tx, after, limit + 1).await?;
    let next_cursor = page::cut(&mut rows, limit, store::Row::cursor);
    let documents = store::open_all(&mut tx, &app.vault, &rows).await?;
    let items = rows.iter().zip(documents).map(|(row, document)| row.shown(document)).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// A contact.
#[utoipa::path(
    get, operation_id = "contact", path = "/api/contacts/{id}", tag = "contacts", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Contact),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<Json<Contact>> {
    let mut tx = app.database.read(caller.scope()).await?;
    let row = store::get(&mut tx, id).await?;
    let document = store::open(&mut tx, &app.vault, &row).await?;
    Ok(Json(row.shown(document)))
}

/// Adds a contact.
#[utoipa::path(
    post, operation_id = "add_contact", path = "/api/contacts", tag = "contacts", request_body = ContactDetails,
    params(IdempotencyKey),
    responses(
        (status = 201, body = Contact),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "Another contact has that number or address: details.contactId"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    extract::Json(details): extract::Json<ContactDetails>,
) -> ApiResult<(StatusCode, Extension<TellsOf>, Json<Contact>)> {
    if caller.scope().role() == Role::Auditor {
        return Err(ApiError::new(ErrorCode::Forbidden, "an auditor has no contacts"));
    }
    let document = redacted(&app, &caller, caller.scope().user(), &details).await?;
    let mut tx = app.database.write(caller.scope()).await?;
    admit(&app, &mut tx, (caller.scope().user(), None), &document).await?;
    let id = store::insert(&mut tx, &app.vault, &document).await?;
    let row = store::get(&mut tx, id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Extension(TellsOf(RecordKind::Contact, id)), Json(row.shown(document))))
}

/// Replaces what is said of a contact; what is left out is said no more. Calls that are linked to it and were called by its name or
/// organization are called by the new ones, and not found by the old ones any more; their transcripts follow within minutes.
#[utoipa::path(
    put, operation_id = "change_contact", path = "/api/contacts/{id}", tag = "contacts", request_body = ContactDetails,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 200, body = Contact),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "Another contact has that number or address: details.contactId"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    extract::Json(details): extract::Json<ContactDetails>,
) -> ApiResult<Written> {
    let mut tx = app.database.read(caller.scope()).await?;
    let owner = store::get(&mut tx, id).await?.owner_id;
    tx.rollback().await?;
    let document = redacted(&app, &caller, owner, &details).await?;
    let work_app = app.clone();
    let contact = async move { replace(&work_app, &caller, (owner, id), document).await };
    let contact = lasting::to_its_end(&app, contact).await?;
    Ok((Extension(TellsOf(RecordKind::Contact, id)), Json(contact)))
}

/// Stores what is said of a contact of this owner's, with all calls that are called by it: they may be many.
async fn replace(
    app: &App,
    caller: &Caller,
    (owner, id): (Uuid, Uuid),
    document: ContactDocument,
) -> ApiResult<Contact> {
    let mut tx = begin(app, caller, id).await?;
    let attempted = attempt_to_replace(app, &mut tx, (owner, id), document).await;
    tx.end(attempted).await
}

async fn attempt_to_replace(
    app: &App,
    tx: &mut TenantTx<Write>,
    (owner, id): (Uuid, Uuid),
    document: ContactDocument,
) -> ApiResult<Contact> {
    admit(app, tx, (owner, Some(id)), &document).await?;
    // Calls come before contacts, as where they are linked.
    calls::store::lock_linked(tx, id).await?;
    let row = store::lock(tx, id).await?;
    let before = store::open(tx, &app.vault, &row).await?;
    link::follow(tx, &app.vault, id, (&before, &document)).await?;
    store::put(tx, &app.vault, &row, &document).await?;
    Ok(store::get(tx, id).await?.shown(document))
}

/// Begins what may take as long as a contact has calls. Who asks again meanwhile waits for no lock, and so takes no connection.
async fn begin(app: &App, caller: &Caller, contact: Uuid) -> ApiResult<TenantTx<Write>> {
    let mut tx = app.database.write_long(caller.scope()).await?;
    if tenants::store::begin_removal(&mut tx, contact).await? {
        return Ok(tx);
    }
    let message = "this contact is being changed or deleted already, which goes on: ask again later";
    Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(30))
}

/// Deletes a contact, at once and for good. Calls stay, linked to nobody, without its name and organization, and are not found by them any
/// more; what was said of them otherwise stays. An archive that was exported before
/// and lists the contact ends within its 24 hours.
#[utoipa::path(
    delete, operation_id = "delete_contact", path = "/api/contacts/{id}", tag = "contacts",
    params(("id" = Uuid, Path), IdempotencyKey),
    responses(
        (status = 204, headers(("Deletion-Receipt" = Uuid))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<(StatusCode, [(HeaderName, String); 1])> {
    let work_app = app.clone();
    let receipt = lasting::to_its_end(&app, async move { erase(&work_app, &caller, id).await }).await?;
    Ok((StatusCode::NO_CONTENT, [(RECEIPT, receipt.id.to_string())]))
}

async fn erase(app: &App, caller: &Caller, id: Uuid) -> ApiResult<Receipt> {
    let mut tx = begin(app, caller, id).await?;
    let attempted = attempt_to_erase(app, &mut tx, id).await;
    tx.end(attempted).await
}

async fn attempt_to_erase(app: &App, tx: &mut TenantTx<Write>, id: Uuid) -> ApiResult<Receipt> {
    link::forget(tx, &app.vault, id).await?;
    let deleted = deletion::delete(tx, app.vault.signer(), RecordKind::Contact, id).await;
    deleted.map_err(|error| match error {
        DeletionError::Database(error) => error.into(),
        DeletionError::NotFound | DeletionError::LegalHold => ApiError::not_found(),
    })
}

/// What somebody says of a contact of this owner's, without what must not stay in it. No lock is held while that takes its time.
async fn redacted(app: &App, caller: &Caller, owner: Uuid, details: &ContactDetails) -> ApiResult<ContactDocument> {
    let document = ContactDocument::of(details)?;
    let mut tx = app.database.read(caller.scope()).await?;
    let policy = redaction::policy_with(&mut tx, &app.vault, (owner, document.name.clone())).await?;
    tx.rollback().await?;
    Ok(redaction::redacted_words(document, None, policy).await?)
}

/// Refuses what another contact of the owner's has, and holds the address book.
async fn admit(
    app: &App,
    tx: &mut TenantTx<Write>,
    (owner, own): (Uuid, Option<Uuid>),
    document: &ContactDocument,
) -> ApiResult<()> {
    let key = app.vault.tenant_key(tx).await?;
    let mut tokens = document.tokens(&key);
    tokens.retain(|(by, _)| matches!(by, FoundBy::Number | FoundBy::Email));
    store::hold_book(tx, owner).await?;
    let hits = store::find(tx, owner, &tokens).await?;
    let is_one = |by: i16| by == FoundBy::Number as i16 || by == FoundBy::Email as i16;
    match hits.iter().find(|hit| is_one(hit.by) && Some(hit.contact) != own) {
        None => Ok(()),
        Some(hit) => {
            let message = "another contact has this number or e-mail address; change that one, or take it out there";
            Err(ApiError::new(ErrorCode::Conflict, message).with("contactId", hit.contact.to_string()))
        }
    }
}
