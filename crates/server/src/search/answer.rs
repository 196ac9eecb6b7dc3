//! What a search answers: calls by their words and by what they say, in one order. Its one invariant: the order depends on what is stored and
//! on the query alone, so that pages follow each other while nothing changes.

use std::collections::HashMap;

use api::search::{Corrected, Matched};
use insight::search::{meaning::Vector, memory::Mark, query::Query};
use uuid::Uuid;

use super::{
    corrected,
    find::{self, Found},
    meaning::{self, Meant},
};
use crate::{
    app::App,
    calls::store::Filter,
    db::{Access, TenantTx},
    error::ApiResult,
};

/// How soon later ranks stop counting: the value of Cormack, Clarke and Büttcher (SIGIR 2009), which nobody found a need to change.
const K: f64 = 60.0;

/// Why a call was found.
#[derive(Clone, Copy)]
pub(super) struct Why {
    pub(super) matched: Matched,
    /// The passage that says it: its number and the mark of its text.
    pub(super) passage: Option<(usize, Mark)>,
}

/// What was found.
pub(super) struct Answer {
    /// The calls, the best first.
    pub(super) found: Vec<Found>,
    pub(super) why: HashMap<Uuid, Why>,
    /// What was looked for, where that is not what was typed.
    pub(super) query: Query,
    pub(super) corrected: Vec<Corrected>,
}

/// Looks for what somebody typed, which means `vector` where that is known.
pub(super) async fn answer<A: Access>(
    app: &App,
    tx: &mut TenantTx<A>,
    (typed, mut query, vector): (&str, Query, Option<Vector>),
    filter: Option<&Filter>,
) -> ApiResult<Answer> {
    // In what was typed: what it means does not hang on a letter, and words that no call has mean something too.
    let meant = meaning::find(app, tx, (&query, vector), filter).await?;
    let mut words = find::find(tx, &app.vault, &query, filter).await?;
    let mut corrected = Vec::new();
    // A word that no call has leaves no call for all of them.
    if words.is_empty()
        && let Some((text, instead)) = corrected::correct(app, tx, (typed, &query)).await?
        && let Ok(nearest) = Query::parse(&text)
    {
        words = find::find(tx, &app.vault, &nearest, filter).await?;
        if !words.is_empty() {
            (query, corrected) = (nearest, instead);
        }
    }
    let (found, why) = merged(words, &meant);
    Ok(Answer { found, why, query, corrected })
}

/// One order of two, by the sums of reciprocal ranks; the order of words as it is where nothing is found by meaning.
fn merged(words: Vec<Found>, meant: &[Meant]) -> (Vec<Found>, HashMap<Uuid, Why>) {
    let mut why: HashMap<Uuid, Why> =
        words.iter().map(|found| (found.call, Why { matched: Matched::Words, passage: None })).collect();
    if meant.is_empty() {
        return (words, why);
    }
    let rank = |rank: usize| 1.0 / (K + 1.0 + rank as f64);
    let mut scores: HashMap<Uuid, f64> =
        words.iter().enumerate().map(|(place, found)| (found.call, rank(place))).collect();
    for (place, one) in meant.iter().enumerate() {
        *scores.entry(one.call).or_default() += rank(place);
        let passage = Some((one.number, one.mark));
        why.entry(one.call)
            .and_modify(|why| *why = Why { matched: Matched::Both, passage })
            .or_insert(Why { matched: Matched::Meaning, passage });
    }
    let mut found: Vec<Found> = scores.into_iter().map(|(call, score)| Found { score, call }).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.call.cmp(&a.call)));
    (found, why)
}
