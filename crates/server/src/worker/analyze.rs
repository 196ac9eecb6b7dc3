//! `ANALYZED`: what a call was about, from its stored transcript. Its one invariant: what is stored was made of the transcript that is
//! stored in that moment, and everything that follows from it is written in the same transaction.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use insight::{
    analysis::{self, document::Analysis, task::document::ActionItem},
    facts::Facts,
};
use speech::transcript::{QualityWarning, Transcript};
use tokio::{task::spawn_blocking, time::sleep};
use uuid::Uuid;

use super::{
    failure::{Failure, Fault},
    pipeline::Run,
    stage::{Event, Stage},
};
use crate::{
    action_items,
    analyses::{self, store::Made},
    analysis_provider::{Allowed, Asked, OPENAI_COMPATIBLE},
    calls,
    db::{DbError, TenantTx, Write},
    queue::{JobKind, MAX_ATTEMPTS},
    redaction::endings,
    search,
    telemetry::log,
    tenants, transcripts,
    vault::{
        key::Key,
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Who analyses where no model does.
const LOCAL: &str = "local";

/// How often an analysis is made that people's corrections overtake before it is put off.
const TRIES: usize = 3;

/// An analysis and how it came.
struct Answer {
    made: Made,
    took: Duration,
    /// Whose it is.
    provider: &'static str,
    /// Why it is not the model's, where one was asked.
    failed: Option<&'static str>,
}

impl Answer {
    /// Reads the transcript on the calling thread, an hour of talk in some tenths of a second, and takes what a model has `answered`.
    fn of(
        mut transcript: Transcript,
        facts: &Facts,
        (answered, began): (Option<Result<Analysis, &'static str>>, Instant),
    ) -> Self {
        transcript.pipeline.warnings.retain(|warning| *warning != QualityWarning::AnalysisFailed);
        let (mut analysis, provider, failed) = match answered {
            Some(Ok(analysis)) => (analysis, OPENAI_COMPATIBLE, None),
            Some(Err(code)) => (analysis::analyze(&transcript, facts), LOCAL, Some(code)),
            None => (analysis::analyze(&transcript, facts), LOCAL, None),
        };
        let fallback = failed.map(|_| QualityWarning::AnalysisFallback);
        analysis.quality_warnings = transcript.pipeline.warnings.iter().copied().chain(fallback).collect();
        Self { made: Made::of(transcript, analysis), took: began.elapsed(), provider, failed }
    }

    /// Stores it, and what follows from it.
    async fn put(
        self,
        tx: &mut TenantTx<Write>,
        vault: &Vault,
        (call, was_warned): (Uuid, bool),
    ) -> Result<(), Failure> {
        let Self { made, took, provider, failed } = self;
        analyses::store::put(tx, vault, call, &made).await?;
        if was_warned {
            transcripts::store::put(tx, vault, call, &made.transcript).await?;
        }
        if let Some(code) = failed {
            Event::failed(Stage::Analyzed, code).by(OPENAI_COMPATIBLE).record(tx, call).await?;
        }
        Event::completed(Stage::Analyzed).by(provider).took(took).record(tx, call).await?;
        let key = vault.record_key(tx, RecordKind::Call, call).await?;
        extract(tx, &key, call, &made.analysis.action_items).await
    }
}

/// `ACTION_ITEMS_EXTRACTED`: rows from the analysis. Where those that are there cannot be read, they stay, and the call goes on.
async fn extract(tx: &mut TenantTx<Write>, key: &Key, call: Uuid, found: &[ActionItem]) -> Result<(), Failure> {
    let began = Instant::now();
    let event = match action_items::renew(tx, key, call, found).await {
        Ok(()) => Event::completed(Stage::ActionItemsExtracted).took(began.elapsed()),
        Err(VaultError::Database(error)) if !matches!(error, DbError::Unexpected) => return Err(error.into()),
        Err(_) => Event::failed(Stage::ActionItemsExtracted, "content_damaged"),
    };
    Ok(event.by(LOCAL).record(tx, call).await?)
}

impl Run<'_> {
    /// Analyses the call; one that cannot be analysed is completed without, because the transcript is worth more than that.
    pub(super) async fn analyze(&self) -> Result<(), Failure> {
        match self.try_to_analyze().await.map_err(|failure| failure.at(Stage::Analyzed)) {
            Ok(tx) => self.commit(tx).await,
            Err(Failure::Final(fault)) => self.go_without(fault).await,
            Err(Failure::Again(fault)) if self.lease.attempt >= MAX_ATTEMPTS => self.go_without(fault).await,
            Err(failure) => Err(failure),
        }
    }

    /// Analyses a call once more, which is completed and stays so whatever comes of it. The analysis is kept where the call cannot be
    /// indexed.
    pub(super) async fn analyze_again(&self) -> Result<(), Failure> {
        let mut tx = self.try_to_analyze().await.map_err(|failure| failure.at(Stage::Analyzed))?;
        search::store::put_off(&mut tx, self.lease.call).await?;
        self.commit(tx).await?;
        self.index().await?;
        let mut tx = self.write().await?;
        self.lease.end(&mut tx, None).await?;
        self.commit(tx).await
    }

    async fn go_without(&self, Fault { code, .. }: Fault) -> Result<(), Failure> {
        log::warning!(call = self.lease.call, code = code, "a call cannot be analysed");
        let mut tx = self.write().await?;
        go_without(&mut tx, &self.worker.app.vault, (self.lease.call, code)).await?;
        self.commit(tx).await
    }

    /// A transaction in which the analysis is stored, to be committed.
    async fn try_to_analyze(&self) -> Result<TenantTx<Write>, Failure> {
        let (vault, call) = (&self.worker.app.vault, self.lease.call);
        let mut tx = self.write().await?;
        Event::started(Stage::Analyzed).record(&mut tx, call).await?;
        self.commit(tx).await?;
        for _ in 0..TRIES {
            let mut tx = self.write().await?;
            let read_at = transcripts::store::changed(&mut tx, call).await?;
            let (transcript, facts) = read(&mut tx, vault, call).await?;
            let allowed = tenants::allowed(&mut tx).await?;
            // No transaction is open while it is analysed.
            tx.rollback().await?;
            let was_warned = transcript.pipeline.warnings.contains(&QualityWarning::AnalysisFailed);
            let began = Instant::now();
            let answered = self.ask(&transcript, &facts, &allowed).await?;
            let made = spawn_blocking(move || Answer::of(transcript, &facts, (answered, began))).await;
            let made = made.map_err(|_| Failure::again("analysis_failed"))?;
            let mut tx = self.write().await?;
            calls::store::lock(&mut tx, call).await?;
            // What a call under legal hold has stays; the first analysis of one replaces nothing.
            if self.lease.kind == JobKind::Analyze && calls::store::get(&mut tx, call).await?.is_held() {
                Event::skipped(Stage::Analyzed).record(&mut tx, call).await?;
                return Ok(tx);
            }
            if transcripts::store::changed(&mut tx, call).await? == read_at {
                made.put(&mut tx, vault, (call, was_warned)).await?;
                return Ok(tx);
            }
            tx.rollback().await?;
        }
        Err(Failure::again("call_changes"))
    }
}

impl Run<'_> {
    /// What a model says of the call, where one is asked: not at all any more when the worker stops, or has lost the call.
    async fn ask(
        &self,
        transcript: &Transcript,
        facts: &Facts,
        allowed: &Allowed,
    ) -> Result<Option<Result<Analysis, &'static str>>, Failure> {
        let cancelled = async {
            while !self.signals.cancelled.load(Ordering::Relaxed) {
                sleep(self.worker.timing.progress).await;
            }
        };
        let asked = tokio::select! {
            asked = self.worker.analyst.ask(transcript, facts, allowed) => asked,
            () = cancelled => return Err(Failure::Cancelled),
        };
        let Some(Asked { answer, usage }) = asked else { return Ok(None) };
        self.worker.app.operation.metrics.analysis_tokens(usage);
        if let Err(code) = answer {
            log::warning!(call = self.lease.call, code = code, "the model gave no analysis; the local engine does");
        }
        Ok(Some(answer))
    }
}

/// What an analysis is made of.
async fn read(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<(Transcript, Facts), Failure> {
    let transcript = transcripts::store::get(tx, vault, call).await?.ok_or(Failure::last("content_damaged"))?;
    let key = vault.record_key(tx, RecordKind::Call, call).await?;
    let phone_endings = endings::get(tx, &key, call).await?;
    let facts = calls::facts::of(tx, vault, call).await?;
    Ok((transcript, Facts { phone_endings, ..facts }))
}

/// Says that a call has no analysis, and why, and warns who reads its transcript.
pub(super) async fn go_without(
    tx: &mut TenantTx<Write>,
    vault: &Vault,
    (call, code): (Uuid, &str),
) -> Result<(), VaultError> {
    Event::failed(Stage::Analyzed, code).by(LOCAL).record(tx, call).await?;
    Event::skipped(Stage::ActionItemsExtracted).record(tx, call).await?;
    let mut transcript = match transcripts::store::get(tx, vault, call).await {
        Ok(found) => found.ok_or(DbError::NotFound)?,
        // Who cannot read the transcript needs no warning.
        Err(VaultError::Broken(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let warnings = &mut transcript.pipeline.warnings;
    if !warnings.contains(&QualityWarning::AnalysisFailed) {
        warnings.push(QualityWarning::AnalysisFailed);
    }
    transcripts::store::put(tx, vault, call, &transcript).await
}
