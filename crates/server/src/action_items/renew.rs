//! What analysis finds, beside what people made of it. Its one invariant: a row that a person touched is not written here; what is found again
//! keeps its row, and with it its id.

use chrono::{Datelike as _, NaiveDate};
use insight::analysis::task::document::ActionItem;
use uuid::Uuid;

use super::{Document, Found, same::same, store};
use crate::{
    db::{DbError, TenantTx, Write},
    redaction::Written as _,
    vault::{key::Key, keys::VaultError},
};

/// Items of one analysis: a call of five hours in which something is promised every other minute has 150.
const MAX_FOUND: usize = 200;

/// Puts what an analysis of a call found in the place of what was found before. What a person touched stays as it is, and does not come a
/// second time; what a person removed does not come back. `key` is that of the call.
///
/// # Errors
/// [`VaultError::Broken`] when an item that is there was tampered with, before anything is written; what a transaction may fail with.
pub async fn renew(tx: &mut TenantTx<Write>, key: &Key, call: Uuid, found: &[ActionItem]) -> Result<(), VaultError> {
    renewed(tx, key, call, found).await.map(drop)
}

/// An item that was found and that a person touched, which stays as it is.
pub(super) struct Touched {
    pub(super) row: store::Row,
    pub(super) document: Document,
    /// What is found of it now, if anything.
    pub(super) again: Option<Dated>,
}

/// An item as it is stored, and by when it is due.
pub(super) type Dated = (Document, Option<NaiveDate>);

/// As [`renew`]; gives what people touched.
pub(super) async fn renewed(
    tx: &mut TenantTx<Write>,
    key: &Key,
    call: Uuid,
    found: &[ActionItem],
) -> Result<Vec<Touched>, VaultError> {
    let stored = store::found(tx, call).await?;
    let before = stored.iter().map(|row| row.open(key)).collect::<Result<Vec<_>, _>>()?;
    let found: Vec<Dated> = found.iter().take(MAX_FOUND).map(document).collect::<Result<_, _>>()?;
    let traces = |documents: Vec<&Document>| documents.into_iter().map(trace).collect::<Vec<_>>();
    let (new, old) = (traces(found.iter().map(|(document, _)| document).collect()), traces(before.iter().collect()));
    let pairs = same(&new.iter().collect::<Vec<_>>(), &old.iter().collect::<Vec<_>>());

    let mut again: Vec<Option<(Dated, i32)>> = stored.iter().map(|_| None).collect();
    for ((new, pair), position) in found.into_iter().zip(pairs).zip(0..) {
        if let Some(place) = pair {
            again[place] = Some((new, position));
        } else {
            let (document, due_date) = new;
            store::insert(tx, key, store::New { position, due_date, ..store::New::found(call) }, &document).await?;
        }
    }
    let (mut gone, mut touched) = (Vec::new(), Vec::new());
    for ((row, before), again) in stored.into_iter().zip(before).zip(again) {
        match again {
            again if row.touched => touched.push(Touched { row, document: before, again: again.map(|(new, _)| new) }),
            None => gone.push(row.id),
            Some(((document, due), position)) => {
                if before != document || (row.due_date, row.position) != (due, position) {
                    store::replace(tx, key, row.id, (&document, due, position)).await?;
                }
            }
        }
    }
    store::delete(tx, &gone).await?;
    Ok(touched)
}

/// An item as it is stored, and by when it is due, where the database has a place for that.
fn document(item: &ActionItem) -> Result<Dated, DbError> {
    let value = serde_json::to_value(item).map_err(|_| DbError::Unexpected)?;
    let document: Document = serde_json::from_value(value).map_err(|_| DbError::Unexpected)?;
    let found = Some(trace(&document));
    Ok((Document { found, ..document }, item.due_date.filter(is_storable)))
}

/// By what an item is recognised.
pub(super) fn trace(document: &Document) -> Found {
    document.found.clone().unwrap_or_else(|| Found {
        title: document.title.clone(),
        intent: document.intent,
        source_segment_ids: document.source_segment_ids.clone(),
        texts: document.clone().texts().into_iter().map(|text| text.clone()).collect(),
    })
}

/// Whether RFC 3339 can write a date.
pub(super) fn is_storable(date: &NaiveDate) -> bool {
    (1..=9999).contains(&date.year())
}
