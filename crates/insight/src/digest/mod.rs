//! The text of an analysis that people share: plain, for WhatsApp, as HTML for e-mail, or Markdown. Its one invariant: it says nothing that
//! the analysis does not, in a fixed order of sections, without those that are empty; and no content is ever read as mark-up.

mod markup;

use std::{fmt, str::FromStr};

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

/// Writes the digest of `analysis`; empty where there is nothing to say.
#[must_use]
pub fn digest(analysis: &Analysis, format: Format) -> String {
    let mut markup = Markup::new(format);
    let sections: Vec<Section> = sections(analysis).into_iter().filter(|section| !section.lines.is_empty()).collect();
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

fn sections(analysis: &Analysis) -> [Section; 8] {
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
        list("Action items", analysis.action_items.iter().map(action_item).collect()),
        list("Next steps", analysis.next_steps.iter().map(|step| step.text.clone()).collect()),
        list("Dates", dates.collect()),
        list("Amounts", analysis.numbers_and_amounts.iter().map(|amount| amount.text.clone()).collect()),
        list("Open questions", texts(&analysis.open_questions)),
    ]
}

/// "Send a revised quote (David, by 2026-03-11)".
fn action_item(item: &ActionItem) -> String {
    let owner = item.owner.as_ref().map(|owner| owner.display_name.clone().unwrap_or_else(|| owner.label.clone()));
    let details: Vec<String> = owner.into_iter().chain(item.due_date.map(|due| format!("by {due}"))).collect();
    match details.is_empty() {
        true => item.title.clone(),
        false => format!("{} ({})", item.title, details.join(", ")),
    }
}
