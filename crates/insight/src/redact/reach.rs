//! Between which times something that was taken out was said at most. Its one invariant: it is as long as the finding or longer, and ends at
//! the words around it that stay.
//!
//! Recognition may squeeze a number that took five seconds into one word of half a second, anywhere in the pause that it leaves between the
//! words around; those keep their times. So whoever silences a finding silences the pause.

use std::collections::HashSet;

use speech::transcript::Transcript;

use super::Finding;

/// How far from a finding its number may be, in seconds: as long as one that is dictated slowly takes.
const FURTHEST: f64 = 10.0;

/// How long a word is believed to take, in seconds: one that recognition stretched may hide the beginning of a number.
const LONGEST_WORD: f64 = 1.0;

/// What stays, by start: when it begins, and when all up to it have ended.
type Staying = Vec<(f64, f64)>;

/// For each finding of a transcript, when it may have begun and ended, in seconds from the start of the recording.
#[must_use]
pub fn reaches(transcript: &Transcript, findings: &[Finding]) -> Vec<(f64, f64)> {
    // The channels of a call are heard one by one: what is said in another says nothing of a pause in this one.
    let is_split = transcript.pipeline.diarization_provider == "channels";
    let taken: HashSet<(usize, Option<usize>)> =
        findings.iter().map(|finding| (finding.segment, finding.word)).collect();
    let mut known: Vec<(String, Staying)> = Vec::new();
    let reach = |finding: &Finding| {
        let channel = transcript.segments.get(finding.segment).filter(|_| is_split);
        let channel = channel.map(|segment| segment.source_speaker_id.clone()).unwrap_or_default();
        let place = known.iter().position(|(name, _)| *name == channel).unwrap_or_else(|| {
            known.push((channel.clone(), staying(transcript, &channel, &taken)));
            known.len() - 1
        });
        around(&known[place].1, finding)
    };
    findings.iter().map(reach).collect()
}

fn staying(transcript: &Transcript, channel: &str, taken: &HashSet<(usize, Option<usize>)>) -> Staying {
    let mut staying = Vec::new();
    for (index, segment) in transcript.segments.iter().enumerate() {
        if !channel.is_empty() && segment.source_speaker_id != channel {
            continue;
        }
        if segment.words.is_empty() && !taken.contains(&(index, None)) {
            staying.push((segment.start_seconds, segment.end_seconds));
        }
        for (place, word) in segment.words.iter().enumerate() {
            if !taken.contains(&(index, Some(place))) {
                staying.push((word.start_seconds, word.end_seconds.min(word.start_seconds + LONGEST_WORD)));
            }
        }
    }
    staying.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let mut ended = 0.0_f64;
    for (_, end) in &mut staying {
        ended = ended.max(*end);
        *end = ended;
    }
    staying
}

fn around(staying: &Staying, finding: &Finding) -> (f64, f64) {
    let (start, end) = (finding.start_seconds, finding.end_seconds);
    let next = staying.partition_point(|(begins, _)| *begins <= start);
    let before = next.checked_sub(1).map_or(0.0, |last| staying[last].1);
    let after = staying.get(next).map_or(f64::INFINITY, |(begins, _)| *begins);
    ((start - FURTHEST).max(before).max(0.0).min(start), (end + FURTHEST).min(after).max(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Kind;
    use speech::transcript::{Pipeline, Role, Segment, SpeakerResolution, Word};

    /// A channel and its words, each a text and its times.
    type Said<'a> = (&'a str, &'a [(&'a str, f64, f64)]);

    fn transcript(provider: &str, segments: &[Said<'_>]) -> Transcript {
        let word = |(text, start, end): &(&str, f64, f64)| Word {
            text: (*text).to_owned(),
            start_seconds: *start,
            end_seconds: *end,
            confidence: 1.0,
        };
        let segment = |(channel, words): &Said<'_>| Segment {
            id: String::new(),
            speaker: String::new(),
            speaker_id: String::new(),
            source_speaker_id: (*channel).to_owned(),
            role: Role::default(),
            start_seconds: words[0].1,
            end_seconds: words[words.len() - 1].2,
            text: String::new(),
            language: None,
            alignment_confidence: 1.0,
            words: words.iter().map(word).collect(),
        };
        Transcript {
            schema_version: 2,
            call_id: None,
            language: None,
            duration_seconds: 60.0,
            clean_text: String::new(),
            speakers: Vec::new(),
            segments: segments.iter().map(segment).collect(),
            speaker_resolution: SpeakerResolution::default(),
            pipeline: Pipeline { diarization_provider: provider.to_owned(), ..Pipeline::default() },
            created_at: None,
        }
    }

    /// The reaches of all words that are a number.
    fn of(transcript: &Transcript) -> Vec<(f64, f64)> {
        let mut findings = Vec::new();
        for (segment, one) in transcript.segments.iter().enumerate() {
            let numbers = one.words.iter().enumerate().filter(|(_, word)| word.text == "#");
            findings.extend(numbers.map(|(place, word)| Finding {
                kind: Kind::PhoneNumber,
                segment,
                word: Some(place),
                start_seconds: word.start_seconds,
                end_seconds: word.end_seconds,
            }));
        }
        reaches(transcript, &findings)
    }

    #[test]
    fn a_number_that_was_squeezed_into_a_moment_reaches_over_the_pause_that_it_was_said_in() {
        // As whisper-base heard a number that was said from 7.6 s to 12.2 s.
        let one = ("is", 7.34, 7.62);
        let call = transcript("local", &[("A", &[one]), ("A", &[("#", 11.14, 11.78), ("Thank", 12.7, 13.1)])]);
        assert_eq!(of(&call), [(7.62, 12.7)]);
    }

    #[test]
    fn it_ends_at_what_stays_and_not_at_another_number() {
        let call =
            transcript("local", &[("A", &[("or", 1.0, 1.5), ("#", 3.0, 4.0), ("#", 5.0, 6.0), ("or", 7.0, 8.0)])]);
        assert_eq!(of(&call), [(1.5, 7.0), (1.5, 7.0)]);
        let alone = transcript("local", &[("A", &[("#", 30.0, 31.0)])]);
        assert_eq!(of(&alone), [(20.0, 41.0)]);
        let stretched = transcript("local", &[("A", &[("is", 1.0, 5.0), ("#", 5.0, 5.5), ("so", 5.2, 6.0)])]);
        assert_eq!(of(&stretched), [(2.0, 5.5)]);
    }

    #[test]
    fn what_another_channel_says_meanwhile_ends_nothing() {
        let said: [Said<'_>; 2] = [
            ("CHANNEL_0", &[("is", 1.0, 1.5), ("#", 4.0, 5.0)]),
            ("CHANNEL_1", &[("yes", 3.0, 3.5), ("ok", 5.5, 6.0)]),
        ];
        assert_eq!(of(&transcript("channels", &said)), [(1.5, 15.0)]);
        assert_eq!(of(&transcript("local", &said)), [(3.5, 5.5)]);
    }
}
