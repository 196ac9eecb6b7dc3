//! Which language each window of a call is in. One window alone is easily misheard (Spanish as Galician), but a call
//! does change its language now and then: a hidden Markov model over windows, decided with one window of look-ahead so
//! that results come in order and do not depend on timing.

use std::collections::BTreeMap;

/// Probability that the next window is in the same language.
const STAY: f64 = 0.97;
/// Detection probabilities are flattened to this floor, so that one wrong window cannot outweigh a call.
const FLOOR: f64 = 1e-3;

/// Detection probabilities of one window: (language, probability).
pub(super) type Probabilities = Vec<(String, f32)>;

/// The languages of one stream of windows (a call, or one channel of it).
#[derive(Debug, Default)]
pub(super) struct LanguageTrack {
    belief: BTreeMap<String, f64>,
    waiting: BTreeMap<usize, Probabilities>,
    next: usize,
    /// Number of windows in all, once known.
    total: Option<usize>,
}

impl LanguageTrack {
    /// Takes in the detection for window `index`; returns the windows that are decided by it.
    pub(super) fn observe(&mut self, index: usize, probabilities: Probabilities) -> Vec<(usize, String)> {
        self.waiting.insert(index, probabilities);
        self.decide()
    }

    /// No windows follow after `total`; returns what waited for a successor.
    pub(super) fn finish(&mut self, total: usize) -> Vec<(usize, String)> {
        self.total = Some(total);
        self.decide()
    }

    fn decide(&mut self) -> Vec<(usize, String)> {
        let mut decided = Vec::new();
        loop {
            let last = self.total == Some(self.next + 1);
            if !self.waiting.contains_key(&self.next) || !(last || self.waiting.contains_key(&(self.next + 1))) {
                return decided;
            }
            let Some(here) = self.waiting.remove(&self.next) else { return decided };
            let ahead = self.waiting.get(&(self.next + 1)).cloned();
            decided.push((self.next, self.step(&here, ahead.as_ref())));
            self.next += 1;
        }
    }

    /// Forward step of the model for one window, then the most likely language given its successor.
    fn step(&mut self, here: &Probabilities, ahead: Option<&Probabilities>) -> String {
        let spread = (1.0 - STAY) / here.len().max(1) as f64;
        let mut belief: BTreeMap<String, f64> = here
            .iter()
            .map(|(language, p)| {
                let prior = if self.belief.is_empty() {
                    1.0
                } else {
                    self.belief.get(language).unwrap_or(&0.0) * STAY + spread
                };
                (language.clone(), prior * f64::from(*p).max(FLOOR))
            })
            .collect();
        let sum: f64 = belief.values().sum();
        belief.values_mut().for_each(|p| *p /= sum.max(f64::MIN_POSITIVE));
        let future = |language: &str| {
            ahead.map_or(1.0, |next| {
                let p = next.iter().find(|(l, _)| l == language).map_or(0.0, |(_, p)| f64::from(*p));
                p.max(FLOOR) * STAY + spread
            })
        };
        let best = belief
            .iter()
            .map(|(language, p)| (language, p * future(language)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map_or_else(|| "en".to_owned(), |(language, _)| language.clone());
        self.belief = belief;
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(language: &str, p: f32) -> Probabilities {
        let known = ["de", "en", "gl", "es"];
        known.iter().map(|l| ((*l).to_owned(), if *l == language { p } else { (1.0 - p) / 3.0 })).collect()
    }

    fn languages(windows: &[Probabilities]) -> Vec<String> {
        let mut track = LanguageTrack::default();
        let mut decided: Vec<_> = windows.iter().enumerate().flat_map(|(i, w)| track.observe(i, w.clone())).collect();
        decided.extend(track.finish(windows.len()));
        assert!(decided.iter().enumerate().all(|(i, (index, _))| i == *index), "decided in order");
        decided.into_iter().map(|(_, l)| l).collect()
    }

    #[test]
    fn one_misheard_window_does_not_change_the_language() {
        let windows = [heard("es", 0.9), heard("gl", 0.6), heard("es", 0.9), heard("es", 0.8)];
        assert_eq!(languages(&windows), ["es"; 4]);
    }

    #[test]
    fn a_misheard_first_window_is_corrected_by_its_successor() {
        assert_eq!(languages(&[heard("gl", 0.5), heard("es", 0.97)]), ["es", "es"]);
    }

    #[test]
    fn a_call_that_goes_on_in_another_language_is_followed() {
        let windows = [heard("en", 0.99), heard("en", 0.99), heard("de", 0.99), heard("de", 0.99), heard("de", 0.99)];
        assert_eq!(languages(&windows), ["en", "en", "de", "de", "de"]);
    }

    #[test]
    fn the_order_in_which_windows_are_heard_does_not_matter() {
        let windows = [heard("en", 0.9), heard("de", 0.9), heard("de", 0.9)];
        let mut track = LanguageTrack::default();
        let mut decided = track.finish(3);
        for i in [2, 0, 1] {
            decided.extend(track.observe(i, windows[i].clone()));
        }
        assert_eq!(decided.into_iter().map(|(_, l)| l).collect::<Vec<_>>(), languages(&windows));
    }

    #[test]
    fn a_single_window_is_decided_when_the_call_ends() {
        assert_eq!(languages(&[heard("de", 0.7)]), ["de"]);
    }
}
