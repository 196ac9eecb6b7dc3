//! Words that were typed wrong. Its one invariant: what is suggested is a word of calls that the caller may see, so that nobody learns one
//! of somebody else's by a near guess.

use std::{collections::HashSet, ops::Range, sync::Arc};

use api::search::Corrected;
use insight::search::{keys::Stems, nearest::Nearest, query::Query};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    kept::{Remembered, Seen},
    store::{self, place},
    tokens::{Token, Tokens},
};
use crate::{
    db::{Access, DbError, TenantTx},
    vault::keys::{Vault, VaultError},
};

/// Unknown words that are corrected. A query with more of them is about something else, and each is compared with all words of all calls.
const MOST: usize = 3;

/// The words of a query that no call has, by their places in it.
pub(super) async fn unknown<A: Access>(
    tx: &mut TenantTx<A>,
    vault: &Vault,
    (typed, query): (&str, &Query),
) -> Result<Vec<Range<usize>>, VaultError> {
    let tokens = Tokens::of(&*vault.tenant_key(tx).await?);
    let stems = Stems::all();
    let (mut asked, mut of): (Vec<Token>, Vec<usize>) = (Vec::new(), Vec::new());
    for (word, at) in query.free_words.iter().enumerate() {
        let keys = stems.iter().flat_map(|stems| stems.keys(&typed[at.clone()]));
        asked.extend(keys.map(|key| tokens.token(&key)));
        of.resize(asked.len(), word);
    }
    let known: HashSet<usize> =
        store::newest(tx, &asked, 1).await?.into_iter().map(|hit| of[place(hit.token)]).collect();
    let words = query.free_words.iter().enumerate().filter(|(word, _)| !known.contains(word));
    Ok(words.map(|(_, at)| at.clone()).collect())
}

/// What was typed with each of these words replaced by the nearest that one of the calls has; `None` where there is no such word, or there
/// are too many. It takes a while: no transaction is to be open.
pub(super) async fn correct(
    seen: Seen,
    (typed, unknown): (&str, &[Range<usize>]),
) -> Result<Option<(String, Vec<Corrected>)>, DbError> {
    if unknown.len() > MOST {
        return Ok(None);
    }
    let words: Vec<(Range<usize>, String)> =
        unknown.iter().map(|at| (at.clone(), typed[at.clone()].to_owned())).collect();
    let nearest = spawn_blocking(move || nearest(&seen, words)).await.map_err(|_| DbError::Unexpected)?;
    let mut text = typed.to_owned();
    // From behind, so that what is before stays where it is.
    for (at, corrected) in nearest.iter().rev() {
        text.replace_range(at.clone(), &corrected.to);
    }
    Ok((!nearest.is_empty()).then(|| (text, nearest.into_iter().map(|(_, corrected)| corrected).collect())))
}

fn nearest(
    memories: &[(Uuid, Arc<Remembered>)],
    unknown: Vec<(Range<usize>, String)>,
) -> Vec<(Range<usize>, Corrected)> {
    let one = |(at, from): (Range<usize>, String)| {
        let mut nearest = Nearest::to(&from)?;
        memories.iter().for_each(|(_, memory)| nearest.see(memory));
        let to = nearest.word()?.to_owned();
        Some((at, Corrected { from, to }))
    };
    unknown.into_iter().filter_map(one).collect()
}
