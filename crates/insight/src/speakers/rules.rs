//! The rules of evidence in text and metadata, a function each. Their one invariant: what two of them disagree about is given to nobody.

use speech::transcript::{Confidence, LabelSource, Role, Segment, SpeakerResolution, Transcript};

use super::names::{ANSWERING, GREETING, Name, Token, diverts, tokens};
use super::{Roles, answerer, opposite};
use crate::facts::Facts;

/// Tokens between a greeting and the name that it greets.
const GREETING_WITHIN: usize = 2;

/// A greeting up to here is sure: segments, and seconds.
const SURE_SEGMENTS: usize = 2;
const SURE_SECONDS: f64 = 30.0;

/// Where people answer the telephone: segments, and seconds.
const ANSWER_SEGMENTS: usize = 4;
const ANSWER_SECONDS: f64 = 20.0;

/// What a segment is to the rules.
struct Line {
    speaker: usize,
    start: f64,
    tokens: Vec<Token>,
}

/// Rules 2 to 6. Says whether the evidence was ambiguous.
pub(super) fn apply(
    roles: &mut Roles,
    transcript: &Transcript,
    facts: &Facts,
    telemetry: &mut SpeakerResolution,
) -> bool {
    let two = transcript.speakers.len() == 2;
    let (user, contact) = names(facts);
    let known: Vec<&Name> = [&user, &contact].into_iter().flatten().collect();
    let lines = lines(transcript, &known);
    let parties = [(Role::User, user), (Role::Contact, contact)];
    let answered = answered(&lines);
    let mut ambiguous = false;
    if roles.given.iter().all(Option::is_none) {
        match greeting(&lines, &parties) {
            Outcome::Ambiguous => ambiguous = true,
            Outcome::Found(speaker, role, confidence) => {
                let confidence = promoted(confidence, answered, (speaker, role), facts, telemetry);
                roles.give(speaker, role, confidence, LabelSource::GreetingMatch);
                if let Some(other) = other(two, speaker) {
                    roles.give(other, opposite(role), confidence, LabelSource::GreetingMatch);
                }
            }
            Outcome::Nothing => {}
        }
    }
    if two && !ambiguous && roles.given.iter().all(Option::is_none) {
        match mention(&lines, &parties) {
            Outcome::Ambiguous => ambiguous = true,
            Outcome::Found(speaker, role, confidence) => {
                roles.give(speaker, role, confidence, LabelSource::NameMention);
            }
            Outcome::Nothing => {}
        }
    }
    let silent = two && !ambiguous && roles.given.iter().all(Option::is_none);
    if let (true, Some(speaker), Some(role)) = (silent, answered, answerer(facts.direction)) {
        telemetry.used_direction |= roles.give(speaker, role, Confidence::Medium, LabelSource::AnsweringPattern);
    }
    if two {
        eliminate(roles);
    }
    ambiguous
}

/// What was said, in the order of time. Of what was said at once, the order is that of length, voices and words, and never that of the
/// list or the ids: the same segments in another order are the same evidence.
fn lines(transcript: &Transcript, known: &[&Name]) -> Vec<Line> {
    let index = |id: &str| transcript.speakers.iter().position(|speaker| speaker.speaker_id == id);
    let spoken = transcript.segments.iter().filter_map(|segment| Some((index(&segment.speaker_id)?, segment)));
    let mut spoken: Vec<(usize, &Segment)> = spoken.collect();
    spoken.sort_by(|(one, a), (other, b)| {
        let times = a.start_seconds.total_cmp(&b.start_seconds).then(a.end_seconds.total_cmp(&b.end_seconds));
        times.then(one.cmp(other)).then_with(|| a.text.cmp(&b.text))
    });
    let line = |(speaker, segment): (usize, &Segment)| Line {
        speaker,
        start: segment.start_seconds,
        tokens: tokens(&segment.text, known),
    };
    spoken.into_iter().map(line).collect()
}

/// The names of user and contact; none where they could be mistaken for each other.
fn names(facts: &Facts) -> (Option<Name>, Option<Name>) {
    let of = |name: &Option<String>| name.as_deref().and_then(Name::of);
    let (user, contact) = (of(&facts.user_name), of(&facts.contact_name));
    match (&user, &contact) {
        (Some(one), Some(other)) if one.is_like(other) => (None, None),
        _ => (user, contact),
    }
}

fn other(two: bool, speaker: usize) -> Option<usize> {
    two.then(|| 1 - speaker)
}

/// What a rule finds: a speaker, a role, and how sure.
enum Outcome {
    Nothing,
    Ambiguous,
    Found(usize, Role, Confidence),
}

type Parties = [(Role, Option<Name>); 2];

/// Rule 2: who greets a party by name is the other one.
fn greeting(lines: &[Line], parties: &Parties) -> Outcome {
    let mut found: Option<(usize, Role, Confidence)> = None;
    for (index, line) in lines.iter().enumerate() {
        for (role, name) in parties {
            if !name.as_ref().is_some_and(|name| greets(&line.tokens, name)) {
                continue;
            }
            let sure = index < SURE_SEGMENTS && line.start <= SURE_SECONDS;
            let confidence = if sure { Confidence::High } else { Confidence::Medium };
            match found {
                None => found = Some((line.speaker, opposite(*role), confidence)),
                // Two voices that greet the same party, or one that greets both.
                Some((speaker, other, _)) if (speaker == line.speaker) != (other == opposite(*role)) => {
                    return Outcome::Ambiguous;
                }
                Some(_) => {}
            }
        }
    }
    found.map_or(Outcome::Nothing, |(speaker, role, confidence)| Outcome::Found(speaker, role, confidence))
}

fn greets(tokens: &[Token], name: &Name) -> bool {
    let called = name.called(tokens);
    (0..tokens.len()).any(|at| {
        let Some(length) = GREETING.at(tokens, at) else { return false };
        let behind = at + length;
        called
            .iter()
            .any(|name| *name >= behind && name - behind <= GREETING_WITHIN && !diverts(&tokens[behind..*name]))
    })
}

/// Rule 3: who says a party's name that the other never says is the other party.
fn mention(lines: &[Line], parties: &Parties) -> Outcome {
    let says = |speaker: usize, name: &Name| {
        lines.iter().any(|line| line.speaker == speaker && !name.called(&line.tokens).is_empty())
    };
    let mut found: Option<(usize, Role)> = None;
    let mut both = 0;
    for (role, name) in parties {
        let Some(name) = name else { continue };
        let speaker = match (says(0, name), says(1, name)) {
            (true, false) => 0,
            (false, true) => 1,
            (true, true) => {
                both += 1;
                continue;
            }
            (false, false) => continue,
        };
        let claim = (speaker, opposite(*role));
        match found {
            // One voice that says both names says of itself whatever the other party is called.
            Some((other, _)) if other == speaker => return Outcome::Ambiguous,
            _ => found = Some(claim),
        }
    }
    match found {
        Some((speaker, role)) => Outcome::Found(speaker, role, Confidence::Medium),
        None if both == 2 => Outcome::Ambiguous,
        None => Outcome::Nothing,
    }
}

/// Rule 4: of two, the other one has the other role.
fn eliminate(roles: &mut Roles) {
    for speaker in 0..2 {
        let Some(given) = roles.given[speaker] else { continue };
        if given.role != Role::Unknown && given.confidence != Confidence::Low {
            roles.give(1 - speaker, opposite(given.role), Confidence::Medium, LabelSource::ByElimination);
        }
    }
}

/// Rule 5: a greeting that the direction of the call agrees with is sure.
fn promoted(
    confidence: Confidence,
    answered: Option<usize>,
    (speaker, role): (usize, Role),
    facts: &Facts,
    telemetry: &mut SpeakerResolution,
) -> Confidence {
    let agrees = answered.zip(answerer(facts.direction)).is_some_and(|(who, is)| (who == speaker) == (is == role));
    if confidence == Confidence::Medium && agrees {
        telemetry.used_direction = true;
        return Confidence::High;
    }
    confidence
}

/// Rule 6: who opens with a phrase for answering the telephone, first of all.
fn answered(lines: &[Line]) -> Option<usize> {
    let early = lines.iter().take(ANSWER_SEGMENTS).take_while(|line| line.start <= ANSWER_SECONDS);
    let mut heard = Vec::new();
    for line in early {
        let opens = !heard.contains(&line.speaker);
        heard.push(line.speaker);
        if opens && ANSWERING.at(&line.tokens, 0).is_some() {
            return Some(line.speaker);
        }
    }
    None
}
