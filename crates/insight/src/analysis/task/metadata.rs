//! What somebody needs to do a task: whom, when, how long, by what. Its one invariant: what nobody said for it is absent.

use speech::transcript::Role;

use super::{
    Task,
    document::{Attendee, Intent, IntentMetadata},
};
use crate::{
    analysis::Call,
    redact::{Kind, last_four},
};

pub(super) fn metadata(call: &Call<'_>, task: &Task) -> IntentMetadata {
    let other = task.owner.and_then(|owner| call.other(owner));
    let name = other.and_then(|other| call.transcript.speakers[other].display_name.clone());
    let offset = call.facts.recorded_at.map(|at| *at.offset());
    let at = task
        .due
        .zip(task.time)
        .zip(offset)
        .and_then(|((day, time), offset)| day.and_time(time).and_local_timezone(offset).single());
    let names = call.transcript.speakers.iter().filter_map(|speaker| speaker.display_name.clone());
    match task.intent {
        Intent::Meeting => IntentMetadata {
            title: Some(task.title.clone()),
            proposed_at: at,
            duration_minutes: duration(call, task),
            provider_hint: said(call, task, "provider"),
            // Whom somebody meets alone is not said by who is on the call.
            attendees: names
                .filter(|_| task.owner.is_none() || task.is_to_other(call))
                .map(|name| Attendee { name: Some(name), email: None })
                .collect(),
            ..IntentMetadata::default()
        },
        Intent::Call if task.is_to_other(call) => IntentMetadata {
            contact_name: name,
            phone_ending: phone_ending(call, task, other),
            ..IntentMetadata::default()
        },
        Intent::Call => IntentMetadata { contact_name: task.named(call), ..IntentMetadata::default() },
        Intent::Email | Intent::Message => {
            let to_name = if task.is_to_other(call) { name } else { task.named(call) };
            let channel = said(call, task, "channel").filter(|_| task.intent == Intent::Message);
            IntentMetadata { to_name, channel, ..IntentMetadata::default() }
        }
        Intent::Reminder => IntentMetadata { remind_at: at, ..IntentMetadata::default() },
        _ => IntentMetadata::default(),
    }
}

/// The end of the number to call: of the one that was given for it, else of the contact's.
fn phone_ending(call: &Call<'_>, task: &Task, other: Option<usize>) -> Option<String> {
    let said = |at: &usize| call.facts.phone_endings.get(call.segment_id(*at));
    let given = |at: &usize| {
        call.sentences[*at].words.iter().any(|word| word.placeholder == Some(Kind::PhoneNumber)) || said(at).is_some()
    };
    if task.evidence.iter().any(given) {
        return task.evidence.iter().find_map(said).cloned();
    }
    let contact = other.and_then(|other| call.transcript.speakers.get(other)).filter(|one| one.role == Role::Contact);
    contact.and(call.facts.phone_number.as_deref()).and_then(last_four)
}

/// The first phrase of a list in what was said of the task, as it was said.
fn said(call: &Call<'_>, task: &Task, list: &str) -> Option<String> {
    task.evidence.iter().find_map(|at| {
        let sentence = &call.sentences[*at];
        let (first, hit) = sentence.lexicon().first(list, &sentence.words)?;
        Some(sentence.quote(first, first + hit.words).to_owned())
    })
}

/// How long it is to last, in minutes: "a thirty minute call", "for an hour"; not "in an hour", nor what was "an hour ago".
fn duration(call: &Call<'_>, task: &Task) -> Option<u32> {
    task.evidence.iter().find_map(|at| {
        let sentence = &call.sentences[*at];
        let find = |list: &str, at: usize| sentence.lexicon().find(list, &sentence.words, at);
        (0..sentence.words.len()).find_map(|first| {
            let number = sentence.number(first).map(|number| (number.value, number.words));
            let whole = find("duration", first).filter(|hit| hit.words > 1).map(|_| (1.0, 0));
            let (count, words) = number.or(whole).or_else(|| find("one", first).map(|hit| (1.0, hit.words)))?;
            let unit = find("duration", first + words)?;
            let is_when =
                first > 0 && find("in", first - 1).is_some() || find("ago_after", first + words + unit.words).is_some();
            let minutes = count * unit.value as f64;
            // Of whole minutes, as many as a day has.
            (!is_when && minutes.fract() == 0.0 && (1.0..=1_440.0).contains(&minutes)).then_some(minutes as u32)
        })
    })
}
