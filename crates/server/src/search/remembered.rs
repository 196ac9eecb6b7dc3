//! What is remembered of a call: its words and what its passages mean, made from what is stored of it. Its one invariant: a vector is kept
//! only while a passage of the call, as it is now, has the text that it was made of; so what was corrected means nothing from its
//! transaction on, and what it says instead is embedded outside of any.

use std::{collections::HashMap, iter, sync::Arc};

use aws_lc_rs::digest;
use insight::search::{
    meaning::{Embedder, MODEL, Vector},
    memory::{self, Mark, Memory},
    nearest::vocabulary,
    passages::{Passage, passages},
    words::words,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Said, Text, index,
    model::{GIVEN_UP, NOTHING, PASSAGES, WORDS},
    texts,
};
use crate::{
    app::App,
    artifacts::{self, Artifact},
    calls::{self, CallDocument},
    db::{Access, DbError, Scope, TenantTx, Write},
    telemetry::log,
    vault::{
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

use api::search::SearchField;

/// The language that the model knows; texts of which nobody said the language are taken to be in it, as for words.
const LANGUAGE: &str = "en";

/// Words from which a title means something: one alone is near to too much, and is found by itself.
const TELLING: usize = 2;

/// What a passage is known by.
pub(super) fn mark(text: &str) -> Mark {
    let mut mark = Mark::default();
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    mark.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    mark
}

/// The passages of a call: what was said in English, and what was written about it, each by itself. Names mean nothing.
pub(super) fn passages_of(texts: &[Text<'_>]) -> Vec<Passage> {
    let before = iter::once(None).chain(texts.iter().map(|text| Some(text.field)));
    passages(texts.iter().zip(before).map(|(text, before)| {
        let is_meant = match text.field {
            SearchField::Transcript
            | SearchField::Title
            | SearchField::Summary
            | SearchField::Notes
            | SearchField::ActionItem => true,
            // An analysis says again what was said.
            SearchField::Speaker | SearchField::ContactName | SearchField::Organization | SearchField::Analysis => {
                false
            }
        };
        let is_known = text.language.unwrap_or(LANGUAGE) == LANGUAGE;
        let is_said = text.field == SearchField::Transcript;
        let is_meant = is_meant && (is_said || words(text.text).len() >= TELLING);
        // The talk begins by itself.
        let goes_on = is_said && before == Some(SearchField::Transcript);
        (is_meant && is_known).then_some((text.text, goes_on))
    }))
}

/// What is to be remembered, sealed by nobody yet.
pub(super) struct Made {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) state: i16,
}

impl Made {
    /// From the texts of a call, with the vectors of what it said before and says still.
    pub(super) fn of(texts: &[Text<'_>], before: Option<Zeroizing<Vec<u8>>>, fresh: &HashMap<Mark, Vector>) -> Self {
        let known = known(before);
        let mut count = 0;
        let meant: Vec<(usize, Mark, Vector)> = passages_of(texts)
            .iter()
            .enumerate()
            .inspect(|_| count += 1)
            .filter_map(|(number, passage)| {
                let mark = mark(&passage.text);
                Some((number, mark, *fresh.get(&mark).or_else(|| known.get(&mark))?))
            })
            .collect();
        let state = if meant.len() == count { PASSAGES } else { WORDS };
        let words = vocabulary(texts.iter().map(|text| text.text));
        let bytes = memory::write(MODEL, words.iter().map(String::as_str), meant.into_iter());
        Self { bytes: Zeroizing::new(bytes), state }
    }

    /// Stores it in the transaction that has the call locked.
    pub(super) async fn put(self, tx: &mut TenantTx<Write>, call: Uuid, key: &Key) -> Result<(), VaultError> {
        artifacts::put(tx, (call, Artifact::SearchMemory), (key, None), &self.bytes).await?;
        Ok(put_state(tx, call, self.state).await?)
    }
}

/// The vectors of a memory by their texts; none of another model.
fn known(before: Option<Zeroizing<Vec<u8>>>) -> HashMap<Mark, Vector> {
    let memory = before.and_then(Memory::read).filter(|memory| memory.model() == MODEL);
    memory.map_or_else(HashMap::new, |memory| memory.passages().map(|one| (one.mark, one.vector())).collect())
}

/// What is remembered of a call by now: nothing where that was tampered with, for it is made anew.
pub(super) async fn before<A: Access>(
    tx: &mut TenantTx<A>,
    call: Uuid,
    key: &Key,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    match artifacts::get(tx, (call, Artifact::SearchMemory), key).await {
        Err(VaultError::Broken(_)) => Ok(None),
        before => before,
    }
}

/// What is stored of a call, open.
struct Open {
    key: Key,
    document: CallDocument,
    said: Said,
    language: Option<String>,
    before: Option<Zeroizing<Vec<u8>>>,
}

impl Open {
    async fn read<A: Access>(tx: &mut TenantTx<A>, vault: &Vault, call: Uuid) -> Result<Option<Self>, VaultError> {
        let row = calls::store::get(tx, call).await?;
        let document = calls::store::open(tx, vault, &row).await?;
        let key = vault.record_key(tx, RecordKind::Call, call).await?;
        let before = before(tx, call, &key).await?;
        let Some(kept) = artifacts::get(tx, (call, Artifact::SearchTexts), &key).await? else { return Ok(None) };
        let said = serde_json::from_slice(&kept).map_err(|_| DbError::Unexpected)?;
        Ok(Some(Self { key, document, said, language: row.language, before }))
    }

    fn texts(&self) -> Vec<Text<'_>> {
        texts(&self.document, &self.said, self.language.as_deref())
    }
}

/// Embeds what a call says and nothing is known of yet. No transaction is open meanwhile; what is corrected meanwhile is left to the next
/// time.
///
/// # Errors
/// [`DbError::NotFound`] when the call is not there; [`VaultError::Broken`] when it was tampered with.
async fn embed(app: &App, scope: &Scope, call: Uuid) -> Result<(), VaultError> {
    let Some(embedder) = app.search.model.find().await else { return Ok(()) };
    let mut tx = app.database.read(scope).await?;
    let open = Open::read(&mut tx, &app.vault, call).await?;
    tx.rollback().await?;
    let Some(mut open) = open else { return Ok(()) };
    let known = known(open.before.take());
    let fresh = vectors(app, &embedder, passages_of(&open.texts()), &known).await;
    let mut tx = app.database.write(scope).await?;
    calls::store::lock(&mut tx, call).await?;
    let Some(mut open) = Open::read(&mut tx, &app.vault, call).await? else { return Ok(()) };
    let before = open.before.take();
    let made = Made::of(&open.texts(), before, &fresh);
    made.put(&mut tx, call, &open.key).await?;
    Ok(tx.commit().await?)
}

async fn vectors(
    app: &App,
    embedder: &Arc<Embedder>,
    passages: Vec<Passage>,
    known: &HashMap<Mark, Vector>,
) -> HashMap<Mark, Vector> {
    let mut fresh = HashMap::new();
    for passage in passages {
        let mark = mark(&passage.text);
        if known.contains_key(&mark) || fresh.contains_key(&mark) || *app.operation.stopping().borrow() {
            continue;
        }
        // Of nothing but punctuation: a direction that is near to none.
        let none = Vector { scale: 0.0, steps: [0; _] };
        // What failed is left to the next time.
        if let Ok(vector) = app.search.model.embed(embedder, passage.text).await {
            fresh.insert(mark, vector.unwrap_or(none));
        }
    }
    fresh
}

/// How far [`catch_up`] is with a tenant.
pub type Place = (i16, Uuid);

/// Calls of a tenant that are remembered in one turn: some seconds, then the others have theirs.
const TURN: usize = 10;

/// Remembers some calls of the scope's tenant of which less is remembered than there is: of an older program, without the model or with
/// another one, or new or corrected since. Begins behind `after`, at first its default, and says where it ended; `None` where there are no
/// more. A call whose content is damaged is left as it is for good.
///
/// # Errors
/// When the database is out; what was remembered stays so.
pub async fn catch_up(app: &App, scope: &Scope, mut after: Place) -> Result<Option<Place>, DbError> {
    let wanted = if app.search.model.find().await.is_some() { PASSAGES } else { WORDS };
    for _ in 0..TURN {
        if *app.operation.stopping().borrow() {
            return Ok(None);
        }
        let mut tx = app.database.read(scope).await?;
        let next = next(&mut tx, wanted, after).await?;
        tx.rollback().await?;
        let Some((state, call)) = next else { return Ok(None) };
        after = (state, call);
        match remember(app, scope, (state, call)).await {
            Ok(()) | Err(VaultError::Database(DbError::NotFound)) => {}
            Err(VaultError::Database(error)) if error.is_outage() => return Err(error),
            Err(error) if index::is_damage(&error) => {
                log::warning!(fault = &error, "a call cannot be remembered for search and is left without");
                let mut tx = app.database.write(scope).await?;
                put_state(&mut tx, call, GIVEN_UP).await?;
                tx.commit().await?;
            }
            Err(error) => {
                log::warning!(fault = &error, "a call was not remembered for search; upkeep tries it again");
            }
        }
    }
    Ok(Some(after))
}

async fn remember(app: &App, scope: &Scope, (state, call): (i16, Uuid)) -> Result<(), VaultError> {
    if state == NOTHING {
        let mut tx = app.database.write(scope).await?;
        index::renew(&mut tx, &app.vault, call).await?;
        tx.commit().await?;
    }
    embed(app, scope, call).await
}

/// The next completed call behind one of which less is remembered than is wanted.
async fn next<A: Access>(
    tx: &mut TenantTx<A>,
    wanted: i16,
    (state, after): (i16, Uuid),
) -> Result<Option<(i16, Uuid)>, DbError> {
    let tenant = tx.scope().tenant();
    let next = sqlx::query!(
        "SELECT search_memory AS state, id FROM tenant.calls WHERE tenant_id = $1 AND status = 4 AND search_memory < $2
           AND (search_memory, id) > ($3, $4) AND search_words IS NOT NULL ORDER BY search_memory, id LIMIT 1",
        tenant,
        wanted,
        state,
        after,
    );
    Ok(next.fetch_optional(tx.conn()).await?.map(|row| (row.state, row.id)))
}

async fn put_state(tx: &mut TenantTx<Write>, call: Uuid, state: i16) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!("UPDATE tenant.calls SET search_memory = $3 WHERE tenant_id = $1 AND id = $2", tenant, call, state)
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_about_a_call_is_in_no_passage_with_what_was_said_in_it() {
        let said = |text| (SearchField::Transcript, text);
        let texts = [
            (SearchField::Title, "The refund"),
            (SearchField::Summary, "Money goes back."),
            (SearchField::Notes, "Call again."),
            said("Hello."),
            said("You took it twice."),
            (SearchField::ActionItem, "Send it back"),
            (SearchField::ActionItem, "Call Ann"),
        ];
        let texts = texts.map(|(field, text)| Text { field, text, language: None, segment: None });
        let of = |texts: &[Text<'_>]| {
            passages_of(texts).into_iter().map(|passage| (passage.first, passage.text)).collect::<Vec<_>>()
        };
        let alone = |(first, text): (usize, &str)| (first, text.to_owned());
        let talk = "Hello. You took it twice.";
        let all = [
            (0, "The refund"),
            (1, "Money goes back."),
            (2, "Call again."),
            (3, talk),
            (5, "Send it back"),
            (6, "Call Ann"),
        ];
        assert_eq!(of(&texts), all.map(alone));
        // Whatever of it is there.
        assert_eq!(of(&texts[1..2]), [alone((0, "Money goes back."))]);
        assert_eq!(of(&texts[3..5]), [alone((0, talk))]);
    }
}
