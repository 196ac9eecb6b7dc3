//! The order in which a call passes the stages. Its one invariant: what a stage has made is committed before the next one begins, so
//! that a worker which dies loses at most the stage in flight, and the next one goes on from there.

use std::{sync::atomic::Ordering, time::Instant};

use api::webhooks::WebhookEvent;
use insight::{facts::Facts, redact::Kind};
use uuid::Uuid;

use super::{
    Worker, analyze,
    failure::Failure,
    keep::Made,
    recognise::{self, Recognised, Signals},
    redact::Documents,
    stage::{Event, Stage},
    store::{self, Hints, Reached, Status},
    voice,
};
use crate::{
    app::App,
    calls,
    db::{DbError, Scope, TenantTx, Write},
    notices,
    queue::{self, JobKind, Lease},
    recordings, redaction,
    vault::{
        keys::{Vault, VaultError},
        seal::RecordKind,
    },
};

/// Stages that one pass of the engine begins together.
const LISTENING: [Stage; 3] = [Stage::AudioPreprocessed, Stage::Diarized, Stage::Transcribed];

/// One try at a call.
pub(super) struct Run<'a> {
    pub(super) worker: &'a Worker,
    pub(super) lease: &'a Lease,
    pub(super) scope: Scope,
    pub(super) signals: Signals,
}

/// A try that is dropped ends its thread as well.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.signals.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Run<'_> {
    /// Takes the call from wherever it is to its end.
    pub(super) async fn process(&self) -> Result<(), Failure> {
        if self.lease.kind == JobKind::Analyze {
            return self.analyze_again().await;
        }
        let (hints, reached) = self.begin().await?;
        match reached {
            Reached::Nothing => {
                let documents = self.listen(&hints).await?;
                self.redact(documents).await?;
            }
            Reached::Recognised(run) => {
                let mut tx = self.write().await?;
                let documents = Documents::of_run(&mut tx, &self.worker.app.vault, (self.lease.call, run)).await?;
                tx.rollback().await?;
                self.redact((documents, run)).await?;
            }
            Reached::Redacted | Reached::Analyzed => {}
        }
        if reached != Reached::Analyzed {
            self.analyze().await?;
        }
        let kept = self.make_kept().await?;
        let indexed = self.index().await?;
        self.complete(kept, indexed).await
    }

    /// Completes a call whose transcript is there already; any other fails.
    pub(super) async fn process_no_more(&self) -> Result<(), Failure> {
        const DIED: &str = "worker_died";
        if self.lease.kind == JobKind::Analyze {
            return Err(Failure::last(DIED).at(Stage::Analyzed));
        }
        match self.begin().await?.1 {
            Reached::Redacted => {
                let mut tx = self.write().await?;
                analyze::go_without(&mut tx, &self.worker.app.vault, (self.lease.call, DIED)).await?;
                self.commit(tx).await?;
            }
            Reached::Analyzed => {}
            Reached::Nothing | Reached::Recognised(_) => return Err(Failure::last(DIED)),
        }
        // What ended the workers may be the recording: it is not touched again.
        self.complete(None, Event::skipped(Stage::Indexed)).await
    }

    /// A transaction that holds the lease.
    pub(super) async fn write(&self) -> Result<TenantTx<Write>, Failure> {
        let mut tx = self.worker.app.database.write(&self.scope).await?;
        self.lease.hold(&mut tx, None).await?;
        Ok(tx)
    }

    async fn begin(&self) -> Result<(Hints, Reached), Failure> {
        let call = self.lease.call;
        let mut tx = self.write().await?;
        let hints = store::begin(&mut tx, call).await?;
        let reached = store::reached(&mut tx, call).await?;
        if reached == Reached::Nothing {
            for stage in LISTENING {
                Event::started(stage).record(&mut tx, call).await?;
            }
        }
        self.commit(tx).await?;
        Ok((hints, reached))
    }

    /// `AUDIO_PREPROCESSED` to `TRANSCRIPT_NORMALIZED`.
    async fn listen(&self, hints: &Hints) -> Result<(Documents, Uuid), Failure> {
        let (app, call) = (&self.worker.app, self.lease.call);
        let mut tx = self.write().await?;
        let recording = recordings::find(&mut tx, call).await?.ok_or(Failure::last("audio_missing"))?;
        let key = app.vault.record_key(&mut tx, RecordKind::Call, call).await?;
        let recognition = calls::store::recognition(&mut tx, call, &key).await?;
        let voice = voice::ask(&mut tx, app).await?;
        // No transaction is open while the recording is listened to.
        tx.rollback().await?;
        let asked = recognise::options(self.lease.kind, hints, recognition, voice.as_ref());
        let recognised = recognise::run(self.worker, recording, (key, asked), self.signals.clone()).await?;

        let mut tx = self.write().await?;
        recognised.record(&mut tx, call).await?;
        let Recognised { transcription, channels, .. } = recognised;
        store::heard(&mut tx, call, channels).await?;
        let documents = Documents::of(transcription, voice.as_ref());
        let run = documents.put_under_run(&mut tx, &app.vault, call).await?;
        self.commit(tx).await?;
        Ok((documents, run))
    }

    /// `VOICE_MATCHED` to `REDACTED`; then the call's own key takes over.
    async fn redact(&self, (documents, run): (Documents, Uuid)) -> Result<(), Failure> {
        let (app, call) = (&self.worker.app, self.lease.call);
        let mut tx = self.write().await?;
        let policy = redaction::policy(&mut tx, &app.vault, call).await?;
        let facts = known(&mut tx, &app.vault, call).await?;
        let contact_name = facts.contact_name.clone();
        let (documents, heard) = documents.heard();
        let heard = match heard {
            Some(heard) => heard.in_force(&mut tx, app).await?,
            None => None,
        };
        tx.rollback().await?;
        let began = Instant::now();
        let (documents, is_resolved) = documents.named(facts, heard.as_ref(), policy.takes_out(Kind::PersonName)).await;
        let resolved = match is_resolved {
            true => Event::completed(Stage::SpeakersResolved).took(began.elapsed()),
            false => Event::failed(Stage::SpeakersResolved, "resolution_failed"),
        };
        let began = Instant::now();
        let documents = documents.redacted(policy).await?;
        let took = began.elapsed();
        let mut tx = self.write().await?;
        calls::store::lock(&mut tx, call).await?;
        // Whom somebody renamed or deleted meanwhile would be named for good: what renames them found no transcript that had to follow.
        if known(&mut tx, &app.vault, call).await?.contact_name != contact_name {
            return Err(Failure::again("call_changes").at(Stage::SpeakersResolved));
        }
        voice::event(heard.as_ref()).record(&mut tx, call).await?;
        resolved.by("local").record(&mut tx, call).await?;
        Event::completed(Stage::Redacted).by("local").took(took).record(&mut tx, call).await?;
        store::describe(&mut tx, call, documents.transcript()).await?;
        documents.commit(&mut tx, &app.vault, (call, run), app.clock.now()).await?;
        calls::store::forget_recognition(&mut tx, &app.vault, call).await?;
        store::set_status(&mut tx, call, (Status::Analyzing, None)).await?;
        // Who withdrew while names were given is not named: the next try knows it, and costs no attempt.
        if let Some(heard) = &heard
            && !heard.is_held(&mut tx).await?
        {
            return Err(Failure::later("voice_profile_gone"));
        }
        self.commit(tx).await
    }

    /// What is left when everything is made; the recording goes with the job, unless it is kept.
    async fn complete(&self, kept: Option<Made>, indexed: Event<'_>) -> Result<(), Failure> {
        let call = self.lease.call;
        let mut tx = self.write().await?;
        conclude(&mut tx, call, indexed).await?;
        match kept {
            Some(made) => made.keep(&mut tx).await?,
            None => recordings::remove(&mut tx, call).await?,
        }
        self.lease.end(&mut tx, None).await?;
        self.commit(tx).await
    }

    /// Commits, and lets who watches the call look.
    pub(super) async fn commit(&self, mut tx: TenantTx<Write>) -> Result<(), Failure> {
        queue::wake_watchers(&mut tx).await?;
        tx.commit().await?;
        self.worker.app.changes.wake();
        Ok(())
    }
}

/// What is known of the call. Names that cannot be read are none that are known.
async fn known(tx: &mut TenantTx<Write>, vault: &Vault, call: Uuid) -> Result<Facts, Failure> {
    match calls::facts::of(tx, vault, call).await {
        Err(VaultError::Database(error)) => Err(error.into()),
        known => Ok(known.unwrap_or_default()),
    }
}

/// What the last stages leave of themselves, and the call is completed.
async fn conclude(tx: &mut TenantTx<Write>, call: Uuid, indexed: Event<'_>) -> Result<(), DbError> {
    indexed.record(tx, call).await?;
    // The call is locked before endpoints, everywhere.
    store::set_status(tx, call, (Status::Completed, None)).await?;
    notices::leave(tx, WebhookEvent::CallCompleted, (call, None)).await
}

/// Ends a call whose recording is too old: it is completed where its transcript is there, without what was still to be made of it, and
/// buried where it is not. The recording goes, and whoever works on the call loses the lease.
pub(super) async fn expire(tx: &mut TenantTx<Write>, app: &App, (call, code): (Uuid, &str)) -> Result<(), Failure> {
    store::end_jobs(tx, call, code).await?;
    match store::reached(tx, call).await? {
        Reached::Nothing | Reached::Recognised(_) => return bury(tx, app, (call, code)).await,
        Reached::Redacted => analyze::go_without(tx, &app.vault, (call, code)).await?,
        Reached::Analyzed => {}
    }
    recordings::remove(tx, call).await?;
    // Upkeep indexes what was not.
    conclude(tx, call, Event::skipped(Stage::Indexed)).await?;
    queue::wake_watchers(tx).await.map_err(DbError::into)
}

/// Ends a call for good without a transcript: what recognition left behind goes, and the recording.
pub(super) async fn bury(tx: &mut TenantTx<Write>, app: &App, (call, code): (Uuid, &str)) -> Result<(), Failure> {
    if let Reached::Recognised(run) = store::reached(tx, call).await? {
        app.vault.destroy_run_key(tx, run).await?;
    }
    recordings::remove(tx, call).await?;
    store::set_status(tx, call, (Status::Failed, Some(code))).await?;
    // What cannot be opened is read by nobody else either, and holds up no end.
    if let Err(VaultError::Database(error)) = calls::store::forget_recognition(tx, &app.vault, call).await {
        return Err(error.into());
    }
    notices::leave(tx, WebhookEvent::CallFailed, (call, None)).await?;
    queue::wake_watchers(tx).await.map_err(DbError::into)
}
