//! One task that is said several times. Its one invariant: tasks of different people or different days are never one.

use std::collections::BTreeSet;

use super::{Task, Weight};
use crate::analysis::Call;

/// Sentences over which "I'll do it" goes back to what was asked.
const NEAR: usize = 6;

/// Makes one of tasks that are the same, and adds the sentences that repeat them. At most as many comparisons as tasks squared; a call
/// of five hours has a few hundred.
pub(super) fn merge(call: &Call<'_>, tasks: Vec<Task>) -> Vec<Task> {
    let mut merged: Vec<Task> = Vec::new();
    for task in tasks {
        if task.vague {
            // "I'll do it tonight" is about what was asked, or about nothing that could be told.
            let asked = merged.iter_mut().rev().find(|other| taken_up(other, &task));
            if let Some(other) = asked {
                join(other, task);
            }
            continue;
        }
        match merged.iter_mut().rev().find(|other| same(other, &task)) {
            Some(other) => join(other, task),
            None => merged.push(task),
        }
    }
    for task in &mut merged {
        recapitulated(call, task);
    }
    merged
}

fn taken_up(asked: &Task, task: &Task) -> bool {
    let days = asked.due.is_none() || task.due.is_none() || asked.due == task.due;
    asked.owner == task.owner && days && task.sentence - asked.sentence <= NEAR
}

fn same(a: &Task, b: &Task) -> bool {
    let owners = a.owner == b.owner;
    let days = a.due.is_none() || b.due.is_none() || a.due == b.due;
    let deeds = a.verb == b.verb || (a.intent == b.intent && !a.about.is_disjoint(&b.about));
    let shared = a.about.intersection(&b.about).count();
    let fewer = a.about.len().min(b.about.len());
    let things = if fewer == 0 { b.sentence.abs_diff(a.sentence) <= NEAR } else { shared * 2 >= fewer };
    owners && days && deeds && things
}

fn join(one: &mut Task, other: Task) {
    one.due = one.due.or(other.due);
    one.time = one.time.or(other.time);
    one.urgent |= other.urgent;
    one.evidence.extend(other.evidence);
    if other.weight == Weight::Promise || one.weight == Weight::Step {
        one.weight = other.weight;
    }
    if one.about.is_empty() {
        (one.title, one.about) = (other.title, other.about);
    }
}

/// "So revised quote by Wednesday": says the day and the thing again.
fn recapitulated(call: &Call<'_>, task: &mut Task) {
    let Some(due) = task.due else { return };
    for at in task.sentence + 1..call.sentences.len() {
        let day = call.mentions[at].iter().any(|mention| mention.date == Some(due));
        let said: BTreeSet<String> = if day {
            (0..call.sentences[at].words.len()).filter_map(|index| call.stem(at, index)).collect()
        } else {
            continue;
        };
        if !said.is_disjoint(&task.about) {
            task.evidence.insert(at);
        }
    }
}
