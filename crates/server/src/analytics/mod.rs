//! What calls look like from outside, one of them or many. Its one invariant: it is made of numbers and codes, and for those of many nothing of a
//! call is opened.

mod reports;
pub mod routes;
pub mod store;

use insight::{
    analysis::{
        document::Analysis,
        mood::document::{Energy, Feeling, Formality, Pace, PartySentiment, Tone},
    },
    talk::{SpeakerTalk, TalkAnalytics},
};
use speech::transcript::{Role, Transcript};

/// The codes of the database are places in these, from 1.
const ROLES: [Role; 3] = [Role::User, Role::Contact, Role::Unknown];
const FEELINGS: [Feeling; 5] =
    [Feeling::Positive, Feeling::Neutral, Feeling::Negative, Feeling::Mixed, Feeling::Unclear];
const FORMALITIES: [Formality; 3] = [Formality::Formal, Formality::SemiFormal, Formality::Informal];
const ENERGIES: [Energy; 3] = [Energy::Low, Energy::Medium, Energy::High];
const PACES: [Pace; 3] = [Pace::Slow, Pace::Normal, Pace::Fast];

fn code<T: PartialEq>(codes: &[T], value: &T) -> Option<i16> {
    codes.iter().zip(1..).find_map(|(one, code)| (one == value).then_some(code))
}

/// What is stored of a call as a whole (row 0), or of one of its speakers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    role: Option<i16>,
    talk_ms: i64,
    words: Option<i32>,
    longest_monologue_ms: i64,
    interruptions: i32,
    interrupted: i32,
    questions: i32,
    turns: i32,
    latency_ms: Option<i32>,
    silence_ms: i64,
    longest_silence_ms: i64,
    overlap_ms: i64,
    overlaps: i32,
    sentiment: Option<i16>,
    sentiment_score: Option<f32>,
    whole: Option<Whole>,
}

/// What only a call as a whole has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Whole {
    duration_ms: i64,
    tone: Option<i16>,
    formality: Option<i16>,
    energy: Option<i16>,
    pace: Option<i16>,
}

/// The rows of a call: its own, and those of its speakers in the order of the transcript.
#[must_use]
pub fn rows(transcript: &Transcript, talk: &TalkAnalytics, analysis: &Analysis) -> Vec<Row> {
    let sentiment = analysis.sentiment.as_ref();
    let call = Row {
        talk_ms: millis(talk.talk_seconds),
        words: talk.words.map(count),
        longest_monologue_ms: millis(talk.longest_monologue_seconds),
        interruptions: count(talk.interruptions),
        interrupted: count(talk.interruptions),
        questions: count(talk.questions),
        turns: count(talk.turns),
        latency_ms: talk.response_latency_seconds.map(latency),
        silence_ms: millis(talk.silence_seconds),
        longest_silence_ms: millis(talk.longest_silence_seconds),
        overlap_ms: millis(talk.overlap_seconds),
        overlaps: count(talk.overlaps),
        sentiment: sentiment.and_then(|sentiment| code(&FEELINGS, &sentiment.overall)),
        sentiment_score: sentiment.map(|sentiment| score(sentiment.score)),
        role: None,
        whole: Some(whole(talk, analysis.tone.as_ref())),
    };
    let roles = transcript.speakers.iter().map(|speaker| speaker.role);
    let speakers = talk.speakers.iter().zip(roles).map(|(talk, role)| {
        let felt = match role {
            Role::User => sentiment.and_then(|sentiment| sentiment.user_sentiment.as_ref()),
            Role::Contact => sentiment.and_then(|sentiment| sentiment.contact_sentiment.as_ref()),
            Role::Unknown => None,
        };
        of_speaker(talk, role, felt)
    });
    std::iter::once(call).chain(speakers).collect()
}

fn of_speaker(talk: &SpeakerTalk, role: Role, felt: Option<&PartySentiment>) -> Row {
    Row {
        role: code(&ROLES, &role),
        talk_ms: millis(talk.talk_seconds),
        words: talk.words.map(count),
        longest_monologue_ms: millis(talk.longest_monologue_seconds),
        interruptions: count(talk.interruptions),
        interrupted: count(talk.interrupted),
        questions: count(talk.questions),
        turns: count(talk.turns),
        latency_ms: talk.response_latency_seconds.map(latency),
        silence_ms: millis(talk.silence_seconds),
        longest_silence_ms: millis(talk.longest_silence_seconds),
        overlap_ms: millis(talk.overlap_seconds),
        overlaps: count(talk.overlaps),
        sentiment: felt.and_then(|felt| code(&FEELINGS, &felt.overall)),
        sentiment_score: felt.map(|felt| score(felt.score)),
        whole: None,
    }
}

fn whole(talk: &TalkAnalytics, tone: Option<&Tone>) -> Whole {
    Whole {
        duration_ms: millis(talk.duration_seconds),
        tone: tone.and_then(|tone| code(&FEELINGS, &tone.overall)),
        formality: tone.and_then(|tone| code(&FORMALITIES, &tone.formality)),
        energy: tone.and_then(|tone| code(&ENERGIES, &tone.energy)),
        pace: tone.and_then(|tone| code(&PACES, &tone.pace)),
    }
}

/// Of a recording of some hours; a time that is none is 0.
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).max(0.0) as i64
}

/// Ten seconds at most: what takes longer is no answer.
fn latency(seconds: f64) -> i32 {
    (seconds * 1000.0) as i32
}

fn count(things: usize) -> i32 {
    i32::try_from(things).unwrap_or(i32::MAX)
}

fn score(score: f64) -> f32 {
    score.clamp(-1.0, 1.0) as f32
}
