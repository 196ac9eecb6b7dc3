//! Whose voice is whose: a rule a test, and what no transcript may do.

use insight::{
    facts::{Direction, Facts},
    speakers::{Correction, Evidence, VoiceMatch, resolve},
};
use proptest::prelude::*;
use speech::transcript::{Confidence, LabelSource, Role, Transcript};

use crate::kit::{call, timed};

fn facts(user: &str, contact: &str) -> Facts {
    let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Facts { user_name: name(user), contact_name: name(contact), ..Facts::default() }
}

fn resolved(said: &[(usize, &str)], facts: &Facts) -> Transcript {
    resolve(call("en", said), facts, &Evidence::default())
}

/// Role, confidence and source of each speaker.
fn given(transcript: &Transcript) -> Vec<(Role, Option<Confidence>, LabelSource)> {
    transcript.speakers.iter().map(|speaker| (speaker.role, speaker.confidence, speaker.label_source)).collect()
}

const HIGH: Option<Confidence> = Some(Confidence::High);
const MEDIUM: Option<Confidence> = Some(Confidence::Medium);

#[test]
fn who_greets_a_party_by_name_is_the_other_one() {
    for (greeting, user, contact) in [
        ("Hi Ravi, do you have a minute?", "Anna", "Ravi Sharma"),
        ("Good morning, dear Mr. Ravi.", "Anna", "Mr. Ravi"),
        ("नमस्ते राम जी, कैसे हैं आप?", "Anna", "राम"),
        ("مرحبا محمد كيف حالك", "Anna", "مُحمد"),
        ("Здравствуйте, Алёна!", "Anna", "Алена"),
        ("Hallo, Frau Müller.", "Anna", "Frau Mueller, Müller"),
        ("HOLA, JOSÉ", "Anna", "Jose"),
    ] {
        let transcript = resolved(&[(0, greeting), (1, "Fine.")], &facts(user, contact));
        let roles: Vec<Role> = transcript.speakers.iter().map(|speaker| speaker.role).collect();
        if greeting.contains("Müller") {
            // "Mueller" is another spelling: left open rather than guessed.
            assert_eq!(roles, [Role::Unknown, Role::Unknown], "{greeting}");
            continue;
        }
        assert_eq!(roles, [Role::User, Role::Contact], "{greeting}");
        assert_eq!(given(&transcript)[0], (Role::User, HIGH, LabelSource::GreetingMatch));
        assert_eq!(transcript.segments[0].speaker, "Anna");
    }
}

#[test]
fn who_says_their_own_name_is_not_greeted() {
    for said in ["Hello, this is Maria speaking.", "Hello, Maria here.", "Hi, I'm Maria.", "Hello, it's Maria."] {
        let transcript = resolved(&[(0, said), (1, "Fine.")], &facts("David", "Maria"));
        assert_ne!(transcript.speakers[0].role, Role::User, "{said}");
    }
}

#[test]
fn names_match_whole_words_only() {
    let transcript = resolved(&[(0, "Hello, program it."), (1, "Will you?")], &facts("Will", "Ram"));
    assert!(transcript.speakers.iter().all(|speaker| speaker.role == Role::Unknown));
    assert_eq!(transcript.speaker_resolution.warnings, ["speaker_roles_unresolved"]);
}

#[test]
fn a_late_greeting_is_less_sure_unless_the_direction_agrees() {
    let late = [(0, "Hello."), (1, "One."), (0, "Two."), (1, "Good morning Ravi.")];
    let mut facts = facts("Anna", "Ravi");
    assert_eq!(given(&resolved(&late, &facts))[1], (Role::User, MEDIUM, LabelSource::GreetingMatch));
    facts.direction = Direction::Outgoing;
    assert_eq!(given(&resolved(&late, &facts))[1], (Role::User, HIGH, LabelSource::GreetingMatch));
}

#[test]
fn a_name_that_only_one_says_belongs_to_the_other() {
    let transcript = resolved(&[(0, "So, you are the one."), (1, "Thank you, David.")], &facts("David", ""));
    assert_eq!(
        given(&transcript),
        [(Role::User, MEDIUM, LabelSource::ByElimination), (Role::Contact, MEDIUM, LabelSource::NameMention)]
    );
    assert_eq!(transcript.speakers[1].display_name, None);
}

#[test]
fn two_who_say_both_names_are_left_alone() {
    let said = [(0, "Then David told Maria."), (1, "Yes, Maria and David did.")];
    let transcript = resolved(&said, &facts("David", "Maria"));
    assert!(transcript.speakers.iter().all(|speaker| speaker.role == Role::Unknown));
    assert!(transcript.speaker_resolution.warnings.contains(&"speaker_identity_ambiguous".to_owned()));
}

#[test]
fn who_answers_the_telephone_is_told_by_the_direction() {
    let said = [(0, "Haan, boliye."), (1, "I have a question.")];
    for (direction, role) in
        [(Direction::Outgoing, Role::Contact), (Direction::Incoming, Role::User), (Direction::Unknown, Role::Unknown)]
    {
        let transcript = resolved(&said, &Facts { direction, ..facts("Anna", "") });
        assert_eq!(transcript.speakers[0].role, role);
    }
    let mut transcript = timed("en", 2, &[(0, 25.0, 26.0, "Hello?"), (1, 27.0, 28.0, "Yes.")]);
    transcript =
        resolve(transcript, &Facts { direction: Direction::Outgoing, ..facts("Anna", "") }, &Evidence::default());
    assert_eq!(transcript.speakers[0].role, Role::Unknown);
}

#[test]
fn of_three_speakers_those_without_evidence_stay_unknown() {
    let transcript = timed("en", 3, &[(0, 0.0, 1.0, "Hi Maria"), (1, 1.0, 2.0, "Hi"), (2, 2.0, 3.0, "Hi")]);
    let transcript = resolve(transcript, &facts("David", "Maria"), &Evidence::default());
    assert_eq!(transcript.speakers[2].role, Role::Unknown);
    assert_eq!(transcript.speaker_resolution.warnings, ["multi_party_call_not_auto_resolved"]);
}

#[test]
fn names_that_are_withheld_tell_who_speaks_and_are_written_nowhere_but_where_a_person_writes_one() {
    let facts = Facts { phone_number: Some("+1 212 555 0199".into()), ..facts("David", "Maria") };
    let corrections = [Correction { speaker_id: "spk_2".into(), role: Role::User, display_name: Some("Dave".into()) }];
    for (corrections, labels) in
        [(&[][..], ["Contact ending 0199", "Speaker 2"]), (&corrections, ["Contact ending 0199", "Dave"])]
    {
        let evidence = Evidence { corrections, withholds_names: true, ..Evidence::default() };
        let found = resolve(call("en", &[(1, "Good day."), (0, "Yes?"), (0, "Hi David.")]), &facts, &evidence);
        assert_eq!([found.speakers[0].role, found.speakers[1].role], [Role::Contact, Role::User]);
        assert_eq!([0, 1].map(|speaker: usize| found.speakers[speaker].label.as_str()), labels);
        assert!(!found.speaker_resolution.used_user_display_name && !found.speaker_resolution.used_contact_name);
    }
}

#[test]
fn a_person_and_then_a_voice_beat_every_rule() {
    let said = [(0, "Hi Maria."), (1, "Hi David.")];
    let voice = Some(VoiceMatch::Matched { speaker_id: "spk_2".into(), score: 0.9 });
    let evidence = Evidence { voice: voice.clone(), ..Evidence::default() };
    let transcript = resolve(call("en", &said), &facts("David", "Maria"), &evidence);
    assert_eq!(given(&transcript)[1], (Role::User, HIGH, LabelSource::VoiceEmbedding));
    assert_eq!(transcript.speakers[1].voice_match_score, Some(0.9));
    let corrections = [Correction { speaker_id: "spk_1".into(), role: Role::User, display_name: Some("Dave".into()) }];
    let evidence = Evidence { voice, corrections: &corrections, ..Evidence::default() };
    let once = resolve(call("en", &said), &facts("David", "Maria"), &evidence);
    assert_eq!(given(&once)[0], (Role::User, HIGH, LabelSource::Manual));
    assert_eq!(once.speakers[0].label, "Dave");
    assert_eq!(once.speakers[1].role, Role::Contact);
    assert_eq!(resolve(once.clone(), &facts("David", "Maria"), &evidence), once);
}

#[test]
fn one_voice_above_the_threshold_is_a_match_and_two_are_none() {
    let of = |scores: &[(&str, f32)]| VoiceMatch::of(scores.iter().map(|(who, score)| ((*who).to_owned(), *score)));
    let matched = |score| VoiceMatch::Matched { speaker_id: "spk_2".into(), score };
    assert_eq!(of(&[("spk_1", 0.74), ("spk_2", 0.75)]), matched(0.75));
    assert_eq!(of(&[("spk_1", 0.2), ("spk_2", 0.99), ("spk_3", f32::NAN)]), matched(0.99));
    assert_eq!(of(&[("spk_1", 0.8), ("spk_2", 0.99)]), VoiceMatch::Ambiguous);
    assert_eq!(of(&[("spk_1", 0.74)]), VoiceMatch::NoMatch);
    assert_eq!(of(&[]), VoiceMatch::NoMatch);
    let said = [(0, "Hi Maria."), (1, "Hi David.")];
    let sure = |score| {
        let evidence = Evidence { voice: Some(matched(score)), ..Evidence::default() };
        given(&resolve(call("en", &said), &facts("David", "Maria"), &evidence))[1].1
    };
    assert_eq!((sure(0.85), sure(0.84)), (HIGH, MEDIUM));
}

#[test]
fn the_telemetry_holds_no_name_text_or_number() {
    let facts =
        Facts { phone_number: Some("+1 212 555 0199".into()), direction: Direction::Outgoing, ..facts("Davidson", "") };
    let transcript = resolved(&[(0, "Hello?"), (1, "Good evening.")], &facts);
    assert_eq!(transcript.speakers[0].label, "Contact ending 0199");
    let telemetry = serde_json::to_string(&transcript.speaker_resolution).unwrap();
    for secret in ["Davidson", "0199", "evening"] {
        assert!(!telemetry.contains(secret));
    }
}

fn sayings() -> impl Strategy<Value = Vec<(usize, &'static str)>> {
    let said = prop::sample::select(vec![
        "Hello.",
        "Hi Maria.",
        "Hello David!",
        "This is Maria.",
        "Thank you, David.",
        "Speaking.",
        "Maria said so.",
        "Good morning, am I speaking with David?",
        "My name is Bob.",
        "Hi Bob!",
        "Go ahead.",
    ]);
    prop::collection::vec((0_usize..3, said), 0..12)
}

proptest! {
    #[test]
    fn no_name_is_made_up_and_no_two_are_the_user(said in sayings(), speakers in 2_usize..4, incoming: bool) {
        let turns: Vec<_> = said.iter().enumerate()
            .map(|(index, (who, text))| (who % speakers, index as f64, index as f64 + 1.0, *text)).collect();
        let direction = if incoming { Direction::Incoming } else { Direction::Outgoing };
        let facts = Facts { direction, ..facts("David", "Maria") };
        let transcript = resolve(timed("en", speakers, &turns), &facts, &Evidence::default());
        for speaker in &transcript.speakers {
            let name = speaker.display_name.as_deref();
            prop_assert!(matches!(name, None | Some("David" | "Maria")));
            prop_assert!(name.is_none() || speaker.role != Role::Unknown);
        }
        for role in [Role::User, Role::Contact] {
            prop_assert!(transcript.speakers.iter().filter(|speaker| speaker.role == role).count() <= 1);
        }
        prop_assert_eq!(resolve(transcript.clone(), &facts, &Evidence::default()), transcript);
    }

    #[test]
    fn equal_segments_may_change_places(said in sayings(), at in 0_usize..12) {
        let mut turns: Vec<_> = said.iter().enumerate()
            .map(|(index, (who, text))| (who % 2, index as f64, index as f64 + 1.0, *text)).collect();
        if let Some(turn) = turns.get(at).copied() {
            turns.insert(at, turn);
        }
        let one = timed("en", 2, &turns);
        let mut other = one.clone();
        if at + 1 < turns.len() {
            other.segments.swap(at, at + 1);
        }
        let facts = facts("David", "Maria");
        let given = |transcript| given(&resolve(transcript, &facts, &Evidence::default()));
        prop_assert_eq!(given(one), given(other));
    }
}
