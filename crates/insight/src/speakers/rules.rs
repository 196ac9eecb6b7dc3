//! The rules of evidence in text and metadata, a function each. Their one invariant: what two of them disagree about is given to nobody.

use speech::transcript::{Confidence, LabelSource, Role, Segment, SpeakerResolution, Transcript};

use super::names::{ANSWERING, ANSWERING_ALONE, ASKED_FOR, GREETING, Name, RINGING, Token, diverts, tokens};
use super::{Roles, answerer, opposite};
use crate::facts::{Direction, Facts};

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

/// Rules 2 to 6, of each speaker to whom none in front gave a role. Says whether the evidence was ambiguous.
pub(super) fn apply(
    roles: &mut Roles,
    transcript: &Transcript,
    facts: &Facts,
    telemetry: &mut SpeakerResolution,
) -> bool {
    let two = transcript.speakers.len() == 2;
    let parties = parties(facts);
    let known: Vec<&Name> = parties.iter().filter_map(|(_, name)| name.as_ref()).collect();
    let lines = lines(transcript, &known);
    let answered = answered(&lines, &parties, facts.direction);
    let parties = told_apart(parties);
    let mut ambiguous = false;
    if roles.open() {
        match greeting(&lines, &parties) {
            Outcome::Ambiguous => ambiguous = true,
            Outcome::Found(speaker, role, confidence) => {
                // Rule 5: a greeting that the direction of the call agrees with is sure.
                let agrees = answered.is_some_and(|(who, is)| (who == speaker) == (is == role));
                let is_promoted = confidence == Confidence::Medium && agrees;
                let confidence = if is_promoted { Confidence::High } else { confidence };
                let mut give = |speaker, role| roles.give(speaker, role, confidence, LabelSource::GreetingMatch);
                let is_given = give(speaker, role) | (two && give(1 - speaker, opposite(role)));
                telemetry.used_direction |= is_promoted && is_given;
            }
            Outcome::Nothing => {}
        }
    }
    if two && !ambiguous && roles.open() {
        match mention(&lines, &parties) {
            Outcome::Ambiguous => ambiguous = true,
            Outcome::Found(speaker, role, confidence) => {
                roles.give(speaker, role, confidence, LabelSource::NameMention);
            }
            Outcome::Nothing => {}
        }
    }
    // Of two, who answered is told by the other one, where a rule in front knows that.
    if let (true, Some((speaker, role))) = (two && !ambiguous && roles.none(), answered) {
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

type Parties = [(Role, Option<Name>); 2];

/// The names of user and contact.
fn parties(facts: &Facts) -> Parties {
    let of = |name: &Option<String>| name.as_deref().and_then(Name::of);
    [(Role::User, of(&facts.user_name)), (Role::Contact, of(&facts.contact_name))]
}

/// The parties without their names where these could be mistaken for each other.
fn told_apart(parties: Parties) -> Parties {
    match &parties {
        [(_, Some(one)), (_, Some(other))] if one.is_like(other) => [(Role::User, None), (Role::Contact, None)],
        _ => parties,
    }
}

/// What a rule finds: a speaker, a role, and how sure.
enum Outcome {
    Nothing,
    Ambiguous,
    Found(usize, Role, Confidence),
}

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

/// Rule 6: who answered the telephone, and which party that is. Nobody where two could have, where the voice says what only who rings says,
/// or where anybody says to be called what the other party is.
fn answered(lines: &[Line], parties: &Parties, direction: Direction) -> Option<(usize, Role)> {
    let role = answerer(direction)?;
    let early: Vec<&Line> =
        lines.iter().take(ANSWER_SEGMENTS).take_while(|line| line.start <= ANSWER_SECONDS).collect();
    // Before every other voice, and not at once with one.
    let is_first = |line: &Line| lines.iter().all(|other| other.speaker == line.speaker || other.start > line.start);
    let mut answering = early.iter().enumerate().filter(|(at, line)| {
        let opens = early[..*at].iter().all(|before| before.speaker != line.speaker);
        opens && answers(&line.tokens, is_first(line))
    });
    let (Some((_, line)), None) = (answering.next(), answering.next()) else { return None };
    let speaker = line.speaker;
    let rings = |line: &&Line| (0..line.tokens.len()).any(|at| RINGING.at(&line.tokens, at).is_some());
    let denies = |line: &Line| {
        let others = parties.iter().filter(|(party, _)| (line.speaker == speaker) != (*party == role));
        others.filter_map(|(_, name)| name.as_ref()).any(|name| name.is_own(&line.tokens))
    };
    let is_denied = early.iter().filter(|line| line.speaker == speaker).any(rings) || lines.iter().any(denies);
    (!is_denied).then_some((speaker, role))
}

/// Whether who begins with `tokens` answers the telephone: in any place where that is what people say who were asked for, else only as the
/// first voice of the call.
fn answers(tokens: &[Token], is_first: bool) -> bool {
    let sentence = |length: usize| tokens.get(length).is_none_or(|behind| behind.first);
    ASKED_FOR.at(tokens, 0).is_some_and(sentence)
        || (is_first && (ANSWERING.at(tokens, 0).is_some() || ANSWERING_ALONE.at(tokens, 0) == Some(tokens.len())))
}
