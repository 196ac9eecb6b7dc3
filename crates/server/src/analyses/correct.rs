//! What becomes of an analysis when a person corrects the transcript. Its one invariant: from the transaction on that stores the correction,
//! nothing that was made of the call says what it took away, but for what people wrote themselves and what a legal hold keeps until it is lifted
//! (`transcripts/held.rs`).
//!
//! What the local engine found is found anew at once: it takes tenths of a second and costs nothing. A language model is asked again only
//! when somebody wishes it: until then its analysis is marked as stale, without what rested on the words that were corrected
//! ([`insight::analysis::corrected`]).

use insight::{
    analysis::{
        self,
        corrected::{Gone, corrected},
        document::{Analysis, Engine},
    },
    facts::Facts,
};
use speech::transcript::{QualityWarning, Role, Transcript};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::store::{self, Made};
use crate::{
    action_items,
    app::App,
    calls,
    db::{Access, DbError, TenantTx, Write},
    redaction::endings::{self, Endings},
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
    worker::sweep,
};

/// What there is of a call before it is corrected.
pub(crate) struct Before {
    analysis: Analysis,
    facts: Facts,
}

/// What there is behind the correction.
pub(crate) struct After {
    made: Made,
    gone: Gone,
}

impl Before {
    /// Reads it, as a worker does: who corrects a colleague's call may not know what its owner is called. `None` where the call has no
    /// analysis, or a legal hold keeps it.
    ///
    /// # Errors
    /// [`VaultError::Broken`] when it was tampered with.
    pub(crate) async fn read(app: &App, (tenant, call): (Uuid, Uuid)) -> Result<Option<Self>, VaultError> {
        let mut tx = app.database.read(&sweep::scope(tenant)).await?;
        Self::of(&mut tx, &app.vault, call).await
    }

    /// The same in a transaction that may know it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) async fn of<A: Access>(
        tx: &mut TenantTx<A>,
        vault: &Vault,
        call: Uuid,
    ) -> Result<Option<Self>, VaultError> {
        if calls::store::get(tx, call).await?.is_held() {
            return Ok(None);
        }
        let key = vault.record_key(tx, RecordKind::Call, call).await?;
        let Some(analysis) = store::get(tx, &key, call).await? else { return Ok(None) };
        let phone_endings = endings::get(tx, &key, call).await?;
        let facts = Facts { phone_endings, ..calls::facts::of(tx, vault, call).await? };
        Ok(Some(Self { analysis, facts }))
    }

    /// The ends of numbers that were said, which a correction may change.
    pub(crate) fn phone_endings(&mut self) -> &mut Endings {
        &mut self.facts.phone_endings
    }

    /// Makes of it what is to be stored with a transcript. No transaction is to be open meanwhile.
    ///
    /// # Errors
    /// When it ends in a panic.
    pub(crate) async fn made(self, (before, after): (Transcript, Transcript)) -> Result<After, DbError> {
        spawn_blocking(move || self.make(&before, after)).await.map_err(|_| DbError::Unexpected)
    }

    fn make(self, before: &Transcript, after: Transcript) -> After {
        let Self { mut analysis, facts } = self;
        let gone = Gone::between(before, &after);
        let mut local = analysis::analyze(&after, &facts);
        // Still the reason why no model says it.
        let fallback = analysis.quality_warnings.iter().filter(|one| **one == QualityWarning::AnalysisFallback);
        local.quality_warnings.extend(fallback);
        // What a model heard of a party, it heard of another voice.
        if parties(before) != parties(&after) {
            analysis.sentiment.clone_from(&local.sentiment);
            analysis.tone.clone_from(&local.tone);
        }
        let analysis = match analysis.engine {
            Some(Engine::Local) => local,
            Some(Engine::Llm) | None => corrected(analysis, (&gone, &after), local),
        };
        After { made: Made::of(after, analysis), gone }
    }
}

fn parties(transcript: &Transcript) -> Vec<Role> {
    transcript.speakers.iter().map(|speaker| speaker.role).collect()
}

impl After {
    /// Stores it, in the transaction that stores the transcript.
    ///
    /// # Errors
    /// [`VaultError::Gone`] when the call is not there; [`VaultError::Broken`] when a task was tampered with.
    pub(crate) async fn put(&self, tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(), VaultError> {
        let Self { made, gone } = self;
        store::put(tx, vault, call, made).await?;
        let key = vault.record_key(tx, RecordKind::Call, call).await?;
        action_items::correct(tx, &key, call, (&made.analysis.action_items, gone, &made.transcript)).await
    }
}
