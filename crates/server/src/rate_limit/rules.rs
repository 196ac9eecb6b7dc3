//! The rules of limits and penalties, as arithmetic. Its one invariant: it decides exactly as `gcra.lua` and `penalty.lua` do,
//! which a property test holds against each other.

use std::time::Duration;

use crate::config::Quota;

/// Microseconds since 1970.
pub(super) type Micros = u64;

pub(super) fn micros(time: Duration) -> Micros {
    // 2^64 µs are 584,000 years.
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub is_allowed: bool,
    /// How many more may follow at once.
    pub remaining: u32,
    /// When the next one is allowed; zero where this one is.
    pub retry_after: Duration,
    /// When as many as ever are allowed again.
    pub reset_after: Duration,
}

/// A quota in the words of the generic cell rate algorithm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gcra {
    /// Between two requests at the sustained rate.
    pub(super) interval: Micros,
    /// Requests at once.
    pub(super) burst: u32,
}

impl From<Quota> for Gcra {
    fn from(quota: Quota) -> Self {
        Self { interval: (micros(quota.window) / u64::from(quota.limit)).max(1), burst: quota.limit }
    }
}

impl Gcra {
    /// Decides, and moves the time at which the next request would be due.
    pub(super) fn decide(self, arrival: &mut Micros, now: Micros) -> Decision {
        let window = self.interval * u64::from(self.burst);
        let due = (*arrival).clamp(now, now + window);
        let next = due + self.interval;
        if next > now + window {
            let (retry, reset) = (next - window - now, due - now);
            return Decision {
                is_allowed: false,
                remaining: 0,
                retry_after: Duration::from_micros(retry),
                reset_after: Duration::from_micros(reset),
            };
        }
        *arrival = next;
        let remaining = (now + window - next) / self.interval;
        Decision {
            is_allowed: true,
            // At most the burst.
            remaining: u32::try_from(remaining).unwrap_or(self.burst),
            retry_after: Duration::ZERO,
            reset_after: Duration::from_micros(next - now),
        }
    }
}

/// How failed sign-ins slow down: some are free, then each doubles the wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Penalty {
    /// Failures without a wait.
    pub(super) free: u32,
    /// The first wait.
    pub(super) first: Duration,
    /// The longest.
    pub(super) most: Duration,
    /// Failures older than this count no more.
    pub(super) memory: Duration,
}

/// Of one address or account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    pub(super) count: u32,
    ends: Micros,
    pub(super) forgotten: Micros,
}

impl Failures {
    /// Counts an attempt as failed, unless it has to wait: then how long.
    pub(super) fn attempt(&mut self, rule: &Penalty, now: Micros) -> Duration {
        if self.forgotten <= now {
            *self = Self::default();
        }
        if self.ends > now {
            return Duration::from_micros(self.ends - now);
        }
        self.count = self.count.saturating_add(1);
        if let Some(over) = self.count.checked_sub(rule.free).filter(|over| *over > 0) {
            let doubled = micros(rule.first).saturating_mul(1 << (over - 1).min(40));
            self.ends = now + doubled.min(micros(rule.most));
        }
        self.forgotten = now + micros(rule.memory);
        Duration::ZERO
    }

    /// Takes the last attempt back.
    pub(super) fn forgive(&mut self) {
        self.count = self.count.saturating_sub(1);
        self.ends = 0;
    }
}
