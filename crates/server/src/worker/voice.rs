//! `VOICE_MATCHED`: which speaker of a call is its owner, by the owner's voice profile. Its one invariant: nothing here fails a call, and
//! nothing is said of a voice whose owner has no profile, or no consent in force when the transcript is stored.
//!
//! The recording is heard once, so voices are compared while it is: the engine is given the profile and gives back scores. What the voices
//! of a call are like is never stored, not even under the key of the run; scores are, until the run ends.

use std::sync::Arc;

use insight::speakers::VoiceMatch;
use serde::{Deserialize, Serialize};
use speech::{
    normalize::source_speaker_id,
    transcript::Transcript,
    voiceprint::{Unusable, VoiceScore, Voiceprint},
};
use uuid::Uuid;

use super::stage::{Event, Stage};
use crate::{
    app::App,
    db::{DbError, TenantTx, Write},
    vault::keys::VaultError,
    voice_profiles::{PROVIDER, store},
};

/// A profile to compare with.
pub(super) struct Asked {
    profile: Uuid,
    /// What is wrong with it, where it cannot be opened.
    voiceprint: Result<Arc<Voiceprint>, &'static str>,
}

impl Asked {
    /// What goes to the engine.
    pub(super) fn voiceprint(&self) -> Option<Arc<Voiceprint>> {
        self.voiceprint.as_ref().ok().map(Arc::clone)
    }

    /// What the engine gave back; `split`: each party had a channel.
    pub(super) fn heard(&self, scores: Option<Result<Vec<VoiceScore>, Unusable>>, split: bool) -> Heard {
        let named = |score: VoiceScore| (source_speaker_id(score.speaker, split), score.score);
        let found = match (&self.voiceprint, scores) {
            (Err(code), _) => Found::Failed((*code).to_owned()),
            (Ok(_), None) => Found::Failed("voice_unheard".to_owned()),
            (Ok(_), Some(Ok(scores))) => Found::Scores(scores.into_iter().map(named).collect()),
            (Ok(_), Some(Err(unusable))) => Found::Failed(code(unusable).to_owned()),
        };
        Heard { profile: self.profile, found }
    }
}

fn code(unusable: Unusable) -> &'static str {
    match unusable {
        Unusable::Damaged => DAMAGED,
        Unusable::OtherModel => "voice_profile_of_other_model",
        Unusable::Unheard => "voice_unheard",
    }
}

const DAMAGED: &str = "voice_profile_damaged";

/// The profile of the call's owner, where voices are compared and there is one.
pub(super) async fn ask(tx: &mut TenantTx<Write>, app: &App) -> Result<Option<Asked>, DbError> {
    if !app.operation.config.voice_profiles.enabled {
        return Ok(None);
    }
    let Some(row) = store::own(tx).await? else { return Ok(None) };
    let voiceprint = match store::open(tx, &app.vault, &row).await {
        Ok(voiceprint) => Ok(Arc::new(voiceprint)),
        Err(VaultError::Database(error)) => return Err(error),
        Err(_) => Err(DAMAGED),
    };
    Ok(Some(Asked { profile: row.id, voiceprint }))
}

/// What came of comparing, as it is kept until the run ends.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Heard {
    profile: Uuid,
    found: Found,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Found {
    /// A score for each speaker who said enough, by the name that the diarization has for them.
    Scores(Vec<(String, f32)>),
    /// A short code that says why there are none.
    Failed(String),
}

impl Heard {
    /// It, where the profile is still there and may still be used.
    pub(super) async fn in_force(self, tx: &mut TenantTx<Write>, app: &App) -> Result<Option<Self>, DbError> {
        let profile = match app.operation.config.voice_profiles.enabled {
            true => store::own(tx).await?.map(|row| row.id),
            false => None,
        };
        Ok((profile == Some(self.profile)).then_some(self))
    }

    /// Whether the profile may still be used when the transaction commits: a withdrawal waits for that.
    pub(super) async fn is_held(&self, tx: &mut TenantTx<Write>) -> Result<bool, DbError> {
        store::hold(tx, self.profile).await
    }

    /// What it says of the speakers of a transcript.
    pub(super) fn evidence(&self, transcript: &Transcript) -> VoiceMatch {
        let Found::Scores(scores) = &self.found else { return VoiceMatch::Failed };
        let score = |source: &str| scores.iter().find(|(name, _)| name == source).map(|(_, score)| *score);
        let speakers = transcript.speakers.iter();
        let known =
            speakers.filter_map(|speaker| Some((speaker.speaker_id.clone(), score(&speaker.source_speaker_id)?)));
        VoiceMatch::of(known)
    }
}

/// Word of the stage.
pub(super) fn event(heard: Option<&Heard>) -> Event<'_> {
    match heard.map(|heard| &heard.found) {
        None => Event::skipped(Stage::VoiceMatched),
        Some(Found::Scores(_)) => Event::completed(Stage::VoiceMatched).by(PROVIDER),
        Some(Found::Failed(code)) => Event::failed(Stage::VoiceMatched, code).by(PROVIDER),
    }
}
