//! The stages that a call passes, and the word that each leaves of itself. Its one invariant: an event says what really happened; a
//! stage that did not run is `SKIPPED`, and a duration is there only where it was measured.

use std::time::Duration;

use api::calls::StageOutcome;
use uuid::Uuid;

use crate::db::{DbError, TenantTx, Write};

/// A stage. The numbers are those of the database, and their order is that of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum Stage {
    /// Any format to samples of 16 kHz.
    AudioPreprocessed = 1,
    /// Who spoke when.
    Diarized = 2,
    /// Words with their times.
    Transcribed = 3,
    /// Words to turns.
    TranscriptAligned = 4,
    /// Stable ids and merged segments.
    TranscriptNormalized = 5,
    /// Which speaker is the user.
    VoiceMatched = 6,
    /// Names and roles.
    SpeakersResolved = 7,
    /// Numbers and names taken out.
    Redacted = 8,
    /// Summary and what follows from the call.
    Analyzed = 9,
    /// What somebody is to do.
    ActionItemsExtracted = 10,
    /// Search.
    Indexed = 11,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::AudioPreprocessed,
        Self::Diarized,
        Self::Transcribed,
        Self::TranscriptAligned,
        Self::TranscriptNormalized,
        Self::VoiceMatched,
        Self::SpeakersResolved,
        Self::Redacted,
        Self::Analyzed,
        Self::ActionItemsExtracted,
        Self::Indexed,
    ];

    /// The stage of that number in the database.
    #[must_use]
    pub fn numbered(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| *stage as i16 == number)
    }

    /// As the API shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AudioPreprocessed => "AUDIO_PREPROCESSED",
            Self::Diarized => "DIARIZED",
            Self::Transcribed => "TRANSCRIBED",
            Self::TranscriptAligned => "TRANSCRIPT_ALIGNED",
            Self::TranscriptNormalized => "TRANSCRIPT_NORMALIZED",
            Self::VoiceMatched => "VOICE_MATCHED",
            Self::SpeakersResolved => "SPEAKERS_RESOLVED",
            Self::Redacted => "REDACTED",
            Self::Analyzed => "ANALYZED",
            Self::ActionItemsExtracted => "ACTION_ITEMS_EXTRACTED",
            Self::Indexed => "INDEXED",
        }
    }
}

/// What became of a stage. The numbers are those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Outcome {
    /// It began.
    Started = 1,
    /// It did what it should.
    Completed = 2,
    /// It did not.
    Failed = 3,
    /// It does not exist yet, or was turned off.
    Skipped = 4,
}

impl Outcome {
    /// The outcome of that number in the database.
    #[must_use]
    pub fn numbered(number: i16) -> Option<Self> {
        [Self::Started, Self::Completed, Self::Failed, Self::Skipped]
            .into_iter()
            .find(|outcome| *outcome as i16 == number)
    }

    /// As the API shows it.
    #[must_use]
    pub fn shown(self) -> StageOutcome {
        match self {
            Self::Started => StageOutcome::Started,
            Self::Completed => StageOutcome::Completed,
            Self::Failed => StageOutcome::Failed,
            Self::Skipped => StageOutcome::Skipped,
        }
    }
}

/// Word of a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    stage: Stage,
    outcome: Outcome,
    provider: Option<&'a str>,
    took: Option<Duration>,
    error: Option<&'a str>,
}

impl<'a> Event<'a> {
    pub(super) fn started(stage: Stage) -> Self {
        Self { stage, outcome: Outcome::Started, provider: None, took: None, error: None }
    }

    pub(super) fn completed(stage: Stage) -> Self {
        Self { outcome: Outcome::Completed, ..Self::started(stage) }
    }

    pub(super) fn skipped(stage: Stage) -> Self {
        Self { outcome: Outcome::Skipped, ..Self::started(stage) }
    }

    pub(super) fn failed(stage: Stage, error: &'a str) -> Self {
        Self { outcome: Outcome::Failed, error: Some(error), ..Self::started(stage) }
    }

    pub(super) fn by(self, provider: &'a str) -> Self {
        Self { provider: Some(provider), ..self }
    }

    pub(super) fn took(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }

    /// Leaves it with the call.
    pub(super) async fn record(self, tx: &mut TenantTx<Write>, call: Uuid) -> Result<(), DbError> {
        let Self { stage, outcome, provider, took, error } = self;
        let tenant = tx.scope().tenant();
        sqlx::query!(
            "INSERT INTO tenant.processing_events
               (tenant_id, id, call_id, owner_id, stage, outcome, provider, duration_ms, error_code)
               SELECT tenant_id, $3, id, owner_id, $4, $5, $6, $7, $8 FROM tenant.calls WHERE tenant_id = $1 AND id = $2",
            tenant,
            call,
            Uuid::now_v7(),
            stage as i16,
            outcome as i16,
            provider,
            took.map(|took| i64::try_from(took.as_millis()).unwrap_or(i64::MAX)),
            error,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}
