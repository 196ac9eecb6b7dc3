//! The text of an analysis that people share: plain, for WhatsApp, as HTML for e-mail, or Markdown. Its one invariant: it says nothing that
//! the analysis and the tasks do not, in a fixed order of sections, without those that are empty; and no content is ever read as mark-up.

mod markup;

use std::{fmt, str::FromStr};

use chrono::NaiveDate;

use self::markup::Markup;
use crate::analysis::document::Analysis;
use crate::analysis::task::document::ActionItem;

/// What a digest is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Plain,
    /// Text with the marks of WhatsApp.
    WhatsApp,
    /// A fragment of HTML for e-mail.
    Html,
    /// CommonMark.
    Markdown,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Plain, Self::WhatsApp, Self::Html, Self::Markdown];

    /// Its name in addresses: `plain`, `whatsapp`, `email`, `markdown`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::WhatsApp => "whatsapp",
            Self::Html => "email",
            Self::Markdown => "markdown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no digest of this name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such digest; there are plain, whatsapp, email and markdown")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or(UnknownFormat)
    }
}

/// A section: its heading and lines, each a list item unless there is one paragraph.
struct Section {
    heading: &'static str,
    lines: Vec<String>,
    list: bool,
}

/// A task as a digest says it.
#[derive(Clone, Default, PartialEq)]
pub struct Task {
    /// What is to be done.
    pub title: String,
    /// What who does it is called.
    pub owner: Option<String>,
    /// By when.
    pub due: Option<NaiveDate>,
    /// Whether it is done already.
    pub is_done: bool,
}

speech::unprinted!(Task);

impl From<&ActionItem> for Task {
    fn from(item: &ActionItem) -> Self {
        let owner = item.owner.as_ref().map(|owner| owner.display_name.clone().unwrap_or_else(|| owner.label.clone()));
        Self { title: item.title.clone(), owner, due: item.due_date, is_done: false }
    }
}

/// Writes the digest of `analysis` with the tasks that were found; empty where there is nothing to say.
#[must_use]
pub fn digest(analysis: &Analysis, format: Format) -> String {
    let tasks: Vec<Task> = analysis.action_items.iter().map(Task::from).collect();
    digest_with(analysis, &tasks, format)
}

/// The same with these tasks in the place of those that were found: what people made of them.
#[must_use]
pub fn digest_with(analysis: &Analysis, tasks: &[Task], format: Format) -> String {
    let mut markup = Markup::new(format);
    let sections: Vec<Section> =
        sections(analysis, tasks).into_iter().filter(|section| !section.lines.is_empty()).collect();
    if let Some(title) = analysis.suggested_title.as_deref().filter(|_| !sections.is_empty()) {
        markup.title(title);
    }
    for section in sections {
        markup.heading(section.heading);
        for line in &section.lines {
            if section.list { markup.item(line) } else { markup.paragraph(line) }
        }
        markup.end();
    }
    markup.finish()
}

fn sections(analysis: &Analysis, tasks: &[Task]) -> [Section; 8] {
    let list = |heading, lines| Section { heading, lines, list: true };
    let summary = analysis.executive_summary.clone().or_else(|| analysis.one_line_summary.clone());
    let dates = analysis.important_dates.iter().filter_map(|day| {
        let date = day.date?;
        let time = day.time.map_or(String::new(), |time| format!(" {}", time.format("%H:%M")));
        Some(format!("{date}{time}: {}", day.text))
    });
    let texts = |statements: &[crate::analysis::document::Statement]| -> Vec<String> {
        statements.iter().map(|statement| statement.text.clone()).collect()
    };
    [
        Section { heading: "Summary", lines: summary.into_iter().collect(), list: false },
        list("Key points", analysis.key_points.clone()),
        list("Decisions", texts(&analysis.decisions)),
        list("Action items", tasks.iter().map(task).collect()),
        list("Next steps", analysis.next_steps.iter().map(|step| step.text.clone()).collect()),
        list("Dates", dates.collect()),
        list("Amounts", analysis.numbers_and_amounts.iter().map(|amount| amount.text.clone()).collect()),
        list("Open questions", texts(&analysis.open_questions)),
    ]
}

/// "Send a revised quote (David, by 2026-03-11, done)".
fn task(task: &Task) -> String {
    let Task { title, owner, due, is_done } = task;
    let due = due.map(|due| format!("by {due}"));
    let details: Vec<String> = owner.clone().into_iter().chain(due).chain(is_done.then(|| "done".to_owned())).collect();
    if details.is_empty() { title.clone() } else { format!("{title} ({})", details.join(", ")) }
}
