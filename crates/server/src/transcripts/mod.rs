//! Transcripts as people read and correct them. Its one invariant: a correction changes the stored transcript and nothing else, and the
//! document stays consistent: names in segments are those of the speakers. Redaction makes the plain text anew.

pub mod routes;
pub mod store;

use speech::transcript::Transcript;

/// Names a speaker, or takes the name away; `None` when there is no such speaker.
fn rename(transcript: &mut Transcript, speaker: &str, name: &str) -> Option<()> {
    let place = transcript.speakers.iter().position(|one| one.speaker_id == speaker)?;
    let name = name.trim();
    transcript.speakers[place].display_name = (!name.is_empty()).then(|| name.to_owned());
    let shown = if name.is_empty() { transcript.speakers[place].label.clone() } else { name.to_owned() };
    for segment in transcript.segments.iter_mut().filter(|segment| segment.speaker_id == speaker) {
        segment.speaker.clone_from(&shown);
    }
    Some(())
}

/// Says what was said in a segment, and gives its place; `None` when there is no such segment. Its words go: they are what was heard, with
/// its times.
fn correct(transcript: &mut Transcript, segment: &str, text: &str) -> Option<usize> {
    let place = transcript.segments.iter().position(|one| one.id == segment)?;
    text.trim().clone_into(&mut transcript.segments[place].text);
    transcript.segments[place].words.clear();
    Some(place)
}
