//! What a correction leaves of an analysis that a language model made.

use insight::analysis::{
    analyze,
    corrected::{Gone, corrected},
    document::{Analysis, DiscussionPoint, Engine, Importance, Person, Section, SectionItem, Statement},
    task::document::{ActionItem, Owner},
};
use insight::search::{keys::Stems, words::words};
use proptest::prelude::*;
use speech::transcript::Transcript;

use crate::kit::{call, tuesday};

fn statement(text: &str, cited: &str) -> Statement {
    Statement { text: text.to_owned(), source_segment_ids: vec![cited.to_owned()], ..Statement::default() }
}

fn left(analysis: Analysis, before: &Transcript, after: &Transcript) -> Analysis {
    corrected(analysis, (&Gone::between(before, after), after), analyze(after, &tuesday()))
}

#[test]
fn claims_on_a_corrected_segment_and_texts_with_its_words_go_and_others_stay() {
    let said = [
        (0, "The password of the safe is blue horse."),
        (1, "I saw a blue car and a brown horse."),
        (0, "We agreed on the repair of the roof."),
    ];
    let before = call("en", &said);
    let mut after = before.clone();
    after.segments[0].text = "Nothing.".to_owned();
    let section = |items: &[(&str, &str)]| Section {
        title: "Roof".to_owned(),
        items: items
            .iter()
            .map(|(text, cited)| SectionItem {
                text: (*text).to_owned(),
                source_segment_ids: vec![(*cited).to_owned()],
                ..SectionItem::default()
            })
            .collect(),
        ..Section::default()
    };
    let analysis = Analysis {
        engine: Some(Engine::Llm),
        // Each of these words is still said, but not side by side.
        executive_summary: Some("They spoke of a blue horse and the roof.".to_owned()),
        conversation_outcome: Some("They agreed.".to_owned()),
        decisions: vec![statement("Repair of the roof", "seg_0003"), statement("They agreed on it", "seg_0001")],
        sections: vec![section(&[("The repair", "seg_0003"), ("The password", "seg_0003"), ("A car", "seg_0001")])],
        people_mentioned: vec![Person { name: "safe".to_owned(), ..Person::default() }],
        tags: vec!["safe".to_owned(), "roof".to_owned()],
        ..Analysis::default()
    };
    let left = left(analysis, &before, &after);
    assert!(left.stale && left.engine == Some(Engine::Llm));
    assert!(!left.executive_summary.unwrap().contains("horse and"));
    assert_eq!(left.conversation_outcome.as_deref(), Some("They agreed."));
    assert_eq!(left.decisions.len(), 1);
    assert_eq!(left.sections[0].items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>(), ["The repair"]);
    assert_eq!((left.people_mentioned.len(), left.tags), (0, vec!["roof".to_owned()]));
}

#[test]
fn who_is_called_otherwise_is_called_so_as_an_owner_and_by_the_old_name_nowhere() {
    let mut before = call("en", &[(0, "I'll send the offer."), (1, "Thank you.")]);
    before.speakers[0].display_name = Some("Dana Reed".to_owned());
    let mut after = before.clone();
    after.speakers[0].display_name = Some("Ines Moor".to_owned());
    let owner = Owner { speaker_id: "spk_1".into(), display_name: Some("Dana Reed".into()), ..Owner::default() };
    let item = ActionItem { title: "Send the offer".into(), owner: Some(owner), ..ActionItem::default() };
    let analysis = Analysis {
        action_items: vec![item],
        risks: vec![statement("Dana may forget the offer", "seg_0001"), statement("The offer", "seg_0001")],
        ..Analysis::default()
    };
    let left = left(analysis, &before, &after);
    let owner = left.action_items[0].owner.as_ref().unwrap();
    assert_eq!(owner.display_name.as_deref(), Some("Ines Moor"));
    assert_eq!(left.risks.len(), 1);
}

#[test]
fn other_forms_of_a_word_that_went_go_with_it_in_every_language_of_the_call() {
    let mut before =
        call("en", &[(0, "The invoice is forged."), (1, "Der Vertrag ist gefälscht."), (0, "The car is a red one.")]);
    before.segments[1].language = Some("de".to_owned());
    let mut after = before.clone();
    for segment in &mut after.segments[..2] {
        segment.text = "Nothing.".to_owned();
    }
    let texts =
        ["The invoices were altered", "Alte Verträge", "Forging is a crime", "The cars were red", "They parted."];
    let analysis = Analysis { risks: texts.map(|text| statement(text, "seg_0003")).to_vec(), ..Analysis::default() };
    let left: Vec<_> = left(analysis, &before, &after).risks.into_iter().map(|risk| risk.text).collect();
    assert_eq!(left, ["The cars were red", "They parted."]);
}

#[test]
fn a_key_point_goes_with_the_claim_that_it_repeats() {
    let before = call("en", &[(0, "We will refund 500 euros."), (1, "The lawyer decides."), (0, "Good.")]);
    let mut after = before.clone();
    after.segments[0].text = "We will not refund 500 euros.".to_owned();
    let item = |text: &str, cited: &str| SectionItem {
        text: text.to_owned(),
        importance: Importance::High,
        source_segment_ids: vec![cited.to_owned()],
    };
    let point = |text: &str, cited: &str| DiscussionPoint {
        text: text.to_owned(),
        source_segment_ids: vec![cited.to_owned()],
        ..DiscussionPoint::default()
    };
    let items = vec![item("A refund of 500 euros was promised", "seg_0001"), item("A lawyer decides", "seg_0002")];
    let analysis = Analysis {
        sections: vec![Section { items, ..Section::default() }],
        key_discussion_points: vec![point("Money was promised", "seg_0001"), point("It ended well", "seg_0003")],
        key_points: ["A refund of 500 euros was promised", "A lawyer decides", "Money was promised", "It ended well"]
            .map(str::to_owned)
            .to_vec(),
        ..Analysis::default()
    };
    assert_eq!(left(analysis, &before, &after).key_points, ["A lawyer decides", "It ended well"]);
}

/// What a text is found by in a call in English.
fn kept(text: &str) -> Vec<String> {
    let stems = Stems::of(Some("en"));
    words(text).into_iter().flat_map(|word| stems.keys(&text[word])).collect()
}

fn sentence() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "roof",
        "roofs",
        "Straße",
        "offer",
        "offering",
        "नमस्ते",
        "blue",
        "horse",
        "horses",
        "7",
        "Ana's",
        "-",
    ]);
    prop::collection::vec(word, 0..5).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn nothing_that_is_left_says_what_went(
        said in prop::collection::vec(sentence(), 3), corrected in sentence(), at in 0_usize..3,
        texts in prop::collection::vec((sentence(), 0_usize..3), 0..6), summary in sentence(),
    ) {
        let before = call("en", &said.iter().enumerate().map(|(n, text)| (n % 2, text.as_str())).collect::<Vec<_>>());
        let mut after = before.clone();
        after.segments[at].text = corrected;
        let gone = Gone::between(&before, &after);
        let claim = |(text, n): &(String, usize)| statement(text, &before.segments[*n].id);
        let analysis = Analysis {
            executive_summary: Some(summary),
            decisions: texts.iter().map(claim).collect(),
            key_points: texts.iter().map(|(text, _)| text.clone()).collect(),
            ..Analysis::default()
        };
        let left = left(analysis.clone(), &before, &after);
        // Whoever asks for a word that went finds what is left by it only where the transcript has it still.
        let still: Vec<_> = after.segments.iter().flat_map(|segment| kept(&segment.text)).collect();
        let went: Vec<_> = kept(&said[at]).into_iter().filter(|key| !still.contains(key)).collect();
        for text in left.texts() {
            prop_assert!(!gone.is_in(text), "{text}");
            prop_assert!(kept(text).iter().all(|key| !went.contains(key)), "{text}");
        }
        prop_assert!(left.decisions.iter().all(|one| !gone.cites(&one.source_segment_ids)));
        // And nothing else went.
        let stays = |one: &&Statement| !gone.is_in(&one.text) && !gone.cites(&one.source_segment_ids);
        prop_assert_eq!(left.decisions.len(), analysis.decisions.iter().filter(stays).count());
    }
}
