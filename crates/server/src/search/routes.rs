//! Search over HTTP.

use std::collections::HashMap;

use api::{
    error::ErrorBody,
    search::{DEFAULT_HITS, MAX_HITS, SearchPage, SearchQuery},
};
use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use insight::search::{
    finder::Finder,
    query::{Query as Sought, QueryError},
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    answer::{Answer, answer},
    find::Found,
    shown::{OPENED, Opened},
};
use crate::{
    app::App,
    artifacts::{self, Artifact},
    auth::Caller,
    calls::{
        self, CallDocument, STATUSES, check_length, check_time, code_of,
        store::{Filter, Row},
    },
    db::{Read, TenantTx},
    error::{ApiError, ApiResult},
    http::extract::Query,
    vault::seal::RecordKind,
};

/// Characters of a search.
const MAX_SEARCH: usize = 500;

/// Calls by what was said in them and what is said of them, the best first. A call has to hold every word, in any of its forms, but for those
/// that most calls hold; words in quotation marks stand one behind the other; a minus leaves out the calls that hold what follows it. Where
/// the model for it is installed, calls that say the same in other words are found as well, in English. A word that no call has is taken
/// for the nearest that one has, and the answer says so. Pages behind the first are of the
/// search as it is then: calls that come in between may move others.
#[utoipa::path(
    get, operation_id = "search_calls", path = "/api/calls/search", tag = "calls", params(SearchQuery),
    responses(
        (status = 200, body = SearchPage),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    ),
)]
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<SearchQuery>,
) -> ApiResult<Json<SearchPage>> {
    check_length("q", Some(&asked.q), MAX_SEARCH)?;
    let query = Sought::parse(&asked.q)?;
    let limit = match asked.limit.unwrap_or(DEFAULT_HITS) {
        limit @ 1..=MAX_HITS => usize::from(limit),
        _ => return Err(ApiError::field("limit", "a page of a search has 1 to 50 calls")),
    };
    let after = asked.cursor.as_deref().map(read_cursor).transpose()?;
    let filter = filter(&asked)?;
    let (mut tx, answer) = answer(&app, caller.scope(), (&asked.q, query), filter.as_ref()).await?;
    let Answer { mut found, why, query, corrected } = answer;
    if let Some(after) = after {
        found.retain(|found| (found.score, found.call) < (after.score, after.call));
    }
    let follows = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| follows).map(cursor);
    let opened = open(&app, &mut tx, &found).await?;
    // No transaction is open while stems are found.
    tx.rollback().await?;
    let hits = move || {
        let mut sought = Finder::new(&query);
        opened.into_iter().map(|one| one.hit(&mut sought, &why)).collect::<ApiResult<_>>()
    };
    let items = spawn_blocking(hits).await.map_err(|error| ApiError::internal(&error))??;
    Ok(Json(SearchPage { items, next_cursor, corrected }))
}

fn filter(asked: &SearchQuery) -> ApiResult<Option<Filter>> {
    check_time("from", asked.from)?;
    check_time("to", asked.to)?;
    let status = asked.status.map(|status| code_of(&STATUSES, &status));
    let filter = Filter { status, contact: asked.contact_id, from: asked.from, to: asked.to };
    let is_set = status.is_some() || filter.contact.is_some() || filter.from.is_some() || filter.to.is_some();
    Ok(is_set.then_some(filter))
}

/// Opens what is shown of the calls. One that was deleted since is left out.
async fn open(app: &App, tx: &mut TenantTx<Read>, found: &[Found]) -> ApiResult<Vec<Opened>> {
    let ids: Vec<Uuid> = found.iter().map(|found| found.call).collect();
    let rows = calls::store::among(tx, &ids).await?;
    let documents = calls::store::open_all(tx, &app.vault, &rows).await?;
    let mut read: Vec<(Row, CallDocument)> = rows.into_iter().zip(documents).collect();
    calls::store::name_actions(tx, &app.vault, &mut read).await?;
    let mut calls: HashMap<Uuid, _> = read.into_iter().map(|(row, document)| (row.id, (row, document))).collect();
    let mut keys = app.vault.record_keys(tx, RecordKind::Call, &ids).await?;
    let (texts, _) = artifacts::among(tx, &ids, Artifact::SearchTexts, OPENED).await?;
    let mut texts: HashMap<Uuid, _> = texts.into_iter().map(|one| (one.call, one)).collect();
    let shown = found.iter().filter_map(|one| {
        let (row, document) = calls.remove(&one.call)?;
        let texts = texts.remove(&one.call).zip(keys.remove(&one.call));
        Some(Opened { score: one.score, row, document, texts })
    });
    Ok(shown.collect())
}

/// Bytes of a cursor before it is encoded: a score and an id.
const CURSOR: usize = 8 + 16;

fn cursor(last: &Found) -> String {
    URL_SAFE_NO_PAD.encode([&last.score.to_be_bytes()[..], last.call.as_bytes()].concat())
}

fn read_cursor(text: &str) -> ApiResult<Found> {
    let refused = || ApiError::field("cursor", "this cursor is not one that a search gave out");
    let bytes: [u8; CURSOR] =
        URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(refused)?;
    let (score, call) = bytes.split_at(8);
    let score = f64::from_be_bytes(score.try_into().map_err(|_| refused())?);
    Ok(Found { score, call: Uuid::from_slice(call).map_err(|_| refused())? })
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::TooManyWords => Self::field("q", "a search has at most 16 words"),
            QueryError::NothingSought => Self::field("q", "a search has at least one word that is to be found"),
        }
    }
}
