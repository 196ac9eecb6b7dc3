//! The two scripted calls: who speaks, what has to be done, and by when.

use insight::analysis::{document::CallType, mood::document::Feeling, task::document::Intent};
use serde_json::Value;
use speech::transcript::{Confidence, LabelSource, Role};

use crate::script::{Analysed, PRICING, SUPPORT, analysed, days, tasks};

#[test]
fn of_the_pricing_call_everything_promised_is_found_and_nothing_else() {
    let Analysed { transcript, roles, analysis } = analysed(&PRICING);
    let found: Vec<Role> = transcript.speakers.iter().map(|speaker| speaker.role).collect();
    assert_eq!(found, roles);
    assert_eq!(transcript.speakers[0].display_name.as_deref(), Some("Maria"));
    assert_eq!(transcript.speakers[1].display_name.as_deref(), Some("David"));
    assert_eq!(transcript.speakers[1].confidence, Some(Confidence::High));
    assert_eq!(tasks(&analysis), PRICING.tasks);
    let proposed = analysis.action_items[1].intent_metadata.proposed_at.map(|at| at.to_rfc3339());
    assert_eq!(proposed.as_deref(), Some("2026-03-13T11:00:00+00:00"));
    assert_eq!(days(&analysis), PRICING.days);
    let amounts: Vec<&str> = analysis.numbers_and_amounts.iter().map(|amount| amount.text.as_str()).collect();
    assert_eq!(
        amounts,
        ["ten minutes", "ninety nine dollars", "forty seats", "ten percent", "twelve months", "eighty five dollars"]
    );
    assert_eq!(analysis.call_type, Some(CallType::Sales));
}

#[test]
fn of_the_support_call_everything_promised_is_found_and_nothing_else() {
    let Analysed { transcript, roles, analysis } = analysed(&SUPPORT);
    let found: Vec<Role> = transcript.speakers.iter().map(|speaker| speaker.role).collect();
    assert_eq!(found, roles);
    assert_eq!(transcript.speakers[0].display_name.as_deref(), Some("David"));
    assert_eq!(transcript.speakers[1].label, "Contact ending 0199");
    assert_eq!(transcript.speakers[1].label_source, LabelSource::PhoneFallback);
    assert_eq!(tasks(&analysis), SUPPORT.tasks);
    assert_eq!(analysis.action_items[1].intent, Intent::Call);
    assert_eq!(analysis.action_items[1].intent_metadata.phone_ending.as_deref(), Some("0199"));
    assert_eq!(days(&analysis), SUPPORT.days);
    let felt = analysis.sentiment.unwrap();
    assert_eq!(felt.progression.first().unwrap().overall, Feeling::Negative);
    assert!(felt.emotional_signals.contains(&"frustration".to_owned()));
    assert_eq!(analysis.call_type, Some(CallType::Support));
    assert_eq!(analysis.suggested_title.as_deref(), Some("Charges"));
}

#[test]
fn everything_that_is_said_cites_segments_that_exist() {
    for call in [PRICING, SUPPORT] {
        let Analysed { transcript, analysis, .. } = analysed(&call);
        let mut cited = Vec::new();
        collect(&serde_json::to_value(&analysis).unwrap(), &mut cited);
        assert!(cited.len() > 10);
        for id in cited {
            assert!(transcript.segments.iter().any(|segment| segment.id == id), "{id}");
        }
    }
}

fn collect(value: &Value, cited: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "sourceSegmentIds" {
                    let ids = value.as_array().unwrap();
                    assert!(!ids.is_empty());
                    cited.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
                }
                collect(value, cited);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, cited)),
        _ => {}
    }
}
