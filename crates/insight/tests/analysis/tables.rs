//! The tables of utterances, with what has to be found in them.

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
