//! What holds for any transcript: made-up talk with numbers put into it.

use insight::redact::{Kind, Policy, redact};
use proptest::prelude::*;
use speech::transcript::Transcript;

use crate::score::everything;
use crate::table::transcript;

/// How a number is said.
#[derive(Clone, Copy, Debug)]
enum Saying {
    Written,
    Dashes,
    Words,
    Spelled,
}

/// Languages, how people begin to say their number, and the digits.
const LANGUAGES: [(&str, &str, [&str; 10]); 5] = [
    ("en", "my number is", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]),
    ("de", "meine Nummer ist", ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]),
    ("fr", "mon numéro est le", ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"]),
    ("es", "mi número es el", ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]),
    ("pt", "o meu número é", ["zero", "um", "dois", "três", "quatro", "cinco", "meia", "sete", "oito", "nove"]),
];

/// What the value of a word is in one of the languages.
fn is_digit(word: &str) -> bool {
    LANGUAGES.iter().any(|(_, _, digits)| digits.contains(&word))
}

/// Words around a number that say nothing of it, and words of which some are numbers.
const TALK: [&str; 16] = [
    "well", "then", "we", "talked", "about", "the", "weather", "two", "times", "and", "okay.", "So", "eleven",
    "people", "came,", "right?",
];

/// `number` as groups of words.
fn said(number: &[u8], saying: Saying, words: &[&str; 10]) -> Vec<String> {
    let group = |digits: &[u8]| digits.iter().map(|digit| (b'0' + digit) as char).collect::<String>();
    let groups = [&number[..3], &number[3..6], &number[6..]];
    match saying {
        Saying::Written => groups.iter().map(|digits| group(digits)).collect(),
        Saying::Dashes => vec![groups.iter().map(|digits| group(digits)).collect::<Vec<_>>().join("-")],
        Saying::Words => number.iter().map(|digit| words[*digit as usize].to_owned()).collect(),
        Saying::Spelled => number.iter().map(ToString::to_string).collect(),
    }
}

/// A number of New York that is kept for fiction.
fn number() -> impl Strategy<Value = Vec<u8>> {
    (100..200_u32).prop_map(|end| format!("2125550{end}").bytes().map(|byte| byte - b'0').collect())
}

fn saying() -> impl Strategy<Value = Saying> {
    prop::sample::select(vec![Saying::Written, Saying::Dashes, Saying::Words, Saying::Spelled])
}

fn talk() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(TALK.to_vec()), 1..12)
}

/// Talk, "my number is", the number cut over segments and speakers with acknowledgements between, and talk.
fn call() -> impl Strategy<Value = Transcript> {
    let language = prop::sample::select(LANGUAGES.to_vec());
    (language, talk(), number(), saying(), prop::collection::vec(prop::bool::weighted(0.3), 12), talk()).prop_map(
        |((language, lead, words), before, number, saying, cuts, behind)| {
            let mut segments = vec![(0, format!("{} {lead}", before.join(" ")))];
            for (word, cut) in said(&number, saying, &words).into_iter().zip(cuts) {
                if cut {
                    segments.push((1, "okay".to_owned()));
                    segments.push((0, word));
                } else if let Some((_, text)) = segments.last_mut() {
                    *text = format!("{text} {word}");
                }
            }
            segments.push((1, format!("thanks, {}", behind.join(" "))));
            transcript(language, &segments)
        },
    )
}

/// Two numbers that nothing but a pause sets apart, and no word that says what they are.
fn pair() -> impl Strategy<Value = Transcript> {
    let pause = prop::sample::select(vec![" ", ". ", ", ", "; ", "? ", " and ", " or "]);
    (number(), saying(), pause, number(), saying()).prop_map(|(one, first, pause, other, second)| {
        let [one, other] =
            [(one, first), (other, second)].map(|(number, saying)| said(&number, saying, &LANGUAGES[0].2).join(" "));
        transcript("en", &[(0, format!("It's {one}{pause}{other} then."))])
    })
}

/// Every character that is not outside of digits and number words, as digits.
fn longest_run_of_digits(transcript: &Transcript) -> usize {
    let fields = transcript.segments.iter().flat_map(|segment| {
        let words: Vec<&str> = segment.words.iter().map(|word| word.text.as_str()).collect();
        [segment.text.clone(), words.join(" ")]
    });
    let fields: Vec<String> = fields.chain([transcript.clean_text.clone()]).collect();
    let mut longest = 0;
    for field in fields {
        let mut run = 0;
        for word in field.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let digits = if is_digit(word) { 1 } else { word.bytes().filter(u8::is_ascii_digit).count() };
            run = if digits > 0 || word == "okay" || word == "speaker" { run + digits } else { 0 };
            longest = longest.max(run);
        }
    }
    longest
}

/// Anything, digits and marks more than people say.
fn anything() -> impl Strategy<Value = Transcript> {
    let word = prop_oneof![
        prop::sample::select(TALK.to_vec()).prop_map(str::to_owned),
        prop::sample::select(LANGUAGES[0].2.to_vec()).prop_map(str::to_owned),
        prop::sample::select(vec![
            "double",
            "hundred",
            "phone",
            "order",
            "at",
            "dot",
            "com",
            "[phone",
            "number]",
            "[phone number]",
            "thousand",
            "IBAN",
            "D",
            "E",
            "born",
            "March",
            "street",
            "rue",
            "und",
            "vier",
            "vingt",
            "plus",
            "+49",
            "@",
            "my",
            "name",
            "is",
            "Ann",
            "١٢٣",
            "é",
            "\u{200b}",
            "card",
            "4111",
            "(",
        ])
        .prop_map(str::to_owned),
        "[0-9]{1,7}",
        "[0-9+().,/-]{1,14}",
        "\\PC{1,4}".prop_map(|text| text.replace(char::is_whitespace, "-")),
    ];
    let segment = (0..2_usize, prop::collection::vec(word, 1..14).prop_map(|words| words.join(" ")));
    let language = prop::sample::select(vec!["en", "de", "fr", "es", "pt", "hi"]);
    (language, prop::collection::vec(segment, 1..8)).prop_map(|(language, said)| transcript(language, &said))
}

/// Segments without what redaction may change.
fn frame(transcript: &Transcript) -> Vec<(String, String, f64, f64)> {
    let frame = |one: &speech::transcript::Segment| {
        (one.id.clone(), one.speaker_id.clone(), one.start_seconds, one.end_seconds)
    };
    transcript.segments.iter().map(frame).collect()
}

/// Whether `after` is `before` with pieces replaced by placeholders.
fn differs_in_placeholders_only(before: &str, after: &str) -> bool {
    let mut pieces = vec![after.to_owned()];
    for kind in Kind::ALL {
        pieces = pieces.iter().flat_map(|piece| piece.split(kind.placeholder())).map(str::to_owned).collect();
    }
    let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
    if pieces.len() == 1 {
        return before == after;
    }
    let mut rest = match before.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) {
        Some(rest) => rest,
        None => return false,
    };
    pieces[1..pieces.len() - 1].iter().all(|piece| match rest.split_once(piece.as_str()) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

proptest! {
    #[test]
    fn no_number_that_was_said_remains_in_any_field(call in call()) {
        let redacted = redact(call.clone(), &Policy::default()).unwrap().transcript;
        prop_assert!(longest_run_of_digits(&redacted) < 7, "{:?}\n{:?}", call.clean_text, redacted.clean_text);
    }

    #[test]
    fn two_numbers_in_a_row_both_go(call in pair()) {
        let redacted = redact(call.clone(), &Policy::default()).unwrap().transcript;
        prop_assert!(longest_run_of_digits(&redacted) < 3, "{:?}\n{:?}", call.clean_text, redacted.clean_text);
    }

    #[test]
    fn what_was_redacted_stays_as_it_is(call in anything()) {
        let once = redact(call, &everything()).unwrap();
        let twice = redact(once.transcript.clone(), &everything()).unwrap();
        prop_assert_eq!(&once.transcript, &twice.transcript);
        prop_assert_eq!(once.findings, twice.findings);
    }

    #[test]
    fn segments_keep_their_times_and_speakers_and_their_text_but_for_placeholders(call in anything()) {
        let redacted = redact(call.clone(), &everything()).unwrap().transcript;
        prop_assert_eq!(frame(&call), frame(&redacted));
        prop_assert_eq!(&call.speakers, &redacted.speakers);
        for (before, after) in call.segments.iter().zip(&redacted.segments) {
            prop_assert!(differs_in_placeholders_only(&before.text, &after.text), "{:?}\n{:?}", before.text, after.text);
        }
    }

    #[test]
    fn words_spell_the_text_of_their_segment_and_their_times_run_on(call in anything()) {
        let redacted = redact(call, &everything()).unwrap();
        for segment in &redacted.transcript.segments {
            let spelled: String = segment.words.iter().flat_map(|word| word.text.chars()).filter(|c| !c.is_whitespace()).collect();
            let text: String = segment.text.chars().filter(|c| !c.is_whitespace()).collect();
            prop_assert_eq!(spelled, text);
            prop_assert!(segment.words.windows(2).all(|pair| pair[0].end_seconds <= pair[1].start_seconds));
        }
        for finding in &redacted.findings {
            let segment = &redacted.transcript.segments[finding.segment];
            prop_assert!(segment.words[finding.word.unwrap()].text.contains(finding.kind.placeholder()));
            prop_assert!(segment.start_seconds <= finding.start_seconds && finding.end_seconds <= segment.end_seconds);
        }
    }
}
