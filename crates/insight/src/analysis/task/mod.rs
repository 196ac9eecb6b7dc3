//! Who does what by when. Its one invariant: a task is a promise, an accepted request or a duty that a speaker of the call took on, in
//! words that were said; hypotheticals, the past, politeness and other people's doings are none.

mod clause;
pub mod document;
mod merge;
mod metadata;
mod promise;
mod reply;
mod request;
mod title;

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};

use self::document::{ActionItem, Intent, Owner};
use self::metadata::metadata;
use self::title::About;
use super::document::Importance;
use super::when::Mention;
use super::{Call, document::NextStep, document::Statement, people};

/// A task on its way to an action item.
pub(super) struct Task {
    /// Index of the sentence that says it.
    sentence: usize,
    /// Index of the speaker who does it; absent where both do.
    owner: Option<usize>,
    title: String,
    intent: Intent,
    /// Its first verb, folded.
    verb: String,
    /// The word that is its verb.
    verb_at: usize,
    /// What it is done to.
    about: About,
    due: Option<NaiveDate>,
    time: Option<NaiveTime>,
    urgent: bool,
    /// Sentences that it rests on.
    evidence: BTreeSet<usize>,
    /// It says that something will be done, and not what.
    vague: bool,
    /// How sure it is that this is worth tracking.
    weight: Weight,
}

/// What comes of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// An action item and a commitment.
    Promise,
    /// An action item.
    Task,
    /// A next step alone: "let me check".
    Step,
}

/// The tasks of a call.
pub(super) struct Tasks {
    tasks: Vec<Task>,
}

impl Tasks {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let mut tasks = Vec::new();
        for at in 0..call.sentences.len() {
            tasks.extend(promise::promises(call, at));
            tasks.extend(request::requests(call, at));
        }
        Self { tasks: merge::merge(call, tasks) }
    }

    fn tracked(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.weight != Weight::Step)
    }

    pub(super) fn action_items(&self, call: &Call<'_>) -> Vec<ActionItem> {
        self.tracked().map(|task| action_item(call, task)).collect()
    }

    pub(super) fn commitments(&self, call: &Call<'_>) -> Vec<Statement> {
        let promised = self.tasks.iter().filter(|task| task.weight == Weight::Promise);
        let statement = |task: &Task| Statement {
            text: call.sentences[task.sentence].text.to_owned(),
            owner_speaker: task.owner.and_then(|owner| call.speaker_id(owner)),
            due_date: task.due,
            source_segment_ids: call.cite(task.evidence.iter().copied()),
        };
        dedup(promised.map(statement))
    }

    /// What somebody is about to do, what both meet for, and what somebody calls the next step, in their order.
    pub(super) fn next_steps(&self, call: &Call<'_>) -> Vec<NextStep> {
        let steps = self.tasks.iter().filter(|task| task.weight == Weight::Step || task.intent == Intent::Meeting);
        let mut steps: Vec<(usize, NextStep)> = steps.map(|task| (task.sentence, task.step(call))).collect();
        let taken: BTreeSet<usize> = steps.iter().map(|(at, _)| *at).collect();
        let free = (0..call.sentences.len()).filter(|at| !taken.contains(at));
        steps.extend(free.filter_map(|at| Some((at, announced(call, at)?))));
        steps.sort_by_key(|(at, _)| *at);
        steps.into_iter().map(|(_, step)| step).collect()
    }

    /// Sentences that say tasks.
    pub(super) fn sentences(&self) -> BTreeSet<usize> {
        self.tracked().map(|task| task.sentence).collect()
    }
}

/// "The next step is to sign the lease": nobody takes it on yet.
fn announced(call: &Call<'_>, at: usize) -> Option<NextStep> {
    let sentence = &call.sentences[at];
    sentence.lexicon().affirmed("next_step", &sentence.words).filter(|_| !sentence.question)?;
    let when = call.due(at, 0, sentence.words.len());
    Some(NextStep {
        text: sentence.text.to_owned(),
        owner_speaker: None,
        when: when.map(|mention| sentence.quote(mention.first, mention.end).to_owned()),
        source_segment_ids: call.cite([at]),
    })
}

/// One sentence may promise two things.
fn dedup(statements: impl Iterator<Item = Statement>) -> Vec<Statement> {
    let mut kept: Vec<Statement> = Vec::new();
    for statement in statements {
        if kept.iter().all(|other| other.text != statement.text) {
            kept.push(statement);
        }
    }
    kept
}

fn action_item(call: &Call<'_>, task: &Task) -> ActionItem {
    let owner = task.owner.and_then(|owner| call.transcript.speakers.get(owner));
    ActionItem {
        title: task.title.clone(),
        description: Some(call.sentences[task.sentence].text.to_owned()),
        owner: owner.map(|speaker| Owner {
            speaker_id: speaker.speaker_id.clone(),
            label: speaker.label.clone(),
            display_name: speaker.display_name.clone(),
            role: speaker.role,
        }),
        due_date: task.due,
        priority: task.urgent.then_some(Importance::High),
        source_segment_ids: call.cite(task.evidence.iter().copied()),
        intent: task.intent,
        intent_metadata: metadata(call, task),
    }
}

impl Task {
    fn step(&self, call: &Call<'_>) -> NextStep {
        let due = |mention: &&Mention| self.due.is_some() && mention.date == self.due;
        let sentence = &call.sentences[self.sentence];
        let when = call.mentions[self.sentence].iter().find(due);
        NextStep {
            text: sentence.text.to_owned(),
            owner_speaker: self.owner.and_then(|owner| call.speaker_id(owner)),
            when: when.map(|mention| sentence.quote(mention.first, mention.end).to_owned()),
            source_segment_ids: call.cite(self.evidence.iter().copied()),
        }
    }

    /// Whom it goes to by name: "email Teresa the minutes", "send a message to Mr. Lind".
    fn named(&self, call: &Call<'_>) -> Option<String> {
        let sentence = &call.sentences[self.sentence];
        let to = (self.verb_at..sentence.words.len()).filter(|at| sentence.key(*at) == "to").take(1);
        let mut places = [self.verb_at].into_iter().chain(to).map(|at| at + 1);
        places.find_map(|at| people::named(call, self.sentence, at)).map(str::to_owned)
    }

    /// Whether it goes to the other party: "call you back", "email me", "send it to you", "meet with you"; not "call him and get back to
    /// you".
    fn is_to_other(&self, call: &Call<'_>) -> bool {
        let words = &call.sentences[self.sentence].words;
        let is_verb = |word: &str| word == self.verb || matches!(word, "to" | "with" | "give") && self.verb != "get";
        words.windows(2).any(|pair| is_verb(&pair[0].key) && matches!(pair[1].key.as_str(), "you" | "me" | "us"))
    }
}
