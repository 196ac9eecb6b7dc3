//! Makes the postings of a call. Its one invariant: rows come in the order of their tokens, since any other, that of the alphabet first
//! of all, would tell of the words; and all of a call's rows are replaced at once.

use std::collections::HashMap;

use insight::search::{keys::Stems, postings::Postings, words::words};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Said,
    remembered::{self, Made},
    store, texts,
    tokens::{Places, Tokens},
};
use crate::{
    action_items, analyses,
    app::App,
    artifacts::{self, Artifact},
    calls,
    db::{DbError, Scope, TenantTx, Write},
    telemetry::log,
    transcripts,
    vault::{
        key::{Key, NotSealed, Salt},
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// The postings of a call, column by column, as one statement takes them.
pub struct Rows {
    /// Words of the call.
    pub words: i32,
    /// What the positions are encrypted with, besides the key.
    pub salt: Vec<u8>,
    /// In ascending order.
    pub tokens: Vec<Vec<u8>>,
    /// How often each is there, weighted.
    pub frequencies: Vec<i16>,
    /// Where, encrypted.
    pub positions: Vec<Vec<u8>>,
}

impl Rows {
    /// Those of a call, under the keys of its tenant and of its record.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn of(tenant: &Key, call: &Key, postings: &Postings) -> Result<Self, NotSealed> {
        let (tokens, salt) = (Tokens::of(tenant), Salt::fresh()?);
        let places = Places::of(call, &salt);
        let mut found: Vec<_> = postings.iter().map(|(key, posting)| (tokens.token(key), posting)).collect();
        found.sort_unstable_by_key(|(token, _)| *token);
        Ok(Self {
            words: i32::try_from(postings.words()).unwrap_or(i32::MAX),
            salt: salt.as_bytes().to_vec(),
            tokens: found.iter().map(|(token, _)| token.to_vec()).collect(),
            frequencies: found.iter().map(|(_, posting)| posting.frequency).collect(),
            positions: found.iter().map(|(token, one)| places.seal(token, &one.positions)).collect::<Result<_, _>>()?,
        })
    }
}

/// Makes the postings of a call anew, and the texts that an answer shows, from what is stored of it and made of it in this transaction; a call without a
/// transcript has none yet. Its transcript follows first what its contact is called, so that nobody indexes a name that went. The call is
/// locked meanwhile, for as long as it takes to find the stems of its words.
///
/// # Errors
/// [`DbError::NotFound`] when the call is not there; [`VaultError::Broken`] when it was tampered with.
pub async fn renew(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
    transcripts::follow::contact(tx, vault, call).await?;
    let row = calls::store::get(tx, call).await?;
    let document = calls::store::open(tx, vault, &row).await?;
    let Some(transcript) = transcripts::store::json(tx, vault, call).await? else { return Ok(()) };
    let (tenant, key) = (vault.tenant_key(tx).await?, vault.record_key(tx, RecordKind::Call, call).await?);
    // What a legal hold keeps of what was made of the call says what a correction took away: it is not found until it follows.
    let is_kept = row.is_held()
        && match transcripts::held::corrected(tx, vault, call).await {
            // Whether it was corrected cannot be told any more.
            Err(error) if is_damage(&error) => true,
            corrected => corrected?.is_some(),
        };
    let analysis = if is_kept { None } else { analyses::store::get(tx, &key, call).await? }.unwrap_or_default();
    let tasks = action_items::texts(tx, vault, (call, is_kept)).await?;
    let before = remembered::before(tx, call, &key).await?;
    let made = tokio::task::spawn_blocking(move || {
        let mut said: Said = serde_json::from_slice(&transcript).map_err(|_| DbError::Unexpected)?;
        said.add(&analysis, tasks);
        said.is_kept = is_kept;
        let (texts, mut postings) = (texts(&document, &said, row.language.as_deref()), Postings::default());
        for text in &texts {
            postings.add(text.text, text.language, text.weight());
        }
        let memory = Made::of(&texts, before, &HashMap::new());
        let kept = serde_json::to_vec(&said).map(Zeroizing::new).map_err(|_| DbError::Unexpected)?;
        Ok::<_, VaultError>((Rows::of(&tenant, &key, &postings)?, key, kept, memory))
    });
    let (rows, key, kept, memory) = made.await.map_err(|_| DbError::Unexpected)??;
    artifacts::put(tx, (call, Artifact::SearchTexts), (&key, None), &kept).await?;
    memory.put(tx, call, &key).await?;
    Ok(store::replace(tx, call, &rows).await?)
}

/// Takes these names out of the postings of calls that have them no more, and has upkeep make the postings anew. A word of theirs that was
/// also said in such a call is not found there until then.
///
/// # Errors
/// What a transaction may fail with.
pub(crate) async fn forget(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (calls, names): (&[Uuid], &[&str]),
) -> Result<(), VaultError> {
    let tokens = Tokens::of(&*vault.tenant_key(tx).await?);
    let stems = Stems::all();
    let words = names.iter().flat_map(|name| words(name).into_iter().map(|word| &name[word]));
    let keys = words.flat_map(|word| stems.iter().flat_map(|stems| stems.keys(word)));
    let tokens: Vec<_> = keys.map(|key| tokens.token(&key)).collect();
    Ok(store::forget(tx, calls, &tokens).await?)
}

/// Indexes the completed calls of the scope's tenant that are not: of an older program, or those where it failed. A call whose content is
/// damaged is left without postings for good, one that fails for another reason until the next time.
///
/// # Errors
/// When the database is out; what was indexed stays so.
pub async fn catch_up(app: &App, scope: &Scope) -> Result<(), DbError> {
    let mut after = Uuid::nil();
    loop {
        let mut tx = app.database.write(scope).await?;
        let Some(call) = store::next_missing(&mut tx, after).await? else { break };
        tx.rollback().await?;
        after = call;
        match make(app, scope, call).await {
            Ok(()) => {}
            Err(VaultError::Database(error)) if error.is_outage() => return Err(error),
            Err(error) if !is_damage(&error) => {
                log::warning!(fault = &error, "a call was not indexed; upkeep tries it again");
            }
            Err(error) => {
                log::warning!(fault = &error, "a call cannot be indexed and is left without");
                let mut tx = app.database.write(scope).await?;
                store::give_up(&mut tx, call).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(())
}

/// Makes the postings of a call, with no transaction open while its transcript follows its contact.
async fn make(app: &App, scope: &Scope, call: Uuid) -> Result<(), VaultError> {
    transcripts::follow::ahead(app, (scope.tenant(), call)).await?;
    let mut tx = app.database.write(scope).await?;
    renew(&mut tx, &app.vault, call).await?;
    Ok(tx.commit().await?)
}

/// Whether it is the content that is wrong, which no other time will mend.
pub(crate) fn is_damage(error: &VaultError) -> bool {
    matches!(error, VaultError::Broken(_) | VaultError::Gone(_) | VaultError::TooLarge { .. })
}
