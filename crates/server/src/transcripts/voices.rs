//! Whose voice a person says it is. Its one invariant: no two speakers are one party, and nobody is called as a party whose voice it is not,
//! but by a person.

use insight::{
    facts::Facts,
    redact::{Kind, contact_label},
};
use speech::transcript::{Confidence, LabelSource, Role, Speaker, SpeakerResolution, Transcript};
use uuid::Uuid;

use crate::{app::App, calls, redaction, vault::keys::VaultError, worker::sweep};

/// What the parties of a call are called, where its tenant does not take names out of transcripts.
#[derive(Default)]
pub(super) struct Parties {
    user: Option<String>,
    contact: Option<String>,
    /// What a contact without a name is called.
    ending: Option<String>,
}

impl Parties {
    /// Reads it as a worker: who corrects a colleague's call may not know what its owner is called, and must have been let to it before.
    ///
    /// # Errors
    /// What a transaction may fail with.
    pub(super) async fn of(app: &App, (tenant, call): (Uuid, Uuid)) -> Result<Self, VaultError> {
        let mut tx = app.database.read(&sweep::scope(tenant)).await?;
        let withholds_names = redaction::policy(&mut tx, &app.vault, call).await?.takes_out(Kind::PersonName);
        let Facts { user_name, contact_name, phone_number, .. } = calls::facts::of(&mut tx, &app.vault, call).await?;
        let known = |name: Option<String>| name.filter(|name| !withholds_names && !name.trim().is_empty());
        let ending = phone_number.as_deref().and_then(contact_label);
        Ok(Self { user: known(user_name), contact: known(contact_name), ending })
    }

    fn name(&self, role: Role) -> Option<&String> {
        match role {
            Role::User => self.user.as_ref(),
            Role::Contact => self.contact.as_ref(),
            Role::Unknown => None,
        }
    }

    /// Gives the speaker at a place a role, with the name of that party, unless a person gave them a name.
    fn give(&self, (place, speaker): (usize, &mut Speaker), role: Role) {
        speaker.name_by_person = speaker.is_named_by_person() && speaker.display_name.is_some();
        let called = speaker.display_name.take().filter(|_| speaker.name_by_person);
        speaker.role = role;
        speaker.display_name = called.or_else(|| self.name(role).cloned());
        let ending = self.ending.clone().filter(|_| role == Role::Contact);
        let label = speaker.display_name.clone().or(ending);
        speaker.label = label.unwrap_or_else(|| format!("Speaker {}", place + 1));
    }

    /// Keeps true what a transcript says of how its speakers were resolved.
    fn tell(&self, resolution: &mut SpeakerResolution, speakers: &[Speaker]) {
        let is_used =
            |role| speakers.iter().any(|one| one.role == role && one.display_name.as_ref() == self.name(role));
        resolution.used_user_display_name = self.user.is_some() && is_used(Role::User);
        resolution.used_contact_name = self.contact.is_some() && is_used(Role::Contact);
        resolution.resolved_speaker_count = speakers.iter().filter(|one| one.role != Role::Unknown).count();
        let (known, all) = (resolution.resolved_speaker_count, speakers.len());
        resolution.warnings.retain(|warning| match warning.as_str() {
            "speaker_roles_unresolved" | "speaker_identity_ambiguous" => known == 0,
            "multi_party_call_not_auto_resolved" => known < all,
            _ => true,
        });
    }
}

/// Says whose voice a speaker's is, for good: what a person says beats every rule. Of two, the other one is the other party; of more, who was
/// that party is what the speaker was. `None` when there is no such speaker.
pub(super) fn assign(transcript: &mut Transcript, speaker: &str, role: Role, parties: &Parties) -> Option<()> {
    let place = transcript.speakers.iter().position(|one| one.speaker_id == speaker)?;
    let left = match (role, transcript.speakers.len()) {
        (Role::User, 2) => Role::Contact,
        (Role::Contact, 2) => Role::User,
        _ => transcript.speakers[place].role,
    };
    let is_two = transcript.speakers.len() == 2;
    for (at, one) in transcript.speakers.iter_mut().enumerate() {
        let is_open = is_two && one.role == Role::Unknown && !one.role_by_person;
        if at == place {
            parties.give((at, one), role);
            (one.label_source, one.confidence) = (LabelSource::Manual, Some(Confidence::High));
            one.role_by_person = true;
        } else if role != Role::Unknown && (one.role == role || is_open) {
            parties.give((at, one), left);
            one.role_by_person = false;
            // A name that a person gave stays a person's.
            if !one.name_by_person {
                let found = (LabelSource::ByElimination, Some(Confidence::Medium));
                let nothing = (LabelSource::Diarization, None);
                (one.label_source, one.confidence) = if left == Role::Unknown { nothing } else { found };
            }
        }
    }
    for segment in &mut transcript.segments {
        if let Some(one) = transcript.speakers.iter().find(|one| one.speaker_id == segment.speaker_id) {
            segment.speaker.clone_from(&one.label);
            segment.role = one.role;
        }
    }
    parties.tell(&mut transcript.speaker_resolution, &transcript.speakers);
    Some(())
}
