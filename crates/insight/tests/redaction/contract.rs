//! What callers rely on: words and times, labels, exports, what debugging shows.

use std::io::{Cursor, Read as _};

use insight::export::{Format, Style, write};
use insight::redact::{Kind, Policy, redact};

use crate::table::transcript;

fn say(text: &str) -> speech::transcript::Transcript {
    transcript("en", &[(0, text.to_owned())])
}

#[test]
fn words_that_made_a_number_become_one_from_its_first_to_its_last() {
    let redacted = redact(say("Call 212 555 0199, please."), &Policy::default()).unwrap();
    let words = &redacted.transcript.segments[0].words;
    assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["Call", "[phone number],", "please."]);
    assert_eq!((words[1].start_seconds, words[1].end_seconds), (0.5, 2.0));
    let finding = redacted.findings[0];
    assert_eq!((finding.kind, finding.segment, finding.word), (Kind::PhoneNumber, 0, Some(1)));
    assert_eq!((finding.start_seconds, finding.end_seconds), (0.5, 2.0));
}

/// All parts of an archive.
fn unzipped(bytes: Vec<u8>) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    for index in 0..archive.len() {
        archive.by_index(index).unwrap().read_to_string(&mut text).unwrap();
    }
    text
}

#[test]
fn every_export_of_a_redacted_transcript_is_without_the_number() {
    let redacted =
        redact(say("Call me at 212-555-0199 or two one two five five five oh one nine eight."), &Policy::default())
            .unwrap();
    for format in Format::ALL {
        let mut out = Vec::new();
        write(&redacted.transcript, format, Style { words: true, ..Style::default() }, &mut out).unwrap();
        let out = if format == Format::Docx { unzipped(out) } else { String::from_utf8(out).unwrap() };
        assert!(!out.contains("0199") && !out.contains("nine"), "{format}");
        assert!(format == Format::Rttm || out.contains("phone number"), "{format}: {out}");
    }
}

#[test]
fn a_segment_without_words_is_redacted_and_its_finding_has_the_times_of_the_segment() {
    let mut call = say("My number is 212 555 0199.");
    call.segments[0].words.clear();
    let redacted = redact(call, &Policy::default()).unwrap();
    assert_eq!(redacted.transcript.segments[0].text, "My number is [phone number].");
    assert_eq!((redacted.findings[0].word, redacted.findings[0].end_seconds), (None, 3.0));
}

#[test]
fn words_that_do_not_spell_the_text_are_dropped() {
    let mut call = say("Hello there.");
    call.segments[0].words[1].text = "2125550199".to_owned();
    assert!(redact(call, &Policy::default()).unwrap().transcript.segments[0].words.is_empty());
}

#[test]
fn words_without_the_punctuation_of_the_text_are_redacted_too() {
    let mut call = say("Well, call (212) 555-0199, please.");
    call.segments[0].words.iter_mut().for_each(|word| word.text.retain(char::is_alphanumeric));
    let words = redact(call, &Policy::default()).unwrap().transcript.segments.remove(0).words;
    assert_eq!(
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(),
        ["Well", "call", "[phone number],", "please"]
    );
}

#[test]
fn a_sign_that_is_a_word_of_its_own_goes_with_its_number() {
    let words = redact(say("Call + 1 212 555 0199 ."), &Policy::default()).unwrap().transcript.segments.remove(0).words;
    assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["Call", "[phone number]", "."]);
}

#[test]
fn a_label_that_is_a_number_keeps_its_last_four_digits() {
    let mut call = say("Hello.");
    call.speakers[0].display_name = Some("+1 212 555 0199".to_owned());
    call.segments[0].speaker = "+1 212 555 0199".to_owned();
    let redacted = redact(call, &Policy::default()).unwrap().transcript;
    assert_eq!(redacted.speakers[0].display_name.as_deref(), Some("Contact ending 0199"));
    assert_eq!(redacted.clean_text, "Contact ending 0199: Hello.");
}

#[test]
fn a_correction_is_redacted_in_a_transcript_that_was_before() {
    let mut call = redact(say("My number is 212 555 0199."), &Policy::default()).unwrap().transcript;
    call.segments[0].text = "My number is 212 555 0188.".to_owned();
    call.segments[0].words.clear();
    assert_eq!(redact(call, &Policy::default()).unwrap().transcript.segments[0].text, "My number is [phone number].");
}

#[test]
fn a_number_word_does_not_reach_into_the_next_segment() {
    let said = [(0, "Ça c'était ça, phone 212 555 0199 two hundred".to_owned()), (1, "and five".to_owned())];
    let redacted = redact(transcript("en", &said), &Policy::default()).unwrap().transcript;
    assert_eq!(redacted.clean_text, "Speaker 1: Ça c'était ça, phone [phone number]\n\nSpeaker 2: and [phone number]");
}

/// Dates, cards and ids are looked for before numbers; one that is not to be taken out must not hide a number.
#[test]
fn what_a_policy_leaves_in_hides_no_telephone_number() {
    for (language, text) in [
        ("fr", "Date de naissance ou numéro, zéro six, douze, trente-quatre, cinquante-six, soixante-dix-huit."),
        ("es", "Nací allí, seis uno dos, tres cuatro cinco, seis siete ocho."),
        ("en", "Mail me at 212 555 0199 at example dot com."),
        ("en", "I live at 212 555 0199 Maple Street."),
    ] {
        let redacted = redact(transcript(language, &[(0, text.to_owned())]), &Policy::default()).unwrap();
        assert_eq!(redacted.findings.len(), 1, "{}", redacted.transcript.clean_text);
        assert!(
            !redacted.transcript.clean_text.chars().any(|c| c.is_ascii_digit() && c != '1'),
            "{}",
            redacted.transcript.clean_text
        );
    }
}

#[test]
fn the_area_code_of_a_brazilian_number_goes_with_it() {
    let call = transcript("pt", &[(0, "Fala com ele no (21) 99812-0034, de tarde.".to_owned())]);
    assert_eq!(
        redact(call, &Policy::default()).unwrap().transcript.segments[0].text,
        "Fala com ele no [phone number], de tarde."
    );
}

#[test]
fn what_debugging_shows_of_a_policy_has_no_name_in_it() {
    let policy = Policy::new([Kind::PersonName]).with_names(["Maria Lopez".to_owned()]);
    assert_eq!(format!("{policy:?}"), "Policy { kinds: [PersonName], names: 1 }");
}

#[test]
fn five_hours_of_nothing_but_digits_are_one_pass_of_bounded_steps() {
    let said: Vec<(usize, String)> =
        (0..4_000).map(|index| (index % 2, "two one 5 5 five 0199 six six six".to_owned())).collect();
    let redacted = redact(transcript("en", &said), &Policy::default()).unwrap();
    assert!(redacted.transcript.segments.iter().all(|segment| segment.text == "[phone number]"));
}

#[test]
fn no_number_stays_because_it_looks_like_something_that_the_policy_leaves() {
    for said in [
        "Can I have the IBAN? No, 212-555-0199 is all I have.",
        "It is 212-555-0199 ext 4458.",
        "Write +12125550199x23 down.",
        "Tel2125550199 it says.",
        "2125550199ext5 it says.",
        "My number is 212-555-0199x23.",
    ] {
        let redacted = redact(say(said), &Policy::default()).unwrap().transcript;
        let left = redacted.segments[0].text.chars().filter(char::is_ascii_digit).count();
        assert!(left < 7 && redacted.clean_text.contains("[phone number]"), "{said}: {}", redacted.clean_text);
    }
}

/// What a text is without its numbers.
fn without(language: &str, text: &str) -> String {
    let call = transcript(language, &[(0, text.to_owned())]);
    redact(call, &Policy::default()).unwrap().transcript.segments.remove(0).text
}

#[test]
fn what_a_call_is_about_names_no_number_to_call() {
    assert_eq!(without("en", "In that case call me at 212-555-0199."), "In that case call me at [phone number].");
    assert_eq!(without("en", "About your order, call 212-555-0199."), "About your order, call [phone number].");
    assert_eq!(without("en", "For my part, text 415-555-0132."), "For my part, text [phone number].");
    assert_eq!(
        without("en", "About your order, the number is 212 555 0199."),
        "About your order, the number is [phone number]."
    );
    assert_eq!(
        without("en", "Thanks for your order. 212 555 0199 is where I am."),
        "Thanks for your order. [phone number] is where I am."
    );
    assert_eq!(
        without("en", "What's the area code and number? 212 555 0199"),
        "What's the area code and number? [phone number]"
    );
    let order = "Your order number is 212 555 0199.";
    assert_eq!(without("en", order), order);
}

#[test]
fn a_number_sign_before_a_telephone_number_hides_none_of_it() {
    assert_eq!(without("en", "phone # 2125550199"), "phone # [phone number]");
    assert_eq!(without("en", "Cell #2125550199."), "Cell #[phone number].");
    assert_eq!(without("en", "#212-555-0199"), "#[phone number]");
    assert_eq!(without("en", "№ 212 555 0199"), "№ [phone number]");
    let price = "It is $ 2125550199.";
    assert_eq!(without("en", price), price);
}

#[test]
fn a_word_for_a_telephone_counts_for_more_than_the_shape_of_its_number() {
    assert_eq!(without("es", "Mi teléfono es 91.123.45.67."), "Mi teléfono es [phone number].");
    assert_eq!(without("en", "My phone is 1955 2012."), "My phone is [phone number].");
    for stays in
        ["My phone broke on 12/05/2024.", "The phone has 192.168.178.20.", "A new phone in 2019, 2021, and 2023."]
    {
        assert_eq!(without("en", stays), stays);
    }
}

#[test]
fn two_numbers_that_follow_each_other_are_both_found() {
    assert_eq!(
        without("en", "It's 212 555 0199. 415 555 0132 is the other."),
        "It's [phone number]. [phone number] is the other."
    );
    assert_eq!(without("en", "It's 212 555 0199. 10 is fine."), "It's [phone number]. 10 is fine.");
    for (language, text) in [
        ("en", "It's 212 555 0199 415 555 0132 either one."),
        ("de", "Das sind 030 23125 44 030 23125 45 beide."),
        ("fr", "Ce sont 06 39 98 11 22 06 39 98 11 23 voilà."),
        ("es", "Son 612 34 56 78 612 34 56 79 los dos."),
        ("pt", "São 912 345 678 912 345 679 os dois."),
    ] {
        let left = without(language, text);
        assert!(!left.contains(|c: char| c.is_ascii_digit()), "{left}");
    }
}

#[test]
fn quantities_near_a_word_for_a_telephone_stay() {
    for stays in [
        "The number of seats went from 120 to 450 to 1,100.",
        "On the phone he said 1200, then 1350, then 1500.",
        "The phone bill was 45.99 in March, 52.30 in April, 61.10 in May.",
        "I made the call at 10:15, 11:30 and 12:45.",
    ] {
        assert_eq!(without("en", stays), stays);
    }
}

/// As Whisper writes what it hears.
#[test]
fn a_space_before_a_mark_inside_of_a_number_says_nothing() {
    assert_eq!(without("en", "My direct numbers 555 -0142 and so on."), "My direct numbers [phone number] and so on.");
    let price = "It was 4 ,417, then 2 ,298.";
    assert_eq!(without("en", price), price);
}
