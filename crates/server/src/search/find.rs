//! Which calls answer a query, the best first: those that hold every word, of which only words that most calls hold ("the", "who") are
//! no condition beside rarer ones. So no list of such words is needed, which would have to know the language of the query.
//!
//! Its one invariant: the work is bounded, whatever is asked and however many calls there are:
//! `MOST` calls a word, `PHRASED` calls of which positions are read.

use std::collections::HashMap;

use insight::search::{query::Query, rank::Collection};
use uuid::Uuid;

use super::{
    phrase::{Asked, Phrase},
    store::{self, Hit, place},
    tokens::{Token, Tokens},
};
use crate::{
    calls::{self, store::Filter},
    db::{Access, TenantTx},
    vault::keys::{Vault, VaultError},
};

/// Calls that are looked at first for each word. A word that fewer hold is rare, and the others are asked only about its calls.
const FEW: usize = 1000;

/// Calls that are looked at for a word when none of the query is rare: the newest ones.
const MOST: usize = 20_000;

/// Calls whose positions are read for a phrase: those with the highest scores.
const PHRASED: usize = 5000;

/// A word that a larger share of the calls holds tells nothing apart.
const COMMON: f64 = 0.5;

/// Of fewer calls than these a share says nothing: all words are a condition there.
const TELLING: f64 = 20.0;

/// A call that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// How well it answers.
    pub score: f64,
    /// The call.
    pub call: Uuid,
}

/// How often a word is in a call, and how long that is.
#[derive(Clone, Copy)]
struct Count {
    frequency: i16,
    words: i32,
}

/// A word that was asked for.
struct Word {
    /// Which of the terms it belongs to.
    term: usize,
    is_excluded: bool,
    /// Those of its tokens that some call holds.
    tokens: Vec<Token>,
    calls: HashMap<Uuid, Count>,
    /// Whether these are all calls that hold it.
    is_complete: bool,
    /// How large a part of all calls holds it, as far as is known.
    share: f64,
}

impl Word {
    fn take(&mut self, hit: &Hit) {
        let count = Count { frequency: hit.frequency, words: hit.words };
        let known = self.calls.entry(hit.call).or_insert(count);
        // Two forms of one word may be two keys: what is more, not the sum.
        known.frequency = known.frequency.max(hit.frequency);
    }
}

/// Finds calls, the best first, the newer of equals first.
///
/// # Errors
/// What a transaction may fail with.
pub async fn find<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    query: &Query,
    filter: Option<&Filter>,
) -> Result<Vec<Found>, VaultError> {
    let collection = store::collection(tx).await?;
    let mut words = look(tx, vault, query).await?;
    complete(tx, &mut words, &collection).await?;
    let mut calls = held(&required(&words, query, &collection));
    if let Some(filter) = filter {
        calls = calls::store::shown(tx, filter, &calls).await?;
    }
    leave_out(tx, &mut words, query, &mut calls).await?;
    let mut found = ranked(&words, &calls, &collection);
    for (term, one) in query.terms.iter().enumerate().filter(|(_, one)| one.words.len() > 1) {
        found.truncate(PHRASED);
        let asked: Vec<Uuid> = found.iter().map(|found| found.call).collect();
        let phrase = Phrase::of(words.iter().filter(|word| word.term == term).map(|word| &word.tokens[..]));
        let holding = phrase.held(tx, vault, &asked).await?;
        found.retain(|found| holding.contains(&found.call) != one.is_excluded);
    }
    Ok(found)
}

/// The words of a query, each with the newest calls that hold it.
async fn look<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, query: &Query) -> Result<Vec<Word>, VaultError> {
    let tokens = Tokens::of(&*vault.tenant_key(tx).await?);
    let (mut words, mut keys) = (Vec::new(), Vec::new());
    for (term, one) in query.terms.iter().enumerate() {
        for word in &one.words {
            keys.push(word.iter().map(|key| tokens.token(key)).collect::<Vec<_>>());
            let (tokens, calls) = (Vec::new(), HashMap::new());
            words.push(Word { term, is_excluded: one.is_excluded, tokens, calls, is_complete: true, share: 0.0 });
        }
    }
    let asked = Asked::of(keys.iter().map(Vec::as_slice));
    let mut counts = vec![0; asked.tokens.len()];
    for hit in store::newest(tx, &asked.tokens, FEW as i64).await? {
        let token = place(hit.token);
        asked.words[token].iter().for_each(|word| words[*word].take(&hit));
        counts[token] += 1;
    }
    for (token, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        for word in &asked.words[token] {
            words[*word].tokens.push(asked.tokens[token]);
            words[*word].is_complete &= count < FEW;
        }
    }
    Ok(words)
}

/// Reads the rest of the words that many calls hold: about the calls of the rare ones where there are such, otherwise up to [`MOST`].
async fn complete<A: Access>(
    tx: &mut TenantTx<A>,
    words: &mut [Word],
    collection: &Collection,
) -> Result<(), VaultError> {
    let all = collection.calls.max(1.0);
    words.iter_mut().for_each(|word| word.share = word.calls.len() as f64 / all);
    let is_rare = |word: &&Word| !word.is_excluded && word.is_complete && word.share <= COMMON;
    let rare: Vec<&Word> = words.iter().filter(is_rare).collect();
    let calls = (!rare.is_empty()).then(|| held(&rare));
    for at in 0..words.len() {
        let (read, rest) = words.split_at_mut(at);
        let Some(word) = rest.first_mut().filter(|word| !word.is_excluded && !word.is_complete) else { continue };
        // What is asked for twice is read once.
        if let Some(same) = read.iter().find(|one| !one.is_excluded && one.tokens == word.tokens) {
            (word.calls, word.share) = (same.calls.clone(), same.share);
            continue;
        }
        let (hits, asked) = match &calls {
            Some(calls) => (store::among(tx, &word.tokens, calls).await?, calls.len() as f64),
            None => (store::newest(tx, &word.tokens, MOST as i64).await?, all),
        };
        word.calls.clear();
        hits.iter().for_each(|hit| word.take(hit));
        // Of many calls, those of the rare word are as good a sample as any.
        word.share = word.calls.len() as f64 / asked.max(1.0);
    }
    Ok(())
}

/// The words that a call has to hold: those of phrases, and those that are not in most calls; the rarest, where all are.
fn required<'a>(words: &'a [Word], query: &Query, collection: &Collection) -> Vec<&'a Word> {
    let sought = || words.iter().filter(|word| !word.is_excluded);
    if collection.calls < TELLING {
        return sought().collect();
    }
    let is_required = |word: &&Word| word.share <= COMMON || query.terms[word.term].words.len() > 1;
    let required: Vec<&Word> = sought().filter(is_required).collect();
    if required.is_empty() {
        sought().min_by(|a, b| a.share.total_cmp(&b.share)).into_iter().collect()
    } else {
        required
    }
}

/// The calls that hold all of these words.
fn held(words: &[&Word]) -> Vec<Uuid> {
    let mut words = words.to_vec();
    words.sort_by_key(|word| word.calls.len());
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    first.calls.keys().filter(|call| rest.iter().all(|word| word.calls.contains_key(call))).copied().collect()
}

/// Takes out the calls that hold what is not wanted; of phrases that is decided later, by their positions.
async fn leave_out<A: Access>(
    tx: &mut TenantTx<A>,
    words: &mut [Word],
    query: &Query,
    calls: &mut Vec<Uuid>,
) -> Result<(), VaultError> {
    for word in words.iter_mut().filter(|word| word.is_excluded && query.terms[word.term].words.len() == 1) {
        if !word.is_complete {
            store::among(tx, &word.tokens, calls).await?.iter().for_each(|hit| word.take(hit));
        }
        calls.retain(|call| !word.calls.contains_key(call));
    }
    Ok(())
}

/// Ranks calls.
fn ranked(words: &[Word], calls: &[Uuid], collection: &Collection) -> Vec<Found> {
    let sought: Vec<(&Word, f64)> = words
        .iter()
        .filter(|word| !word.is_excluded)
        .map(|word| (word, collection.weight(word.share * collection.calls)))
        .collect();
    let score = |call: &Uuid| {
        let of = |(word, weight): &(&Word, f64)| {
            word.calls
                .get(call)
                .map_or(0.0, |count| collection.score(*weight, f64::from(count.frequency), f64::from(count.words)))
        };
        sought.iter().map(of).sum()
    };
    let mut found: Vec<Found> = calls.iter().map(|call| Found { score: score(call), call: *call }).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.call.cmp(&a.call)));
    found
}
