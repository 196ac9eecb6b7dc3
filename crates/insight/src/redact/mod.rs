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
mod iban;
mod item;
mod label;
mod name;
mod national;
mod numbering;
mod numeral;
mod phone;
mod policy;
mod reach;
mod run;
mod shape;
mod splice;
mod token;

use serde::Serialize;
use speech::transcript::Transcript;

pub use self::beside::redact_text;
pub use self::label::{contact_label, last_four};
pub use self::policy::{Kind, Policy, Region, UnknownRegion};
pub use self::reach::reaches;

use self::claim::Claim;
use self::token::Page;

/// How often a transcript is looked through at most: a placeholder can change what the words around the next number say. Two passes do
/// for everything that was ever seen, the second of which finds nothing.
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

/// Takes out of `transcript` what `policy` says. The plain text (`clean_text`) is made anew from the segments; a label that holds a full
/// number is left with its last four digits. Words that do not spell their segment's text are dropped: nothing could be taken out of
/// them at the right place.
///
/// It takes time in proportion to the length of the transcript.
#[must_use]
pub fn redact(mut transcript: Transcript, policy: &Policy) -> Redacted {
    splice::drop_strange_words(&mut transcript);
    for _ in 0..PASSES {
        let page = Page::of(&transcript);
        let claims = claim::claims(&page, policy);
        if claims.is_empty() {
            break;
        }
        splice::replace(&mut transcript, &page, &claims);
    }
    label::shorten_labels(&mut transcript);
    let paragraphs: Vec<String> =
        transcript.segments.iter().map(|segment| format!("{}: {}", segment.speaker, segment.text)).collect();
    transcript.clean_text = paragraphs.join("\n\n");
    Redacted { findings: splice::findings(&transcript), transcript }
}
