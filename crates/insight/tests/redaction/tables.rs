//! Recall and precision on the labelled table.

use insight::redact::{Kind, Policy};

use crate::score::{Score, everything};
use crate::table::{HELD_OUT, RECOGNISED, TUNED, utterances};

#[test]
fn the_table_is_large_and_nearly_half_of_it_has_nothing_to_take_out() {
    let utterances = utterances(&TUNED);
    let without = utterances.iter().filter(|utterance| utterance.expected.is_empty()).count();
    assert!(utterances.len() >= 300 && without * 100 >= utterances.len() * 45, "{} {without}", utterances.len());
}

#[test]
fn telephone_numbers_are_found_in_every_language_and_ordinary_numbers_stay() {
    let score = Score::of(&utterances(&TUNED), &everything());
    println!("{score}\n{}", score.wrong.join("\n"));
    for ((kind, language), tally) in score.tallies.iter().filter(|((kind, _), _)| *kind == Kind::PhoneNumber) {
        assert!(tally.recall() >= 0.98 && tally.precision() >= 0.95, "{kind:?} {language}");
    }
}

#[test]
fn what_a_policy_adds_is_found_and_ordinary_talk_stays() {
    let score = Score::of(&utterances(&TUNED), &everything());
    for kind in Kind::ALL {
        let total = score.total(kind);
        assert!(total.recall() >= 0.9 && total.precision() >= 0.9, "{kind:?}\n{score}");
    }
}

#[test]
fn telephone_numbers_are_found_by_the_strictest_policy_too() {
    let score = Score::of(&utterances(&TUNED), &Policy::default());
    let total = score.total(Kind::PhoneNumber);
    assert!(total.recall() >= 0.98 && total.precision() >= 0.95, "{score}");
}

/// What was changed for these utterances is in docs/benchmarks.md. Each table counts alone: a good one hides no bad one.
#[test]
fn telephone_numbers_are_found_in_utterances_that_nothing_was_tuned_on() {
    for (place, table) in HELD_OUT.into_iter().enumerate() {
        let score = Score::of(&utterances(&[table]), &everything());
        println!("{place}: {score}\n{}", score.wrong.join("\n"));
        let total = score.total(Kind::PhoneNumber);
        assert!(total.recall() >= 0.98 && total.precision() >= 0.95, "{place}: {score}");
    }
}

#[test]
fn telephone_numbers_are_found_in_what_a_recogniser_wrote() {
    let score = Score::of(&utterances(&RECOGNISED), &everything());
    println!("{score}\n{}", score.wrong.join("\n"));
    let total = score.total(Kind::PhoneNumber);
    assert!(total.recall() >= 0.98 && total.precision() >= 0.95, "{score}");
}
