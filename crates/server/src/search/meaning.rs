//! Which calls say what a query means. Its one invariant: words in quotation marks and behind a minus hold here as they do for words, so no
//! call is answered by its meaning that its words rule out.

use std::{cmp::Reverse, collections::HashSet, sync::Arc};

use insight::search::{
    meaning::{MODEL, Vector},
    memory::Mark,
    query::{Query, Term},
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    kept::{Remembered, Seen},
    memories,
    phrase::Phrase,
    store,
    tokens::{Token, Tokens},
};
use crate::{
    app::App,
    calls::{self, store::Filter},
    db::{Access, DbError, Scope, TenantTx},
    vault::keys::{Vault, VaultError},
};

/// The least cosine that counts: of 69 paraphrases three quarters are above it, of 20 queries about nothing one is (`docs/benchmarks.md`).
const FLOOR: f32 = 0.25;

/// Calls that are answered by their meaning: what is behind is nearer to noise than to the query.
const MOST: usize = 50;

/// Calls of which words are asked before those are chosen.
const CANDIDATES: usize = 500;

/// A call, and the passage that says it best.
#[derive(Clone, Copy)]
pub(super) struct Meant {
    pub(super) call: Uuid,
    pub(super) cosine: f32,
    /// Which of its passages.
    pub(super) number: usize,
    /// The hash of the passage's text: another text there is not what was found.
    pub(super) mark: Mark,
}

/// The calls that say what a query means, the nearest first, whatever words they hold, and what was looked at for it: nothing without the
/// model, and for a query of phrases alone. No transaction is to be open.
pub(super) async fn find(
    app: &App,
    scope: &Scope,
    query: &Query,
    filter: Option<&Filter>,
) -> Result<(Vec<Meant>, Option<Seen>), VaultError> {
    let Some(vector) = vector(app, query).await else { return Ok((Vec::new(), None)) };
    let seen = memories::look(app, scope).await?;
    let shown: Option<HashSet<Uuid>> = match filter {
        Some(filter) => {
            let all: Vec<Uuid> = seen.iter().map(|(call, _)| *call).collect();
            let mut tx = app.database.read(scope).await?;
            let shown = calls::store::shown(&mut tx, filter, &all).await?;
            tx.rollback().await?;
            Some(shown.into_iter().collect())
        }
        None => None,
    };
    let looked_at = Arc::clone(&seen);
    let ranked = spawn_blocking(move || {
        let is_shown = |call: &Uuid| shown.as_ref().is_none_or(|shown| shown.contains(call));
        ranked(looked_at.iter().filter(|(call, _)| is_shown(call)), &vector)
    });
    Ok((ranked.await.map_err(|_| DbError::Unexpected)?, Some(seen)))
}

async fn vector(app: &App, query: &Query) -> Option<Vector> {
    if query.free.is_empty() {
        return None;
    }
    let (embedder, free) = (app.search.model.loaded()?, query.free.clone());
    spawn_blocking(move || embedder.embed_query(&free)).await.ok()?
}

/// Those of the calls that the words in quotation marks and behind a minus leave.
pub(super) async fn allowed<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    query: &Query,
    mut meant: Vec<Meant>,
) -> Result<Vec<Meant>, VaultError> {
    for term in query.terms.iter().filter(|term| term.is_quoted || term.is_excluded) {
        let asked: Vec<Uuid> = meant.iter().map(|one| one.call).collect();
        let holding = holding(tx, vault, term, &asked).await?;
        meant.retain(|one| holding.contains(&one.call) != term.is_excluded);
    }
    meant.truncate(MOST);
    Ok(meant)
}

/// The best passage of each call that is near enough, the nearest first, the newer of equals first.
fn ranked<'m>(memories: impl Iterator<Item = &'m (Uuid, Arc<Remembered>)>, to: &Vector) -> Vec<Meant> {
    let best = |(call, memory): &(Uuid, Arc<Remembered>)| {
        if memory.model() != MODEL {
            return None;
        }
        let near = |one: insight::search::memory::Meant<'_>| Meant {
            call: *call,
            cosine: one.cosine(to),
            number: one.number,
            mark: one.mark,
        };
        let best =
            memory.passages().map(near).max_by(|a, b| a.cosine.total_cmp(&b.cosine).then(b.number.cmp(&a.number)));
        best.filter(|best| best.cosine >= FLOOR)
    };
    let mut meant: Vec<Meant> = memories.filter_map(best).collect();
    meant.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(Reverse(a.call).cmp(&Reverse(b.call))));
    meant.truncate(CANDIDATES);
    meant
}

/// Which of these calls hold a word or a phrase.
async fn holding<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    term: &Term,
    calls: &[Uuid],
) -> Result<HashSet<Uuid>, VaultError> {
    let tokens = Tokens::of(&*vault.tenant_key(tx).await?);
    let words: Vec<Vec<Token>> =
        term.words.iter().map(|keys| keys.iter().map(|key| tokens.token(key)).collect()).collect();
    match &words[..] {
        [word] => Ok(store::among(tx, word, calls).await?.into_iter().map(|hit| hit.call).collect()),
        words => Phrase::of(words.iter().map(Vec::as_slice)).held(tx, vault, calls).await,
    }
}
