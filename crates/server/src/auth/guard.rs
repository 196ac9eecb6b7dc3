//! What failed sign-ins cost, by account and by where they come from: after some, the next one is not looked at for a while, and
//! that while doubles.
//!
//! Invariant: at most `CAPACITY` names are remembered, as HMACs; when there are more, those with the fewest failures are forgotten. What
//! comes while it is not looked at does not count, so nobody can keep somebody else out for longer than `LONGEST` at a time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};

/// Failures of an account before it waits: people mistype, and try their other passwords.
const ACCOUNT_FREE: u32 = 5;

/// Failures from an address before it waits: an office shares one.
const ADDRESS_FREE: u32 = 20;

/// The longest wait: an attacker has four tries an hour then.
const LONGEST: TimeDelta = TimeDelta::minutes(15);

/// After so long without a failure everything is forgiven.
const FORGIVEN: TimeDelta = TimeDelta::hours(1);

/// Names that are remembered: 64 bytes each, 4 MiB.
const CAPACITY: usize = 65_536;

/// Where a request comes from, put into its extensions by who knows which proxies are trusted.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Counts failures. In this process: a limiter that all processes share stands before it.
pub struct SignInGuard {
    key: hmac::Key,
    failures: Mutex<HashMap<Name, Failures>>,
}

/// Whose failures they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    hash: [u8; 32],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Account,
    Address,
}

impl Name {
    fn free(self) -> u32 {
        match self.kind {
            Kind::Account => ACCOUNT_FREE,
            Kind::Address => ADDRESS_FREE,
        }
    }
}

struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

impl Failures {
    /// When the next one is looked at.
    fn until(&self, free: u32) -> DateTime<Utc> {
        match self.count.checked_sub(free) {
            // 2^10 s is past the longest wait.
            Some(beyond) => self.last + TimeDelta::seconds(1 << beyond.min(10)).min(LONGEST),
            None => self.last,
        }
    }
}

impl SignInGuard {
    /// A guard that names things under this key.
    #[must_use]
    pub fn new(key: hmac::Key) -> Self {
        Self { key, failures: Mutex::default() }
    }

    /// An account, by what finds it.
    #[must_use]
    pub fn account(&self, token: &[u8]) -> Name {
        self.name(Kind::Account, b"account", token)
    }

    /// Where a request comes from; of IPv6 the network of 64 bits that a household has.
    #[must_use]
    pub fn address(&self, address: ClientAddress) -> Name {
        match address.0.to_canonical() {
            IpAddr::V4(four) => self.name(Kind::Address, b"v4", &four.octets()),
            IpAddr::V6(six) => self.name(Kind::Address, b"v6", &six.octets()[..8]),
        }
    }

    /// Whether an attempt is looked at. It counts as failed until it has [`Self::succeeded`], so that a hundred at once are not
    /// a hundred free ones.
    #[must_use]
    pub fn attempt(&self, names: &[Name], now: DateTime<Utc>) -> bool {
        let mut failures = self.lock();
        let is_open = |name: &Name| failures.get(name).is_none_or(|found| found.until(name.free()) <= now);
        if !names.iter().all(is_open) {
            return false;
        }
        for name in names {
            if failures.len() >= CAPACITY && !failures.contains_key(name) {
                make_room(&mut failures, now);
            }
            let found = failures.entry(*name).or_insert(Failures { count: 0, last: now });
            if now - found.last >= FORGIVEN {
                found.count = 0;
            }
            *found = Failures { count: found.count.saturating_add(1), last: now };
        }
        true
    }

    /// Forgives an account whose password was proved, and of its address this attempt alone: it may know one password and try others.
    pub fn succeeded(&self, names: &[Name]) {
        let mut failures = self.lock();
        for name in names {
            match (name.kind, failures.get_mut(name)) {
                (Kind::Address, Some(found)) if found.count > 1 => found.count -= 1,
                _ => {
                    failures.remove(name);
                }
            }
        }
    }

    fn name(&self, kind: Kind, label: &[u8], bytes: &[u8]) -> Name {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(label);
        context.update(bytes);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        Name { hash, kind }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is forgiven, and if that is not enough, those with the fewest failures: an eighth at once, so that it is rare.
fn make_room(failures: &mut HashMap<Name, Failures>, now: DateTime<Utc>) {
    failures.retain(|_, found| now - found.last < FORGIVEN);
    let mut counts: Vec<u32> = failures.values().map(|found| found.count).collect();
    if counts.len() < CAPACITY {
        return;
    }
    let (_, &mut few, _) = counts.select_nth_unstable(CAPACITY / 8);
    let mut surplus = CAPACITY / 8;
    failures.retain(|_, found| {
        let goes = surplus > 0 && found.count <= few;
        surplus -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> SignInGuard {
        SignInGuard::new(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]))
    }

    #[test]
    fn the_wait_doubles_to_a_quarter_of_an_hour_and_success_ends_it() {
        let (guard, mut now) = (guard(), DateTime::UNIX_EPOCH);
        let name = [guard.account(b"ann")];
        for _ in 0..ACCOUNT_FREE {
            assert!(guard.attempt(&name, now));
        }
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert!(!guard.attempt(&name, now + TimeDelta::seconds(wait) - TimeDelta::milliseconds(1)), "{wait}");
            now += TimeDelta::seconds(wait);
            assert!(guard.attempt(&name, now), "{wait}");
        }
        guard.succeeded(&name);
        assert!(guard.attempt(&name, now));
    }

    #[test]
    fn an_hour_without_a_failure_forgives() {
        let (guard, now) = (guard(), DateTime::UNIX_EPOCH);
        let name = [guard.account(b"ann")];
        let looked_at = |at| (0..10).filter(|_| guard.attempt(&name, at)).count();
        assert_eq!(looked_at(now), ACCOUNT_FREE as usize);
        assert_eq!(looked_at(now + FORGIVEN), ACCOUNT_FREE as usize);
    }

    #[test]
    fn a_flood_of_names_does_not_free_who_waits_and_takes_no_more_room() {
        let (guard, now) = (guard(), DateTime::UNIX_EPOCH);
        let name = [guard.account(b"ann")];
        (0..ACCOUNT_FREE).for_each(|_| assert!(guard.attempt(&name, now)));
        for number in 0..CAPACITY as u32 + 1000 {
            assert!(guard.attempt(&[guard.account(&number.to_be_bytes())], now));
        }
        assert!(!guard.attempt(&name, now));
        assert!(guard.lock().len() <= CAPACITY);
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_are_one() {
        let guard = guard();
        let name = |text: &str| guard.address(ClientAddress(text.parse().unwrap()));
        assert!(name("2001:db8::1") == name("2001:db8::ffff:2"));
        assert!(name("2001:db8::1") != name("2001:db8:0:1::1"));
        assert!(name("::ffff:192.0.2.1") == name("192.0.2.1"));
    }
}
