//! Calls that are analysed without a server, and what a server would store of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use insight::{
    analysis::analyze,
    facts::{Direction, Facts},
    redact::{Policy, phone_endings, redact},
    speakers::{Evidence, resolve},
    talk::measure,
};
use serde::Serialize;
use serde_json::Value;
use speech::transcript::{Role, Transcript};

use crate::kit::{data_dir, folder, run, transcribe_with_models, wav};

/// When the calls were recorded.
const RECORDED_AT: &str = "2026-03-10T14:30:00+01:00";

/// A recording with a party on each channel, and what is known of it.
struct Call {
    recording: PathBuf,
    user: &'static str,
    contact: Option<&'static str>,
    number: Option<&'static str>,
    direction: (&'static str, Direction),
}

impl Call {
    /// What the program says of it.
    fn transcribed(&self) -> Option<Value> {
        let mut command = transcribe_with_models()?;
        command.arg(&self.recording).args(["--format", "json", "--word-times", "--language", "en", "--analyze"]);
        command.args(["--user-name", self.user, "--direction", self.direction.0, "--recorded-at", RECORDED_AT]);
        command.args(self.contact.into_iter().flat_map(|name| ["--contact", name]));
        command.args(self.number.into_iter().flat_map(|number| ["--phone-number", number]));
        let ended = run(&mut command);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        Some(serde_json::from_str(&ended.out).unwrap())
    }

    fn facts(&self) -> Facts {
        Facts {
            direction: self.direction.1,
            user_name: Some(self.user.to_owned()),
            contact_name: self.contact.map(str::to_owned),
            phone_number: self.number.map(str::to_owned),
            recorded_at: Some(RECORDED_AT.parse().unwrap()),
            ..Facts::default()
        }
    }
}

/// Asserts that a document says of its transcript what a server of a tenant that has chosen nothing stores of it.
#[track_caller]
fn assert_as_a_server(document: &Value, facts: Facts) {
    let heard: Transcript = serde_json::from_value(document.clone()).unwrap();
    let policy = Policy::default();
    let named = resolve(heard.clone(), &facts, &Evidence::default());
    assert_eq!(serde_json::to_value(&named.speakers).unwrap(), document["speakers"]);
    let facts = Facts { phone_endings: phone_endings(&named, &policy), ..facts };
    let stored = redact(named, &policy).unwrap().transcript;
    assert_eq!(rounded(&analyze(&stored, &facts)), rounded(&document["analysis"]));
    assert_eq!(rounded(&measure(&stored)), rounded(&document["talkAnalytics"]));
}

/// With numbers to the microsecond: the last bit of a time does not survive being read from JSON.
fn rounded(found: &impl Serialize) -> Value {
    match serde_json::to_value(found).unwrap() {
        Value::Number(number) => number.as_f64().map(|number| (number * 1e6).round()).into(),
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), rounded(value))).collect(),
        other => other,
    }
}

/// Asserts who is on each of the channels.
#[track_caller]
fn assert_parties(document: &Value, parties: [(Role, Option<&str>); 2]) {
    let transcript: Transcript = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(transcript.speakers.len(), 2);
    for (channel, (role, name)) in parties.into_iter().enumerate() {
        let source = format!("CHANNEL_{channel}");
        let found = transcript.speakers.iter().find(|speaker| speaker.source_speaker_id == source).unwrap();
        assert!(found.role == role, "channel {channel} is of the other party");
        assert_eq!(found.display_name.as_deref(), name);
        let segments = transcript.segments.iter().filter(|segment| segment.source_speaker_id == source);
        assert!(segments.clone().count() > 0 && segments.clone().all(|segment| segment.role == role));
    }
}

/// The sample as a telephone exchange records it: whom its reference says to speak is on a channel of their own, at 8 kHz.
fn two_channels(samples: &Path) -> Vec<u8> {
    let recording = fs::read(samples.join("sample.wav")).unwrap();
    let heard: Vec<i32> =
        recording[44..].chunks_exact(2).map(|sample| i32::from(i16::from_le_bytes([sample[0], sample[1]]))).collect();
    let reference = fs::read_to_string(samples.join("sample.stm")).unwrap();
    let turns: Vec<(bool, f64, f64)> = reference
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            (fields[2] == "Sheila", fields[3].parse().unwrap(), fields[4].parse().unwrap())
        })
        .collect();
    let mut bytes = Vec::new();
    for (at, pair) in heard.chunks_exact(2).enumerate() {
        let (second, sample) = (at as f64 / 8_000.0, i16::try_from((pair[0] + pair[1]) / 2).unwrap());
        for is_sheila in [false, true] {
            let speaks = turns.iter().any(|(who, from, to)| *who == is_sheila && (*from..*to).contains(&second));
            bytes.extend(if speaks { sample } else { 0 }.to_le_bytes());
        }
    }
    wav(2, u32::try_from(bytes.len()).unwrap(), &bytes)
}

#[test]
fn a_call_is_named_and_analysed_as_a_server_does_it() {
    let Some(data) = data_dir() else { return };
    let folder = folder(&[("call.wav", &two_channels(&data.join("samples")))]);
    let call = Call {
        recording: folder.path().join("call.wav"),
        user: "Diane",
        contact: Some("Sheila"),
        number: None,
        direction: ("incoming", Direction::Incoming),
    };
    let Some(document) = call.transcribed() else { return };
    // Whoever is called says hello first.
    assert_parties(&document, [(Role::User, Some("Diane")), (Role::Contact, Some("Sheila"))]);
    assert_eq!(document["analysis"]["engine"], "local");
    assert_as_a_server(&document, call.facts());
    let call = Call { contact: None, number: Some("+1 212 555 0199"), ..call };
    let Some(document) = call.transcribed() else { return };
    assert_parties(&document, [(Role::User, Some("Diane")), (Role::Contact, None)]);
    let whole = document.to_string();
    // Longer pieces of it than a time or a confidence has by chance.
    let is_told = ["212 555", "2125550199", "5550199"].iter().any(|part| whole.contains(part));
    assert!(whole.contains("Contact ending 0199") && !is_told, "{whole}");
    assert_as_a_server(&document, call.facts());
}

/// Recordings that are not part of the repository; their tests say so and pass where they are missing.
fn scripted(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SUBROSA_AUDIO").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/audio"));
    let path = root.join(format!("calls/{name}.stereo-8k-mulaw.wav"));
    if !path.exists() {
        eprintln!("skipped: the call {name} is not at hand (SUBROSA_AUDIO)");
        return None;
    }
    Some(path)
}

#[test]
fn scripted_calls_have_their_parties_and_what_is_found_in_them_holds_no_number() {
    let calls = [
        ("pricing", Some("Maria"), ("outgoing", Direction::Outgoing)),
        ("support", None, ("incoming", Direction::Incoming)),
    ];
    for (name, contact, direction) in calls {
        let Some(recording) = scripted(name) else { return };
        let call = Call { recording, user: "David", contact, number: None, direction };
        let Some(document) = call.transcribed() else { return };
        assert_parties(&document, [(Role::User, Some("David")), (Role::Contact, contact)]);
        assert_as_a_server(&document, call.facts());
        let says_number = |part: &Value| {
            let digits: String = part.to_string().chars().filter(char::is_ascii_digit).collect();
            digits.contains("2125550199")
        };
        assert!(!says_number(&document["analysis"]), "{}", document["analysis"]);
        // The transcript of the program is not redacted.
        assert_eq!(says_number(&document["cleanText"]), name == "support", "{}", document["cleanText"]);
    }
}
