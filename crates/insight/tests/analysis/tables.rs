//! The tables of utterances, with what has to be found in them.

use crate::score::{HELD_OUT, HELD_OUT_LAST, HELD_OUT_SECOND, Score, TUNED};

#[test]
fn every_task_and_day_of_the_tuned_table_is_found_and_none_invented() {
    for table in TUNED {
        let score = Score::of(table);
        assert!(score.wrong.is_empty(), "{}", score.wrong.join("\n"));
    }
}

#[test]
fn of_what_was_held_out_nearly_everything_is_found_and_nearly_nothing_invented() {
    for table in [HELD_OUT, HELD_OUT_SECOND, HELD_OUT_LAST] {
        let score = Score::of(table);
        println!("{} lines\ntasks: {}\ndays: {}\n{}", score.lines, score.tasks, score.days, score.wrong.join("\n"));
    }
}
