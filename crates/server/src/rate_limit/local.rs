//! Limits of this process alone. Its one invariant: at most [`MOST`] callers are remembered; when more come, those who are
//! nearest to being unlimited anyway are forgotten, so that nobody gets rid of a penalty by inventing callers.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    Tag,
    rules::{Decision, Failures, Gcra, Micros, Penalty},
};

/// Callers that are remembered: 100,000 of some 64 bytes.
const MOST: usize = 100_000;

#[derive(Default)]
pub(super) struct Local {
    arrivals: Mutex<HashMap<Tag, Micros>>,
    failures: Mutex<HashMap<Tag, Failures>>,
}

impl Local {
    pub(super) fn decide(&self, tag: Tag, quota: Gcra, now: Micros) -> Decision {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut arrivals, MOST, |arrival| *arrival <= now, |arrival| *arrival);
        quota.decide(arrivals.entry(tag).or_insert(now), now)
    }

    /// What [`Self::decide`] would say.
    pub(super) fn peek(&self, tag: Tag, quota: Gcra, now: Micros) -> Decision {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        quota.decide(&mut arrivals.get(&tag).copied().unwrap_or(now), now)
    }

    pub(super) fn attempt(&self, tag: Tag, rule: &Penalty, now: Micros) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut failures, MOST, |found| found.forgotten <= now, |found| (found.count, found.forgotten));
        failures.entry(tag).or_default().attempt(rule, now)
    }

    pub(super) fn forgive(&self, tag: Tag) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = failures.get_mut(&tag) {
            failures.forgive();
        }
    }

    pub(super) fn clear(&self, tag: Tag) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&tag);
    }
}

/// Forgets what says nothing any more, and the half of the rest that weighs least where that is not enough: once in at least 50,000
/// callers.
fn make_room<V, W: Ord + Copy>(
    table: &mut HashMap<Tag, V>,
    most: usize,
    is_over: impl Fn(&V) -> bool,
    weight: impl Fn(&V) -> W,
) {
    if table.len() < most {
        return;
    }
    table.retain(|_, value| !is_over(value));
    if table.len() > most / 2 {
        let mut all: Vec<W> = table.values().map(&weight).collect();
        let middle = all.len() / 2;
        let median = *all.select_nth_unstable(middle).1;
        // Of those that weigh the same, all go but as many as make up the half: an exact tie of many is the attack.
        let mut spare = table.len() - middle;
        table.retain(|_, value| {
            let goes = spare > 0 && weight(value) <= median;
            spare -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ACCOUNT, *};

    #[test]
    fn a_full_table_forgets_whoever_is_nearest_to_being_unlimited() {
        let tag = |number: u8| Tag([number; 16]);
        let mut table: HashMap<Tag, Micros> = (0..10).map(|number| (tag(number), 100 + u64::from(number))).collect();
        make_room(&mut table, 10, |ends| *ends <= 102, |ends| *ends);
        assert_eq!(table.len(), 3, "three had ended, and half of the other seven");
        assert!((7..10).all(|number| table.contains_key(&tag(number))));
        let mut tied: HashMap<Tag, Micros> = (0..10).map(|number| (tag(number), 200)).collect();
        make_room(&mut tied, 10, |ends| *ends <= 100, |ends| *ends);
        assert_eq!(tied.len(), 5);
    }

    #[test]
    fn a_flood_of_names_does_not_free_who_waits_and_takes_no_more_room() {
        let (local, ann) = (Local::default(), Tag([255; 16]));
        let name = |number: usize| Tag((number as u128).to_be_bytes());
        let failed = |tag, now| local.attempt(tag, &ACCOUNT, now).is_zero();
        assert!((0..=ACCOUNT.free).all(|_| failed(ann, 0)), "as many as are free, and the one that has to wait then");
        assert!((1..=MOST + 1_000).all(|number| failed(name(number), 1)));
        assert!(!failed(ann, 1), "still waits");
        assert!(local.failures.lock().unwrap().len() <= MOST);
    }
}
