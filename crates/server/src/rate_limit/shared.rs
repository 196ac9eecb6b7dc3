//! Limits that all servers keep together in Redis or Valkey, each decision by one script, which no other command divides.
//!
//! Invariant: a Redis that does not answer costs a request at most [`PATIENCE`], and after that one request a second.

use crate::telemetry::log;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    Client, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Tag,
    rules::{Decision, Gcra, Micros, Penalty, micros},
};

/// How long an answer may take; over a local network it takes less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long one that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// What an attempt to sign in does to a count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Attempt,
    Forgive,
    Clear,
}

/// The servers' common memory.
pub(super) struct Shared {
    connection: ConnectionManager,
    requests: Script,
    penalties: Script,
    is_up: AtomicBool,
    /// Until when it is left alone.
    pause: Mutex<Option<Instant>>,
}

/// What is wrong with an address of Redis; not the address, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("redis.url is no address of a Redis: it must be redis://host, rediss://host or unix:///path")]
pub struct RedisAddress;

impl Shared {
    /// Connects when it is first needed, and again whenever the connection was lost.
    pub(super) fn new(url: &SecretString) -> Result<Self, RedisAddress> {
        let client = Client::open(url.expose_secret()).map_err(|_| RedisAddress)?;
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = ConnectionManager::new_lazy_with_config(client, settings).map_err(|_| RedisAddress)?;
        Ok(Self {
            connection,
            requests: Script::new(include_str!("gcra.lua")),
            penalties: Script::new(include_str!("penalty.lua")),
            is_up: AtomicBool::new(true),
            pause: Mutex::new(None),
        })
    }

    /// Whether it answered the last time.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Asks whether it answers now.
    pub(super) async fn ping(&self) -> bool {
        let mut connection = self.connection.clone();
        self.answer(async { redis::cmd("PING").query_async::<String>(&mut connection).await }).await.is_some()
    }

    /// Decides; `None` when it does not answer. `now` is the test's, or the server's own.
    pub(super) async fn decide(&self, tag: Tag, quota: Gcra, now: Option<Micros>) -> Option<Decision> {
        let mut connection = self.connection.clone();
        let mut call = self.requests.key(tag.named("requests"));
        call.arg(time(now)).arg(quota.interval).arg(quota.burst);
        let answer = self.answer(call.invoke_async::<(u8, u32, u64, u64)>(&mut connection)).await?;
        Some(Decision {
            is_allowed: answer.0 == 1,
            remaining: answer.1,
            retry_after: Duration::from_micros(answer.2),
            reset_after: Duration::from_micros(answer.3),
        })
    }

    /// Counts attempts to sign in; how long to wait, or `None` when it does not answer.
    pub(super) async fn penalise(&self, tag: Tag, act: Act, rule: &Penalty, now: Option<Micros>) -> Option<Duration> {
        let act = match act {
            Act::Attempt => "attempt",
            Act::Forgive => "forgive",
            Act::Clear => "clear",
        };
        let mut connection = self.connection.clone();
        let mut call = self.penalties.key(tag.named("failures"));
        call.arg(act).arg(time(now)).arg(rule.free);
        call.arg(micros(rule.first)).arg(micros(rule.most)).arg(micros(rule.memory));
        self.answer(call.invoke_async::<u64>(&mut connection)).await.map(Duration::from_micros)
    }

    /// What a call gives, unless it fails or is not worth trying.
    async fn answer<T>(&self, call: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if !self.may_try() {
            return None;
        }
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => {
                *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = None;
                if !self.is_up.swap(true, Ordering::Relaxed) {
                    log::info!("redis answers again: servers count requests together");
                }
                Some(answer)
            }
            failed => {
                *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
                if self.is_up.swap(false, Ordering::Relaxed) {
                    let kind = failed.map_or("no answer in time", |_| "the connection or the command failed");
                    log::warning!(fault = kind, "redis is down: this process counts requests for itself");
                }
                None
            }
        }
    }

    /// Whether it is time to try; the one who tries first after a failure takes the turn.
    fn may_try(&self) -> bool {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        match *pause {
            None => true,
            Some(until) if until > Instant::now() => false,
            Some(_) => {
                *pause = Some(Instant::now() + PAUSE);
                true
            }
        }
    }
}

/// As the scripts take it.
fn time(now: Option<Micros>) -> i64 {
    now.and_then(|now| i64::try_from(now).ok()).unwrap_or(-1)
}
