//! What leaves the run: speakers get their names, and documents go from the key of the run, under which they lie before redaction, to the
//! key of the call. Its one invariant: only [`Fit`] documents are stored under the call's key, and the transaction that does so destroys the run's, so that
//! nothing from before redaction ever opens again.

use chrono::{DateTime, SecondsFormat, Utc};
use insight::{
    facts::Facts,
    redact::{Policy, Redacted},
    speakers::{self, Evidence},
};
use serde::{Deserialize, Serialize};
use speech::{diarize::Turn, normalize::source_speaker_id, transcribe::Transcription, transcript::Transcript};
use tokio::task::spawn_blocking;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    failure::Failure,
    voice::{Asked, Heard},
};
use crate::{
    artifacts::{self, Artifact},
    db::{TenantTx, Write},
    redaction::{
        self,
        endings::{self, Endings},
        findings,
    },
    vault::{key::Key, keys::Vault, seal::RecordKind},
};

/// `DIARIZATION_JSON`: who spoke when.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Diarization {
    turns: Vec<DiarizedTurn>,
    /// How the voices compare with the owner's: of the run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voice: Option<Heard>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiarizedTurn {
    source_speaker_id: String,
    start_seconds: f64,
    end_seconds: f64,
}

/// What recognition gave, as it is stored.
pub(super) struct Documents {
    transcript: Transcript,
    diarization: Diarization,
}

impl Documents {
    pub(super) fn of(transcription: Transcription, voice: Option<&Asked>) -> Self {
        let split = transcription.transcript.pipeline.diarization_provider == "channels";
        let turn = |Turn { speaker, start, end }: &Turn| DiarizedTurn {
            source_speaker_id: source_speaker_id(*speaker, split),
            start_seconds: *start,
            end_seconds: *end,
        };
        let turns = transcription.turns.iter().map(turn).collect();
        let voice = voice.map(|asked| asked.heard(transcription.voices, split));
        Self { transcript: transcription.transcript, diarization: Diarization { turns, voice } }
    }

    /// Takes out how the voices compare, which does not outlive the run.
    pub(super) fn heard(mut self) -> (Self, Option<Heard>) {
        let heard = self.diarization.voice.take();
        (self, heard)
    }

    /// Says whose voice is whose, and whether it could: where it cannot, the speakers keep their numbers. A tenant that takes names out of
    /// transcripts has none in the labels of speakers either.
    pub(super) async fn named(self, facts: Facts, heard: Option<&Heard>, withholds_names: bool) -> (Self, bool) {
        let transcript = self.transcript.clone();
        let voice = heard.map(|heard| heard.evidence(&transcript));
        let evidence = Evidence { voice, withholds_names };
        let named = spawn_blocking(move || speakers::resolve(transcript, &facts, &evidence)).await;
        match named {
            Ok(transcript) => (Self { transcript, ..self }, true),
            Err(_) => (self, false),
        }
    }

    /// Takes out what must not stay.
    pub(super) async fn redacted(self, policy: Policy) -> Result<Fit, Failure> {
        let (transcript, endings) = redaction::phone_endings(self.transcript, policy.clone()).await;
        let redacted = redaction::redacted(transcript, policy).await?;
        Ok(Fit { redacted, endings, diarization: json(&Diarization { voice: None, ..self.diarization })? })
    }

    /// Stores them under the key of a new run.
    pub(super) async fn put_under_run(
        &self,
        tx: &mut TenantTx<Write>,
        vault: &Vault,
        call: Uuid,
    ) -> Result<Uuid, Failure> {
        let run = Uuid::now_v7();
        let key = vault.create_run_key(tx, call, run).await?;
        artifacts::put(tx, (call, Artifact::Diarization), (&key, Some(run)), &json(&self.diarization)?).await?;
        artifacts::put(tx, (call, Artifact::RawTranscript), (&key, Some(run)), &json(&self.transcript)?).await?;
        Ok(run)
    }

    /// Opens what a run has stored.
    pub(super) async fn of_run(
        tx: &mut TenantTx<Write>,
        vault: &Vault,
        (call, run): (Uuid, Uuid),
    ) -> Result<Self, Failure> {
        let key = vault.run_key(tx, run).await?;
        let damaged = || Failure::last("content_damaged");
        let open = async |tx: &mut TenantTx<Write>, artifact| {
            artifacts::get_of_run(tx, (call, artifact), (&key, run)).await?.ok_or_else(damaged)
        };
        let diarization = open(tx, Artifact::Diarization).await?;
        let transcript = open(tx, Artifact::RawTranscript).await?;
        let transcript = serde_json::from_slice(&transcript).map_err(|_| damaged())?;
        let diarization = serde_json::from_slice(&diarization).map_err(|_| damaged())?;
        Ok(Self { transcript, diarization })
    }
}

/// Documents that were redacted.
pub(super) struct Fit {
    redacted: Redacted,
    endings: Endings,
    diarization: Zeroizing<Vec<u8>>,
}

impl Fit {
    pub(super) fn transcript(&self) -> &Transcript {
        &self.redacted.transcript
    }

    /// Stores them under the key of the call and destroys that of the run.
    pub(super) async fn commit(
        self,
        tx: &mut TenantTx<Write>,
        vault: &Vault,
        (call, run): (Uuid, Uuid),
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let Self { redacted: Redacted { mut transcript, findings }, endings, diarization } = self;
        let key: Key = vault.record_key(tx, RecordKind::Call, call).await?;
        vault.destroy_run_key(tx, run).await?;
        artifacts::put(tx, (call, Artifact::Diarization), (&key, None), &diarization).await?;
        artifacts::put(tx, (call, Artifact::RawTranscript), (&key, None), &json(&transcript)?).await?;
        transcript.call_id = Some(call.to_string());
        transcript.created_at = Some(now.to_rfc3339_opts(SecondsFormat::Millis, true));
        artifacts::put(tx, (call, Artifact::NormalizedTranscript), (&key, None), &json(&transcript)?).await?;
        endings::put(tx, &key, call, &endings).await?;
        Ok(findings::put(tx, &key, call, (&transcript, &findings)).await?)
    }
}

fn json(document: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Fails only for maps whose keys are no strings, which these documents do not have.
    serde_json::to_vec(document).map(Zeroizing::new).map_err(|_| Failure::again("internal_error"))
}
