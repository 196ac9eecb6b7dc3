//! The JSON schema of a model's answer: the analysis document, less what this program says itself. Its one invariant: every name of a
//! field is one of the type that reads it, and the values of enums are those of the type ([`super::names`]); a test compares all of them.
//!
//! It keeps to what OpenAI documents for `strict` (Structured Outputs, supported schemas): every property is required, no others are
//! allowed, what may be absent may be null, no lengths of texts. Lengths are checked when the answer is read.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::names::names_of;
use crate::analysis::{
    document::{
        Amount, Bullet, CallType, DiscussionPoint, Importance, ImportantDate, NextStep, Person, Phase, Section,
        SectionItem, Statement,
    },
    mood::document::{Energy, Feeling, Formality, Pace, PartySentiment, PartyTones, PhaseSentiment, Sentiment, Tone},
    rest::Known,
    task::document::{ActionItem, Attendee, Intent, IntentMetadata, Owner},
};

/// Values that an enum may have in OpenAI's subset; with more segments in a part, ids are any text.
const MOST_VALUES: usize = 900;

/// Items of a list that a model may fill in one part.
pub(super) const MOST_ITEMS: usize = 24;

/// The fields of a type that a model is asked for, with their schemas.
struct Shape {
    fields: Vec<(&'static str, Value)>,
    /// What this program says itself.
    own: &'static [&'static str],
    /// What the type is called on the wire.
    names: &'static [&'static str],
}

impl Shape {
    fn new<T: for<'de> Deserialize<'de>>(own: &'static [&'static str], fields: Vec<(&'static str, Value)>) -> Self {
        Self { fields, own, names: names_of::<T>() }
    }

    /// Fields of the type that are neither asked for nor this program's own, and fields that the type does not have.
    fn drift(&self) -> Vec<&'static str> {
        let told: Vec<&str> = self.fields.iter().map(|(name, _)| *name).chain(self.own.iter().copied()).collect();
        let missing = self.names.iter().filter(|name| !told.contains(name)).copied();
        let strange = self.fields.iter().map(|(name, _)| *name).chain(self.own.iter().copied());
        missing.chain(strange.filter(|name| !self.names.contains(name))).collect()
    }

    fn schema(self) -> Value {
        if cfg!(test) {
            assert!(self.drift().is_empty(), "the schema and the type differ in {:?}", self.drift());
        }
        let required: Vec<&str> = self.fields.iter().map(|(name, _)| *name).collect();
        let properties: Map<String, Value> =
            self.fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn maybe_text() -> Value {
    json!({ "type": ["string", "null"] })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn one_of<T: for<'de> Deserialize<'de>>() -> Value {
    json!({ "type": "string", "enum": names_of::<T>() })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items, "maxItems": MOST_ITEMS })
}

fn maybe(shape: Shape) -> Value {
    json!({ "anyOf": [shape.schema(), { "type": "null" }] })
}

fn cited() -> Value {
    json!({ "type": "array", "items": { "$ref": "#/$defs/segment" }, "maxItems": 8 })
}

fn speaker() -> Value {
    json!({ "$ref": "#/$defs/speaker" })
}

/// The schema of the answer to a part that shows these segments, of a call of these speakers.
pub(super) fn schema(segments: &[&str], speakers: &[&str]) -> Value {
    let mut schema = analysis().schema();
    let segment = match segments.len() {
        1..=MOST_VALUES => json!({ "type": "string", "enum": segments }),
        _ => text(),
    };
    let speaker = json!({ "anyOf": [{ "type": "string", "enum": speakers }, { "type": "null" }] });
    schema["$defs"] = json!({ "segment": segment, "speaker": speaker });
    schema
}

fn analysis() -> Shape {
    let own = &["schemaVersion", "engine", "stale", "shortSummary", "detailedSummary", "keyPoints", "qualityWarnings"];
    let statements = || list(&statement().schema());
    Shape::new::<Known>(
        own,
        vec![
            ("callType", one_of::<CallType>()),
            ("suggestedTitle", maybe_text()),
            ("oneLineSummary", maybe_text()),
            ("executiveSummary", maybe_text()),
            ("executiveSummaryBullets", list(&bullet().schema())),
            ("conversationOutcome", maybe_text()),
            ("sections", list(&section().schema())),
            ("keyDiscussionPoints", list(&point().schema())),
            ("actionItems", list(&action_item().schema())),
            ("nextSteps", list(&next_step().schema())),
            ("importantDates", list(&date().schema())),
            ("decisions", statements()),
            ("commitments", statements()),
            ("openQuestions", statements()),
            ("risks", statements()),
            ("opportunities", statements()),
            ("peopleMentioned", list(&person().schema())),
            ("numbersAndAmounts", list(&amount().schema())),
            ("sentiment", maybe(sentiment())),
            ("tone", maybe(tone())),
            ("tags", list(&text())),
        ],
    )
}

fn bullet() -> Shape {
    Shape::new::<Bullet>(&[], vec![("header", text()), ("startTimestamp", text()), ("paragraphs", list(&text()))])
}

fn section() -> Shape {
    let items = Shape::new::<SectionItem>(
        &[],
        vec![("text", text()), ("importance", one_of::<Importance>()), ("sourceSegmentIds", cited())],
    );
    // Sections are numbered here.
    Shape::new::<Section>(
        &["id"],
        vec![("title", text()), ("type", text()), ("summary", maybe_text()), ("items", list(&items.schema()))],
    )
}

fn point() -> Shape {
    Shape::new::<DiscussionPoint>(
        &[],
        vec![
            ("text", text()),
            ("topic", maybe_text()),
            ("phase", one_of::<Phase>()),
            ("importance", one_of::<Importance>()),
            ("sourceSegmentIds", cited()),
        ],
    )
}

fn statement() -> Shape {
    Shape::new::<Statement>(
        &[],
        vec![("text", text()), ("ownerSpeaker", speaker()), ("dueDate", maybe_text()), ("sourceSegmentIds", cited())],
    )
}

fn next_step() -> Shape {
    Shape::new::<NextStep>(
        &[],
        vec![("text", text()), ("ownerSpeaker", speaker()), ("when", maybe_text()), ("sourceSegmentIds", cited())],
    )
}

fn date() -> Shape {
    // Days and times are read from the words by this program.
    Shape::new::<ImportantDate>(&["date", "time"], vec![("text", text()), ("sourceSegmentIds", cited())])
}

fn person() -> Shape {
    Shape::new::<Person>(&[], vec![("name", text()), ("speakerId", speaker()), ("sourceSegmentIds", cited())])
}

fn amount() -> Shape {
    // So are values, units and kinds.
    Shape::new::<Amount>(&["value", "unit", "kind"], vec![("text", text()), ("sourceSegmentIds", cited())])
}

fn action_item() -> Shape {
    // What the transcript calls a speaker, it says itself.
    let owner =
        Shape::new::<Owner>(&["label", "displayName", "role"], vec![("speakerId", json!({ "type": "string" }))]);
    let attendee = Shape::new::<Attendee>(&["email"], vec![("name", maybe_text())]);
    // No address and no number is in the prompt; times are read from the words.
    let metadata = Shape::new::<IntentMetadata>(
        &["toEmail", "handle", "phoneEnding", "proposedAt", "remindAt"],
        vec![
            ("providerHint", maybe_text()),
            ("attendees", list(&attendee.schema())),
            ("durationMinutes", json!({ "type": ["integer", "null"] })),
            ("title", maybe_text()),
            ("location", maybe_text()),
            ("toName", maybe_text()),
            ("subject", maybe_text()),
            ("bodyPreview", maybe_text()),
            ("contactName", maybe_text()),
            ("channel", maybe_text()),
            ("notes", maybe_text()),
        ],
    );
    Shape::new::<ActionItem>(
        &[],
        vec![
            ("title", text()),
            ("description", maybe_text()),
            ("owner", maybe(owner)),
            ("dueDate", maybe_text()),
            ("priority", json!({ "anyOf": [one_of::<Importance>(), { "type": "null" }] })),
            ("sourceSegmentIds", cited()),
            ("intent", one_of::<Intent>()),
            ("intentMetadata", metadata.schema()),
        ],
    )
}

fn sentiment() -> Shape {
    let party = || {
        maybe(Shape::new::<PartySentiment>(
            &[],
            vec![("overall", one_of::<Feeling>()), ("score", number()), ("notes", maybe_text())],
        ))
    };
    let phase = Shape::new::<PhaseSentiment>(
        &[],
        vec![
            ("phase", one_of::<Phase>()),
            ("overall", one_of::<Feeling>()),
            ("note", maybe_text()),
            ("sourceSegmentIds", cited()),
        ],
    );
    Shape::new::<Sentiment>(
        &[],
        vec![
            ("overall", one_of::<Feeling>()),
            ("score", number()),
            ("reason", maybe_text()),
            ("userSentiment", party()),
            ("contactSentiment", party()),
            ("progression", list(&phase.schema())),
            ("emotionalSignals", list(&text())),
        ],
    )
}

fn tone() -> Shape {
    let parties = Shape::new::<PartyTones>(&[], vec![("userTone", maybe_text()), ("contactTone", maybe_text())]);
    Shape::new::<Tone>(
        &[],
        vec![
            ("overall", one_of::<Feeling>()),
            ("descriptors", list(&text())),
            ("formality", one_of::<Formality>()),
            ("energy", one_of::<Energy>()),
            ("pace", one_of::<Pace>()),
            ("notes", maybe_text()),
            ("byParty", parties.schema()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_and_the_types_of_the_document_have_the_same_fields() {
        let shapes = [
            analysis(),
            bullet(),
            section(),
            point(),
            statement(),
            next_step(),
            date(),
            person(),
            amount(),
            action_item(),
            sentiment(),
            tone(),
        ];
        for shape in shapes {
            assert!(!shape.names.is_empty());
            // Those within others are checked where their schema is made.
            assert_eq!(shape.drift(), Vec::<&str>::new());
        }
    }

    #[test]
    fn a_field_that_the_type_has_not_is_a_drift_and_so_is_one_that_nobody_tells() {
        let shape = Shape::new::<Bullet>(&["nobody"], vec![("header", text())]);
        assert_eq!(shape.drift(), ["startTimestamp", "paragraphs", "nobody"]);
    }

    #[test]
    fn every_object_is_closed_and_requires_all_that_it_has() {
        fn walk(value: &Value) {
            if value["type"] == "object" {
                assert_eq!(value["additionalProperties"], false);
                assert_eq!(value["required"].as_array().unwrap().len(), value["properties"].as_object().unwrap().len());
            }
            if let Some(words) = value.as_object() {
                assert!(!words.contains_key("maxLength") && !words.contains_key("allOf"));
                words.values().for_each(walk);
            }
            value.as_array().into_iter().flatten().for_each(walk);
        }
        let schema = schema(&["seg_0001"], &["spk_1"]);
        walk(&schema);
        assert_eq!(schema["properties"]["callType"]["enum"][0], "personal");
        assert_eq!(schema["$defs"]["segment"]["enum"][0], "seg_0001");
    }
}
