//! One task that is said several times. Its one invariant: tasks of different people, different days or different things are never one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::document::Intent;
use super::{Task, Weight};
use crate::analysis::Call;

/// Sentences over which "I'll do it" goes back to what was asked.
const NEAR: usize = 6;

/// Sentences that are cited for saying a task again.
const REPEATED: usize = 8;

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
        match merged.iter_mut().rev().find(|other| same(call, other, &task)) {
            Some(other) => join(other, task),
            None => merged.push(task),
        }
    }
    let said = said_of_days(call);
    for task in &mut merged {
        recapitulated(task, &said);
    }
    merged
}

fn taken_up(asked: &Task, task: &Task) -> bool {
    let days = asked.due.is_none() || task.due.is_none() || asked.due == task.due;
    asked.owner == task.owner && days && task.sentence - asked.sentence <= NEAR
}

fn same(call: &Call<'_>, a: &Task, b: &Task) -> bool {
    let owners = a.owner == b.owner;
    let days = a.due.is_none() || b.due.is_none() || a.due == b.due;
    let nothing = a.about.is_empty() || b.about.is_empty();
    // Who promises two things in their own words means two: "I'll print it", "I'll sign it". What was asked is promised in others.
    let other_words = a.intent != Intent::Task || is_asked(call, a) != is_asked(call, b);
    // "Can you send me the address?" "Sure, I'll text it to you." "Could you ring me?" "I'll call you."
    let same_kind = a.intent != Intent::Task && a.intent == b.intent;
    let taken_up = b.about.is_empty() && (b.about.spoken_of || same_kind) && is_asked(call, a) && !is_asked(call, b);
    let deeds = a.verb == b.verb || (a.intent == b.intent && other_words && !nothing) || taken_up;
    let things = if nothing { b.sentence.abs_diff(a.sentence) <= NEAR } else { a.about.is_same(&b.about) };
    owners && days && deeds && things
}

/// Whether somebody else gives it to who does it.
fn is_asked(call: &Call<'_>, task: &Task) -> bool {
    task.owner != Some(call.sentences[task.sentence].speaker)
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

/// The sentences that speak of each day, with the stems of what they say.
type Said = BTreeMap<NaiveDate, Vec<(usize, BTreeSet<String>)>>;

fn said_of_days(call: &Call<'_>) -> Said {
    let mut said = Said::new();
    for (at, mentions) in call.mentions.iter().enumerate() {
        let days: BTreeSet<NaiveDate> = mentions.iter().filter_map(|mention| mention.date).collect();
        for day in days {
            let stems = (0..call.sentences[at].words.len()).filter_map(|word| call.stem(at, word)).collect();
            said.entry(day).or_default().push((at, stems));
        }
    }
    said
}

/// "So revised quote by Wednesday": says the day and the thing again.
fn recapitulated(task: &mut Task, said: &Said) {
    let again = task.due.and_then(|due| said.get(&due)).into_iter().flatten();
    let again = again.filter(|(at, stems)| *at > task.sentence && !stems.is_disjoint(&task.about.stems));
    task.evidence.extend(again.map(|(at, _)| *at).take(REPEATED));
}
