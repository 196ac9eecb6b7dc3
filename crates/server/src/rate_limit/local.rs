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
        make_room(&mut arrivals, MOST, now, |arrival| *arrival);
        quota.decide(arrivals.entry(tag).or_insert(now), now)
    }

    pub(super) fn attempt(&self, tag: Tag, rule: &Penalty, now: Micros) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut failures, MOST, now, |failures| failures.forgotten);
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

/// Forgets what says nothing any more, and the earlier half of the rest where that is not enough: once in at least 50,000 callers.
fn make_room<V>(table: &mut HashMap<Tag, V>, most: usize, now: Micros, ends: impl Fn(&V) -> Micros) {
    if table.len() < most {
        return;
    }
    table.retain(|_, value| ends(value) > now);
    if table.len() > most / 2 {
        let mut all: Vec<Micros> = table.values().map(&ends).collect();
        let middle = all.len() / 2;
        let median = *all.select_nth_unstable(middle).1;
        // Of those that end together, all go but as many as make up the half: an exact tie of many is the attack.
        let mut spare = table.len() - middle;
        table.retain(|_, value| {
            let goes = spare > 0 && ends(value) <= median;
            spare -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_whoever_is_nearest_to_being_unlimited() {
        let tag = |number: u8| Tag([number; 16]);
        let mut table: HashMap<Tag, Micros> = (0..10).map(|number| (tag(number), 100 + u64::from(number))).collect();
        make_room(&mut table, 10, 102, |ends| *ends);
        assert_eq!(table.len(), 3, "three had ended, and half of the other seven");
        assert!((7..10).all(|number| table.contains_key(&tag(number))));
        let mut tied: HashMap<Tag, Micros> = (0..10).map(|number| (tag(number), 200)).collect();
        make_room(&mut tied, 10, 100, |ends| *ends);
        assert_eq!(tied.len(), 5);
    }
}
