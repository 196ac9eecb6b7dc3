//! Transcripts as people read and correct them. Its one invariant: a correction changes the stored transcript, and in the same transaction
//! what was made of it (`analyses/correct.rs`, the index of words), what it said before (`held`) and nothing that people wrote; the document stays consistent: names in segments are those of the speakers. Redaction makes the plain text anew.

pub(crate) mod follow;
pub(crate) mod held;
pub mod routes;
pub mod store;
mod voices;

use speech::transcript::{Confidence, LabelSource, Transcript};

/// Names a speaker, or takes the name away, for good: what a person says beats every rule. `None` when there is no such speaker.
fn rename(transcript: &mut Transcript, speaker: &str, name: &str) -> Option<()> {
    let place = transcript.speakers.iter().position(|one| one.speaker_id == speaker)?;
    let name = name.trim();
    let named = &mut transcript.speakers[place];
    named.display_name = (!name.is_empty()).then(|| name.to_owned());
    named.label = named.display_name.clone().unwrap_or_else(|| format!("Speaker {}", place + 1));
    named.label_source = LabelSource::Manual;
    named.name_by_person = named.display_name.is_some();
    named.confidence = Some(Confidence::High);
    for segment in transcript.segments.iter_mut().filter(|segment| segment.speaker_id == speaker) {
        segment.speaker.clone_from(&named.label);
    }
    Some(())
}

/// Says what was said in a segment, and gives its place; `None` when there is no such segment. Its words go: they are what was heard, with
/// its times.
fn correct(transcript: &mut Transcript, segment: &str, text: &str) -> Option<usize> {
    let place = transcript.segments.iter().position(|one| one.id == segment)?;
    if transcript.segments[place].text == text.trim() {
        return Some(place);
    }
    text.trim().clone_into(&mut transcript.segments[place].text);
    transcript.segments[place].words.clear();
    Some(place)
}
