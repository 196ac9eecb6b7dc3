//! Where words stand, and whether they stand one behind the other. Its one invariant: however many calls hold the words of a phrase, the
//! sealed positions of [`BATCH`] calls and the open ones of one call are in memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use insight::search::positions::adjoin;
use uuid::Uuid;

use super::{
    store::{self, Place, place},
    tokens::{Places, Token},
};
use crate::{
    db::{Access, TenantTx},
    vault::{
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Calls whose positions are read at once: of a word that is said a hundred times in each, some 40 kB.
const BATCH: usize = 200;

/// The tokens of some words, each once, however many of the words it stands for.
pub(super) struct Asked {
    pub(super) tokens: Vec<Token>,
    /// The words that each token stands for, by their places.
    pub(super) words: Vec<Vec<usize>>,
}

impl Asked {
    /// Those of words that are given by all their tokens.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a [Token]>) -> Self {
        let mut asked: BTreeMap<Token, Vec<usize>> = BTreeMap::new();
        for (word, tokens) in words.enumerate() {
            tokens.iter().for_each(|token| asked.entry(*token).or_default().push(word));
        }
        let (tokens, words) = asked.into_iter().unzip();
        Self { tokens, words }
    }
}

/// Words in their order.
pub(super) struct Phrase {
    asked: Asked,
    words: usize,
}

impl Phrase {
    /// Of words that are given by their tokens.
    pub(super) fn of<'a>(words: impl Iterator<Item = &'a [Token]> + Clone) -> Self {
        Self { words: words.clone().count(), asked: Asked::of(words) }
    }

    /// Which of these calls hold it.
    pub(super) async fn held<A: Access>(
        &self,
        tx: &mut TenantTx<A>,
        vault: &Vault,
        calls: &[Uuid],
    ) -> Result<HashSet<Uuid>, VaultError> {
        let mut holding = HashSet::new();
        for calls in calls.chunks(BATCH) {
            let keys = vault.record_keys(tx, RecordKind::Call, calls).await?;
            let mut places: HashMap<Uuid, Vec<Place>> = HashMap::new();
            for found in store::places(tx, &self.asked.tokens, calls).await? {
                places.entry(found.call).or_default().push(found);
            }
            let stands = |(call, places)| keys.get(&call).is_some_and(|key| self.stands(key, places)).then_some(call);
            holding.extend(places.into_iter().filter_map(stands));
        }
        Ok(holding)
    }

    /// Whether it stands in the call of these places and of that key.
    fn stands(&self, key: &Key, sealed: Vec<Place>) -> bool {
        let Some(salt) = sealed.first().and_then(Place::salt) else { return false };
        let (places, mut words) = (Places::of(key, &salt), vec![Vec::new(); self.words]);
        for one in sealed {
            let token = place(one.token);
            let open = places.open(&self.asked.tokens[token], one.positions);
            self.asked.words[token].iter().for_each(|word| words[*word].extend_from_slice(&open));
        }
        words.iter_mut().for_each(|positions| positions.sort_unstable());
        adjoin(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_several_words_is_asked_for_once() {
        let [a, b, c] = [[1; 16], [2; 16], [3; 16]];
        let asked = Asked::of([&[b, a][..], &[c], &[a, b]].into_iter());
        assert_eq!(asked.tokens, [a, b, c]);
        assert_eq!(asked.words, [vec![0, 2], vec![0, 2], vec![1]]);
    }
}
