//! Takes out of transcripts what must not stay in them (rule H7 of the privacy contract): telephone numbers always, written, spoken,
//! split over segments and speakers; e-mail addresses, cards, IBANs, national ids, dates of birth, street addresses and names where a
//! policy says so. In their place stands a placeholder; a finding says its kind, place and time.
//!
//! Its one invariant: what it gives, given to it again, stays as it is, and differs from what it was given in nothing but the places of
//! findings. How it decides: `docs/adr/016-redaction.md`; how well: `docs/benchmarks.md`.

mod address;
mod beside;
mod birth;
mod card;
mod claim;
mod code;
mod cue;
mod email;
mod ending;
mod extension;
mod gap;
mod iban;
pub(crate) mod item;
pub(crate) mod label;
mod name;
mod national;
mod numbering;
pub(crate) mod numeral;
mod parts;
mod phone;
mod policy;
mod reach;
mod run;
mod shape;
mod splice;
pub(crate) mod token;

use serde::Serialize;
use speech::transcript::Transcript;

pub(crate) use self::beside::page;
pub use self::beside::redact_text;
pub use self::ending::phone_endings;
pub(crate) use self::label::last_four;
pub use self::label::{contact_label, is_contact_label, redact_name};
pub use self::policy::{Kind, Policy};
pub use self::reach::reaches;

use self::claim::Claim;
use self::token::Page;

/// Passes that take something out, at most: a placeholder can change what the words around the next number say. One does for nearly all
/// that was ever seen.
const PASSES: usize = 6;

/// Something that was taken out. It holds numbers and a kind, so it cannot hold what it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it was.
    pub kind: Kind,
    /// The index of its segment in [`Transcript::segments`].
    pub segment: usize,
    /// The index of the word that the placeholder stands in; absent where the segment has no words.
    pub word: Option<usize>,
    /// When it began, in seconds from the start of the recording; that of the segment where it has no words.
    pub start_seconds: f64,
    /// When it ended.
    pub end_seconds: f64,
}

/// A transcript that may be stored, and what is no longer in it.
pub struct Redacted {
    /// The transcript with placeholders.
    pub transcript: Transcript,
    /// The placeholders in the order of the text, those of an earlier redaction among them: one for each segment that a number is
    /// spread over.
    pub findings: Vec<Finding>,
}

/// The text changed with every pass until there were no more, so that what is left cannot be called redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("something to take out was still found after {passes} passes; the transcript must not be stored")]
pub struct Unfinished {
    passes: usize,
}

/// Takes out of `transcript` what `policy` says. The plain text (`clean_text`) is made anew from the segments; a label that holds a full
/// number is left with its last four digits. Words that do not spell their segment's text are dropped: nothing could be taken out of
/// them at the right place.
///
/// It takes time in proportion to the length of the transcript.
///
/// # Errors
/// [`Unfinished`] when a pass would still find something after the last: what was taken out so far is not given.
pub fn redact(transcript: Transcript, policy: &Policy) -> Result<Redacted, Unfinished> {
    redact_within(PASSES, transcript, policy)
}

fn redact_within(passes: usize, mut transcript: Transcript, policy: &Policy) -> Result<Redacted, Unfinished> {
    splice::drop_strange_words(&mut transcript);
    let mut left = passes;
    loop {
        let page = Page::of(&transcript);
        let claims = claim::claims(&page, policy);
        if claims.is_empty() {
            break;
        }
        left = left.checked_sub(1).ok_or(Unfinished { passes })?;
        splice::replace(&mut transcript, &page, &claims);
    }
    label::redact_labels(&mut transcript)?;
    let paragraphs: Vec<String> =
        transcript.segments.iter().map(|segment| format!("{}: {}", segment.speaker, segment.text)).collect();
    transcript.clean_text = paragraphs.join("\n\n");
    Ok(Redacted { findings: splice::findings(&transcript), transcript })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Transcript {
        let json = serde_json::json!({
            "schemaVersion": 2, "language": "en", "durationSeconds": 9.0, "cleanText": "", "speakers": [],
            "speakerResolution": {}, "pipeline": speech::transcript::Pipeline::default(),
            "segments": [{
                "id": "seg_0001", "speaker": "A", "speakerId": "spk_1", "sourceSpeakerId": "CHANNEL_0", "role": "UNKNOWN",
                "startSeconds": 0.0, "endSeconds": 9.0, "text": text, "alignmentConfidence": 1.0, "words": [],
            }],
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_transcript_in_which_the_last_pass_leaves_something_is_not_given() {
        // The order names the number until the address between them is gone.
        let call = said("The order of ann@example.org, 212-555-0199.");
        let policy = Policy::new([Kind::EmailAddress]);
        assert_eq!(redact_within(1, call.clone(), &policy).err(), Some(Unfinished { passes: 1 }));
        let finished = redact_within(2, call, &policy).unwrap();
        assert_eq!(finished.transcript.segments[0].text, "The order of [e-mail address], [phone number].");
    }
}
