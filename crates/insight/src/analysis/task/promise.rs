//! Promises and duties: "I'll send it by Friday", "I have to renew the licence". Its one invariant: the speaker is who does it.

use super::clause::{Verb, is_hypothetical, verb};
use super::{Task, Weight, title};
use crate::analysis::Call;
use crate::analysis::sentence::{Sentence, Word};

/// Where a promise begins, and what kind of it.
struct Marker {
    at: usize,
    words: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// "I'll".
    Promise,
    /// "I have to".
    Duty,
    /// "I can": with a day only.
    Ability,
    /// "you'll have": with a day only, and what is had is the task.
    Delivery,
    /// "let me".
    Step,
}

/// Tasks that the sentence `at` takes on.
pub(super) fn promises(call: &Call<'_>, at: usize) -> Vec<Task> {
    let sentence = &call.sentences[at];
    let markers = markers(sentence);
    if markers.is_empty() || asks(sentence, markers[0].at) || is_hypothetical(sentence) {
        return Vec::new();
    }
    let tasks = markers.iter().enumerate().map(|(index, marker)| {
        let end = markers.get(index + 1).map_or(sentence.words.len(), |next| next.at);
        let first = if index == 0 { 0 } else { marker.at };
        task(call, at, marker, (first, end))
    });
    tasks.flatten().collect()
}

fn markers(sentence: &Sentence<'_>) -> Vec<Marker> {
    let lexicon = sentence.lexicon();
    let lists = [
        ("promise", Kind::Promise),
        ("obligation", Kind::Duty),
        ("ability", Kind::Ability),
        ("delivery", Kind::Delivery),
        ("step_promise", Kind::Step),
    ];
    let here = |at: usize| {
        // "You'll have to" is a command, "you'll have" a promise.
        let command = lexicon.find("command", &sentence.words, at).map_or(0, |hit| hit.words);
        lists.iter().find_map(|(list, kind)| {
            let hit = lexicon.find(list, &sentence.words, at).filter(|hit| hit.words > command);
            let hit = hit.filter(|_| *kind != Kind::Step || begins(sentence, at));
            hit.map(|hit| Marker { at, words: hit.words, kind: *kind })
        })
    };
    let all = (0..sentence.words.len()).filter_map(here);
    all.take_while(|marker| !lexicon.any("reported", &sentence.words[..marker.at])).collect()
}

/// Whether a clause begins at `at`: in "they let me check it", none does.
fn begins(sentence: &Sentence<'_>, at: usize) -> bool {
    let opens = |before: &Word<'_>| before.pause || sentence.lexicon().holds("opener", &before.key);
    at.checked_sub(1).is_none_or(|before| opens(&sentence.words[before]))
}

/// A question asks whether; "I'll send it, okay?" does not.
fn asks(sentence: &Sentence<'_>, marker: usize) -> bool {
    let tag = sentence.words.len() >= 2 && sentence.words[sentence.words.len() - 2].pause;
    sentence.question && !(tag && marker <= 1)
}

fn task(call: &Call<'_>, at: usize, marker: &Marker, (first, end): (usize, usize)) -> Option<Task> {
    let sentence = &call.sentences[at];
    let from = marker.at + marker.words;
    let due = call.due(at, first, end);
    let dated = call.mentions[at].iter().any(|mention| (first..end).contains(&mention.first));
    let verb = match marker.kind {
        Kind::Delivery => Verb { at: from, words: 0, intent: super::Intent::Task, weak: true, open: false },
        _ => verb(sentence, from)?,
    };
    let needs_day = verb.weak || matches!(marker.kind, Kind::Ability | Kind::Delivery);
    let about = title::about(call, at, verb.at + verb.words.min(1), end);
    // A verb that is in no list has to be done to something.
    let needs_day = needs_day || (verb.open && (about.is_empty() || marker.kind == Kind::Duty));
    let now = sentence.lexicon().any("immediate", &sentence.words[first..end]);
    let weight = match marker.kind {
        _ if verb.at >= end => return None,
        Kind::Step => Weight::Step,
        _ if needs_day && due.is_none() => return None,
        _ if now && !dated => Weight::Step,
        Kind::Promise | Kind::Ability | Kind::Delivery => Weight::Promise,
        Kind::Duty => Weight::Task,
    };
    Some(Task {
        sentence: at,
        vague: about.is_empty() && verb.weak,
        owner: Some(sentence.speaker),
        title: title::title(call, at, verb.at, end)?,
        intent: verb.intent,
        verb: sentence.key(verb.at).to_owned(),
        verb_at: verb.at,
        about,
        due: due.and_then(|due| due.date),
        time: due.and_then(|due| due.time),
        urgent: sentence.lexicon().affirmed("urgent", &sentence.words).is_some(),
        evidence: [at].into(),
        weight,
    })
}
