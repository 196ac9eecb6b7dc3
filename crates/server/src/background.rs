//! What runs beside the API in the same process until the program stops.
//!
//! Invariant: it ends within `limits.shutdown_time` of [`Operation::stop`](crate::operation::Operation::stop), with everything it has
//! begun finished, handed back, or safe to begin again.

use std::{
    collections::{HashMap, HashSet},
    mem,
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{
    app::App,
    audio::unwanted,
    auth::tokens,
    calls::tus,
    db::{DbError, Listener, Reason},
    deletion::{expiry, mirror, orphans},
    exports,
    http::idempotency,
    retention, search,
    telemetry::log,
    webhooks,
    worker::{Worker, sweep},
};

/// How often what deletions and acts leave to do is done: objects of deleted calls are gone within minutes (H13).
const UPKEEP: Duration = Duration::from_secs(60);

/// How often the directory of a local store is walked for what killed programs left half-written: it is as large as all recordings.
const LEFTOVERS: Duration = Duration::from_secs(60 * 60);

/// How often it is asked whether a walk over the object store is due.
const WALK: Duration = Duration::from_secs(15 * 60);

/// Tenants that are looked up at once.
const PAGE: i32 = 1000;

/// Runs until the program stops: upkeep, the worker where this process has one, and what wakes both where the database can say so. What
/// has not ended `limits.shutdown_time` later is dropped; calls under way are then left to the end of their leases.
pub async fn run(app: &App, worker: Option<Worker>, mut listener: Option<Listener>) {
    let work = async {
        if let Some(worker) = worker {
            worker.run(app.operation.stopped()).await;
        } else {
            app.operation.stopped().await;
        }
    };
    let listen = async {
        match &mut listener {
            Some(listener) => app.changes.listen(listener).await,
            None => std::future::pending().await,
        }
    };
    // Boxed: together these are more than the stack of a small thread has room for.
    let (exports, told, work) = (Box::pin(exports::run(app)), Box::pin(webhooks::deliver::run(app)), Box::pin(work));
    tokio::select! {
        ((), (), (), (), (), (), (), (), (), ()) = async {
            tokio::join!(upkeep(app), audit_events(app), leftovers(app), walk(app), index(app), remember(app), close(app), exports, told, work)
        } => {}
        () = listen => {}
        () = app.operation.cut_off() => log::warning!("calls and upkeep took longer than limits.shutdown_time and were left"),
    }
    if let Some(listener) = listener {
        listener.close().await;
    }
}

/// Copies receipts and the audit log out of the database, and removes what is over: objects whose key is gone, recordings, uploads,
/// answers that are not given again, processing events. Each may be repeated from anywhere; what fails now is done in a minute.
async fn upkeep(app: &App) {
    every(app, UPKEEP, async || {
        if let Err(error) = mirror::catch_up(&app.database, &app.blobs, &app.vault).await {
            log::warning!(fault = &error, "receipts and events were not copied");
        }
        if let Err(error) = each_tenant(app, async |tenant| remove_of(app, tenant, app.clock.now()).await).await {
            log::warning!(fault = &error, "uploads that are over were not all removed");
        }
        // What may be a day old at most goes before what is kept for months.
        if let Err(error) = sweep::recordings(app, app.operation.config.worker.audio_ttl).await {
            log::warning!(fault = &error, "recordings and objects of deleted records were not all removed");
        }
        if let Err(error) = retention::enforce(app).await {
            log::warning!(fault = &error, "calls that are too old were not all deleted");
        }
        if let Err(error) = unwanted::remove(app).await {
            log::warning!(fault = &error, "recordings that are not kept any more were not all removed");
        }
        if let Err(error) = sweep::processing_events(&app.database).await {
            log::warning!(fault = &error, "processing events that are over were not removed");
        }
        if let Err(error) = webhooks::sweep(&app.database).await {
            log::warning!(fault = &error, "webhook messages that are over were not removed");
        }
        if let Err(error) = tokens::follow(app).await {
            log::warning!(fault = &error, "the keys that sign tokens were not looked at");
        }
    })
    .await;
}

/// Audit events that are over. By themselves, because those that a legal hold has kept for years may be many, and what may be a day old at
/// most does not wait for them.
async fn audit_events(app: &App) {
    every(app, UPKEEP, async || {
        let enforce = expiry::enforce(&app.database, &app.blobs, &app.vault, app.clock.now());
        tokio::select! {
            enforced = enforce => if let Err(error) = enforced {
                log::warning!(fault = &error, "audit events that are over were not all removed");
            },
            // The next program goes on with it.
            () = app.operation.stopped() => {}
        }
    })
    .await;
}

async fn leftovers(app: &App) {
    every(app, LEFTOVERS, async || {
        if let Err(error) = app.blobs.remove_leftovers().await {
            log::warning!(fault = &error, "half-written objects were not all removed");
        }
    })
    .await;
}

async fn walk(app: &App) {
    every(app, WALK, async || {
        let walk = orphans::walk(&app.database, &app.blobs, (orphans::PERIOD, orphans::GRACE));
        tokio::select! {
            walked = walk => if let Err(error) = walked {
                log::warning!(fault = &error, "the object store was not compared with the database");
            },
            // It may take hours, and the next program goes on with it.
            () = app.operation.stopped() => {}
        }
    })
    .await;
}

/// Calls that are still to be indexed. By itself, because the calls of an older program may take hours.
async fn index(app: &App) {
    every(app, UPKEEP, async || {
        let indexed = each_tenant(app, async |tenant| search::index::catch_up(app, &sweep::scope(tenant)).await).await;
        if let Err(error) = indexed {
            log::warning!(fault = &error, "calls were not all indexed");
        }
    })
    .await;
}

/// What calls mean, of each tenant some calls in turn. By itself, because for all calls of a new model it may take days, and postings do not
/// wait for it. Whose calls have all been looked at is asked again in a minute, and not before: a call that fails would be tried in each turn
/// of the others.
async fn remember(app: &App) {
    // Of the tenants that have more calls than were looked at.
    let mut places = HashMap::new();
    every(app, UPKEEP, async || {
        let (began, mut done) = (Instant::now(), HashSet::new());
        loop {
            // A tenant that is gone by now has no place any more.
            let before = mem::take(&mut places);
            let turn = each_tenant(app, async |tenant| {
                if done.contains(&tenant) {
                    return Ok(());
                }
                let after = before.get(&tenant).copied().unwrap_or_default();
                match search::remembered::catch_up(app, &sweep::scope(tenant), after).await? {
                    Some(place) => _ = places.insert(tenant, place),
                    None => _ = done.insert(tenant),
                }
                Ok(())
            });
            if let Err(error) = turn.await {
                log::warning!(fault = &error, "not all calls were remembered for search");
                break;
            }
            if places.is_empty() || began.elapsed() >= UPKEEP || *app.operation.stopping().borrow() {
                break;
            }
        }
    })
    .await;
}

/// What searches opened is content: it goes when nobody looks at it.
async fn close(app: &App) {
    every(app, UPKEEP, async || app.search.memories.drop_idle()).await;
}

/// Acts now and then again and again, until the program stops.
async fn every(app: &App, period: Duration, mut act: impl AsyncFnMut()) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.operation.stopped() => return,
        }
        // Boxed: together these are more than the stack of a small thread has room for.
        Box::pin(act()).await;
    }
}

/// Acts for every tenant. One tenant's fault does not hold up the others.
async fn each_tenant(app: &App, mut act: impl AsyncFnMut(Uuid) -> Result<(), DbError>) -> Result<(), DbError> {
    let (mut first, mut after) = (None, Uuid::nil());
    loop {
        let mut tx = app.database.system(Reason::Sweep).await?;
        let tenants = sqlx::query_scalar!(r#"SELECT tenant_id AS "tenant!" FROM app.tenants($1, $2)"#, after, PAGE)
            .fetch_all(tx.conn())
            .await?;
        tx.commit().await?;
        let Some(last) = tenants.last() else { return first.map_or(Ok(()), Err) };
        after = *last;
        for tenant in tenants {
            match act(tenant).await {
                Ok(()) => {}
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
    }
}

/// Uploads that nobody finished, and answers that are not given again.
async fn remove_of(app: &App, tenant: Uuid, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut tx = app.database.write(&sweep::scope(tenant)).await?;
    while tus::sweep(&mut tx, now).await? > 0 {}
    idempotency::sweep(&mut tx, now).await?;
    exports::sweep(&mut tx).await?;
    tx.commit().await
}
