//! The text of an analysis that people share: plain, for WhatsApp, as HTML for e-mail, or Markdown. Its one invariant: it says nothing that
//! the analysis and the tasks do not, in a fixed order of sections, without those that are empty; and no content is ever read as mark-up.
//!
//! Headings are in the language of the call where it is one that calls are analysed in, and else in English.

mod markup;
mod words;

use std::{collections::BTreeSet, fmt, str::FromStr};

use chrono::NaiveDate;
use speech::transcript::Speaker;

use self::{markup::Markup, words::Words};
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

/// The call that a digest is of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Of<'c> {
    /// Who spoke in it.
    pub speakers: &'c [Speaker],
    /// The language that was spoken most, as an ISO 639-1 code.
    pub language: Option<&'c str>,
}

/// Writes the digest of `analysis` of this call with the tasks that were found; empty where there is nothing to say.
#[must_use]
pub fn digest(analysis: &Analysis, call: Of<'_>, format: Format) -> String {
    let tasks: Vec<Task> = analysis.action_items.iter().map(Task::from).collect();
    digest_with(analysis, (call, &tasks), format)
}

/// The same with these tasks in the place of those that were found: what people made of them.
#[must_use]
pub fn digest_with(analysis: &Analysis, with: (Of<'_>, &[Task]), format: Format) -> String {
    let mut markup = Markup::new(format);
    let sections: Vec<Section> =
        sections(analysis, with).into_iter().filter(|section| !section.lines.is_empty()).collect();
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

fn sections(analysis: &Analysis, (call, tasks): (Of<'_>, &[Task])) -> [Section; 9] {
    let words = Words::of(call.language);
    let list = |heading, lines| Section { heading, lines, list: true };
    let summary = analysis.executive_summary.clone().or_else(|| analysis.one_line_summary.clone());
    let dates = analysis.important_dates.iter().filter_map(|day| {
        let date = day.date?;
        let time = day.time.map_or(String::new(), |time| format!(" {}", time.format("%H:%M")));
        Some(format!("{date}{time}: {}", day.text))
    });
    let name = |id: &Option<String>| {
        let speaker = call.speakers.iter().find(|speaker| Some(&speaker.speaker_id) == id.as_ref());
        speaker.map(|speaker| speaker.display_name.clone().unwrap_or_else(|| speaker.label.clone()))
    };
    // What was promised where no task was found: the others are told of as tasks.
    let found: BTreeSet<&String> = analysis.action_items.iter().flat_map(|item| &item.source_segment_ids).collect();
    let promised = analysis.commitments.iter().filter(|promise| {
        promise.source_segment_ids.is_empty() || promise.source_segment_ids.iter().any(|id| !found.contains(id))
    });
    let promised = promised.map(|promise| {
        let due = promise.due_date.map(|due| by(words, due));
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
        Section { heading: words.summary, lines: summary.into_iter().collect(), list: false },
        list(words.key_points, analysis.key_points.clone()),
        list(words.decisions, texts(&analysis.decisions)),
        list(words.action_items, tasks.iter().map(|one| task(words, one)).collect()),
        list(words.commitments, promised.collect()),
        list(words.next_steps, steps.collect()),
        list(words.dates, dates.collect()),
        list(words.amounts, analysis.numbers_and_amounts.iter().map(|amount| amount.text.clone()).collect()),
        list(words.open_questions, texts(&analysis.open_questions)),
    ]
}

/// "Send a revised quote (David, by 2026-03-11, done)".
fn task(words: &Words, task: &Task) -> String {
    let Task { title, owner, due, is_done } = task;
    detailed(title, [owner.clone(), due.map(|due| by(words, due)), is_done.then(|| words.done.to_owned())])
}

fn by(words: &Words, due: NaiveDate) -> String {
    format!("{} {due}", words.by)
}

/// A text, and behind it in parentheses what is known.
fn detailed(text: &str, details: impl IntoIterator<Item = Option<String>>) -> String {
    let details: Vec<String> = details.into_iter().flatten().collect();
    if details.is_empty() { text.to_owned() } else { format!("{text} ({})", details.join(", ")) }
}
