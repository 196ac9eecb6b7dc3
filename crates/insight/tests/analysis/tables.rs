//! The tables of utterances, with what has to be found in them.

use insight::analysis::analyze;

use crate::kit::{call, tuesday};
use crate::score::{HELD_OUT, HELD_OUT_LAST, HELD_OUT_SECOND, Score, TUNED};

#[test]
fn every_task_and_day_of_the_tuned_tables_is_found_and_none_invented() {
    for table in TUNED {
        let score = Score::of(table);
        assert!(score.wrong.is_empty(), "{}", score.wrong.join("\n"));
    }
}

#[test]
fn of_what_was_held_out_nearly_everything_is_found_and_nearly_nothing_invented() {
    for (table, lines) in [(HELD_OUT, 163), (HELD_OUT_SECOND, 119), (HELD_OUT_LAST, 88)] {
        let score = Score::of(table);
        assert_eq!(score.lines, lines);
        for counts in [&score.tasks, &score.days] {
            let all = counts.found + counts.missed;
            // An eighth missed and a thirtieth invented at most.
            assert!(counts.missed * 8 <= all && counts.invented * 30 <= all, "{counts}\n{}", score.wrong.join("\n"));
        }
    }
}

#[test]
fn the_words_that_say_when_are_none_of_the_title() {
    let when = [
        "in two or three days",
        "in 2-3 days",
        "in a couple of days",
        "within forty eight hours",
        "in half an hour",
        "in an hour",
        "in ten minutes",
        "by month end",
        "by the end of Q2",
        "by the end of the quarter",
        "over the weekend",
        "the week after next",
        "early next week",
        "on Wednesday of next week",
        "next week on Thursday",
        "two weeks from today",
        "a week from Friday",
        "the day before Friday",
        "on the Friday after next",
        "on the Monday after Easter",
        "on the first Monday in May",
        "by end of day Friday",
        "by close of business on Friday",
        "from the tenth to the twentieth of April",
    ];
    for when in when {
        let analysis = analyze(&call("en", &[(0, &format!("I'll send the form {when}."))]), &tuesday());
        let titles: Vec<&str> = analysis.action_items.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(titles, ["Send the form"], "{when}");
    }
}
