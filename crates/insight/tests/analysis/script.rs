//! The two scripted calls, and what is found in them.

use insight::{
    analysis::{analyze, document::Analysis},
    facts::{Direction, Facts},
    redact::{Policy, phone_endings, redact},
    speakers::{Evidence, resolve},
};
use serde_json::Value;
use speech::transcript::{Role, Transcript};

use crate::kit::{timed, tuesday};

/// A scripted call, and what has to be found in it: nothing else may be.
pub(crate) struct Script {
    pub(crate) json: &'static str,
    pub(crate) tasks: &'static [&'static str],
    pub(crate) days: &'static [&'static str],
}

pub(crate) const PRICING: Script = Script {
    json: include_str!("calls/pricing.json"),
    tasks: &[
        "David: Send a revised quote | 2026-03-11 | Task | seg_0006 seg_0010",
        "both: Schedule a demo with procurement | 2026-03-13 | Meeting | seg_0007 seg_0008 seg_0010",
        "David: Send the invite | 2026-03-10 | Meeting | seg_0008",
    ],
    days: &["Wednesday = 2026-03-11", "Friday = 2026-03-13 11:00:00", "today = 2026-03-10"],
};

pub(crate) const SUPPORT: Script = Script {
    json: include_str!("calls/support.json"),
    tasks: &[
        "David: Refund one of them | 2026-03-10 | Task | seg_0007",
        "David: Call back to confirm | 2026-03-16 | Call | seg_0009 seg_0010 seg_0011",
    ],
    days: &["in October = -", "today = 2026-03-10", "Monday = 2026-03-16"],
};

/// A scripted call as the service has it at the end.
pub(crate) struct Analysed {
    pub(crate) transcript: Transcript,
    /// Who the speakers are.
    pub(crate) roles: Vec<Role>,
    pub(crate) analysis: Analysis,
}

/// A scripted call as a transcript without names, and what is known of it.
fn script(json: &str) -> (Transcript, Facts, Vec<Role>) {
    let call: Value = serde_json::from_str(json).unwrap();
    let mut order: Vec<&str> = Vec::new();
    let turns = call["turns"].as_array().unwrap();
    let turns: Vec<(usize, f64, f64, &str)> = turns
        .iter()
        .map(|turn| {
            let speaker = turn["speaker"].as_str().unwrap();
            let index = order.iter().position(|one| *one == speaker).unwrap_or_else(|| {
                order.push(speaker);
                order.len() - 1
            });
            (index, turn["start"].as_f64().unwrap(), turn["end"].as_f64().unwrap(), turn["text"].as_str().unwrap())
        })
        .collect();
    let metadata = &call["metadata"];
    let text = |key: &str| metadata[key].as_str().map(str::to_owned);
    let facts = Facts {
        direction: match metadata["direction"].as_str() {
            Some("OUTGOING") => Direction::Outgoing,
            Some("INCOMING") => Direction::Incoming,
            _ => Direction::Unknown,
        },
        user_name: text("userDisplayName"),
        contact_name: text("contactName"),
        phone_number: text("phoneNumber"),
        ..tuesday()
    };
    let roles = order.iter().map(|role| if *role == "USER" { Role::User } else { Role::Contact }).collect();
    (timed("en", 2, &turns), facts, roles)
}

/// A scripted call, redacted, with its speakers named, and analysed.
pub(crate) fn analysed(call: &Script) -> Analysed {
    let (transcript, facts, roles) = script(call.json);
    let facts = Facts { phone_endings: phone_endings(&transcript, &Policy::default()), ..facts };
    let transcript = redact(transcript, &Policy::default()).unwrap().transcript;
    let transcript = resolve(transcript, &facts, &Evidence::default());
    let analysis = analyze(&transcript, &facts);
    Analysed { transcript, roles, analysis }
}

/// Title, owner, day, kind and segments of each task.
pub(crate) fn tasks(analysis: &Analysis) -> Vec<String> {
    let tasks = analysis.action_items.iter().map(|item| {
        let owner = item.owner.as_ref().and_then(|owner| owner.display_name.clone()).unwrap_or("both".into());
        let due = item.due_date.map_or("-".into(), |day| day.to_string());
        format!("{owner}: {} | {due} | {:?} | {}", item.title, item.intent, item.source_segment_ids.join(" "))
    });
    tasks.collect()
}

/// Words and day of each date.
pub(crate) fn days(analysis: &Analysis) -> Vec<String> {
    let days = analysis.important_dates.iter().map(|day| {
        let date = day.date.map_or("-".into(), |date| date.to_string());
        format!("{} = {date}{}", day.text, day.time.map_or(String::new(), |time| format!(" {time}")))
    });
    days.collect()
}
