//! What documents for people say around the conversation.

use speech::transcript::{Role, Transcript};

use super::text;
use crate::quality;

/// What a document says about the recording, as name and value.
pub(super) fn facts(transcript: &Transcript) -> Vec<(&'static str, String)> {
    let duration = transcript.duration_seconds;
    let mut facts = vec![("Duration", text::clock(duration, text::needs_hours(duration)))];
    facts.extend(transcript.language.clone().map(|code| ("Language", code)));
    facts.extend(transcript.created_at.clone().map(|at| ("Transcribed", at)));
    if !transcript.pipeline.transcription_model.is_empty() {
        facts.push(("Model", transcript.pipeline.transcription_model.clone()));
    }
    facts.extend(transcript.pipeline.warnings.iter().map(|&warning| ("Note", quality::sentence(warning).to_owned())));
    facts
}

/// The role of a speaker behind the name, where it is known.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::User => " (user)",
        Role::Contact => " (contact)",
        Role::Unknown => "",
    }
}
