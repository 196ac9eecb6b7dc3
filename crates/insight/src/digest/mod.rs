//! The text of an analysis that people share: plain, for WhatsApp, as HTML for e-mail, or Markdown. Its one invariant: it says nothing that
//! the analysis and the tasks do not, in a fixed order of sections, without those that are empty; and no content is ever read as mark-up.

mod markup;

use std::{collections::BTreeSet, fmt, str::FromStr};

use chrono::NaiveDate;
use speech::transcript::Speaker;

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

/// Writes the digest of `analysis` of a call of these speakers with the tasks that were found; empty where there is nothing to say.
#[must_use]
pub fn digest(analysis: &Analysis, speakers: &[Speaker], format: Format) -> String {
    let tasks: Vec<Task> = analysis.action_items.iter().map(Task::from).collect();
    digest_with(analysis, (speakers, &tasks), format)
}

/// The same with these tasks in the place of those that were found: what people made of them.
#[must_use]
pub fn digest_with(analysis: &Analysis, who: (&[Speaker], &[Task]), format: Format) -> String {
    let mut markup = Markup::new(format);
    let sections: Vec<Section> =
        sections(analysis, who).into_iter().filter(|section| !section.lines.is_empty()).collect();
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

fn sections(analysis: &Analysis, (speakers, tasks): (&[Speaker], &[Task])) -> [Section; 9] {
    let list = |heading, lines| Section { heading, lines, list: true };
    let summary = analysis.executive_summary.clone().or_else(|| analysis.one_line_summary.clone());
    let dates = analysis.important_dates.iter().filter_map(|day| {
        let date = day.date?;
        let time = day.time.map_or(String::new(), |time| format!(" {}", time.format("%H:%M")));
        Some(format!("{date}{time}: {}", day.text))
    });
    let name = |id: &Option<String>| {
        let speaker = speakers.iter().find(|speaker| Some(&speaker.speaker_id) == id.as_ref());
        speaker.map(|speaker| speaker.display_name.clone().unwrap_or_else(|| speaker.label.clone()))
    };
    // What was promised where no task was found: the others are told of as tasks.
    let found: BTreeSet<&String> = analysis.action_items.iter().flat_map(|item| &item.source_segment_ids).collect();
    let promised = analysis.commitments.iter().filter(|promise| {
        promise.source_segment_ids.is_empty() || promise.source_segment_ids.iter().any(|id| !found.contains(id))
    });
    let promised = promised.map(|promise| {
        let due = promise.due_date.map(|due| format!("by {due}"));
        detailed(&promise.text, [name(&promise.owner_speaker), due])
    });
    let steps = analysis.next_steps.iter().map(|step| {
        let when = step.when.clone().filter(|when| !step.text.contains(when));
        detailed(&step.text, [name(&step.owner_speaker), when])
    });
    let texts = |statements: &[crate::analysis::document::Statement]| -> Vec<String> {
        statements.iter().map(|statement| statement.text.clone()).collect()
    };
    [
        Section { heading: "Summary", lines: summary.into_iter().collect(), list: false },
        list("Key points", analysis.key_points.clone()),
        list("Decisions", texts(&analysis.decisions)),
        list("Action items", tasks.iter().map(task).collect()),
        list("Commitments", promised.collect()),
        list("Next steps", steps.collect()),
        list("Dates", dates.collect()),
        list("Amounts", analysis.numbers_and_amounts.iter().map(|amount| amount.text.clone()).collect()),
        list("Open questions", texts(&analysis.open_questions)),
    ]
}

/// "Send a revised quote (David, by 2026-03-11, done)".
fn task(task: &Task) -> String {
    let Task { title, owner, due, is_done } = task;
    let due = due.map(|due| format!("by {due}"));
    detailed(title, [owner.clone(), due, is_done.then(|| "done".to_owned())])
}

/// A text, and behind it in parentheses what is known.
fn detailed(text: &str, details: impl IntoIterator<Item = Option<String>>) -> String {
    let details: Vec<String> = details.into_iter().flatten().collect();
    if details.is_empty() { text.to_owned() } else { format!("{text} ({})", details.join(", ")) }
}
