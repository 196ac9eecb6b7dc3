//! Whether what analysis finds is an item that it found before. Its one invariant: each item that is there stands for one that is found at
//! most, and for none that was said elsewhere.
//!
//! Two engines, or one engine twice, say the same task in other words, and a segment may hold several tasks. So an item is the same when
//! it rests on a segment of the other one and has its intent, or half of its words; of several that could be, those that have most in
//! common belong together.

use std::collections::BTreeSet;

use super::Found;

/// Words that two titles share, of those that either has, from which on they say the same whatever their intents.
const ALIKE: f64 = 0.5;

/// For each of `found`, which of `stored` it is. Takes time in proportion to the product of their numbers.
pub(super) fn same(found: &[&Found], stored: &[&Found]) -> Vec<Option<usize>> {
    let mut pairs = Vec::new();
    for (new, one) in found.iter().enumerate() {
        for (old, other) in stored.iter().enumerate() {
            pairs.extend(likeness(one, other).map(|likeness| (likeness, new, old)));
        }
    }
    // The most alike first; of equals those that stand nearest to each other in the call.
    pairs.sort_by(|(a, new_a, old_a), (b, new_b, old_b)| {
        b.total_cmp(a).then(new_a.abs_diff(*old_a).cmp(&new_b.abs_diff(*old_b)))
    });
    let (mut taken, mut same) = (vec![false; stored.len()], vec![None; found.len()]);
    for (_, new, old) in pairs {
        if same[new].is_none() && !taken[old] {
            (same[new], taken[old]) = (Some(old), true);
        }
    }
    same
}

/// How much two items have in common; `None` when they are not the same.
fn likeness(one: &Found, other: &Found) -> Option<f64> {
    let places = shared(&set(&one.source_segment_ids), &set(&other.source_segment_ids));
    let words = shared(&words(&one.title), &words(&other.title));
    let has_intent = one.intent == other.intent;
    let is_same = places > 0.0 && (has_intent || words >= ALIKE);
    // Words tell most, since a segment may hold several tasks of one intent.
    is_same.then_some(2.0 * words + places + if has_intent { 0.5 } else { 0.0 })
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

fn words(title: &str) -> BTreeSet<String> {
    let words = title.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// What two sets share of what either has (Jaccard's index), 0 to 1.
fn shared(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let (both, either) = (one.intersection(other).count(), one.union(other).count());
    #[expect(clippy::cast_precision_loss, reason = "a title has some words, an item some segments")]
    let shared = if either == 0 { 0.0 } else { both as f64 / either as f64 };
    shared
}

#[cfg(test)]
mod tests {
    use api::action_items::Intent;

    use super::*;

    fn item(title: &str, intent: Intent, segments: &[&str]) -> Found {
        let source_segment_ids = segments.iter().map(|id| (*id).to_owned()).collect();
        Found { title: title.to_owned(), intent, source_segment_ids, texts: Vec::new() }
    }

    fn pairs(found: &[Found], stored: &[Found]) -> Vec<Option<usize>> {
        same(&found.iter().collect::<Vec<_>>(), &stored.iter().collect::<Vec<_>>())
    }

    #[test]
    fn an_item_is_recognised_in_other_words_and_beside_others_of_its_segment() {
        let stored = [
            item("Send the contract", Intent::Email, &["seg_0001"]),
            item("Book a table", Intent::Task, &["seg_0001"]),
            item("Order chairs", Intent::Task, &["seg_0001"]),
        ];
        assert_eq!(pairs(&stored, &stored), [Some(0), Some(1), Some(2)]);
        let found = [
            item("Order the chairs", Intent::Task, &["seg_0001", "seg_0002"]),
            item("E-mail Ann what was agreed", Intent::Email, &["seg_0001"]),
        ];
        assert_eq!(pairs(&found, &stored), [Some(2), Some(0)]);
    }

    #[test]
    fn what_was_said_elsewhere_is_another_item_and_none_stands_for_two() {
        let stored = [item("Send the contract", Intent::Email, &["seg_0001"])];
        let again = [
            item("Send the contract", Intent::Email, &["seg_0009"]),
            item("Send the contract", Intent::Email, &["seg_0001"]),
            item("Send the invoice", Intent::Email, &["seg_0001"]),
            item("Call Ann", Intent::Call, &["seg_0001"]),
        ];
        assert_eq!(pairs(&again, &stored), [None, Some(0), None, None]);
        assert_eq!(pairs(&again, &[]), [None; 4]);
    }
}
