//! How many of the tasks and days of a table are found, and how many are invented.

use std::fmt;

use insight::analysis::{analyze, document::Analysis};

use crate::kit::{call, tuesday};

/// What the rules were made on.
pub(crate) const TUNED: [&str; 2] = [include_str!("tuned.tsv"), include_str!("languages.tsv")];

/// What was written before they ran; its first run found 53 of 57 tasks and invented 2.
pub(crate) const HELD_OUT: &str = include_str!("held-out.tsv");

/// What was written when a first version was done, in other words; its first run found 16 of 41 tasks and invented 5.
pub(crate) const HELD_OUT_SECOND: &str = include_str!("held-out-second.tsv");

/// What was written when they were done; its first run found 27 of 30 tasks and invented 5, and found all 41 days and invented 1.
pub(crate) const HELD_OUT_LAST: &str = include_str!("held-out-last.tsv");

/// What was found, what was missed, what was invented.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) found: usize,
    pub(crate) missed: usize,
    pub(crate) invented: usize,
}

impl Counts {
    fn add(&mut self, expected: &mut Vec<String>, got: Vec<String>) -> bool {
        let before = (self.missed, self.invented);
        for one in got {
            match expected.iter().position(|other| fits(other, &one)) {
                Some(at) => {
                    expected.remove(at);
                    self.found += 1;
                }
                None => self.invented += 1,
            }
        }
        self.missed += expected.len();
        before == (self.missed, self.invented)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |of: usize| 100.0 * self.found as f64 / (self.found + of).max(1) as f64;
        let (recall, precision) = (percent(self.missed), percent(self.invented));
        write!(
            f,
            "{} found, {} missed, {} invented (recall {recall:.1} %, precision {precision:.1} %)",
            self.found, self.missed, self.invented
        )
    }
}

/// The figures of a table, and the lines that are wrong.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) lines: usize,
    pub(crate) tasks: Counts,
    pub(crate) days: Counts,
    pub(crate) wrong: Vec<String>,
}

impl Score {
    pub(crate) fn of(table: &str) -> Self {
        let mut score = Self::default();
        let mut language = "en";
        for line in table.lines() {
            language = line.strip_prefix("# language ").unwrap_or(language);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let [said, tasks, days] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three columns: {line}") };
            let analysis = analyze(&call(language, &turns(said)), &tuesday());
            let (got_tasks, got_days) = (tasks_of(&analysis), days_of(&analysis));
            let note = format!("{said}\n    {got_tasks:?} {got_days:?}");
            let right = score.tasks.add(&mut list(tasks), got_tasks) & score.days.add(&mut list(days), got_days);
            score.lines += 1;
            if !right {
                score.wrong.push(note);
            }
        }
        score
    }
}

pub(crate) fn turns(said: &str) -> Vec<(usize, &str)> {
    let turns = said.split(" | ").enumerate();
    turns.flat_map(|(index, turn)| turn.split(" || ").map(move |text| (index % 2, text))).collect()
}

fn list(column: &str) -> Vec<String> {
    column.split("; ").filter(|one| *one != "-").map(str::to_owned).collect()
}

fn tasks_of(analysis: &Analysis) -> Vec<String> {
    let tasks = analysis.action_items.iter().map(|item| {
        let owner = item.owner.as_ref().map_or("?", |owner| if owner.speaker_id == "spk_1" { "A" } else { "B" });
        let due = item.due_date.map_or("-".to_owned(), |due| due.to_string());
        format!("{owner} {} {due}", item.title.to_lowercase())
    });
    tasks.collect()
}

fn days_of(analysis: &Analysis) -> Vec<String> {
    let days = analysis.important_dates.iter().filter_map(|day| Some((day.date?, day.time)));
    days.map(|(date, time)| time.map_or(date.to_string(), |time| format!("{date}T{}", time.format("%H:%M")))).collect()
}

/// A task fits with its owner, a word of its title and its day; a day fits with its time where the table names one.
fn fits(expected: &str, got: &str) -> bool {
    let words: Vec<&str> = expected.split(' ').collect();
    match words[..] {
        [day] => got == day || (!day.contains('T') && got.starts_with(day)),
        [owner, word, due] => got.starts_with(owner) && got.ends_with(due) && got[1..].contains(word),
        _ => panic!("owner, word, day: {expected}"),
    }
}
