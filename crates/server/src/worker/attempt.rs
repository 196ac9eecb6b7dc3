//! One try at a call, from the claim to the commit that ends it. Its one invariant: while it works somebody keeps its lease, and when
//! nobody can, or the worker stops, the work ends.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tokio::{pin, sync::watch, time::sleep};

use super::{
    Worker,
    failure::{Failure, Fault},
    pipeline::{self, Run},
    recognise::Signals,
    stage::Event,
};
use crate::{
    db::{Role, Scope},
    deletion::blobs,
    queue::{self, JobKind, Lease, LeaseError, MAX_ATTEMPTS},
    telemetry::log,
};

/// Takes a call as far as it goes; how it ended is in the database.
pub(super) async fn run(worker: Worker, lease: Lease, stopping: watch::Receiver<bool>) {
    // The lease proves that the tenant's call is this worker's to work on.
    let scope = Scope::authenticated(lease.tenant, lease.owner, Role::Worker);
    let run = Run { worker: &worker, lease: &lease, scope, signals: Signals::default() };
    let ended = match try_it(&run, stopping).await {
        Ok(()) => Ok(()),
        Err(failure) => give_up(&run, failure).await,
    };
    match ended {
        // The bytes of the recording go at once where the store lets them; the outbox goes on trying where it does not.
        Ok(()) => {
            let swept = blobs::sweep(&worker.app.database, &worker.app.blobs).await;
            let _ = swept.inspect_err(|error| log::warning!(fault = error, "recordings are still to be removed"));
        }
        Err(Failure::Lost) => log::info!(call = lease.call, "somebody else has the call"),
        Err(_) => log::warning!(call = lease.call, "the call is left to the end of its lease"),
    }
}

/// Works, keeps the lease, and listens for the end of the worker, all at once.
async fn try_it(run: &Run<'_>, mut stopping: watch::Receiver<bool>) -> Result<(), Failure> {
    if run.lease.attempt > MAX_ATTEMPTS {
        // It was claimed so often and never came to an end by itself: it ends the workers.
        return run.process_no_more().await;
    }
    let (work, keeper) = (run.process(), keep(run));
    pin!(work, keeper);
    let (mut is_lost, mut is_stopping) = (false, false);
    loop {
        tokio::select! {
            ended = &mut work => return match ended {
                Err(Failure::Cancelled) if is_lost => Err(Failure::Lost),
                ended => ended,
            },
            () = &mut keeper, if !is_lost => is_lost = true,
            _ = stopping.wait_for(|stopping| *stopping), if !is_stopping => is_stopping = true,
        }
        // The thread is waited for, so that a worker never has more of them than calls.
        run.signals.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Renews the lease and reports progress; ends when the lease is lost, or could not be renewed for as long as it lasts.
async fn keep(run: &Run<'_>) {
    let timing = &run.worker.timing;
    let (mut renewed, mut told) = (Instant::now(), 0);
    loop {
        sleep(timing.progress.min(timing.heartbeat)).await;
        let progress = run.signals.progress.load(Ordering::Relaxed);
        if progress == told && renewed.elapsed() < timing.heartbeat {
            continue;
        }
        match renew(run, progress).await {
            Ok(()) => (renewed, told) = (Instant::now(), progress),
            Err(LeaseError::Lost) => return,
            Err(LeaseError::Database(_)) if renewed.elapsed() + MARGIN >= timing.lease => return,
            Err(LeaseError::Database(_)) => {}
        }
    }
}

/// Work ends so long before a lease that cannot be renewed.
const MARGIN: Duration = Duration::from_secs(2);

async fn renew(run: &Run<'_>, progress: u8) -> Result<(), LeaseError> {
    let mut tx = run.worker.app.database.write(&run.scope).await?;
    run.lease.hold(&mut tx, Some(progress)).await?;
    queue::wake_watchers(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Writes down why it ended, and whether it is tried again.
async fn give_up(run: &Run<'_>, failure: Failure) -> Result<(), Failure> {
    let (lease, call) = (run.lease, run.lease.call);
    let (fault, is_last) = match failure {
        Failure::Lost => return Err(Failure::Lost),
        Failure::Cancelled => {
            let mut tx = run.write().await?;
            lease.release(&mut tx).await?;
            return run.commit(tx).await;
        }
        Failure::Final(fault) => (fault, true),
        Failure::Again(fault) => (fault, lease.attempt >= MAX_ATTEMPTS),
        Failure::Later(fault) => (fault, false),
    };
    let Fault { stage, code } = fault;
    log::warning!(call = call, attempt = lease.attempt, code = code, is_last = is_last, "a call failed");
    let mut tx = run.write().await?;
    if let Some(stage) = stage {
        Event::failed(stage, code).record(&mut tx, call).await?;
    }
    match failure {
        // What was analysed again has a transcript, and maybe an analysis, which stay.
        _ if is_last && lease.kind == JobKind::Analyze => lease.end(&mut tx, Some(code)).await?,
        _ if is_last => {
            pipeline::bury(&mut tx, &run.worker.app, (call, code)).await?;
            lease.end(&mut tx, Some(code)).await?;
        }
        Failure::Later(_) => lease.postpone(&mut tx, code).await?,
        _ => lease.retry(&mut tx, code).await?,
    }
    run.commit(tx).await
}
