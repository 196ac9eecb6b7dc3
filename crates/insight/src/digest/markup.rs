//! The four ways of writing a digest. Its one invariant: content passes through [`Markup::text`] and nowhere else, so that none of it is
//! mark-up; a line of content stays one line.

use super::Format;
use crate::export::text::clean;

/// A digest while it is written.
pub(super) struct Markup {
    format: Format,
    out: String,
    in_list: bool,
}

impl Markup {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: String::new(), in_list: false }
    }

    /// `content` as text of the format.
    fn text(&self, content: &str) -> String {
        let line = clean(content);
        match self.format {
            Format::Plain => line,
            // WhatsApp has no escapes: what it reads as marks becomes letters that look like them.
            Format::WhatsApp => line.replace('*', "∗").replace('_', "＿").replace('~', "∼").replace('`', "'"),
            Format::Html => html(&line),
            Format::Markdown => markdown(&line),
        }
    }

    pub(super) fn title(&mut self, content: &str) {
        let text = self.text(content);
        self.out += &match self.format {
            Format::Plain => format!("{text}\n\n"),
            Format::WhatsApp => format!("*{text}*\n\n"),
            Format::Html => format!("<h1>{text}</h1>\n"),
            Format::Markdown => format!("# {text}\n\n"),
        };
    }

    pub(super) fn heading(&mut self, heading: &'static str) {
        self.out += &match self.format {
            Format::Plain => format!("{heading}\n"),
            Format::WhatsApp => format!("*{heading}*\n"),
            Format::Html => format!("<h2>{heading}</h2>\n"),
            Format::Markdown => format!("## {heading}\n\n"),
        };
    }

    pub(super) fn paragraph(&mut self, content: &str) {
        let text = self.text(content);
        self.out += &match self.format {
            Format::Html => format!("<p>{text}</p>\n"),
            Format::Plain | Format::WhatsApp | Format::Markdown => format!("{text}\n"),
        };
    }

    pub(super) fn item(&mut self, content: &str) {
        let text = self.text(content);
        if self.format == Format::Html && !self.in_list {
            self.out += "<ul>\n";
        }
        self.in_list = true;
        self.out += &match self.format {
            Format::Plain | Format::Markdown => format!("- {text}\n"),
            Format::WhatsApp => format!("• {text}\n"),
            Format::Html => format!("<li>{text}</li>\n"),
        };
    }

    /// The end of a section.
    pub(super) fn end(&mut self) {
        if self.format == Format::Html {
            self.out += if self.in_list { "</ul>\n" } else { "" };
        } else {
            self.out.push('\n');
        }
        self.in_list = false;
    }

    pub(super) fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end().len());
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}

fn html(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
        out
    })
}

/// Every ASCII punctuation mark may be escaped with a backslash (CommonMark 2.4); those that mean nothing inside of a line stay readable.
fn markdown(text: &str) -> String {
    // "1." begins a list where it begins the line.
    let number = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    let (begun, rest) = match text[number..].strip_prefix('.') {
        Some(rest) if number > 0 => (format!("{}\\.", &text[..number]), rest),
        _ => (String::with_capacity(text.len()), text),
    };
    rest.chars().fold(begun, |mut out, c| {
        // Without brackets escaped before them, parentheses make no link; a dash makes a list only where it begins one.
        let plain = matches!(c, '.' | ',' | ';' | ':' | '?' | '\'' | '"' | '%' | '$' | '/' | '(' | ')')
            || (c == '-' && !out.is_empty());
        if c.is_ascii_punctuation() && !plain {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
