//! Talk analytics of calls whose figures can be counted by hand.

use insight::talk::measure;
use proptest::prelude::*;

use crate::kit::timed;

#[test]
fn talk_is_measured_in_seconds_shares_words_and_turns() {
    let talk = measure(&timed(
        "en",
        2,
        &[
            (0, 0.0, 4.0, "one two three four five six"),
            (0, 5.0, 8.0, "and so on? Really?!"),
            (1, 9.5, 11.5, "no"),
            (0, 11.0, 13.0, "but I"),
            (1, 15.0, 15.5, "?"),
        ],
    ));
    let [user, contact] = &talk.speakers[..] else { panic!("two speakers") };
    assert_eq!((user.talk_seconds, contact.talk_seconds), (9.0, 2.5));
    assert!((user.talk_share - 9.0 / 11.5).abs() < 1e-9);
    assert_eq!((user.words, user.words_per_minute), (Some(12), Some(80.0)));
    assert_eq!(user.longest_monologue_seconds, 8.0);
    assert_eq!((user.interruptions, contact.interrupted), (1, 1));
    assert_eq!((user.questions, contact.questions), (2, 1));
    assert_eq!((user.turns, contact.turns), (2, 2));
    assert_eq!(user.response_latency_seconds, Some(0.0));
    assert_eq!(contact.response_latency_seconds, Some(2.0));
    assert_eq!((talk.overlaps, talk.overlap_seconds), (1, 0.5));
    assert_eq!([user, contact].map(|one| (one.overlaps, one.overlap_seconds)), [(1, 0.5), (1, 0.5)]);
    assert_eq!((talk.words, talk.longest_monologue_seconds), (Some(13), 8.0));
    // 1.5 seconds, none, and 2.
    assert_eq!(talk.response_latency_seconds, Some(1.5));
    assert_eq!(talk.silence_seconds, 1.0 + 1.5 + 2.0);
    assert_eq!(talk.longest_silence_seconds, 2.0);
    // The user goes on behind a second; the contact begins behind 1.5 and 2.
    let silences = [user, contact].map(|one| (one.silence_seconds, one.longest_silence_seconds));
    assert_eq!(silences, [(1.0, 1.0), (3.5, 2.0)]);
}

#[test]
fn a_silence_is_that_of_who_ends_it_and_of_nobody_at_the_end_of_the_recording() {
    let mut call = timed(
        "en",
        3,
        // Two begin at once behind six seconds, and one who says nothing ends nothing.
        &[(0, 3.0, 4.0, "a"), (2, 8.0, 8.0, ""), (1, 10.0, 12.0, "b"), (0, 10.0, 13.0, "c"), (1, 13.4, 14.0, "d")],
    );
    call.duration_seconds = 20.0;
    let talk = measure(&call);
    let silences: Vec<_> = talk.speakers.iter().map(|one| (one.silence_seconds, one.longest_silence_seconds)).collect();
    assert_eq!(silences, [(3.0, 3.0), (6.0, 6.0), (0.0, 0.0)]);
    assert_eq!((talk.silence_seconds, talk.longest_silence_seconds), (15.0, 6.0));
}

#[test]
fn words_are_not_counted_where_no_space_is_between_them() {
    let unspaced = [
        ("ja", "はい、来週の月曜日に送ります。 お願いします。"),
        ("zh", "好的，我 明天给你打电话。"),
        ("yue", "我聽日打畀你。"),
        ("th", "สวัสดีครับ ผมจะส่งพรุ่งนี้"),
        ("lo", "ສະບາຍດີ ຂ້ອຍຈະສົ່ງມື້ອື່ນ"),
        ("my", "မင်္ဂလာပါ မနက်ဖြန် ပို့ပေးမယ်"),
        ("km", "សួស្តី ខ្ញុំនឹងផ្ញើថ្ងៃស្អែក"),
        ("bo", "བཀྲ་ཤིས་བདེ་ལེགས། སང་ཉིན་གཏོང་གི་ཡིན།"),
        // Recognised as another language than it is.
        ("en", "来週の月曜日"),
    ];
    for (language, text) in unspaced {
        let talk =
            measure(&timed(language, 2, &[(0, 0.0, 4.0, text), (1, 4.0, 8.0, "OK, see you"), (0, 8.0, 9.0, "OK")]));
        let told: Vec<_> = talk.speakers.iter().map(|one| (one.words, one.words_per_minute)).collect();
        assert_eq!(told, [(None, None), (Some(3), Some(45.0))], "{language}");
        assert_eq!((talk.words, talk.words_per_minute), (None, None), "{language}");
        let document = serde_json::to_value(&talk).unwrap();
        for part in [&document, &document["speakers"][0]] {
            assert!(part.get("words").is_none() && part.get("wordsPerMinute").is_none(), "{part}");
        }
    }
    for (language, text) in
        [("ko", "네, 내일 보내겠습니다."), ("vi", "Vâng, mai tôi gửi"), ("ar", "نعم سأرسل غدا"), ("hi", "हाँ, कल भेजूँगा।")]
    {
        let talk = measure(&timed(language, 1, &[(0, 0.0, 3.0, text)]));
        assert_eq!(talk.words, Some(text.split(' ').count()), "{language}");
    }
}

#[test]
fn an_overlap_is_that_of_those_who_speak_in_it() {
    let talk =
        measure(&timed("en", 3, &[(0, 0.0, 10.0, "a"), (1, 2.0, 4.0, "b"), (2, 3.0, 6.0, "c"), (1, 8.0, 9.0, "d")]));
    let shared: Vec<_> = talk.speakers.iter().map(|one| (one.overlaps, one.overlap_seconds)).collect();
    assert_eq!(shared, [(2, 5.0), (2, 3.0), (1, 3.0)]);
    assert_eq!((talk.overlaps, talk.overlap_seconds), (2, 5.0));
}

#[test]
fn a_call_in_which_nobody_speaks_has_figures_too() {
    let talk = measure(&timed("en", 2, &[]));
    assert_eq!((talk.talk_seconds, talk.words_per_minute, talk.turns), (0.0, Some(0.0), 0));
    assert_eq!(talk.speakers[0].response_latency_seconds, None);
}

proptest! {
    #[test]
    fn shares_add_up_and_no_time_is_counted_twice(
        mut turns in prop::collection::vec((0_usize..3, 0.0_f64..600.0, 0.1_f64..30.0), 1..60),
    ) {
        turns.sort_by(|a, b| a.1.total_cmp(&b.1));
        let turns: Vec<_> = turns.iter().map(|(who, start, length)| (*who, *start, start + length, "so it is")).collect();
        let talk = measure(&timed("en", 3, &turns));
        let shares: f64 = talk.speakers.iter().map(|speaker| speaker.talk_share).sum();
        prop_assert!((shares - 1.0).abs() < 1e-6);
        prop_assert!(talk.talk_seconds <= talk.duration_seconds + 1e-6);
        prop_assert!(talk.talk_seconds + talk.silence_seconds <= talk.duration_seconds + 1e-6);
        let silences: f64 = talk.speakers.iter().map(|speaker| speaker.silence_seconds).sum();
        // The recording ends with its last word.
        prop_assert!((silences - talk.silence_seconds).abs() < 1e-6);
        for speaker in &talk.speakers {
            prop_assert!(speaker.longest_monologue_seconds <= talk.duration_seconds + 1e-6);
            prop_assert!(speaker.talk_seconds <= talk.talk_seconds + 1e-6);
            prop_assert!(speaker.overlap_seconds <= talk.overlap_seconds.min(speaker.talk_seconds) + 1e-6);
        }
    }
}
