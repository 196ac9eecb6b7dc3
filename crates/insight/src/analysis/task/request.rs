//! Requests, commands and proposals that the other party takes on. Its one invariant: what was asked as a question needs a yes, and what
//! was refused is no task.

use super::clause::verb;
use super::document::Intent;
use super::reply::{Reply, reply};
use super::{Task, Weight, promise, title};
use crate::analysis::Call;
use crate::analysis::sentence::Sentence;

/// Tasks that the sentence `at` gives to somebody else, or to both.
pub(super) fn requests(call: &Call<'_>, at: usize) -> Option<Task> {
    let sentence = &call.sentences[at];
    let lexicon = sentence.lexicon();
    let find = |list: &str| lexicon.first(list, &sentence.words).map(|(at, hit)| at + hit.words);
    let suits = || find("suits").filter(|_| sentence.question);
    if let Some(from) = find("propose").or_else(suits)
        && let Some(task) = together(call, at, from)
    {
        return Some(task);
    }
    if let Some(from) = find("wish").or_else(|| find("ask").filter(|_| sentence.question)) {
        let reply = reply(call, at).filter(|reply| reply.accepts && !reply.refuses)?;
        return task(call, at, from, Some(&reply));
    }
    let (first, hit) = lexicon.first("command", &sentence.words).filter(|_| !sentence.question)?;
    // "Send me the form, please": the command stands in front of it.
    let trails = first + hit.words == sentence.words.len() && verb(sentence, 0).is_some_and(|verb| !verb.open);
    let from = if trails { 0 } else { first + hit.words };
    // "Please" may stand in front of a promise, too.
    if lexicon.any("promise", &sentence.words) || lexicon.any("negation", &sentence.words[from..]) {
        return None;
    }
    let reply = reply(call, at);
    // "Don't forget!" "I won't."
    let denied = lexicon.find("forget", &sentence.words, first).is_some();
    match &reply {
        Some(reply) if reply.refuses && !denied => None,
        reply => task(call, at, from, reply.as_ref()),
    }
}

/// "Let's meet on Thursday": a meeting of both.
fn together(call: &Call<'_>, at: usize, from: usize) -> Option<Task> {
    let sentence = &call.sentences[at];
    let first = meeting(call, at, from)?;
    let reply = reply(call, at)?;
    if reply.refuses || (sentence.question && !reply.accepts) {
        return None;
    }
    let due = call.due(at, 0, sentence.words.len());
    Some(Task {
        sentence: at,
        vague: false,
        owner: None,
        title: title::title(call, at, first, sentence.words.len())?,
        intent: Intent::Meeting,
        verb: sentence.key(first).to_owned(),
        verb_at: first,
        about: title::about(call, at, first, sentence.words.len()),
        due: due.and_then(|due| due.date),
        time: due.and_then(|due| due.time),
        urgent: false,
        evidence: [at].into_iter().chain(reply.sentences.first().copied()).collect(),
        weight: Weight::Task,
    })
}

/// Where a proposal to meet begins: at a verb for it, or at what one meets for where a day is said.
fn meeting(call: &Call<'_>, at: usize, from: usize) -> Option<usize> {
    let sentence = &call.sentences[at];
    let lexicon = sentence.lexicon();
    if let Some(verb) = verb(sentence, from).filter(|verb| verb.intent == Intent::Meeting) {
        return Some(verb.at);
    }
    call.due(at, 0, sentence.words.len())?;
    let proposes = lexicon.find("meeting_verb", &sentence.words, from);
    let noun = (from..sentence.words.len()).find(|at| lexicon.find("meeting_noun", &sentence.words, *at).is_some());
    match (proposes, noun) {
        (Some(_), Some(_)) => Some(from),
        (Some(_), None) if matches!(sentence.key(from), "talk" | "speak") => Some(from),
        (None, Some(noun)) if lexicon.any("suits", &sentence.words) => Some(noun),
        _ => None,
    }
}

fn task(call: &Call<'_>, at: usize, from: usize, reply: Option<&Reply>) -> Option<Task> {
    let sentence = &call.sentences[at];
    let verb = verb(sentence, from).filter(|verb| !names(sentence, verb.at))?;
    let end = sentence.words.len();
    let about = title::about(call, at, verb.at + 1, end);
    // "Sure. I'll call you tomorrow" says nothing of when the invoice is checked.
    let same = |promised: &Task| {
        let deed = promised.verb == sentence.key(verb.at)
            || (promised.intent == verb.intent && promised.intent != Intent::Task);
        let thing = !promised.about.is_empty() && promised.about.is_same(&about);
        deed || thing || promised.vague || promised.about.spoken_of
    };
    let own = |at: &&usize| promise::promises(call, **at).iter().all(same);
    let answered = reply.and_then(|reply| {
        reply.sentences.iter().filter(own).find_map(|at| call.due(*at, 0, call.sentences[*at].words.len()))
    });
    let due = call.due(at, 0, end).or(answered);
    let command = !(sentence.question || sentence.lexicon().any("wish", &sentence.words));
    // A verb that is in no list has to be done to something, and a command to do it by a day.
    if due.is_none() && (verb.weak || (verb.open && (command || about.is_empty()))) {
        return None;
    }
    let owner = reply.map(|reply| reply.speaker).or_else(|| call.other(sentence.speaker))?;
    let accepted = reply.filter(|reply| reply.accepts);
    Some(Task {
        sentence: at,
        vague: false,
        owner: Some(owner),
        title: title::title(call, at, verb.at, end)?,
        intent: verb.intent,
        verb: sentence.key(verb.at).to_owned(),
        verb_at: verb.at,
        about,
        due: due.and_then(|due| due.date),
        time: due.and_then(|due| due.time),
        urgent: sentence.lexicon().affirmed("urgent", &sentence.words).is_some(),
        evidence: [at].into_iter().chain(accepted.and_then(|reply| reply.sentences.first().copied())).collect(),
        weight: Weight::Task,
    })
}

/// "Please call me Bob".
fn names(sentence: &Sentence<'_>, verb: usize) -> bool {
    let name = sentence.words.get(verb + 2).is_some_and(|word| {
        word.capital
            && word.placeholder.is_none()
            && sentence.lexicon().find("weekday", &sentence.words, verb + 2).is_none()
    });
    sentence.key(verb) == "call" && sentence.key(verb + 1) == "me" && name
}
