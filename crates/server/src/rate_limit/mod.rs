//! How much a caller may do: requests by kind of route (GCRA), and waits after failed sign-ins.
//!
//! Invariant: every request is decided, whether Redis answers or not. What leaves the process about a caller is a keyed hash.
//!
//! ```text
//! rules    the arithmetic
//! local    counts of this process, in bounded memory
//! shared   counts of all servers, in Redis: the same arithmetic in gcra.lua and penalty.lua
//! ```

mod local;
mod rules;
mod shared;

use std::{net::IpAddr, time::Duration};

use aws_lc_rs::hmac;
use secrecy::SecretString;
use uuid::Uuid;

use crate::{clock::Clock, config::Quota};
use local::Local;
pub use rules::Decision;
use rules::{Gcra, Micros, Penalty};
pub use shared::RedisAddress;
use shared::{Act, Shared};

/// Of one address, behind which there may be an office: 20 failures are free, then from 1 s to 15 min.
const ADDRESS: Penalty = Penalty {
    free: 20,
    first: Duration::from_secs(1),
    most: Duration::from_secs(15 * 60),
    memory: Duration::from_secs(60 * 60),
};

/// On one account, from wherever: 5 failures are free, then from 5 s to 5 min, so that who guesses a password gets some 300 guesses
/// a day and who wants to lock somebody out has to go on and on.
const ACCOUNT: Penalty = Penalty {
    free: 5,
    first: Duration::from_secs(5),
    most: Duration::from_secs(5 * 60),
    memory: Duration::from_secs(60 * 60),
};

/// Keys that are none, from one address: each costs the database a transaction. A program with a key that was revoked tries a few
/// times a minute.
const GUESSES: Quota = Quota { limit: 120, window: Duration::from_secs(60) };

/// Bits of an IPv6 address that one customer has (RFC 6177): the rest is theirs to vary.
const V6_PREFIX: u32 = 64;

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// A signed-in user.
    User(Uuid),
    /// An API key.
    ApiKey(Uuid),
    /// Somebody unknown.
    Address(Network),
}

/// Where somebody comes from: an IPv4 address, or 64 bits of an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(six) => IpAddr::V6((u128::from(six) >> (128 - V6_PREFIX) << (128 - V6_PREFIX)).into()),
            four => four,
        })
    }
}

/// A caller for one purpose, as it is remembered: half of an HMAC-SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tag([u8; 16]);

impl Tag {
    /// As a name in Redis.
    fn named(self, purpose: &str) -> String {
        format!("subrosa:{purpose}:{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Counts, and decides.
pub struct Limiter {
    shared: Option<Shared>,
    local: Local,
    key: hmac::Key,
    clock: Clock,
}

impl Limiter {
    /// Counts in Redis where there is one. `key` hides who is counted; servers that count together have the same.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(redis: Option<&SecretString>, key: &[u8; 32], clock: Clock) -> Result<Self, RedisAddress> {
        let shared = redis.map(Shared::new).transpose()?;
        Ok(Self { shared, local: Local::default(), key: hmac::Key::new(hmac::HMAC_SHA256, key), clock })
    }

    /// Counts a request of a caller on a kind of route.
    pub async fn request(&self, class: &'static str, client: Client, quota: Quota) -> Decision {
        let (tag, quota) = (self.tag(class, &bytes(client)), Gcra::from(quota));
        if let Some(shared) = &self.shared
            && let Some(decision) = shared.decide(tag, quota, None).await
        {
            return decision;
        }
        self.local.decide(tag, quota, self.now())
    }

    /// Whether a key from that address is looked up: not when too many were none. Counted by this process alone, because every request
    /// with a key asks.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub fn may_guess(&self, from: Network) -> Result<(), u32> {
        let decision = self.local.peek(self.tag("guesses", &bytes(Client::Address(from))), GUESSES.into(), self.now());
        if decision.is_allowed {
            return Ok(());
        }
        Err(u32::try_from(decision.retry_after.as_secs()).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Counts a key that is none.
    pub fn guessed(&self, from: Network) {
        self.local.decide(self.tag("guesses", &bytes(Client::Address(from))), GUESSES.into(), self.now());
    }

    /// Counts an attempt to sign in to an account (any bytes that name it, known or not) from an address. It counts as failed until
    /// [`Attempt::succeeded`], so that attempts at the same time cannot slip past each other.
    ///
    /// # Errors
    /// How long to wait; the same for accounts that exist and those that do not.
    pub async fn sign_in(&self, from: Network, account: &[u8]) -> Result<Attempt<'_>, Duration> {
        let attempt = Attempt {
            limiter: self,
            address: self.tag("sign-in address", &bytes(Client::Address(from))),
            account: self.tag("sign-in account", account),
        };
        for (tag, rule) in [(attempt.address, &ADDRESS), (attempt.account, &ACCOUNT)] {
            let wait = self.penalise(tag, Act::Attempt, rule).await;
            if !wait.is_zero() {
                return Err(wait);
            }
        }
        Ok(attempt)
    }

    /// Whether Redis answered the last time; `None` without one.
    #[must_use]
    pub fn is_redis_up(&self) -> Option<bool> {
        self.shared.as_ref().map(Shared::is_up)
    }

    /// Asks Redis whether it answers now; `None` without one.
    pub async fn ping(&self) -> Option<bool> {
        match &self.shared {
            Some(shared) => Some(shared.ping().await),
            None => None,
        }
    }

    async fn penalise(&self, tag: Tag, act: Act, rule: &Penalty) -> Duration {
        if let Some(shared) = &self.shared
            && let Some(wait) = shared.penalise(tag, act, rule, None).await
        {
            return wait;
        }
        match act {
            Act::Attempt => return self.local.attempt(tag, rule, self.now()),
            Act::Forgive => self.local.forgive(tag),
            Act::Clear => self.local.clear(tag),
        }
        Duration::ZERO
    }

    fn tag(&self, purpose: &str, who: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.key);
        // The zero byte is in no purpose, so that no two pairs are alike.
        for part in [purpose.as_bytes(), &[0], who] {
            context.update(part);
        }
        let mut tag = [0; 16];
        tag.copy_from_slice(&context.sign().as_ref()[..16]);
        Tag(tag)
    }

    fn now(&self) -> Micros {
        // After 1970.
        u64::try_from(self.clock.now().timestamp_micros()).unwrap_or(0)
    }
}

/// An attempt to sign in; dropped, it stays a failed one.
#[must_use = "an attempt of which nothing else is said counts as failed"]
pub struct Attempt<'a> {
    limiter: &'a Limiter,
    address: Tag,
    account: Tag,
}

impl Attempt<'_> {
    /// The password was right: earlier failures on the account are forgotten, and this attempt is no failure of the address.
    pub async fn succeeded(self) {
        self.limiter.penalise(self.account, Act::Clear, &ACCOUNT).await;
        self.limiter.penalise(self.address, Act::Forgive, &ADDRESS).await;
    }

    /// It came to no guess: it is no failure of the account or of the address. Earlier ones stay.
    pub async fn forgiven(self) {
        self.limiter.penalise(self.account, Act::Forgive, &ACCOUNT).await;
        self.limiter.penalise(self.address, Act::Forgive, &ADDRESS).await;
    }
}

/// A caller, different from every other one.
fn bytes(client: Client) -> Vec<u8> {
    let (kind, id) = match client {
        Client::User(id) => (b'u', id.as_bytes().to_vec()),
        Client::ApiKey(id) => (b'k', id.as_bytes().to_vec()),
        Client::Address(Network(IpAddr::V4(four))) => (b'4', four.octets().to_vec()),
        Client::Address(Network(IpAddr::V6(six))) => (b'6', six.octets().to_vec()),
    };
    [&[kind], &id[..]].concat()
}

#[cfg(test)]
mod tests;
