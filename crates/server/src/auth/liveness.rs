//! What a session or an API key is worth right now: who it is, as what, and whether they may do anything at all.
//!
//! Invariant: nothing that the database says is believed for longer than a second, and nothing that was asked before this process
//! revoked something is believed after it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    db::{DbError, Reason, Role},
};

/// How long an answer is believed. H18: sign-out everywhere takes effect within a second.
const BELIEVED: TimeDelta = TimeDelta::seconds(1);

/// How long a key that was good once is looked up although others from its address are none.
const TRUSTED: TimeDelta = TimeDelta::minutes(10);

/// Answers that are held, some 100 bytes each: more callers than a process serves in a second.
const CAPACITY: usize = 4096;

/// Of whom it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// A session of a user in a tenant.
    Session { family: Uuid, user: Uuid, tenant: Uuid },
    /// An API key, by its hash.
    ApiKey([u8; 32]),
}

/// Who it is. The statuses are those of user and tenant together: the worse one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) tenant: Uuid,
    pub(super) user: Uuid,
    pub(super) role: Role,
    pub(super) status: Status,
    /// The key and its scopes; a session has all.
    pub(super) api_key: Option<(Uuid, i32)>,
}

/// What somebody may do. The order is that of the database, and of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Everything.
    Active,
    /// Everything but uploads.
    Suspended,
    /// Nothing.
    Disabled,
}

impl Status {
    /// The worse of two. What the program does not know it does not allow.
    pub(super) fn worse(one: i16, other: i16) -> Self {
        match one.max(other) {
            1 => Self::Active,
            2 => Self::Suspended,
            _ => Self::Disabled,
        }
    }
}

/// The role of a number in the database.
pub(super) fn role(number: i16, shares_calls: bool) -> Option<Role> {
    match number {
        1 => Some(Role::Owner),
        2 => Some(Role::Admin),
        3 if shares_calls => Some(Role::Colleague),
        3 => Some(Role::Member),
        4 => Some(Role::Auditor),
        _ => None,
    }
}

/// The answers of the last second.
#[derive(Default)]
pub struct Liveness(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    /// Counts what was forgotten, so that an answer which was under way then is not kept.
    forgotten: u64,
    known: HashMap<Subject, (DateTime<Utc>, Live)>,
    /// When keys were good. It says nothing about now: a revoked one is looked up, and found to be none.
    good: HashMap<[u8; 32], DateTime<Utc>>,
}

impl Liveness {
    /// Forgets everything: called behind each commit that takes something from somebody.
    pub fn forget(&self) {
        let mut answers = self.lock();
        answers.forgotten += 1;
        answers.known.clear();
    }

    fn known(&self, subject: Subject, now: DateTime<Utc>) -> Result<Live, u64> {
        let answers = self.lock();
        match answers.known.get(&subject) {
            // A clock that was set back is no reason to believe longer.
            Some((at, live)) if *at <= now && now - *at < BELIEVED => Ok(*live),
            _ => Err(answers.forgotten),
        }
    }

    /// Whether a key, by its hash, was good lately.
    pub(super) fn was_good(&self, hash: &[u8; 32], now: DateTime<Utc>) -> bool {
        self.lock().good.get(hash).is_some_and(|at| now - *at < TRUSTED)
    }

    fn learn(&self, subject: Subject, now: DateTime<Utc>, live: Live, asked_at: u64) {
        let mut answers = self.lock();
        if answers.forgotten != asked_at {
            return;
        }
        if answers.known.len() >= CAPACITY {
            answers.known.clear();
        }
        if let Subject::ApiKey(hash) = subject {
            if answers.good.len() >= CAPACITY {
                answers.good.clear();
            }
            answers.good.insert(hash, now);
        }
        answers.known.insert(subject, (now, live));
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who it is; `None` when it was revoked, has ended, never was, or belongs to somebody who is no member any more.
pub(super) async fn of(app: &App, subject: Subject) -> Result<Option<Live>, DbError> {
    let now = app.clock.now();
    let asked_at = match app.auth.liveness.known(subject, now) {
        Ok(live) => return Ok(Some(live)),
        Err(asked_at) => asked_at,
    };
    let live = match subject {
        Subject::Session { family, user, tenant } => session(app, family, user, tenant).await?,
        Subject::ApiKey(hash) => api_key(app, &hash).await?,
    };
    if let Some(live) = live {
        app.auth.liveness.learn(subject, now, live, asked_at);
    }
    Ok(live)
}

async fn session(app: &App, family: Uuid, user: Uuid, tenant: Uuid) -> Result<Option<Live>, DbError> {
    let mut tx = app.database.system(Reason::SignIn).await?;
    let row = sqlx::query!(
        r#"SELECT role AS "role!", user_status AS "user_status!", tenant_status AS "tenant_status!", shares_calls AS "shares!"
           FROM app.session_state($1, $2, $3)"#,
        family,
        user,
        tenant,
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(row.and_then(|row| {
        let status = Status::worse(row.user_status, row.tenant_status);
        Some(Live { tenant, user, role: role(row.role, row.shares)?, status, api_key: None })
    }))
}

async fn api_key(app: &App, hash: &[u8; 32]) -> Result<Option<Live>, DbError> {
    let mut tx = app.database.system(Reason::SignIn).await?;
    let row = sqlx::query!(
        r#"SELECT tenant_id AS "tenant!", id AS "id!", owner_id AS "owner!", scopes AS "scopes!", role AS "role!",
             user_status AS "user_status!", tenant_status AS "tenant_status!", shares_calls AS "shares!"
           FROM app.api_key_state($1)"#,
        &hash[..],
    )
    .fetch_optional(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(row.and_then(|row| {
        let (role, status) = (role(row.role, row.shares)?, Status::worse(row.user_status, row.tenant_status));
        Some(Live { tenant: row.tenant, user: row.owner, role, status, api_key: Some((row.id, row.scopes)) })
    }))
}
