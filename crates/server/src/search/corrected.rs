//! Words that were typed wrong. Its one invariant: what is suggested is a word of calls that the caller may see, so that nobody learns one
//! of somebody else's by a near guess.

use std::{collections::HashSet, sync::Arc};

use api::search::Corrected;
use insight::search::{nearest::Nearest, query::Query};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    memories::Remembered,
    store::{self, place},
    tokens::{Token, Tokens},
};
use crate::{
    app::App,
    db::{Access, DbError, TenantTx},
    vault::keys::VaultError,
};

use insight::search::keys::Stems;

/// The query with each word that no call has replaced by the nearest that one has; `None` where there is no such word.
pub(super) async fn correct<A: Access>(
    app: &App,
    tx: &mut TenantTx<A>,
    (typed, query): (&str, &Query),
) -> Result<Option<(String, Vec<Corrected>)>, VaultError> {
    let tokens = Tokens::of(&*app.vault.tenant_key(tx).await?);
    let stems = Stems::all();
    let (mut asked, mut of): (Vec<Token>, Vec<usize>) = (Vec::new(), Vec::new());
    for (word, at) in query.free_words.iter().enumerate() {
        let keys = stems.iter().flat_map(|stems| stems.keys(&typed[at.clone()]));
        asked.extend(keys.map(|key| tokens.token(&key)));
        of.resize(asked.len(), word);
    }
    let known: HashSet<usize> =
        store::newest(tx, &asked, 1).await?.into_iter().map(|hit| of[place(hit.token)]).collect();
    let unknown: Vec<(usize, String)> = (query.free_words.iter().enumerate())
        .filter(|(word, _)| !known.contains(word))
        .map(|(word, at)| (word, typed[at.clone()].to_owned()))
        .collect();
    if unknown.is_empty() {
        return Ok(None);
    }
    let memories = app.search.memories.look(tx, &app.vault).await?;
    let nearest = spawn_blocking(move || nearest(&memories, unknown)).await.map_err(|_| DbError::Unexpected)?;
    let mut text = typed.to_owned();
    // From behind, so that what is before stays where it is.
    for (word, corrected) in nearest.iter().rev() {
        text.replace_range(query.free_words[*word].clone(), &corrected.to);
    }
    Ok((!nearest.is_empty()).then(|| (text, nearest.into_iter().map(|(_, corrected)| corrected).collect())))
}

fn nearest(memories: &[(Uuid, Arc<Remembered>)], unknown: Vec<(usize, String)>) -> Vec<(usize, Corrected)> {
    let one = |(word, from): (usize, String)| {
        let mut nearest = Nearest::to(&from)?;
        memories.iter().for_each(|(_, memory)| nearest.see(memory.words()));
        let to = nearest.word()?.to_owned();
        Some((word, Corrected { from, to }))
    };
    unknown.into_iter().filter_map(one).collect()
}
