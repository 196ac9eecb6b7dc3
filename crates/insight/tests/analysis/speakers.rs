//! Whose voice is whose: a rule a test, and what no transcript may do.

use insight::{
    facts::{Direction, Facts},
    speakers::{Evidence, VoiceMatch, resolve},
};
use proptest::prelude::*;
use serde_json::Value;
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

/// The role of each speaker of a call with this direction.
fn roles(said: &[(usize, &str)], direction: Direction, user: &str, contact: &str) -> Vec<Role> {
    let found = resolved(said, &Facts { direction, ..facts(user, contact) });
    found.speakers.iter().map(|speaker| speaker.role).collect()
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

/// What the first speaker says, what the contact is called, and whether that shows who is who.
const UNSPACED: [(&str, &str, bool); 52] = [
    // Chinese
    ("您好王伟先生", "王伟", true),
    ("你好，王伟，你在吗？", "王伟", true),
    ("请问是王伟先生吗？", "王伟", true),
    ("王偉您好", "王偉", true),
    ("谢谢王伟", "王伟", true),
    ("您好，欧阳娜娜女士", "欧阳 娜娜", true),
    ("您好我是王伟", "王伟", false),
    ("您好，我叫王伟。", "王伟", false),
    ("你好王伟明", "王伟", false),
    ("您好小王伟先生", "王伟", false),
    ("你好王先生", "王", false),
    ("你好王先生", "王 伟", false),
    ("您好王伟先生", "王 伟", true),
    ("你好王伟明", "王 伟", false),
    ("튀김 민수 씨", "김 민수", false),
    ("Hello Ken", "Ken 田中", true),
    ("王伟的太太在吗？", "王伟", false),
    ("明天您好", "明天", false),
    // Japanese
    ("こんにちは田中さん", "田中", true),
    ("田中さんですか？", "田中 太郎", true),
    ("もしもし、田中太郎さんでしょうか。", "田中 太郎", true),
    ("田中様、お世話になっております。", "田中様", true),
    ("スミスさん、こんにちは", "ｽﾐｽ", true),
    ("はい、田中です。", "田中", false),
    ("もしもし田中ですけど", "田中", false),
    ("私は田中と申します", "田中", false),
    ("こんにちは田中村さん", "田中", false),
    ("こんにちは中田中さん", "田中", false),
    ("田中さんの奥様ですか", "田中", false),
    ("こんにちは林さん", "林", false),
    // Korean
    ("안녕하세요 김민수 씨", "김민수", true),
    ("안녕하세요, 김민수님.", "김민수", true),
    ("김민수 고객님 되세요?", "김 민수", true),
    ("김민수씨 계세요?", "김민수", true),
    ("안녕하세요 김민수입니다", "김민수", false),
    ("저는 김민수라고 합니다", "김민수", false),
    ("여보세요, 김민수인데요.", "김민수", false),
    ("안녕하세요 김민수정 씨", "김민수", false),
    ("안녕하세요 김지은 씨", "김지", false),
    ("안녕하세요 김 사장님", "김", false),
    ("안녕하세요 김밥 사장님", "기", false),
    // Thai
    ("สวัสดีครับคุณสมชาย", "สมชาย", true),
    ("สวัสดีค่ะ คุณสมชาย ใจดี", "สมชาย ใจดี", true),
    ("คุณสมชายใช่ไหมครับ", "คุณสมชาย", true),
    ("ขอบคุณคุณมาลีค่ะ", "มาลี", true),
    ("สวัสดีครับ ผมสมชายครับ", "สมชาย", false),
    ("สวัสดีครับผมชื่อสมชาย", "สมชาย", false),
    ("สมชายพูดครับ", "สมชาย", false),
    ("สวัสดีครับคุณสมชายชาติ", "สมชาย", false),
    ("สวัสดีครับแม่คุณสมชาย", "สมชาย", false),
    ("สวัสดีครับคุณก", "ก", false),
    ("คุณฝนครับ", "ฝน", false),
];

#[test]
fn names_in_scripts_without_spaces_are_found_between_known_words_and_nowhere_else() {
    for (said, contact, found) in UNSPACED {
        let transcript = resolved(&[(0, said), (1, "…")], &facts("Anna", contact));
        let roles: Vec<Role> = transcript.speakers.iter().map(|speaker| speaker.role).collect();
        let expected = if found { [Role::User, Role::Contact] } else { [Role::Unknown, Role::Unknown] };
        assert_eq!(roles, expected, "{said} {contact}");
    }
}

#[test]
fn of_two_names_one_of_which_goes_on_from_the_other_neither_is_evidence() {
    for (user, contact) in [("田中", "田中太郎"), ("김민수", "김민수정"), ("สมชาย", "สมชายชาติ")]
    {
        for name in [user, contact] {
            let transcript = resolved(&[(0, &format!("{name}さん")), (1, "…")], &facts(user, contact));
            assert!(transcript.speakers.iter().all(|speaker| speaker.role == Role::Unknown), "{name}");
        }
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
fn between_a_greeting_and_the_name_that_it_greets_are_two_words_at_most() {
    for (said, source) in [
        ("Hello once again Ravi.", LabelSource::GreetingMatch),
        ("Hello once again friend Ravi.", LabelSource::NameMention),
        ("Hallo noch einmal Ravi.", LabelSource::GreetingMatch),
        ("Hallo noch einmal lieber Ravi.", LabelSource::NameMention),
    ] {
        let transcript = resolved(&[(0, said), (1, "Fine.")], &facts("Anna", "Ravi"));
        assert_eq!((transcript.speakers[0].role, transcript.speakers[0].label_source), (Role::User, source), "{said}");
    }
}

#[test]
fn a_late_greeting_is_less_sure_unless_the_direction_agrees() {
    let late = [(0, "Hello."), (1, "One."), (0, "Two."), (1, "Good morning Ravi.")];
    for (direction, confidence) in
        [(Direction::Unknown, MEDIUM), (Direction::Outgoing, HIGH), (Direction::Incoming, MEDIUM)]
    {
        let transcript = resolved(&late, &Facts { direction, ..facts("Anna", "Ravi") });
        assert_eq!(given(&transcript)[1], (Role::User, confidence, LabelSource::GreetingMatch));
        assert_eq!(transcript.speaker_resolution.used_direction, confidence == HIGH);
    }
    for (second, confidence) in [(30.0, HIGH), (30.5, MEDIUM)] {
        let transcript = timed("en", 2, &[(0, second, second + 1.0, "Hi Ravi."), (1, 40.0, 41.0, "Fine.")]);
        let transcript = resolve(transcript, &facts("Anna", "Ravi"), &Evidence::default());
        assert_eq!(given(&transcript)[0], (Role::User, confidence, LabelSource::GreetingMatch));
    }
}

#[test]
fn the_direction_makes_nothing_sure_but_greetings_and_gives_no_role_by_itself() {
    for direction in [Direction::Outgoing, Direction::Incoming] {
        let facts = Facts { direction, ..facts("Anna", "Ravi") };
        assert_eq!(roles(&[(0, "One."), (1, "Two.")], direction, "Anna", "Ravi"), [Role::Unknown, Role::Unknown]);
        let mentioned = resolved(&[(0, "Hello?"), (1, "One."), (0, "Two."), (1, "Thank you, Ravi.")], &facts);
        assert_eq!(given(&mentioned)[1], (Role::User, MEDIUM, LabelSource::NameMention));
        assert!(!mentioned.speaker_resolution.used_direction);
    }
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
fn one_name_that_both_say_says_nothing() {
    for contact in ["", "Maria"] {
        let transcript = resolved(&[(0, "Then David came."), (1, "Yes, David did.")], &facts("David", contact));
        assert!(transcript.speakers.iter().all(|speaker| speaker.role == Role::Unknown));
        assert_eq!(transcript.speaker_resolution.warnings, ["speaker_roles_unresolved"]);
    }
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
fn the_first_voice_answers_the_telephone_as_people_do() {
    for said in [
        "Hello?",
        "Hello, Northwind, how can I help?",
        "Hello, thank you for calling about the offer.",
        "Hello, this is Peter.",
        "Hallo?",
        "Ja?",
        "Ja, hallo, Peter hier.",
        "Allô ?",
        "Oui ?",
        "¿Diga?",
        "¿Sí?",
        "¿Bueno?",
        "Alô?",
        "Estou?",
        "Pronto?",
        "もしもし",
    ] {
        let said = [(0, said), (1, "…")];
        assert_eq!(roles(&said, Direction::Outgoing, "Maria", "Peter"), [Role::Contact, Role::User], "{said:?}");
        assert_eq!(roles(&said, Direction::Incoming, "Peter", "Maria"), [Role::User, Role::Contact], "{said:?}");
    }
}

#[test]
fn who_is_asked_for_and_says_so_has_answered_the_telephone() {
    for (asks, says) in [
        ("Good morning, is that the accounts office?", "Yes, speaking. What is it about?"),
        ("Guten Tag, ist dort die Buchhaltung?", "Am Apparat."),
        ("Bonjour, vous êtes le directeur ?", "Lui-même."),
        ("Buenos días, ¿es usted la directora?", "Sí, al habla."),
        ("Bom dia, é o gerente?", "O próprio."),
    ] {
        let roles = roles(&[(0, asks), (1, says)], Direction::Outgoing, "Anna", "");
        assert_eq!(roles, [Role::User, Role::Contact], "{says}");
    }
}

/// Two lines of a call that Maria makes to Peter, in which nothing shows who answered.
const NOT_ANSWERED: [[&str; 2]; 28] = [
    // Who rings says hello, too, when somebody has answered as no list knows.
    ["I understand how many.", "Hello, this is Maria speaking."],
    ["Northwind, how can I help?", "Hello, I have a question."],
    ["Northwind, how can I help?", "Hello."],
    ["Schmidt.", "Hallo, hier ist Maria."],
    ["Schmidt.", "Hallo, hier ist Müller."],
    ["Schmidt.", "Ja, guten Tag, es geht um die Rechnung."],
    ["Northwind, que puis-je faire pour vous ?", "Allô, c'est au sujet de ma facture."],
    ["Northwind, ¿en qué puedo ayudarle?", "Sí, es por mi factura."],
    ["Northwind, em que posso ajudar?", "Alô, é por causa da minha fatura."],
    ["Northwind, kahiye.", "Haan, mera bill galat hai."],
    // The first voice is that of the other party, by what it says that it is called.
    ["Hello, this is Maria speaking.", "One moment."],
    ["Hello, Lopez speaking.", "One moment."],
    ["Hallo, hier ist Maria.", "Einen Moment."],
    ["Hallo, Lopez hier.", "Einen Moment."],
    ["Allô, c'est Maria.", "Un instant."],
    ["Aló, soy María.", "Un momento."],
    ["Alô, aqui é a Maria.", "Um momento."],
    ["Hello?", "Hi, this is Peter."],
    // Or by what only who rings says.
    ["Hello, I'm calling about my bill.", "One moment."],
    ["Hallo, ich rufe wegen der Rechnung an.", "Einen Moment."],
    ["Allô, j'appelle pour la facture.", "Un instant."],
    ["Aló, llamo por la factura.", "Un momento."],
    ["Alô, estou ligando por causa da fatura.", "Um momento."],
    // It agrees to something.
    ["Ja, das habe ich.", "Gut."],
    ["Oui, je l'ai reçu.", "Bien."],
    ["Sí, lo tengo.", "Bien."],
    ["This is good.", "Fine."],
    // Either has answered.
    ["Hello.", "Speaking."],
];

#[test]
fn where_it_does_not_show_who_answered_no_party_is_taken_for_the_other() {
    for [first, second] in NOT_ANSWERED {
        let said = [(0, first), (1, second)];
        let found = roles(&said, Direction::Outgoing, "Maria Lopez", "Peter");
        assert_eq!(found, [Role::Unknown, Role::Unknown], "{said:?}");
        let found = roles(&said, Direction::Incoming, "Peter", "Maria Lopez");
        assert_eq!(found, [Role::Unknown, Role::Unknown], "{said:?}");
    }
    let namesakes =
        roles(&[(0, "Hello, this is Maria."), (1, "Fine.")], Direction::Outgoing, "Maria Lopez", "Maria Roth");
    assert_eq!(namesakes, [Role::Unknown, Role::Unknown]);
    let at_once = timed("en", 2, &[(0, 1.0, 1.5, "Hello?"), (1, 1.0, 2.0, "I have a question.")]);
    let outgoing = Facts { direction: Direction::Outgoing, ..facts("Anna", "") };
    let at_once = resolve(at_once, &outgoing, &Evidence::default());
    assert!(at_once.speakers.iter().all(|speaker| speaker.role == Role::Unknown));
}

#[test]
fn the_telephone_is_answered_in_the_first_four_segments_and_twenty_seconds() {
    let outgoing = Facts { direction: Direction::Outgoing, ..facts("Anna", "") };
    for (before, last, is_answered) in [(3, 20.0, true), (4, 20.0, false), (3, 20.5, false)] {
        let mut turns: Vec<_> = (0..before).map(|at| (0, f64::from(at), f64::from(at) + 1.0, "Well.")).collect();
        turns.push((1, last, last + 1.0, "Speaking."));
        let transcript = resolve(timed("en", 2, &turns), &outgoing, &Evidence::default());
        let source = if is_answered { LabelSource::AnsweringPattern } else { LabelSource::Diarization };
        assert_eq!(given(&transcript)[1].2, source, "{before} {last}");
    }
}

#[test]
fn of_three_speakers_those_without_evidence_stay_unknown() {
    let transcript = timed("en", 3, &[(0, 0.0, 1.0, "Hi Maria"), (1, 1.0, 2.0, "Hi"), (2, 2.0, 3.0, "Hi")]);
    let transcript = resolve(transcript, &facts("David", "Maria"), &Evidence::default());
    assert_eq!(transcript.speakers[2].role, Role::Unknown);
    assert_eq!(transcript.speaker_resolution.warnings, ["multi_party_call_not_auto_resolved"]);
}

#[test]
fn names_that_are_withheld_tell_who_speaks_and_are_written_nowhere() {
    let facts = Facts { phone_number: Some("+1 212 555 0199".into()), ..facts("David", "Maria") };
    let evidence = Evidence { withholds_names: true, ..Evidence::default() };
    let found = resolve(call("en", &[(1, "Good day."), (0, "Yes?"), (0, "Hi David.")]), &facts, &evidence);
    assert_eq!([found.speakers[0].role, found.speakers[1].role], [Role::Contact, Role::User]);
    assert_eq!([0, 1].map(|at: usize| found.speakers[at].label.as_str()), ["Contact ending 0199", "Speaker 2"]);
    assert!(!found.speaker_resolution.used_user_display_name && !found.speaker_resolution.used_contact_name);
}

#[test]
fn a_voice_beats_every_rule_for_its_speaker() {
    let said = [(0, "Hi Maria."), (1, "Hi David.")];
    let voice = |score| Some(VoiceMatch::Matched { speaker_id: "spk_2".into(), score });
    let evidence = Evidence { voice: voice(0.9), ..Evidence::default() };
    let once = resolve(call("en", &said), &facts("David", "Maria"), &evidence);
    assert_eq!(given(&once)[1], (Role::User, HIGH, LabelSource::VoiceEmbedding));
    assert_eq!(once.speakers[1].voice_match_score, Some(0.9));
    // Who it leaves is the other party by what was said, or, where that is wrong of the voice, by elimination.
    assert_eq!(given(&once)[0], (Role::Contact, MEDIUM, LabelSource::ByElimination));
    let greeted = [(0, "Hi David."), (1, "Fine.")];
    let greeted = resolve(call("en", &greeted), &facts("David", "Maria"), &evidence);
    assert_eq!(given(&greeted)[0], (Role::Contact, HIGH, LabelSource::GreetingMatch));
    // Nothing is ambiguous of a call whose parties the voice tells.
    let both = [(0, "Hi Maria."), (1, "Hi Maria.")];
    let both = resolve(call("en", &both), &facts("David", "Maria"), &evidence);
    assert_eq!(both.speakers[0].role, Role::Contact);
    assert!(both.speaker_resolution.warnings.is_empty());
    assert_eq!(resolve(once.clone(), &facts("David", "Maria"), &evidence), once);
}

#[test]
fn a_voice_takes_no_evidence_from_the_others_of_three() {
    let turns = [(0, 0.0, 1.0, "Hi David."), (1, 1.0, 2.0, "Hi."), (2, 2.0, 3.0, "Hi.")];
    for (matched, roles) in
        [("spk_3", [Role::Contact, Role::Unknown, Role::User]), ("spk_1", [Role::User, Role::Unknown, Role::Unknown])]
    {
        let voice = Some(VoiceMatch::Matched { speaker_id: matched.into(), score: 0.9 });
        let evidence = Evidence { voice, ..Evidence::default() };
        let found = resolve(timed("en", 3, &turns), &facts("David", "Maria"), &evidence);
        assert_eq!(found.speakers.iter().map(|speaker| speaker.role).collect::<Vec<_>>(), roles);
        assert_eq!(found.speaker_resolution.warnings, ["multi_party_call_not_auto_resolved"]);
    }
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

fn owned(said: Vec<(usize, &str)>) -> Vec<(usize, String)> {
    said.into_iter().map(|(who, text)| (who, text.to_owned())).collect()
}

/// Parties in five scripts, one with an honorific, and what people say with names in it.
fn parties() -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>)> {
    let names = ["David", "Dr. Maria Lind", "राम", "محمد", "Алёна", "田中", "Ravi Sharma", "王伟", "김 민수", "สมชาย"];
    let name = || prop::option::of(prop::sample::select(names.to_vec()));
    (name(), name())
}

fn spoken() -> impl Strategy<Value = Vec<(usize, String)>> {
    let said = prop::sample::select(vec![
        "Hi {}.",
        "नमस्ते {} जी",
        "مرحبا {}",
        "Здравствуйте, {}!",
        "您好{}先生",
        "こんにちは{}さん",
        "안녕하세요 {}님",
        "สวัสดีครับคุณ{}",
        "我是{}",
        "This is {}.",
        "{} said so.",
        "Hello.",
    ]);
    let name = prop::sample::select(vec![
        "David",
        "Dr. Maria Lind",
        "Maria",
        "राम",
        "محمد",
        "Алёна",
        "田中",
        "王伟",
        "王伟明",
        "김민수",
        "สมชาย",
        "Ravi",
        "Bob",
        "Mallory",
    ]);
    prop::collection::vec((0_usize..3, (said, name).prop_map(|(said, name)| said.replace("{}", name))), 0..12)
}

fn heard() -> impl Strategy<Value = Option<VoiceMatch>> {
    let matched = (1_usize..4, prop::sample::select(vec![0.5_f32, 0.8, 0.9]))
        .prop_map(|(at, score)| VoiceMatch::Matched { speaker_id: format!("spk_{at}"), score });
    let other = prop::sample::select(vec![VoiceMatch::Ambiguous, VoiceMatch::NoMatch, VoiceMatch::Failed]);
    prop::option::of(prop_oneof![matched, other])
}

fn directions() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![Direction::Incoming, Direction::Outgoing, Direction::Unknown])
}

/// Every text that the telemetry may hold.
const CODES: [&str; 7] = [
    "MATCHED",
    "NO_MATCH",
    "AMBIGUOUS",
    "FAILED",
    "speaker_identity_ambiguous",
    "multi_party_call_not_auto_resolved",
    "speaker_roles_unresolved",
];

/// Whether it holds nothing but counts, booleans and codes.
fn tells_nothing(telemetry: &Value) -> bool {
    match telemetry {
        Value::Object(fields) => fields.values().all(tells_nothing),
        Value::Array(items) => items.iter().all(tells_nothing),
        Value::String(text) => CODES.contains(&text.as_str()),
        Value::Bool(_) | Value::Number(_) | Value::Null => true,
    }
}

proptest! {
    #[test]
    fn a_name_is_one_that_was_given_in_any_script_wherever_names_are_shown(
        (user, contact) in parties(), said in spoken(), speakers in 2_usize..4, voice in heard(),
        direction in directions(), number: bool, withholds_names: bool,
    ) {
        let turns: Vec<_> = said.iter().enumerate()
            .map(|(index, (who, text))| (who % speakers, index as f64, index as f64 + 1.0, text.as_str())).collect();
        let facts = Facts {
            user_name: user.map(str::to_owned),
            contact_name: contact.map(str::to_owned),
            phone_number: number.then(|| "+1 212 555 0199".to_owned()),
            direction,
            ..Facts::default()
        };
        let found = resolve(timed("en", speakers, &turns), &facts, &Evidence { voice, withholds_names });
        for (index, speaker) in found.speakers.iter().enumerate() {
            let party = match speaker.role {
                Role::User => user,
                Role::Contact => contact,
                Role::Unknown => None,
            };
            let party = party.filter(|_| !withholds_names);
            prop_assert_eq!(speaker.display_name.as_deref(), party);
            let nameless = if number && speaker.role == Role::Contact {
                "Contact ending 0199".to_owned()
            } else {
                format!("Speaker {}", index + 1)
            };
            prop_assert_eq!(&speaker.label, party.unwrap_or(&nameless));
        }
        for role in [Role::User, Role::Contact] {
            prop_assert!(found.speakers.iter().filter(|speaker| speaker.role == role).count() <= 1);
        }
        let mut shown = Vec::new();
        for (segment, (who, _, _, text)) in found.segments.iter().zip(&turns) {
            let speaker = &found.speakers[*who];
            prop_assert_eq!((&segment.speaker, segment.role), (&speaker.label, speaker.role));
            shown.push(format!("{}: {text}", speaker.label));
        }
        prop_assert_eq!(&found.clean_text, &shown.join("\n\n"));
        let telemetry = serde_json::to_value(&found.speaker_resolution).unwrap();
        prop_assert!(tells_nothing(&telemetry), "{telemetry}");
    }

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
    fn segments_in_any_order_say_the_same(
        (said, order) in prop_oneof![spoken(), sayings().prop_map(owned)].prop_flat_map(|said| {
            let order = Just((0..said.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(said), order)
        }),
        (user, contact) in prop_oneof![Just((Some("David"), Some("Maria"))), parties()],
        at_once: bool, speakers in 2_usize..4, voice in heard(), direction in directions(),
    ) {
        // All at once, or one after the other.
        let start = |index: usize| if at_once { 1.0 } else { index as f64 };
        let turns: Vec<_> = said.iter().enumerate()
            .map(|(index, (who, text))| (who % speakers, start(index), start(index) + 1.0, text.as_str())).collect();
        let one = timed("en", speakers, &turns);
        let mut other = one.clone();
        other.segments = order.iter().map(|at| one.segments[*at].clone()).collect();
        let facts = Facts { direction, ..facts(user.unwrap_or(""), contact.unwrap_or("")) };
        let evidence = Evidence { voice, ..Evidence::default() };
        let found = |transcript| {
            let mut found = resolve(transcript, &facts, &evidence);
            found.segments.sort_by(|one, other| one.id.cmp(&other.id));
            (found.speakers, found.segments, found.speaker_resolution)
        };
        prop_assert_eq!(found(one), found(other));
    }
}
