//! Whose voice is whose: labels and roles of speakers from the text and the metadata of a call alone. Its one invariant: a wrong name is
//! worse than none. No name is ever given that is not in the metadata, and no two speakers have one role.
//!
//! The rules of evidence are tried in their order; the first that applies to a speaker wins. One function a rule, in `rules.rs`.
//!
//! They are asked once, of what was heard. What a person says later (`MANUAL`) is written into the transcript that is stored, which no rule reads
//! again: so it beats them all, and an analysis that is made anew begins with it.

mod names;
mod rules;
mod unspaced;

use speech::transcript::{Confidence, LabelSource, Role, SpeakerResolution, Transcript};

use crate::facts::{Direction, Facts};
use crate::redact::label::contact_label;

/// Version of the rules, as the transcript states it.
const STRATEGY_VERSION: u32 = 1;

/// What a voice matcher found.
#[derive(Clone, Debug, PartialEq)]
pub enum VoiceMatch {
    /// One voice is the user's.
    Matched {
        /// Whose.
        speaker_id: String,
        /// 0..=1; below 0.75 it is as if nothing had matched.
        score: f32,
    },
    /// Several voices are above the threshold.
    Ambiguous,
    /// None is.
    NoMatch,
    /// The provider failed; the rules go on without it.
    Failed,
}

impl VoiceMatch {
    /// What the scores of a call's speakers say.
    #[must_use]
    pub fn of(scores: impl IntoIterator<Item = (String, f32)>) -> Self {
        let mut above = scores.into_iter().filter(|(_, score)| *score >= VOICE_MEDIUM);
        match (above.next(), above.next()) {
            (None, _) => Self::NoMatch,
            (Some((speaker_id, score)), None) => Self::Matched { speaker_id, score },
            (Some(_), Some(_)) => Self::Ambiguous,
        }
    }
}

/// What is known of the voices besides text and metadata.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Absent where voice matching is off.
    pub voice: Option<VoiceMatch>,
    /// The names of the metadata are evidence and no labels: they are to be taken out of the transcript.
    pub withholds_names: bool,
}

/// A role that a speaker was given.
#[derive(Clone, Copy, PartialEq)]
struct Given {
    role: Role,
    confidence: Confidence,
    source: LabelSource,
}

/// Roles while they are found. Invariant: a speaker is given one role, and a role one speaker.
struct Roles {
    given: Vec<Option<Given>>,
}

impl Roles {
    /// Gives a role, unless the speaker has one or another speaker has it.
    fn give(&mut self, speaker: usize, role: Role, confidence: Confidence, source: LabelSource) -> bool {
        let taken = role != Role::Unknown && self.given.iter().flatten().any(|given| given.role == role);
        let free = self.given.get(speaker).is_some_and(Option::is_none) && !taken;
        if free {
            self.given[speaker] = Some(Given { role, confidence, source });
        }
        free
    }

    fn role(&self, speaker: usize) -> Role {
        self.given.get(speaker).copied().flatten().map_or(Role::Unknown, |given| given.role)
    }

    fn open(&self) -> bool {
        self.given.iter().any(Option::is_none)
    }

    fn none(&self) -> bool {
        self.given.iter().all(Option::is_none)
    }
}

/// Names the speakers of `transcript`. Roles and labels of an earlier run are forgotten first, so that running it again changes nothing.
#[must_use]
pub fn resolve(mut transcript: Transcript, facts: &Facts, evidence: &Evidence) -> Transcript {
    let mut roles = Roles { given: vec![None; transcript.speakers.len()] };
    let index = |id: &str| transcript.speakers.iter().position(|speaker| speaker.speaker_id == id);
    let mut telemetry = SpeakerResolution {
        strategy_version: STRATEGY_VERSION,
        voice_embedding_enabled: evidence.voice.is_some(),
        total_speaker_count: transcript.speakers.len(),
        ..SpeakerResolution::default()
    };
    voice(&mut roles, &mut telemetry, evidence.voice.as_ref(), index);
    let ambiguous = rules::apply(&mut roles, &transcript, facts, &mut telemetry);
    warn(&mut telemetry, &roles, ambiguous);
    label(&mut transcript, &roles, (facts, evidence.withholds_names), &mut telemetry);
    if let Some(VoiceMatch::Matched { speaker_id, score }) = &evidence.voice {
        let matched = transcript.speakers.iter_mut().find(|speaker| speaker.speaker_id == *speaker_id);
        matched.into_iter().for_each(|speaker| speaker.voice_match_score = Some(*score));
    }
    telemetry.resolved_speaker_count =
        transcript.speakers.iter().filter(|speaker| speaker.role != Role::Unknown).count();
    transcript.speaker_resolution = telemetry;
    transcript
}

/// Scores from which on a voice is the user's.
const VOICE_HIGH: f32 = 0.85;
const VOICE_MEDIUM: f32 = 0.75;

/// Rule 1.
fn voice(
    roles: &mut Roles,
    telemetry: &mut SpeakerResolution,
    voice: Option<&VoiceMatch>,
    index: impl Fn(&str) -> Option<usize>,
) {
    let status = match voice {
        None => return,
        Some(VoiceMatch::Matched { speaker_id, score }) if *score >= VOICE_MEDIUM => {
            let confidence = if *score >= VOICE_HIGH { Confidence::High } else { Confidence::Medium };
            telemetry.voice_profile_used = index(speaker_id)
                .is_some_and(|speaker| roles.give(speaker, Role::User, confidence, LabelSource::VoiceEmbedding));
            "MATCHED"
        }
        Some(VoiceMatch::Matched { .. } | VoiceMatch::NoMatch) => "NO_MATCH",
        Some(VoiceMatch::Ambiguous) => "AMBIGUOUS",
        Some(VoiceMatch::Failed) => "FAILED",
    };
    telemetry.voice_match_status = Some(status.to_owned());
}

fn warn(telemetry: &mut SpeakerResolution, roles: &Roles, ambiguous: bool) {
    let mut warn = |code: &str| telemetry.warnings.push(code.to_owned());
    if ambiguous && roles.none() {
        warn("speaker_identity_ambiguous");
    }
    if roles.given.len() >= 3 && roles.open() {
        warn("multi_party_call_not_auto_resolved");
    } else if roles.none() {
        warn("speaker_roles_unresolved");
    }
}

/// Writes roles, names and labels into speakers and segments.
fn label(
    transcript: &mut Transcript,
    roles: &Roles,
    (facts, withholds_names): (&Facts, bool),
    telemetry: &mut SpeakerResolution,
) {
    for (index, speaker) in transcript.speakers.iter_mut().enumerate() {
        let given = roles.given[index];
        let known = match roles.role(index) {
            Role::User => facts.user_name.clone(),
            Role::Contact => facts.contact_name.clone(),
            Role::Unknown => None,
        };
        let known = known.filter(|name| !withholds_names && !name.trim().is_empty());
        telemetry.used_user_display_name |= roles.role(index) == Role::User && known.is_some();
        telemetry.used_contact_name |= roles.role(index) == Role::Contact && known.is_some();
        speaker.role = roles.role(index);
        speaker.confidence = given.map(|given| given.confidence);
        speaker.label_source = given.map_or(LabelSource::Diarization, |given| given.source);
        speaker.voice_match_score = None;
        speaker.display_name = known;
        speaker.label = speaker.display_name.clone().unwrap_or_else(|| format!("Speaker {}", index + 1));
        // Rule 8.
        let ending = facts.phone_number.as_deref().and_then(contact_label);
        if let (Role::Contact, None, Some(ending)) = (speaker.role, &speaker.display_name, ending) {
            speaker.label = ending;
            telemetry.used_phone_fallback = true;
            speaker.label_source = LabelSource::PhoneFallback;
        }
    }
    for segment in &mut transcript.segments {
        if let Some(speaker) = transcript.speakers.iter().find(|speaker| speaker.speaker_id == segment.speaker_id) {
            segment.speaker.clone_from(&speaker.label);
            segment.role = speaker.role;
        }
    }
    let paragraphs: Vec<String> =
        transcript.segments.iter().map(|segment| format!("{}: {}", segment.speaker, segment.text)).collect();
    transcript.clean_text = paragraphs.join("\n\n");
}

/// Whom a call of this direction rings at.
fn answerer(direction: Direction) -> Option<Role> {
    match direction {
        Direction::Outgoing => Some(Role::Contact),
        Direction::Incoming => Some(Role::User),
        Direction::Unknown => None,
    }
}

/// The other party.
fn opposite(role: Role) -> Role {
    match role {
        Role::User => Role::Contact,
        Role::Contact => Role::User,
        Role::Unknown => Role::Unknown,
    }
}
