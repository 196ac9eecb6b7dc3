//! Texts that people write beside a transcript: titles, summaries, notes. Its one invariant: what is taken out of them is what would be
//! taken out of the same words in the transcript.

use speech::transcript::{Pipeline, Role, SCHEMA_VERSION, Segment, SpeakerResolution, Transcript};

use super::{Policy, Unfinished, redact};

/// Takes out of `text` what `policy` says. `language` is that of the call, as an ISO 639-1 code, where it is known.
///
/// # Errors
/// See [`redact()`].
pub fn redact_text(text: String, language: Option<&str>, policy: &Policy) -> Result<String, Unfinished> {
    Ok(redact(page(text, language), policy)?.transcript.segments.pop().map(|segment| segment.text).unwrap_or_default())
}

/// `text` as the one segment of a transcript.
pub(crate) fn page(text: String, language: Option<&str>) -> Transcript {
    let segment = Segment {
        id: String::new(),
        speaker: String::new(),
        speaker_id: String::new(),
        source_speaker_id: String::new(),
        role: Role::default(),
        start_seconds: 0.0,
        end_seconds: 0.0,
        text,
        language: None,
        alignment_confidence: 1.0,
        words: Vec::new(),
    };
    Transcript {
        schema_version: SCHEMA_VERSION,
        call_id: None,
        language: language.map(str::to_owned),
        duration_seconds: 0.0,
        clean_text: String::new(),
        speakers: Vec::new(),
        segments: vec![segment],
        speaker_resolution: SpeakerResolution::default(),
        pipeline: Pipeline::default(),
        created_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Kind;

    #[test]
    fn a_title_loses_what_a_transcript_would_and_nothing_else() {
        let policy = Policy::new([Kind::EmailAddress]);
        let redacted = |text: &str, language| redact_text(text.to_owned(), language, &policy).unwrap();
        assert_eq!(redacted("Offer 2026, 3 tables for $1,200", Some("en")), "Offer 2026, 3 tables for $1,200");
        assert_eq!(redacted("Call +1 212 555 0199, ada@example.org", None), "Call [phone number], [e-mail address]");
        assert_eq!(redacted("Rückruf unter null drei null, neun neun null, sechs sechs zwei", Some("de")), {
            "Rückruf unter [phone number]"
        });
        assert_eq!(redacted("", None), "");
        assert_eq!(redacted("two\nlines [phone number]\n", None), "two\nlines [phone number]\n");
    }
}
