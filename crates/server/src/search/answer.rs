//! What a search answers: calls by their words and by what they say, in one order. Its one invariant: the order depends on what is stored and
//! on the query alone, so that pages follow each other while nothing changes.

use std::collections::HashMap;

use api::search::{Corrected, Matched};
use insight::search::{memory::Mark, query::Query};
use uuid::Uuid;

use super::{
    corrected,
    find::{self, Found},
    meaning::{self, Meant},
    memories,
};
use crate::{
    app::App,
    calls::store::Filter,
    db::{Read, Scope, TenantTx},
    error::ApiResult,
};

/// How soon later ranks stop counting: the value of Cormack, Clarke and Büttcher (SIGIR 2009), which nobody found a need to change.
const K: f64 = 60.0;

/// What a call has ahead that holds the words, of one at the same place that only means the like: less than any two places differ by.
const SAID: f64 = 1e-12;

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

/// Looks for what somebody typed, and gives the transaction in which the last of it was found. None is open while memories are compared.
pub(super) async fn answer(
    app: &App,
    scope: &Scope,
    (typed, mut query): (&str, Query),
    filter: Option<&Filter>,
) -> ApiResult<(TenantTx<Read>, Answer)> {
    // In what was typed: what it means does not hang on a letter, and words that no call has mean something too.
    let (near, seen) = meaning::find(app, scope, &query, filter).await?;
    let mut tx = app.database.read(scope).await?;
    let meant = meaning::allowed(&mut tx, &app.vault, &query, near).await?;
    let mut words = find::find(&mut tx, &app.vault, &query, filter).await?;
    let mut corrected = Vec::new();
    // A word that no call has leaves no call for all of them.
    if words.is_empty() {
        let unknown = corrected::unknown(&mut tx, &app.vault, (typed, &query)).await?;
        if !unknown.is_empty() {
            tx.rollback().await?;
            let seen = match seen {
                Some(seen) => seen,
                None => memories::look(app, scope).await?,
            };
            let nearest = corrected::correct(seen, (typed, &unknown)).await?;
            tx = app.database.read(scope).await?;
            if let Some((text, instead)) = nearest
                && let Ok(nearest) = Query::parse(&text)
            {
                words = find::find(&mut tx, &app.vault, &nearest, filter).await?;
                if !words.is_empty() {
                    (query, corrected) = (nearest, instead);
                }
            }
        }
    }
    let (found, why) = merged(&words, &meant);
    Ok((tx, Answer { found, why, query, corrected }))
}

/// One order of two, by the sums of reciprocal ranks: also where only one finds something, so that a cursor means the same on each page.
fn merged(words: &[Found], meant: &[Meant]) -> (Vec<Found>, HashMap<Uuid, Why>) {
    let mut why: HashMap<Uuid, Why> =
        words.iter().map(|found| (found.call, Why { matched: Matched::Words, passage: None })).collect();
    let rank = |rank: usize| 1.0 / (K + 1.0 + rank as f64);
    let mut scores: HashMap<Uuid, f64> =
        words.iter().enumerate().map(|(place, found)| (found.call, rank(place) + SAID)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_same_place_a_call_that_holds_the_words_stands_before_one_that_means_the_like() {
        let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(Uuid::from_u128);
        let said = |calls: &[Uuid]| calls.iter().map(|call| Found { score: 1.0, call: *call }).collect::<Vec<_>>();
        let meant = |calls: &[Uuid]| {
            calls
                .iter()
                .map(|call| Meant { call: *call, cosine: 0.5, number: 0, mark: Mark::default() })
                .collect::<Vec<_>>()
        };
        let order = |words: &[Uuid], near: &[Uuid]| {
            let (found, _) = merged(&said(words), &meant(near));
            found.into_iter().map(|found| found.call).collect::<Vec<_>>()
        };
        // Whichever is newer, and far down as well.
        assert_eq!(order(&[a, b], &[c, d]), [a, c, b, d]);
        assert_eq!(order(&[d, c], &[b, a]), [d, b, c, a]);
        let many: Vec<Uuid> = (10..100_000).map(Uuid::from_u128).collect();
        assert_eq!(order(&many, &[]), many);
        // What both say stands before both.
        assert_eq!(order(&[a, b, e], &[c, d, e]), [e, a, c, b, d]);
    }
}
