//! Digests as people get them, and as an attacker would like them to be.

use chrono::{NaiveDate, NaiveTime};
use insight::{
    analysis::{
        analyze,
        document::{Amount, Analysis, ImportantDate, NextStep, Statement},
    },
    digest::{Format, Of, Task, digest, digest_with},
};
use proptest::prelude::*;
use speech::transcript::Speaker;

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
    let text = digest(&analysis(), Of::default(), Format::Plain);
    let headings: Vec<&str> = text.lines().filter(|line| HEADINGS.contains(line)).collect();
    assert_eq!(headings, ["Summary", "Key points", "Action items", "Dates", "Amounts"]);
    assert!(text.contains("- Send the written offer for the roof (Speaker 1, by 2026-03-13)\n"), "{text}");
    assert_eq!(digest(&Analysis::default(), Of::default(), Format::Html), "");
}

const HEADINGS: [&str; 9] = [
    "Summary",
    "Key points",
    "Decisions",
    "Action items",
    "Commitments",
    "Next steps",
    "Dates",
    "Amounts",
    "Open questions",
];

/// One who has a name and one who has none.
fn speakers() -> [Speaker; 2] {
    let speaker = |id: &str, name: Option<&str>| Speaker {
        speaker_id: id.to_owned(),
        source_speaker_id: String::new(),
        label: "Speaker 2".to_owned(),
        display_name: name.map(str::to_owned),
        ..call("en", &[(0, "Hello.")]).speakers[0].clone()
    };
    [speaker("spk_1", Some("Ana")), speaker("spk_2", None)]
}

/// An analysis of these texts: of each heading as many as there are, and everything that a digest leaves out.
fn analysis_of(texts: &[Vec<String>; 9]) -> (Analysis, Vec<Task>) {
    let statements = |texts: &[String]| -> Vec<Statement> {
        texts.iter().map(|text| Statement { text: text.clone(), ..Statement::default() }).collect()
    };
    let [summary, points, decisions, tasks, promises, steps, days, amounts, questions] = texts;
    let analysis = Analysis {
        suggested_title: Some("Title".to_owned()),
        executive_summary: summary.first().cloned(),
        key_points: points.clone(),
        decisions: statements(decisions),
        commitments: promises
            .iter()
            .map(|text| Statement {
                owner_speaker: Some("spk_2".to_owned()),
                due_date: NaiveDate::from_ymd_opt(2026, 3, 12),
                ..Statement { text: text.clone(), ..Statement::default() }
            })
            .collect(),
        next_steps: steps
            .iter()
            .map(|text| NextStep {
                text: text.clone(),
                owner_speaker: Some("spk_1".to_owned()),
                when: Some("Next Week".to_owned()),
                ..NextStep::default()
            })
            .collect(),
        important_dates: days
            .iter()
            .map(|text| ImportantDate {
                text: text.clone(),
                date: NaiveDate::from_ymd_opt(2026, 3, 13),
                time: NaiveTime::from_hms_opt(9, 15, 0),
                ..ImportantDate::default()
            })
            .collect(),
        numbers_and_amounts: amounts.iter().map(|text| Amount { text: text.clone(), ..Amount::default() }).collect(),
        open_questions: statements(questions),
        tags: vec!["left out".to_owned()],
        risks: statements(&["left out".to_owned()]),
        ..Analysis::default()
    };
    let task = |title: &String| Task {
        title: title.clone(),
        owner: Some("Ana".to_owned()),
        due: NaiveDate::from_ymd_opt(2026, 3, 11),
        is_done: true,
    };
    (analysis, tasks.iter().map(task).collect())
}

/// The lines of a digest without the marks of its format.
fn lines(digest: &str, format: Format) -> Vec<String> {
    let tags = ["<h1>", "</h1>", "<h2>", "</h2>", "<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>"];
    let bare = |line: &str| match format {
        Format::Plain => line.trim_start_matches("- ").to_owned(),
        Format::WhatsApp => line.trim_start_matches("• ").trim_matches('*').to_owned(),
        Format::Html => tags.iter().fold(line.to_owned(), |line, tag| line.replace(tag, "")),
        Format::Markdown => line.trim_start_matches(['#', '-']).trim_start().to_owned(),
    };
    digest.lines().map(bare).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_section_is_in_its_place_in_every_format() {
    let texts = ["of it", "point", "decided", "task", "promise", "step", "day", "sum", "asked"]
        .map(|text| vec![text.to_owned()]);
    let (analysis, tasks) = analysis_of(&texts);
    for format in Format::ALL {
        assert_eq!(
            lines(&digest_with(&analysis, (Of { speakers: &speakers(), language: None }, &tasks), format), format),
            [
                "Title",
                "Summary",
                "of it",
                "Key points",
                "point",
                "Decisions",
                "decided",
                "Action items",
                "task (Ana, by 2026-03-11, done)",
                "Commitments",
                "promise (Speaker 2, by 2026-03-12)",
                "Next steps",
                "step (Ana, Next Week)",
                "Dates",
                "2026-03-13 09:15: day",
                "Amounts",
                "sum",
                "Open questions",
                "asked",
            ],
            "{format}"
        );
    }
}

#[test]
fn a_digest_is_in_the_language_of_its_call_and_else_in_english() {
    let texts = ["of it", "point", "decided", "task", "promise", "step", "day", "sum", "asked"]
        .map(|text| vec![text.to_owned()]);
    let (analysis, tasks) = analysis_of(&texts);
    let told = |language| {
        digest_with(&analysis, (Of { speakers: &speakers(), language: Some(language) }, &tasks), Format::Plain)
    };
    let english = told("en");
    let headings = |text: &str| -> Vec<String> {
        let said: Vec<&str> = english.lines().filter(|line| !HEADINGS.contains(line)).collect();
        let lines = text.lines().filter(|line| !line.starts_with("- ") && !said.contains(line));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(headings(&english), Vec::<String>::from(HEADINGS.map(str::to_owned)));
    let mut seen = vec![];
    for (language, task) in [
        ("de", "- task (Ana, bis 2026-03-11, erledigt)"),
        ("fr", "- task (Ana, d’ici le 2026-03-11, fait)"),
        ("es", "- task (Ana, para el 2026-03-11, hecho)"),
        ("pt", "- task (Ana, até 2026-03-11, feito)"),
    ] {
        let text = told(language);
        assert!(text.lines().any(|line| line == task), "{language}: {text}");
        let own = headings(&text);
        assert_eq!(own.len(), 9, "{language}: {own:?}");
        assert!(!seen.contains(&own), "{language}");
        seen.push(own);
    }
    assert_eq!(told("ja"), english);
}

#[test]
fn a_promise_that_is_a_task_is_told_once_and_a_time_that_the_words_hold_is_not_told_again() {
    let made = analysis();
    assert!(!made.action_items.is_empty());
    let cited = made.action_items[0].source_segment_ids.clone();
    let promise = |ids: &[String]| Statement {
        text: "I promise".to_owned(),
        source_segment_ids: ids.to_vec(),
        ..Statement::default()
    };
    let mut with = Analysis { commitments: vec![promise(&cited)], ..made };
    assert!(!digest(&with, Of::default(), Format::Plain).contains("I promise"));
    with.commitments = vec![promise(&["seg_0099".to_owned()])];
    assert!(digest(&with, Of::default(), Format::Plain).contains("Commitments\n- I promise\n"));
    let when = Some("on Friday".to_owned());
    with.next_steps = vec![NextStep { text: "We meet on Friday".to_owned(), when, ..NextStep::default() }];
    assert!(digest(&with, Of::default(), Format::Plain).contains("- We meet on Friday\n"));
}

#[test]
fn each_format_has_its_own_marks() {
    let item = "Send the written offer for the roof";
    assert!(digest(&analysis(), Of::default(), Format::WhatsApp).contains(&format!("*Action items*\n• {item}")));
    assert!(
        digest(&analysis(), Of::default(), Format::Html).contains(&format!("<h2>Action items</h2>\n<ul>\n<li>{item}"))
    );
    assert!(digest(&analysis(), Of::default(), Format::Markdown).contains(&format!("## Action items\n\n- {item}")));
}

fn hostile(text: &str) -> Analysis {
    Analysis { one_line_summary: Some(text.to_owned()), key_points: vec![text.to_owned()], ..Analysis::default() }
}

#[test]
fn content_is_no_markup() {
    let script = "<script>alert('x')</script> & \"more\"";
    let html = digest(&hostile(script), Of::default(), Format::Html);
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"));
    let markdown = digest(&hostile("# [click](javascript:x) `code` *bold*"), Of::default(), Format::Markdown);
    assert!(markdown.contains("\\# \\[click\\](javascript:x) \\`code\\` \\*bold\\*"));
    assert!(digest(&hostile("1. one"), Of::default(), Format::Markdown).contains("- 1\\. one"));
    assert!(!digest(&hostile("a *b* _c_ ~d~"), Of::default(), Format::WhatsApp).contains("*b*"));
}

fn texts() -> impl Strategy<Value = [Vec<String>; 9]> {
    prop::array::uniform9(prop::collection::vec("[a-z]{1,8}( [a-z0-9]{1,8}){0,3}", 0..3))
}

proptest! {
    #[test]
    fn a_digest_has_a_heading_for_what_there_is_and_no_line_that_nobody_said(texts in texts()) {
        let (analysis, tasks) = analysis_of(&texts);
        // Of a summary there is one.
        let mut said = texts.clone();
        said[0].truncate(1);
        let line = |heading: usize, text: &String| match heading {
            3 => format!("{text} (Ana, by 2026-03-11, done)"),
            4 => format!("{text} (Speaker 2, by 2026-03-12)"),
            5 => format!("{text} (Ana, Next Week)"),
            6 => format!("2026-03-13 09:15: {text}"),
            _ => text.clone(),
        };
        let sections = said.iter().enumerate().filter(|(_, texts)| !texts.is_empty());
        let sections = sections.flat_map(|(at, texts)| {
            [HEADINGS[at].to_owned()].into_iter().chain(texts.iter().map(move |text| line(at, text)))
        });
        let mut expected: Vec<String> = sections.collect();
        if !expected.is_empty() {
            expected.insert(0, "Title".to_owned());
        }
        for format in Format::ALL {
            prop_assert_eq!(&lines(&digest_with(&analysis, (Of { speakers: &speakers(), language: None }, &tasks), format), format), &expected);
        }
    }

    #[test]
    fn no_text_opens_a_tag_or_a_section(text in "\\PC{0,60}") {
        let html = digest(&hostile(&text), Of::default(), Format::Html);
        let rest = ["<h2>Summary</h2>", "<h2>Key points</h2>", "<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>"]
            .iter().fold(html, |html, tag| html.replace(tag, ""));
        prop_assert!(!rest.contains('<') && !rest.contains('>'));
        let plain = digest(&hostile(&text.replace('#', "\n# ")), Of::default(), Format::Markdown);
        prop_assert!(plain.lines().filter(|line| line.starts_with('#')).count() <= 2);
    }
}
