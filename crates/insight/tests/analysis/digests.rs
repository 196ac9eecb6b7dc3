//! Digests as people get them, and as an attacker would like them to be.

use insight::{
    analysis::{analyze, document::Analysis},
    digest::{Format, digest},
};
use proptest::prelude::*;

use crate::kit::{call, tuesday};

fn analysis() -> Analysis {
    let said = [
        (0, "I looked at the roof, and the repair of the roof costs nine hundred dollars."),
        (1, "Could you send me the written offer for the roof by Friday?"),
        (0, "Sure, no problem."),
    ];
    analyze(&call("en", &said), &tuesday())
}

#[test]
fn a_digest_has_its_sections_in_order_and_none_that_is_empty() {
    let text = digest(&analysis(), Format::Plain);
    let headings: Vec<&str> = text
        .lines()
        .filter(|line| {
            ["Summary", "Key points", "Decisions", "Action items", "Next steps", "Dates", "Amounts", "Open questions"]
                .contains(line)
        })
        .collect();
    assert_eq!(headings, ["Summary", "Key points", "Action items", "Dates", "Amounts"]);
    assert!(text.contains("- Send the written offer for the roof (Speaker 1, by 2026-03-13)\n"), "{text}");
    assert_eq!(digest(&Analysis::default(), Format::Html), "");
}

#[test]
fn each_format_has_its_own_marks() {
    let item = "Send the written offer for the roof";
    assert!(digest(&analysis(), Format::WhatsApp).contains(&format!("*Action items*\n• {item}")));
    assert!(digest(&analysis(), Format::Html).contains(&format!("<h2>Action items</h2>\n<ul>\n<li>{item}")));
    assert!(digest(&analysis(), Format::Markdown).contains(&format!("## Action items\n\n- {item}")));
}

fn hostile(text: &str) -> Analysis {
    Analysis { one_line_summary: Some(text.to_owned()), key_points: vec![text.to_owned()], ..Analysis::default() }
}

#[test]
fn content_is_no_markup() {
    let script = "<script>alert('x')</script> & \"more\"";
    let html = digest(&hostile(script), Format::Html);
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"));
    let markdown = digest(&hostile("# [click](javascript:x) `code` *bold*"), Format::Markdown);
    assert!(markdown.contains("\\# \\[click\\](javascript:x) \\`code\\` \\*bold\\*"));
    assert!(digest(&hostile("1. one"), Format::Markdown).contains("- 1\\. one"));
    assert!(!digest(&hostile("a *b* _c_ ~d~"), Format::WhatsApp).contains("*b*"));
}

proptest! {
    #[test]
    fn no_text_opens_a_tag_or_a_section(text in "\\PC{0,60}") {
        let html = digest(&hostile(&text), Format::Html);
        let rest = ["<h2>Summary</h2>", "<h2>Key points</h2>", "<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>"]
            .iter().fold(html, |html, tag| html.replace(tag, ""));
        prop_assert!(!rest.contains('<') && !rest.contains('>'));
        let plain = digest(&hostile(&text.replace('#', "\n# ")), Format::Markdown);
        prop_assert!(plain.lines().filter(|line| line.starts_with('#')).count() <= 2);
    }
}
