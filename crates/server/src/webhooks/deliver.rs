//! Carries messages to endpoints. Its one invariant: at least once, under one `webhook-id`, by one process at a time; no tenant has more than
//! a few under way, so that its slow receivers do not stand before another's.

use std::time::Duration;

use api::webhooks::{DeliveryOutcome, WebhookEvent, WebhookMessage, WebhookSubject, WebhookType};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use tokio::{task::JoinSet, time::sleep};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    Document, State,
    outbox::{self, Claim, Then},
    send::Ended,
    store,
};
use crate::{
    app::App,
    audit::{self, Action, subject},
    db::{DbError, TenantTx, Write},
    notices,
    telemetry::log,
    vault::keys::VaultError,
    worker::sweep,
};

/// Messages under way: of this process, and of one tenant in all, of which one endpoint has half and one that fails a single one.
const AT_ONCE: usize = 32;
const EACH: i32 = 8;

/// For how long a message belongs to who took it: some times what sending takes.
const LEASE: Duration = Duration::from_secs(60);

/// Between two looks when nobody says that there is something.
const POLL: Duration = Duration::from_secs(5);

/// Seconds after an attempt that failed until the next one, as Standard Webhooks has it: 32 hours in all.
const WAITS: [i64; 7] = [5, 5 * 60, 30 * 60, 2 * 60 * 60, 5 * 60 * 60, 10 * 60 * 60, 14 * 60 * 60];

/// How long an endpoint may accept nothing before it is told nothing any more.
const PATIENCE: TimeDelta = TimeDelta::days(5);

/// Sends what is due, until the program stops.
pub async fn run(app: &App) {
    let mut woken = app.changes.watch_webhooks();
    while !*app.operation.stopping().borrow() {
        woken.mark_unchanged();
        due(app).await;
        tokio::select! {
            _ = woken.changed() => {}
            () = sleep(POLL) => {}
            () = app.operation.stopped() => {}
        }
    }
}

/// Sends until nothing is due; what becomes due meanwhile as well.
pub async fn due(app: &App) {
    let (mut sending, mut woken) = (JoinSet::new(), app.changes.watch_webhooks());
    loop {
        woken.mark_unchanged();
        while sending.len() < AT_ONCE && !*app.operation.stopping().borrow() {
            let claimed = outbox::claim(&app.database, app.clock.now(), (LEASE, EACH)).await;
            let claimed = claimed.inspect_err(|error| log::warning!(fault = error, "webhooks cannot be read"));
            let Ok(Some(claim)) = claimed else { break };
            let app = app.clone();
            sending.spawn(async move { attempt(&app, &claim).await }.in_current_span());
        }
        tokio::select! {
            ended = sending.join_next() => if ended.is_none() { return },
            _ = woken.changed() => {}
            () = sleep(POLL) => {}
        }
    }
}

/// One attempt at a message. What fails here is left to the end of its lease.
async fn attempt(app: &App, claim: &Claim) {
    let ended = match open(app, claim).await {
        // It was disabled while this was left for it.
        Ok((row, _)) if row.state != State::Enabled as i16 => {
            settle(app, claim, (&row, DeliveryOutcome::Disabled.into())).await
        }
        Ok((row, document)) => match app.webhooks.send(&document, (claim.id, &message(claim)), app.clock.now()).await {
            Some(ended) => {
                app.operation.metrics.webhook_delivered(ended.outcome);
                settle(app, claim, (&row, ended)).await
            }
            None => hand_back(app, claim).await,
        },
        // The endpoint was deleted, and with it the message.
        Err(VaultError::Database(DbError::NotFound)) => Ok(()),
        Err(VaultError::Database(error)) => Err(error),
        Err(error) => {
            log::error!(fault = &error, endpoint = claim.endpoint, "a webhook endpoint cannot be opened");
            hand_back(app, claim).await
        }
    };
    if let Err(error) = ended {
        log::warning!(fault = &error, "a webhook message is left to the end of its lease");
    }
}

async fn open(app: &App, claim: &Claim) -> Result<(store::Row, Document), VaultError> {
    let mut tx = app.database.read(&sweep::scope(claim.tenant)).await?;
    let row = store::get(&mut tx, claim.endpoint).await?;
    let document = store::open(&mut tx, &app.vault, &row).await?;
    Ok((row, document))
}

/// A fault of ours is none of the endpoint's: the message waits, and this was no attempt.
async fn hand_back(app: &App, claim: &Claim) -> Result<(), DbError> {
    let mut tx = app.database.write(&sweep::scope(claim.tenant)).await?;
    outbox::hand_back(&mut tx, claim, app.clock.now()).await?;
    tx.commit().await
}

fn message(claim: &Claim) -> WebhookMessage {
    let data = WebhookSubject { id: claim.subject, tenant_id: claim.tenant, receipt_id: claim.receipt };
    WebhookMessage { r#type: claim.of, timestamp: claim.at, data }
}

/// Writes down how an attempt ended, and what that says of the endpoint: nothing, where somebody changed that meanwhile.
async fn settle(app: &App, claim: &Claim, (asked, ended): (&store::Row, Ended)) -> Result<(), DbError> {
    let now = app.clock.now();
    let mut tx = app.database.write(&sweep::scope(claim.tenant)).await?;
    let endpoint = match store::lock(&mut tx, claim.endpoint).await {
        Err(DbError::NotFound) => return Ok(()),
        endpoint => endpoint?,
    };
    let is_same = endpoint.sealed == asked.sealed;
    let wait = usize::try_from(claim.attempt - 1).ok().and_then(|tried| WAITS.get(tried));
    let then = match ended.outcome {
        DeliveryOutcome::Accepted => Then::Delivered,
        DeliveryOutcome::Disabled => Then::GivenUp,
        DeliveryOutcome::Gone if is_same => Then::GivenUp,
        _ => wait.map_or(Then::GivenUp, |seconds| Then::Again(TimeDelta::seconds(*seconds))),
    };
    if !outbox::end(&mut tx, claim, (ended, then, now)).await? {
        return Ok(());
    }
    if !is_same || ended.outcome == DeliveryOutcome::Disabled {
        return tx.commit().await;
    }
    let failing_since = match ended.outcome {
        DeliveryOutcome::Accepted => None,
        _ => Some(endpoint.failing_since.unwrap_or(now)),
    };
    if failing_since != endpoint.failing_since {
        store::set_failing(&mut tx, endpoint.id, failing_since).await?;
    }
    if State::numbered(endpoint.state)? == State::Enabled {
        // One message after days of silence says nothing yet: it has its own attempts first. Where many wait, their turns for those
        // may be days apart.
        let had_its_chance = matches!(then, Then::GivenUp) || now - claim.at >= PATIENCE;
        let is_hopeless = had_its_chance && failing_since.is_some_and(|since| now - since >= PATIENCE);
        match ended.outcome {
            DeliveryOutcome::Gone => disable(&mut tx, endpoint.id, State::Gone).await?,
            _ if is_hopeless => disable(&mut tx, endpoint.id, State::Failing).await?,
            _ => {}
        }
    }
    tx.commit().await
}

async fn disable(tx: &mut TenantTx<Write>, endpoint: Uuid, state: State) -> Result<(), DbError> {
    store::set_state(tx, endpoint, state).await?;
    audit::record(tx, Action::DisableWebhook, subject::WEBHOOK, endpoint).await?;
    log::info!(endpoint = endpoint, "a webhook endpoint was disabled: it is gone, or accepted nothing for five days");
    Ok(())
}

/// Those who are told that a tenant is deleted. They go with it, so they are known before, and told from memory after.
pub struct LastWord {
    tenant: Uuid,
    endpoints: Vec<Document>,
}

impl LastWord {
    /// Who is to be told. What cannot be opened does not hold up the deletion.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn of(app: &App, tx: &mut TenantTx<Write>) -> Result<Self, DbError> {
        let mut rows = store::all(tx).await?;
        let bit = notices::bit(WebhookEvent::TenantDeleted);
        rows.retain(|row| row.state == State::Enabled as i16 && row.events & bit != 0);
        let mut endpoints = Vec::new();
        for row in &rows {
            match store::open(tx, &app.vault, row).await {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(VaultError::Database(error)) => return Err(error),
                Err(error) => {
                    log::warning!(
                        fault = &error,
                        "a webhook endpoint of a deleted tenant cannot be opened and is not told"
                    );
                }
            }
        }
        Ok(Self { tenant: tx.scope().tenant(), endpoints })
    }

    /// Tells them once, beside whoever waits for the deletion. How many accepted it is in the log, each in the metrics.
    pub fn tell(self, app: &App, (receipt, at): (Uuid, DateTime<Utc>)) {
        let Self { tenant, endpoints } = self;
        if endpoints.is_empty() {
            return;
        }
        let (app, data) = (app.clone(), WebhookSubject { id: tenant, tenant_id: tenant, receipt_id: Some(receipt) });
        let of = WebhookType::Event(WebhookEvent::TenantDeleted);
        let message = WebhookMessage { r#type: of, timestamp: at, data };
        let tell = async move {
            let now = app.clock.now();
            let told = endpoints.iter().map(|to| app.webhooks.send(to, (Uuid::now_v7(), &message), now));
            let told: Vec<_> = join_all(told).await.into_iter().flatten().collect();
            for ended in &told {
                app.operation.metrics.webhook_delivered(ended.outcome);
            }
            let accepted = told.iter().filter(|ended| ended.outcome == DeliveryOutcome::Accepted).count();
            log::info!(
                tenant = tenant,
                endpoints = told.len(),
                accepted = accepted,
                "webhook endpoints of a deleted tenant were told"
            );
        };
        tokio::spawn(tell.in_current_span());
    }
}
