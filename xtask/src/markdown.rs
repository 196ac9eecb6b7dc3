//! Markdown, as far as the checks of documents read it: links, headings, code. Its one invariant: what stands in fenced code is code
//! and nothing else, and lines keep their numbers.

use std::collections::BTreeSet;

/// A link within one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link<'a> {
    /// The line on which its target stands, from 1.
    pub(crate) line: usize,
    pub(crate) label: &'a str,
    pub(crate) target: &'a str,
    /// Where it begins and ends, in bytes.
    place: (usize, usize),
}

impl<'a> Link<'a> {
    /// The name in a label that is one name of code, such as a test's.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let name = self.label.strip_prefix('`')?.strip_suffix('`')?;
        let is_name = name.contains('_') && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        is_name.then_some(name)
    }

    /// Whether it leads out of the repository.
    pub(crate) fn is_external(&self) -> bool {
        self.target.contains("://") || self.target.starts_with("mailto:")
    }
}

/// The text without its fenced code, line for line.
pub(crate) fn prose(text: &str) -> String {
    fenced(text).map(|(line, is_code)| if is_code { "\n".to_owned() } else { format!("{line}\n") }).collect()
}

/// Each line, and whether it belongs to fenced code.
fn fenced(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut is_inside = false;
    text.lines().map(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_inside ^= is_fence;
        (line, is_inside || is_fence)
    })
}

/// All code, fenced and within lines, with the numbers of its lines.
pub(crate) fn code(text: &str) -> Vec<(usize, &str)> {
    let lines = fenced(text).enumerate();
    let spans = lines.flat_map(|(number, (line, is_code))| {
        let spans: Vec<_> = if is_code { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        spans.into_iter().map(move |span| (number + 1, span))
    });
    spans.collect()
}

/// The links of a text without fenced code.
pub(crate) fn links(prose: &str) -> Vec<Link<'_>> {
    let middles = prose.match_indices("](").map(|(at, _)| at);
    let links = middles.filter_map(|middle| {
        let start = prose[..middle].rfind('[')?;
        let end = middle + prose[middle..].find(')')?;
        let line = prose[..end].matches('\n').count() + 1;
        Some(Link { line, label: &prose[start + 1..middle], target: &prose[middle + 2..end], place: (start, end + 1) })
    });
    links.collect()
}

/// The text without its links, line for line.
pub(crate) fn without_links(prose: &str) -> String {
    let (mut rest, mut from) = (String::new(), 0);
    for Link { place: (start, end), .. } in links(prose) {
        rest += &prose[from..start];
        rest.extend(prose[start..end].chars().filter(|character| *character == '\n'));
        from = end;
    }
    rest + &prose[from..]
}

/// What `#…` may name in a text: its headings as GitHub spells them.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A title: it's here\nSee [`a_test`](a.rs) and [H1\n](b.md#h1) `in code`.\n```sh\n# no [link](x)\n```\n## Ab\n";

    #[test]
    fn links_have_their_line_label_and_target_and_fenced_code_has_none() {
        let prose = prose(TEXT);
        let links = links(&prose);
        let found: Vec<_> = links.iter().map(|link| (link.line, link.label.trim(), link.target)).collect();
        assert_eq!(found, [(2, "`a_test`", "a.rs"), (3, "H1", "b.md#h1")]);
        assert_eq!((links[0].name(), links[1].name()), (Some("a_test"), None));
        assert_eq!(without_links(&prose), "# A title: it's here\nSee  and \n `in code`.\n\n\n\n## Ab\n");
    }

    #[test]
    fn code_is_what_stands_between_marks_or_fences() {
        let code: Vec<_> = code(TEXT).into_iter().map(|(_, code)| code).collect();
        assert_eq!(code, ["a_test", "in code", "```sh", "# no [link](x)", "```"]);
    }

    #[test]
    fn headings_are_spelled_as_github_spells_them() {
        assert_eq!(anchors(TEXT), BTreeSet::from(["a-title-its-here".to_owned(), "ab".to_owned()]));
    }
}
