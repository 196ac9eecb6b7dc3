//! How a call felt and sounded, of whom, and when.

use insight::analysis::{
    analyze,
    document::{Analysis, Phase},
    mood::document::{Energy, Feeling, Pace, Sentiment, Tone},
};
use speech::transcript::Role;

use crate::kit::{call, timed, tuesday};

const GOOD: &str = "The new kitchen is wonderful, and I love the beautiful lamps.";
const BAD: &str = "The heating is terrible, and the awful noise is a horrible problem.";
const PLAIN: &str = "The kitchen has two windows to the street.";

/// What the user (0) and the contact (1) make of a call.
fn analysed(said: &[(usize, &str)]) -> Analysis {
    let mut transcript = call("en", said);
    for (speaker, role) in transcript.speakers.iter_mut().zip([Role::User, Role::Contact]) {
        speaker.role = role;
    }
    analyze(&transcript, &tuesday())
}

fn felt(said: &[(usize, &str)]) -> Sentiment {
    analysed(said).sentiment.unwrap()
}

#[test]
fn a_call_feels_as_what_is_said_in_it_does() {
    let calls: [(&[(usize, &str)], Feeling); 4] = [
        (&[(0, GOOD), (1, GOOD)], Feeling::Positive),
        (&[(0, BAD), (1, BAD)], Feeling::Negative),
        (&[(0, GOOD), (1, BAD)], Feeling::Mixed),
        (&[(0, PLAIN), (1, PLAIN)], Feeling::Neutral),
    ];
    for (said, feeling) in calls {
        let sentiment = felt(said);
        assert_eq!(sentiment.overall, feeling);
        match feeling {
            Feeling::Positive => assert!(sentiment.score > 0.5 && sentiment.score <= 1.0),
            Feeling::Negative => assert!(sentiment.score < -0.5 && sentiment.score >= -1.0),
            Feeling::Neutral => assert_eq!((sentiment.score, sentiment.reason), (0.0, None)),
            _ => assert!(sentiment.score.abs() < 0.5),
        }
    }
    assert!(analyze(&call("de", &[(0, "Das ist wunderbar.")]), &tuesday()).sentiment.is_none());
}

#[test]
fn each_party_feels_as_it_speaks() {
    for (first, second, [user, contact]) in
        [(GOOD, BAD, [Feeling::Positive, Feeling::Negative]), (BAD, GOOD, [Feeling::Negative, Feeling::Positive])]
    {
        let said = [(0, first), (1, second)];
        let sentiment = felt(&said);
        let (mine, theirs) = (sentiment.user_sentiment.unwrap(), sentiment.contact_sentiment.unwrap());
        assert_eq!([mine.overall, theirs.overall], [user, contact]);
        assert_eq!([mine.score > 0.0, theirs.score > 0.0], [first == GOOD, second == GOOD]);
        assert_eq!([mine.notes.as_deref(), theirs.notes.as_deref()], [Some(first), Some(second)]);
        let word = |feeling| if feeling == Feeling::Positive { "positive" } else { "negative" };
        let tones = analysed(&said).tone.unwrap().by_party;
        assert_eq!(
            [tones.user_tone.as_deref(), tones.contact_tone.as_deref()],
            [Some(word(user)), Some(word(contact))]
        );
    }
    let alone = felt(&[(0, GOOD)]);
    assert!(alone.user_sentiment.is_some() && alone.contact_sentiment.is_none());
}

#[test]
fn a_call_that_turns_is_told_from_its_opening_to_its_closing() {
    let middle = (0..6).map(|turn| (turn % 2, PLAIN));
    let said: Vec<_> = [(0, BAD), (1, BAD)].into_iter().chain(middle).chain([(0, GOOD)]).collect();
    let told: Vec<_> = felt(&said).progression.into_iter().map(|part| (part.phase, part.overall, part.note)).collect();
    let expected = [
        (Phase::Opening, Feeling::Negative, Some(BAD.to_owned())),
        (Phase::Middle, Feeling::Neutral, None),
        (Phase::Closing, Feeling::Positive, Some(GOOD.to_owned())),
    ];
    assert!(told == expected, "{:?}", told.iter().map(|part| &part.1).collect::<Vec<_>>());
}

#[test]
fn pace_and_energy_follow_words_a_minute_and_exclamations() {
    let tone = |text: &str, seconds: f64| -> Tone {
        analyze(&timed("en", 2, &[(0, 0.0, seconds, text), (1, seconds, 2.0 * seconds, text)]), &tuesday())
            .tone
            .unwrap()
    };
    let sounds = |tone: Tone| (tone.pace, tone.energy);
    // Eight words in two, three and six seconds.
    assert_eq!(sounds(tone(PLAIN, 2.0)), (Pace::Fast, Energy::High));
    assert_eq!(sounds(tone(PLAIN, 3.0)), (Pace::Normal, Energy::Medium));
    assert_eq!(sounds(tone(PLAIN, 6.0)), (Pace::Slow, Energy::Low));
    assert_eq!(sounds(tone("The kitchen has two windows to the street!", 3.0)), (Pace::Normal, Energy::High));
}
