//! All SQL of deliveries, the outbox of webhooks. Its one invariant: a delivery is ended by whoever holds its token, and by nobody else.

use std::time::Duration;

use api::webhooks::{Delivery, DeliveryOutcome, DeliveryState, WebhookType};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::send::Ended;
use crate::{
    db::{Access, Database, DbError, Reason, TenantTx, Write},
    http::page::Cursor,
    notices,
};

/// Deliveries that are removed at once.
const EXPIRED: i32 = 5000;

/// Outcomes by their number in the database, from 1.
const OUTCOMES: [DeliveryOutcome; 7] = [
    DeliveryOutcome::Accepted,
    DeliveryOutcome::Refused,
    DeliveryOutcome::Gone,
    DeliveryOutcome::Unreachable,
    DeliveryOutcome::TooSlow,
    DeliveryOutcome::AddressNotAllowed,
    DeliveryOutcome::Disabled,
];

pub(super) fn number(outcome: DeliveryOutcome) -> i16 {
    OUTCOMES.into_iter().zip(1..).find(|(other, _)| *other == outcome).map_or(0, |(_, number)| number)
}

/// A delivery as it is stored.
pub(super) struct Row {
    id: Uuid,
    event: i16,
    subject_id: Uuid,
    receipt_id: Option<Uuid>,
    state: i16,
    attempts: i16,
    outcome: Option<i16>,
    status_code: Option<i16>,
    created_at: DateTime<Utc>,
    attempted_at: Option<DateTime<Utc>>,
    run_at: DateTime<Utc>,
}

/// The number of [`DeliveryState::Queued`].
const QUEUED: i16 = 1;

impl Row {
    /// Where the row stands in a list.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id }
    }

    /// Whether it is to be sent.
    pub(super) fn is_queued(&self) -> bool {
        self.state == QUEUED
    }

    /// As the API says it.
    pub(super) fn shown(&self) -> Result<Delivery, DbError> {
        let state = match self.state {
            QUEUED => DeliveryState::Queued,
            2 => DeliveryState::Delivered,
            _ => DeliveryState::GivenUp,
        };
        let outcome = |number: i16| OUTCOMES.get(usize::try_from(number).ok()?.checked_sub(1)?).copied();
        Ok(Delivery {
            delivery_id: self.id,
            r#type: notices::numbered(self.event).ok_or(DbError::Unexpected)?,
            subject_id: self.subject_id,
            receipt_id: self.receipt_id,
            state,
            attempts: self.attempts.unsigned_abs(),
            outcome: self.outcome.and_then(outcome),
            status_code: self.status_code.map(i16::unsigned_abs),
            created_at: self.created_at,
            attempted_at: self.attempted_at,
            next_attempt_at: (state == DeliveryState::Queued).then_some(self.run_at),
        })
    }
}

/// Deliveries to an endpoint (`$2`) that meet a condition, which starts at `$3`.
macro_rules! deliveries {
    ($tx:expr, $endpoint:expr, $condition:literal $(, $value:expr)*) => {{
        let tenant = $tx.scope().tenant();
        sqlx::query_as!(
            Row,
            "SELECT id, event, subject_id, receipt_id, state, attempts, outcome, status_code, created_at, attempted_at, run_at
             FROM tenant.webhook_deliveries WHERE tenant_id = $1 AND endpoint_id = $2 AND " + $condition,
            tenant,
            $endpoint $(, $value)*
        )
        .fetch_all($tx.conn())
        .await
        .map_err(DbError::from)
    }};
}

/// The next `limit` deliveries to an endpoint behind a cursor, newest first.
pub(super) async fn page<A: Access>(
    tx: &mut TenantTx<A>,
    endpoint: Uuid,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Row>, DbError> {
    let (at, id) = (after.map(|cursor| cursor.at), after.map(|cursor| cursor.id));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    deliveries!(
        tx,
        endpoint,
        "($3::timestamptz IS NULL OR created_at <= $3) AND ($3 IS NULL OR created_at < $3 OR id > $4)
           ORDER BY created_at DESC, id LIMIT $5",
        at,
        id,
        limit
    )
}

/// One delivery to an endpoint.
pub(super) async fn get<A: Access>(tx: &mut TenantTx<A>, (endpoint, id): (Uuid, Uuid)) -> Result<Row, DbError> {
    deliveries!(tx, endpoint, "id = $3", id)?.pop().ok_or(DbError::NotFound)
}

/// One delivery to an endpoint, locked until the transaction ends.
pub(super) async fn lock(tx: &mut TenantTx<Write>, (endpoint, id): (Uuid, Uuid)) -> Result<Row, DbError> {
    deliveries!(tx, endpoint, "id = $3 FOR UPDATE", id)?.pop().ok_or(DbError::NotFound)
}

/// Leaves word for one endpoint, whatever it is sent otherwise.
pub(super) async fn add(tx: &mut TenantTx<Write>, endpoint: Uuid, of: WebhookType) -> Result<Uuid, DbError> {
    let (tenant, id) = (tx.scope().tenant(), Uuid::now_v7());
    sqlx::query!(
        "INSERT INTO tenant.webhook_deliveries (tenant_id, id, endpoint_id, event, subject_id) VALUES ($1, $2, $3, $4, $3)",
        tenant,
        id,
        endpoint,
        notices::number(of),
    )
    .execute(tx.conn())
    .await?;
    wake(tx).await?;
    Ok(id)
}

/// Begins a delivery, which is locked, once more.
pub(super) async fn send_again(tx: &mut TenantTx<Write>, id: Uuid) -> Result<(), DbError> {
    let tenant = tx.scope().tenant();
    sqlx::query!(
        "UPDATE tenant.webhook_deliveries SET state = 1, attempts = 0, run_at = now() WHERE tenant_id = $1 AND id = $2",
        tenant,
        id,
    )
    .execute(tx.conn())
    .await?;
    wake(tx).await
}

async fn wake(tx: &mut TenantTx<Write>) -> Result<(), DbError> {
    sqlx::query!("NOTIFY subrosa_webhooks").execute(tx.conn()).await?;
    Ok(())
}

/// A delivery that somebody has for a while.
pub(super) struct Claim {
    pub(super) tenant: Uuid,
    pub(super) id: Uuid,
    pub(super) endpoint: Uuid,
    pub(super) of: WebhookType,
    pub(super) subject: Uuid,
    pub(super) receipt: Option<Uuid>,
    /// The how manieth this is, from 1.
    pub(super) attempt: i16,
    pub(super) at: DateTime<Utc>,
    token: Uuid,
}

/// Takes the next delivery, of a tenant that has fewer than `each` under way; `None` when nothing is due.
pub(super) async fn claim(
    database: &Database,
    now: DateTime<Utc>,
    (lease, each): (Duration, i32),
) -> Result<Option<Claim>, DbError> {
    let lease = PgInterval { months: 0, days: 0, microseconds: i64::try_from(lease.as_micros()).unwrap_or(i64::MAX) };
    let mut tx = database.system(Reason::Jobs).await?;
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", id AS "id!", endpoint_id AS "endpoint!", event AS "event!", subject_id AS "subject!",
             receipt_id AS receipt, attempts AS "attempts!", created_at AS "at!", lease_token AS "token!"
           FROM app.webhook_claim($1, $2, $3)"#,
        now,
        lease,
        each,
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    row.map(|row| {
        Ok(Claim {
            tenant: row.tenant,
            id: row.id,
            endpoint: row.endpoint,
            of: notices::numbered(row.event).ok_or(DbError::Unexpected)?,
            subject: row.subject,
            receipt: row.receipt,
            attempt: row.attempts,
            at: row.at,
            token: row.token,
        })
    })
    .transpose()
}

/// Gives a delivery back that nobody could be asked to accept, as if it had not been taken, for a minute later.
pub(super) async fn hand_back(tx: &mut TenantTx<Write>, claim: &Claim, now: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE tenant.webhook_deliveries SET attempts = greatest(attempts - 1, 0), run_at = $4::timestamptz + interval '1 minute',
           lease_token = NULL, lease_until = NULL
         WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
        claim.tenant,
        claim.id,
        claim.token,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Delivered,
    /// It is tried again so much later, give or take a tenth, so that what failed together is not tried together.
    Again(TimeDelta),
    GivenUp,
}

/// Writes down how an attempt ended, while the endpoint is locked; whether the delivery was still the claim's.
pub(super) async fn end(
    tx: &mut TenantTx<Write>,
    claim: &Claim,
    (ended, then, now): (Ended, Then, DateTime<Utc>),
) -> Result<bool, DbError> {
    let (state, wait) = match then {
        Then::Delivered => (2_i16, None),
        Then::Again(wait) => (1, Some(wait.as_seconds_f64())),
        Then::GivenUp => (3, None),
    };
    let changed = sqlx::query!(
        "UPDATE tenant.webhook_deliveries SET state = $4, outcome = $5, status_code = $6, attempted_at = $7,
           run_at = CASE WHEN $8::double precision IS NULL THEN run_at
             ELSE $7::timestamptz + make_interval(secs => $8 * (0.9 + random() / 5)) END,
           lease_token = NULL, lease_until = NULL
         WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
        claim.tenant,
        claim.id,
        claim.token,
        state,
        number(ended.outcome),
        ended.status.and_then(|status| i16::try_from(status).ok()),
        now,
        wait,
    );
    Ok(changed.execute(tx.conn()).await?.rows_affected() == 1)
}

/// Removes deliveries that are 30 days old; returns how many.
///
/// # Errors
/// When a transaction fails; what was done before it stays done.
pub async fn sweep(database: &Database) -> Result<u64, DbError> {
    let mut removed = 0;
    loop {
        let mut tx = database.system(Reason::Sweep).await?;
        let expired = sqlx::query_scalar!(r#"SELECT app.webhook_deliveries_expire($1) AS "expired!""#, EXPIRED)
            .fetch_one(tx.conn())
            .await?;
        tx.commit().await?;
        removed += expired.unsigned_abs();
        if expired < i64::from(EXPIRED) {
            return Ok(removed);
        }
    }
}
