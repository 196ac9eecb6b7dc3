//! What is open in memory for searches, of all tenants together. Its one invariant: it has [`BYTES`] at most, of which those go first that
//! nobody asked for longest, then the oldest calls; and what is kept of a call is never replaced by what is older.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use insight::search::memory::Memory;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of all tenants together. A call of half an hour takes 30 kB.
const BYTES: usize = 256 << 20;

/// Sealed bytes that are read and opened at once: of two hundred half hours.
pub(super) const BATCH_BYTES: usize = 8 << 20;

/// Bytes that a call takes beside its memory: key, version, map, allocation.
const OVERHEAD: usize = 128;

/// How long a call stays that nobody's search has looked at: it is content.
const IDLE: Duration = Duration::from_mins(15);

/// What is remembered of a call.
pub(super) type Remembered = Memory<Zeroizing<Vec<u8>>>;

/// What a search looks at: calls, the newest first.
pub(super) type Seen = Arc<[(Uuid, Arc<Remembered>)]>;

/// What the database says about a call.
pub(super) struct Listed {
    pub(super) call: Uuid,
    pub(super) version: DateTime<Utc>,
}

/// What is in memory of a call.
pub(super) struct Kept {
    pub(super) owner: Uuid,
    pub(super) version: DateTime<Utc>,
    /// When somebody who sees the call searched last.
    pub(super) used: Instant,
    /// `None` where it does not open: that is not tried at each search.
    pub(super) memory: Option<Arc<Remembered>>,
}

impl Kept {
    fn size(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.size()) + OVERHEAD
    }
}

/// Tenant and, of that, the user whose calls alone are seen.
pub(super) type Viewer = (Uuid, Option<Uuid>);

/// Calls by tenant. What a method takes out it gives back, for bytes are overwritten when they are dropped: that takes time, and is to happen
/// without the lock around this.
#[derive(Default)]
pub(super) struct Cache {
    calls: BTreeMap<(Uuid, Uuid), Kept>,
    bytes: usize,
}

fn of(tenant: Uuid) -> RangeInclusive<(Uuid, Uuid)> {
    (tenant, Uuid::nil())..=(tenant, Uuid::max())
}

impl Cache {
    /// Takes out what the viewer would see and does not, or has in a newer version, and says which of the listed calls are lacking, in
    /// their order, as far as there is room for any.
    pub(super) fn refresh(
        &mut self,
        (tenant, sees_only): Viewer,
        listed: &[Listed],
        now: Instant,
    ) -> (Vec<Uuid>, Vec<Kept>) {
        let current: HashMap<Uuid, DateTime<Utc>> = listed.iter().map(|one| (one.call, one.version)).collect();
        let is_over = |(_, call): &(Uuid, Uuid), kept: &mut Kept| match current.get(call) {
            Some(version) => kept.version < *version,
            None => sees_only.is_none_or(|owner| owner == kept.owner),
        };
        let gone = self.take(of(tenant), is_over);
        let mut lacking = Vec::new();
        for one in listed {
            match self.calls.get_mut(&(tenant, one.call)) {
                Some(kept) => kept.used = now,
                None => lacking.push(one.call),
            }
        }
        if lacking.first().is_some_and(|newest| !self.has_room(*newest, now)) {
            lacking.clear();
        }
        (lacking, gone)
    }

    /// Whether a call that is asked for now would stay.
    pub(super) fn has_room(&self, call: Uuid, now: Instant) -> bool {
        let first = || self.calls.iter().map(|((_, call), kept)| (kept.used, *call)).min();
        // A batch less than is allowed, or the oldest calls would be opened at each search and find no room.
        self.bytes + BATCH_BYTES <= BYTES || first() < Some((now, call))
    }

    /// Takes in what was opened of a tenant, and makes room.
    pub(super) fn keep(&mut self, tenant: Uuid, opened: Vec<(Uuid, Kept)>) -> Vec<Kept> {
        let mut gone = Vec::new();
        for (call, kept) in opened {
            if self.calls.get(&(tenant, call)).is_some_and(|known| known.version >= kept.version) {
                gone.push(kept);
                continue;
            }
            self.bytes += kept.size();
            gone.extend(self.calls.insert((tenant, call), kept).inspect(|old| self.bytes -= old.size()));
        }
        if self.bytes > BYTES {
            let mut order: Vec<_> = self.calls.iter().map(|(key, kept)| (kept.used, key.1, *key)).collect();
            order.sort_unstable();
            for (_, _, key) in order {
                if self.bytes <= BYTES {
                    break;
                }
                gone.extend(self.calls.remove(&key).inspect(|old| self.bytes -= old.size()));
            }
        }
        gone
    }

    /// What is kept of the listed calls, in their order, and is no older than is listed.
    pub(super) fn among(&self, tenant: Uuid, listed: &[Listed]) -> Seen {
        let of = |one: &Listed| {
            let kept = self.calls.get(&(tenant, one.call)).filter(|kept| kept.version >= one.version)?;
            Some((one.call, Arc::clone(kept.memory.as_ref()?)))
        };
        listed.iter().filter_map(of).collect()
    }

    /// Takes out what nobody has looked at for long.
    pub(super) fn idle(&mut self, now: Instant) -> Vec<Kept> {
        self.take(.., |_, kept| now.saturating_duration_since(kept.used) >= IDLE)
    }

    /// Takes out a call of a tenant, or all of them.
    pub(super) fn forget(&mut self, tenant: Uuid, call: Option<Uuid>) -> Vec<Kept> {
        self.take(of(tenant), |key, _| call.is_none_or(|call| key.1 == call))
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }

    fn take(
        &mut self,
        range: impl std::ops::RangeBounds<(Uuid, Uuid)>,
        is_over: impl FnMut(&(Uuid, Uuid), &mut Kept) -> bool,
    ) -> Vec<Kept> {
        let gone: Vec<Kept> = self.calls.extract_if(range, is_over).map(|(_, kept)| kept).collect();
        self.bytes -= gone.iter().map(Kept::size).sum::<usize>();
        gone
    }
}

#[cfg(test)]
mod tests {
    use insight::search::memory::write;

    use super::*;

    const TENANT: Uuid = Uuid::from_u128(1);

    fn call(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn listed(number: u128, version: i64) -> Listed {
        Listed { call: call(number), version: DateTime::from_timestamp(version, 0).unwrap() }
    }

    fn kept(owner: u128, version: i64, (used, bytes): (Instant, usize)) -> Kept {
        let words = "w".repeat(bytes);
        let bytes = Zeroizing::new(write(1, [words.as_str()].into_iter(), std::iter::empty()));
        let version = DateTime::from_timestamp(version, 0).unwrap();
        Kept { owner: call(owner), version, used, memory: Memory::read(bytes).map(Arc::new) }
    }

    fn ids(seen: &Seen) -> Vec<Uuid> {
        seen.iter().map(|(call, _)| *call).collect()
    }

    #[test]
    fn the_calls_of_a_member_who_searches_no_more_go_while_another_goes_on() {
        let (mut cache, start) = (Cache::default(), Instant::now());
        cache.keep(TENANT, vec![(call(1), kept(10, 1, (start, 9))), (call(2), kept(20, 1, (start, 9)))]);
        let later = start + IDLE;
        // The second member sees nothing of the first one's, which is deleted meanwhile or not: nobody says so here.
        assert!(cache.refresh((TENANT, Some(call(20))), &[listed(2, 1)], later).0.is_empty());
        assert_eq!((cache.idle(later).len(), cache.calls()), (1, 1));
        assert_eq!(ids(&cache.among(TENANT, &[listed(1, 1), listed(2, 1)])), [call(2)]);
        assert_eq!((cache.forget(TENANT, None).len(), cache.bytes), (1, 0));
    }

    #[test]
    fn what_is_older_neither_replaces_what_is_newer_nor_is_shown_for_it() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.keep(TENANT, vec![(call(1), kept(10, 2, (now, 9)))]);
        cache.keep(TENANT, vec![(call(1), kept(10, 1, (now, 50)))]);
        assert_eq!(ids(&cache.among(TENANT, &[listed(1, 2)])), [call(1)]);
        // Somebody listed before the correction, somebody else after the next one.
        assert_eq!(ids(&cache.among(TENANT, &[listed(1, 1)])), [call(1)]);
        assert!(cache.among(TENANT, &[listed(1, 3)]).is_empty());
        assert!(cache.refresh((TENANT, None), &[listed(1, 1)], now).0.is_empty());
        assert_eq!(cache.refresh((TENANT, None), &[listed(1, 3)], now).0, [call(1)]);
        assert_eq!((cache.calls(), cache.bytes), (0, 0));
    }

    #[test]
    fn a_tenant_that_is_full_makes_room_for_its_newest_calls_with_its_oldest_and_for_no_older_ones() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let size = BYTES / 8 - kept(10, 1, (now, 0)).size();
        let other = Uuid::from_u128(2);
        cache.keep(other, vec![(call(99), kept(10, 1, (now.checked_sub(IDLE).unwrap(), size)))]);
        cache.keep(TENANT, (10..19).map(|n| (call(n), kept(10, 1, (now, size)))).collect());
        // Who searched before goes first, then the oldest calls.
        assert_eq!((cache.calls(), cache.among(other, &[listed(99, 1)]).len()), (8, 0));
        let all: Vec<Listed> = (1..20).rev().map(|n| listed(n, 1)).collect();
        let later = now + Duration::from_secs(1);
        assert_eq!(cache.refresh((TENANT, None), &all, later).0.first(), Some(&call(19)));
        cache.keep(TENANT, vec![(call(19), kept(10, 1, (later, size)))]);
        assert_eq!(ids(&cache.among(TENANT, &all)), (12..20).rev().map(call).collect::<Vec<_>>());
        // Nothing is opened for a place that it would not get.
        assert!(cache.refresh((TENANT, None), &all, later).0.is_empty());
        assert!(cache.bytes <= BYTES);
    }
}
